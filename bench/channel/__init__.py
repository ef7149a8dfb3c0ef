"""How fast a batch reaches every viewer, beside the floor and the peers: see __main__."""
