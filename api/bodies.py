"""Bodies of requests as they were before they were compressed on their way."""

from __future__ import annotations

import zlib
from typing import Final

# What zlib calls them: a gzip file, and a zlib stream, which HTTP calls "deflate".
_KINDS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class TooLargeError(Exception):
    """A body is larger than it may be when it is unpacked."""


def unpacked(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """Return a body as its sender wrote it; of one that is too large no more than that is unpacked.

    Args:
        body: As it came.
        encoding: The request's `Content-Encoding`; empty for none.
        most_bytes: How large it may be unpacked.

    Raises:
        TooLargeError: It is larger.
        ValueError: It is packed in another way, or isn't what the header says.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    kind = _KINDS.get(encoding)
    if kind is None:
        raise ValueError(f"Content-Encoding {encoding[:40]!r} can't be read: send gzip, deflate or no such header")
    parts: list[bytes] = []
    room = most_bytes + 1
    while True:  # a gzip file may be several, one behind the other
        stream = zlib.decompressobj(kind)
        try:
            parts.append(stream.decompress(body, room))
        except zlib.error as exc:
            raise ValueError(f"the body is not {encoding}, as its Content-Encoding says: {exc}") from exc
        room -= len(parts[-1])
        if room <= 0:
            raise TooLargeError
        if not stream.eof:
            raise ValueError(f"the body is cut off: its {encoding} has no end")
        body = stream.unused_data
        if not body or kind != _KINDS["gzip"]:
            return b"".join(parts)
