"""Answers that were found before, to be given again while nothing changed below them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

from db.changes import Changes

_Answer = TypeVar("_Answer")


class Remembered(Generic[_Answer]):
    """A bounded number of answers, each about a span of time.

    Args:
        changes: Says which minutes changed.
        most: What may be kept, in the unit of `size`.
        size: How much an answer counts; 1 by default.
    """

    def __init__(self, changes: Changes, *, most: int, size: Callable[[_Answer], int] = lambda _answer: 1) -> None:
        self._changes = changes
        self._lock = threading.Lock()  # protects what is below
        # One that is bigger than all that may be kept is kept alone.
        self._answers: LRUCache[Hashable, tuple[int, _Answer]] = LRUCache(most, lambda kept: min(size(kept[1]), most))

    def get(self, question: Hashable, start_ms: int, end_ms: int) -> _Answer | None:
        """Return an answer if no minute of its span may have changed since it was found.

        Args:
            question: What was asked.
            start_ms: Where the span begins, epoch ms.
            end_ms: Where it ends, epoch ms.
        """
        with self._lock:
            known = self._answers.get(question)
            if known is None:
                return None
        version, answer = known
        now = self._changes.version
        if now == version:
            return answer
        if self._changes.touch(version, start_ms, end_ms):
            return None
        with self._lock:
            if question in self._answers:  # looked through once, not again at the next question
                self._answers[question] = (now, answer)
        return answer

    def put(self, question: Hashable, version: int, answer: _Answer) -> _Answer:
        """Remember an answer, and return it.

        Args:
            question: What was asked.
            version: The changes' version from before the answer was looked for.
            answer: What was found.
        """
        with self._lock:
            self._answers[question] = (version, answer)
        return answer
