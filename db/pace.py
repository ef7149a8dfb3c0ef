"""How much a transaction of the maintenance takes at a time, so that nobody who stores metrics waits for it long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Less than a commit of metrics takes; and most of the time nobody finds the database taken at all.
_TARGET_S = 0.0015
# A step costs its statements and its commit, however small it is: where these alone take longer than the goal, halving
# it again and again would only make many of one.
_SMALLEST_SHARE = 2  # of the first step
PAUSE_SHARE = 3.0
LONG_PAUSE_SHARE = 19.0  # where little is to be done, and the night has time for it
LONGEST_PAUSE_S = 1.0


class Pace:
    """Finds the size of a step by how long the steps before took.

    Args:
        first: Rows, or pages, of the first step; so few that they hardly cost more than a commit.
        most: Of any step.
        pause_share: How many times as long as a step took it is left to others then.
        clock_s: Seconds that only ever rise.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        first: int,
        most: int,
        *,
        pause_share: float = PAUSE_SHARE,
        clock_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.size = first
        self._least = max(1, first // _SMALLEST_SHARE)
        self._most = most
        self._pause_share = pause_share
        self._clock_s, self._sleep = clock_s, sleep

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time the block, and then leave the database to others for much longer."""
        started_s = self._clock_s()
        yield
        took_s = self._clock_s() - started_s
        if took_s < _TARGET_S / 2:
            self.size = min(self._most, 2 * self.size)
        elif took_s > 2 * _TARGET_S:
            self.size = max(self._least, self.size // 2)
        self._sleep(min(self._pause_share * took_s, LONGEST_PAUSE_S))
