"""A long file on its way to a client: it holds a place until its last byte was sent, or until the client left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Self

from db.errors import DatabaseUnavailable

log = logging.getLogger(__name__)


class Sending:
    """The body of an answer; the web server closes it, also when the client left.

    It begins to write when it is made: a database that is away can then still be answered with its own status.

    Args:
        name: What is sent, for the log.
        chunks: The file, a generator: closing it ends its work.
        give_back: Called once, at the end.

    Raises:
        Exception: What writing the first rows raises.
    """

    def __init__(self, name: str, chunks: Iterator[bytes], give_back: Callable[[], None]) -> None:
        self._name = name
        self._chunks = chunks
        self._give_back: Callable[[], None] | None = give_back
        try:
            # The head line, then the first rows.
            self._first = [chunk for chunk in (next(chunks, b""), next(chunks, b"")) if chunk]
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Self:
        """Return itself: it is read once."""
        return self

    def __next__(self) -> bytes:
        """Return the next bytes."""
        if self._first:
            return self._first.pop(0)
        try:
            return next(self._chunks)
        except DatabaseUnavailable as exc:
            # The status was sent: the connection that breaks says that the file isn't whole.
            log.warning("export %s ended before its end: %s", self._name, exc)
            raise
        except StopIteration:
            self.close()
            raise

    def close(self) -> None:
        """End the work and give the place back; again is harmless."""
        give_back, self._give_back = self._give_back, None
        if give_back is None:
            return
        try:
            self._chunks.close()  # type: ignore[attr-defined]  # it is a generator
        finally:
            give_back()
