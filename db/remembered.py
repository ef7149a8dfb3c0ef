"""Answers that were found before, to be given again while nothing changed below them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

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
        self._most = most
        self._size_of = size
        self._lock = threading.Lock()  # protects what is below
        self._answers: OrderedDict[Hashable, tuple[int, _Answer]] = OrderedDict()
        self._size = 0

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
            self._answers.move_to_end(question)
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
            old = self._answers.pop(question, None)
            self._size += self._size_of(answer) - (0 if old is None else self._size_of(old[1]))
            self._answers[question] = (version, answer)
            while self._size > self._most and len(self._answers) > 1:
                _, (_, gone) = self._answers.popitem(last=False)
                self._size -= self._size_of(gone)
        return answer
