"""What was read or counted last, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from cachetools import LRUCache

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Bounded(LRUCache[_Key, _Value]):
    """Forgets only when it is told to: a question has all that was read for it at once, however much that is.

    It isn't safe for threads; who uses it holds a lock.

    Args:
        max_bytes: Memory for all of it.
        size_bytes: Returns what one takes.
    """

    def __init__(self, max_bytes: int, size_bytes: Callable[[_Value], int]) -> None:
        super().__init__(math.inf, size_bytes)
        self.max_bytes = max_bytes

    def trim(self) -> list[_Key]:
        """Forget what wasn't used for longest until the rest has room, but one, and return the keys of it."""
        gone: list[_Key] = []
        while self.currsize > self.max_bytes and len(self) > 1:
            gone.append(self.popitem()[0])
        return gone


class SpanSums:
    """What spans of time add up to, each kept until a minute of its span changes.

    It isn't safe for threads; who uses it holds a lock.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._known: LRUCache[tuple[int, int, Hashable], object] = LRUCache(most)

    def of(self, start_ms: int, end_ms: int, question: Hashable, add_up: Callable[[], _Value]) -> _Value:
        """Return what was found before, or is found now; None isn't kept.

        Args:
            start_ms: Where the span begins, epoch ms.
            end_ms: Where it ends.
            question: What is asked of it.
            add_up: Finds it.
        """
        key = (start_ms, end_ms, question)
        known = self._known.get(key)
        if known is None:
            known = add_up()
            if known is not None:
                self._known[key] = known
        return known  # type: ignore[return-value]

    def forget(self, changed: Iterable[int] | None) -> None:
        """Forget what changed.

        Args:
            changed: Minutes, epoch ms; None for any.
        """
        if changed is None:
            self._known.clear()
            return
        minutes = list(changed)
        if not minutes:
            return
        for key in [key for key in self._known if any(key[0] <= minute < key[1] for minute in minutes)]:
            del self._known[key]
