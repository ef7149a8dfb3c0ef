"""Scripts and stylesheets, read and compressed once: each has an address of its own that changes with its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

Wsgi: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_Answer: TypeAlias = tuple[str, list[tuple[str, str]], bytes]

# A browser asks for these at every load unless it is told that they stay what they are.
YEAR_S: Final = 365 * 86_400
_MOST_BYTES: Final = 32 << 20  # all of them in two encodings take about 6 MB
_CODINGS: Final = frozenset(("zstd", "br", "gzip", "deflate"))


class KeptFiles:
    """A WSGI application that answers for another one, from memory, when it is asked for a file again.

    Args:
        app: The other one.
        folders: What the paths of its files begin with; what may be kept says so in its Cache-Control header.
    """

    def __init__(self, app: Wsgi, folders: tuple[str, ...]) -> None:
        self._app = app
        self._folders = folders
        # (path and query, encodings) -> answer. A dict alone is enough: who comes at the same time stores the same.
        self._kept: dict[tuple[str, frozenset[str]], _Answer] = {}
        self._bytes = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        path = environ.get("PATH_INFO", "")
        # Weighed encodings, conditions and ranges are rare, and left to who understands them.
        plain = ";" not in accepted and "HTTP_RANGE" not in environ and "HTTP_IF_NONE_MATCH" not in environ
        if environ.get("REQUEST_METHOD") != "GET" or not path.startswith(self._folders) or not plain:
            return self._app(environ, start_response)
        encodings = frozenset(one.strip() for one in accepted.lower().split(",")) & _CODINGS
        key = (f"{path}?{environ.get('QUERY_STRING', '')}", encodings)
        answer = self._kept.get(key)
        if answer is None:
            answer = self._ask(environ)
            status, headers, body = answer
            lasting = f"max-age={YEAR_S}" in dict(headers).get("Cache-Control", "")
            if status.startswith("200 ") and lasting and self._bytes + len(body) <= _MOST_BYTES:
                self._kept[key] = answer
                self._bytes += len(body)
        status, headers, body = answer
        start_response(status, list(headers))
        return [body]

    def _ask(self, environ: dict[str, Any]) -> _Answer:
        told: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> Callable[[bytes], Any]:
            told.append((status, headers))
            return written.append

        parts = self._app(environ, start_response)
        try:
            body = b"".join(written) + b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = told[-1]
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return status, [*headers, ("Content-Length", str(len(body)))], body
