"""What was found out about spans of time: each answer is kept until something inside its span changes."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

from db.rollups import Rollups

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class SpanAnswers(Generic[_Key, _Answer]):
    """Keeps the answers that were asked for last.

    Args:
        rollups: Say that something changed; None to keep nothing.
        most: How many answers to keep.
    """

    def __init__(self, rollups: Rollups | None, *, most: int) -> None:
        self._rollups = rollups
        self._lock = threading.Lock()  # protects what is below
        self._known: LRUCache[_Key, tuple[int, _Answer]] = LRUCache(most)

    def of(self, key: _Key, start_ms: int, end_ms: int) -> tuple[int, _Answer | None]:
        """Return the rollups' version now, for `keep`, and an answer; None where there is none, or no longer.

        Args:
            key: What was asked.
            start_ms: Where the span begins that it was asked about, epoch ms.
            end_ms: Where it ends.
        """
        if self._rollups is None:
            return 0, None
        with self._lock:
            known = self._known.get(key)
        version = self._rollups.version
        if known is None or self._rollups.changed_since(known[0], start_ms, end_ms):
            return version, None
        return version, known[1]

    def keep(self, key: _Key, version: int, answer: _Answer) -> None:
        """Keep an answer.

        Args:
            key: What was asked.
            version: The rollups' version from before it was found out.
            answer: Anything but None.
        """
        if self._rollups is None:
            return
        with self._lock:
            self._known[key] = (version, answer)
