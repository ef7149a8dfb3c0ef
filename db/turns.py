"""Turns at a job that few may do at a time: what waited together is done together (group commit).

A durable commit costs a write to the disk, whatever is in it. So whoever's turn it is takes everything along that came
to wait meanwhile; nobody waits for more to come.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class TurnLostError(RuntimeError):
    """The thread that did the job for several was stopped in the middle of it."""


class _Waiting(Generic[Item, Result]):
    """One item, the thread that waits with it, and what became of it."""

    __slots__ = ("group", "item", "outcome", "turn", "weight")

    def __init__(self, item: Item, weight: int) -> None:
        self.item = item
        self.weight = weight
        self.turn = threading.Lock()  # held until the item is done, or is the first of a group whose turn it is
        self.turn.acquire()
        self.group: list[_Waiting[Item, Result]] = []
        self.outcome: Result | Exception = TurnLostError("the thread that did this was stopped")


class Turns(Generic[Item, Result]):
    """Lets few threads do a job at a time, each for all that waited.

    Args:
        job: (items, hand_over) → an outcome for each item, an exception where it failed. It may call `hand_over` to
            let the next group begin before it is through.
        workers: How many groups may be in work at a time.
        most_weight: How much one group may weigh; an item that is heavier goes alone.
    """

    def __init__(
        self,
        job: Callable[[Sequence[Item], Callable[[], None]], Sequence[Result | Exception]],
        *,
        workers: int,
        most_weight: int,
    ) -> None:
        self._job = job
        self._workers = workers
        self._most_weight = most_weight
        self._lock = threading.Lock()  # protects the two below; never held while the job is done
        self._working = 0
        self._waiting: deque[_Waiting[Item, Result]] = deque()

    @property
    def waiting(self) -> int:
        """How many items wait for their turn now."""
        with self._lock:
            return len(self._waiting)

    def do(self, item: Item, *, weight: int) -> Result:
        """Have the job done for an item, in this thread or by the one whose turn it is.

        Args:
            item: What the job is done for.
            weight: What it weighs in its group.

        Returns:
            Its outcome.

        Raises:
            Exception: Its outcome was one.
        """
        mine: _Waiting[Item, Result] = _Waiting(item, weight)
        with self._lock:
            if self._working < self._workers:
                self._working += 1
                mine.group = [mine]
            else:
                self._waiting.append(mine)
        if not mine.group:
            mine.turn.acquire()
        if mine.group:
            self._lead(mine.group)
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome

    def _lead(self, group: list[_Waiting[Item, Result]]) -> None:
        handed_over = False

        def hand_over() -> None:
            nonlocal handed_over
            if not handed_over:
                handed_over = True
                self._next()

        try:
            outcomes = self._job([waiting.item for waiting in group], hand_over)
            for waiting, outcome in zip(group, outcomes, strict=True):
                waiting.outcome = outcome
        finally:
            # Whatever happened here, nobody may wait for ever.
            hand_over()
            for waiting in group[1:]:
                waiting.turn.release()

    def _next(self) -> None:
        with self._lock:
            if not self._waiting:
                self._working -= 1
                return
            first = self._waiting.popleft()
            group, weight = [first], first.weight
            while self._waiting and weight + self._waiting[0].weight <= self._most_weight:
                weight += self._waiting[0].weight
                group.append(self._waiting.popleft())
        first.group = group
        first.turn.release()
