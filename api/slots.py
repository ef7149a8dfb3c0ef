"""How much heavy work runs at the same time: who comes when all places are taken is told to come again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class AllTakenError(Exception):
    """As many exports run as may at the same time."""

    def __init__(self) -> None:
        super().__init__("too many exports run at the same time: try again in a few seconds")


class Slots:
    """A number of places; a request that exports takes one until its work is done.

    Args:
        places: How many; at least one is there.
    """

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(max(1, places))  # the places that are free

    def take(self) -> Callable[[], None]:
        """Take a place without waiting; return what gives it back.

        Raises:
            AllTakenError: All are taken.
        """
        if not self._free.acquire(blocking=False):
            raise AllTakenError
        return self._free.release

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the length of a block.

        Raises:
            AllTakenError: All are taken.
        """
        give_back = self.take()
        try:
            yield
        finally:
            give_back()
