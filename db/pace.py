"""How much a transaction of the maintenance takes at a time, so that nobody who stores metrics waits for it long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# Less than a commit of metrics takes; and most of the time nobody finds the database taken at all.
_TARGET_S = 0.0015
_PAUSE_SHARE = 3.0
_LONGEST_PAUSE_S = 0.1


class Pace:
    """Finds the size of a step by how long the steps before took.

    Args:
        first: Rows, or pages, of the first step.
        most: Of any step.
    """

    def __init__(self, first: int, most: int) -> None:
        self.size = first
        self._most = most

    @contextmanager
    def step(self) -> Iterator[None]:
        """Time the block, and then leave the database to others for much longer."""
        started_s = time.monotonic()
        yield
        took_s = time.monotonic() - started_s
        if took_s < _TARGET_S / 2:
            self.size = min(self._most, 2 * self.size)
        elif took_s > 2 * _TARGET_S:
            self.size = max(1, self.size // 2)
        time.sleep(min(_PAUSE_SHARE * took_s, _LONGEST_PAUSE_S))
