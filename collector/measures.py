"""What can be told from a result without touching it: an answer's HTTP status, how many items there are."""

from collections.abc import Iterator, Mapping, Sized


def status_of(response: object) -> int | None:
    """Read the HTTP status of a response of Playwright, requests, httpx, aiohttp or a like library.

    Args:
        response: Anything.

    Returns:
        100-599; None when it has none (Selenium's `get` gives no response at all).
    """
    for attribute in ("status", "status_code"):
        try:
            status = getattr(response, attribute, None)
        except Exception:  # noqa: BLE001 - a foreign property may raise anything; then there is no status to tell
            return None
        if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
            return int(status)
    return None


def count_items(result: object) -> int | None:
    """Count the items of an extraction's result.

    Args:
        result: Anything.

    Returns:
        The length of what has one (a list, a DataFrame); a mapping or a text is one item, an empty one none; None is no
        item, any other single object is one. None for iterators, which can't be counted without consuming them.
    """
    if result is None:
        return 0
    if isinstance(result, Iterator) or hasattr(result, "__anext__"):
        return None
    length = _length(result)
    if length is None:
        return 1
    return min(length, 1) if isinstance(result, Mapping | str | bytes | bytearray) else length


def count_processed(result: object) -> int | None:
    """Count what a job has processed: the length of a collection that it returns; None for any other result."""
    return None if isinstance(result, Mapping | str | bytes | bytearray) else _length(result)


def _length(result: object) -> int | None:
    if not isinstance(result, Sized):
        return None
    try:
        return len(result)
    except Exception:  # noqa: BLE001 - a foreign __len__ may raise anything (a numpy scalar array does)
        return None
