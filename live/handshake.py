"""Which WebSocket handshakes may go on: whole ones (RFC 6455, section 4.2.1), of programs and of our own pages."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from flask import Flask, Response, request
from werkzeug.datastructures import Headers

from live.origin import origin_allowed
from live.tally import Tally

VERSION: Final = "13"
_KEY_BYTES: Final = 16


def guard_handshakes(app: Flask, path: str, allowed_origins: tuple[str, ...], refused: Tally) -> None:
    """Answer what is no handshake, or may not open the channel, before anybody shakes hands.

    Args:
        app: The Flask app.
        path: Where the channel is.
        allowed_origins: Browser origins that may connect besides the app's own.
        refused: Counts them.
    """

    def guard() -> Response | None:
        if request.path != path or request.method not in ("GET", "HEAD"):
            return None
        problem = handshake_problem(request.headers)
        if problem:
            refused.add("connections: no handshake")
            return _answer(426 if "Upgrade" in problem or "Version" in problem else 400, problem)
        if not origin_allowed(request.headers, allowed_origins):
            refused.add("connections: of a page of another site")
            return _answer(403, "this origin may not open the channel; see SCRAPEBOARD_ALLOWED_ORIGINS")
        return None

    app.before_request(guard)


def handshake_problem(headers: Headers) -> str:
    """Return what a WebSocket handshake lacks, a line; nothing when it is whole.

    Args:
        headers: The request's.
    """
    if "websocket" not in _tokens(headers, "Upgrade") or "upgrade" not in _tokens(headers, "Connection"):
        return "this is a WebSocket: send Upgrade: websocket and Connection: Upgrade"
    if not headers.get("Host"):
        return "a WebSocket handshake names its Host"
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        return f"send Sec-WebSocket-Version: {VERSION}"
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", "").strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    return "" if len(key) == _KEY_BYTES else f"Sec-WebSocket-Key must be {_KEY_BYTES} random bytes in base64"


def _tokens(headers: Headers, name: str) -> set[str]:
    return {token.strip().lower() for line in headers.getlist(name) for token in line.split(",")}


def _answer(status: int, says: str) -> Response:
    answer = Response(f"{says}\n", status, mimetype="text/plain")
    if status == 426:
        answer.headers["Upgrade"], answer.headers["Connection"] = "websocket", "Upgrade"
        answer.headers["Sec-WebSocket-Version"] = VERSION
    return answer
