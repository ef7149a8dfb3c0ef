"""Storage beside how many rows there are: `python -m bench.storage` prints one JSON document (see `__main__`)."""
