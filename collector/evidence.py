"""Reads from a page or a response what its outcome can be told by, without importing any library for it."""

from collections.abc import Mapping
from inspect import isawaitable
from typing import Any, NamedTuple

from collector.challenges import LOOKED_AT_CHARS
from collector.measures import status_of


class Seen(NamedTuple):
    """What an object tells of a page.

    Args:
        status_code: HTTP status; None when it has none.
        headers: Of the answer.
        body: The beginning of the page.
        data_size: Size of the whole page, in bytes.
    """

    status_code: int | None = None
    headers: Mapping[str, str] | None = None
    body: str | bytes | None = None
    data_size: int | None = None


def see(page: object) -> Seen:
    """Look at what is in memory already: nothing is loaded, decoded or consumed for it.

    Args:
        page: A response of requests, httpx, aiohttp or Scrapy, the page's text or bytes, or anything else.
    """
    if isinstance(page, str | bytes | bytearray):
        body = page[:LOOKED_AT_CHARS]
        return Seen(body=body if isinstance(body, str) else bytes(body), data_size=len(page))
    content: object = None
    for name in ("_content", "_body", "body"):  # requests and httpx; aiohttp; Scrapy: once they were read
        try:
            content = getattr(page, name, None)
        except Exception:  # noqa: BLE001 - a foreign property may raise anything; then it says nothing
            content = None
        if isinstance(content, bytes):
            break
    try:
        headers = getattr(page, "headers", None)
    except Exception:  # noqa: BLE001 - as above
        headers = None
    known = content if isinstance(content, bytes) else None
    return Seen(
        status_of(page),
        headers if isinstance(headers, Mapping) else None,
        None if known is None else known[:LOOKED_AT_CHARS],
        None if known is None else len(known),
    )


def ask_browser(page: Any) -> Any:
    """Ask a browser's page for its content; that costs a round trip, so only do it where something is wrong.

    Args:
        page: Of Playwright (sync or async), a Selenium driver, or anything else.

    Returns:
        The text, an awaitable of it from an async page, or None. Nothing is raised.
    """
    try:
        if callable(getattr(page, "goto", None)) and callable(getattr(page, "content", None)):
            text = page.content()
            return text if isinstance(text, str) or isawaitable(text) else None
        text = getattr(page, "page_source", None)
        return text if isinstance(text, str) else None
    except Exception:  # noqa: BLE001 - a browser that is gone raises whatever it likes
        return None
