"""Who may open a live channel from a browser: the app's own pages, and the origins that the operator named."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.datastructures import Headers


def origin_allowed(headers: Headers, allowed_origins: tuple[str, ...]) -> bool:
    """Say whether a WebSocket handshake may go on (protects against cross-site WebSocket hijacking).

    Args:
        headers: the request's headers. Programs send no `Origin` and may connect; browsers always send one.
        allowed_origins: like `https://board.example.org`, besides the request's own host.

    Returns:
        True when there is no origin, or it is this host's or a named one.
    """
    origin = headers.get("Origin")
    if origin is None:
        return True
    if origin.rstrip("/") in allowed_origins:
        return True
    return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc == headers.get("Host", "")
