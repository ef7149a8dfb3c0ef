"""Which rollups aren't equal to what they are computed from: to be recomputed, or being recomputed now."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Stale:
    """Starts of minutes, hours or days.

    Args:
        length_ms: How long each is.
    """

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._lock = threading.Lock()  # protects everything below
        self._waiting: set[int] = set()
        self._taken: set[int] = set()  # being recomputed: not yet written

    def add(self, starts: Iterable[int]) -> None:
        """Note that some have to be recomputed.

        Args:
            starts: Their starts in epoch ms.
        """
        with self._lock:
            self._waiting.update(starts)

    def waiting(self) -> list[int]:
        """Return the starts of all that nobody recomputes yet, rising."""
        with self._lock:
            return sorted(self._waiting)

    def still(self, starts: Iterable[int]) -> list[int]:
        """Return those of some starts that nobody has recomputed meanwhile, in their order.

        Args:
            starts: What `waiting` or `within` returned.
        """
        with self._lock:
            return [start for start in starts if start in self._waiting]

    def within(self, start_ms: int, end_ms: int) -> list[int]:
        """Return the starts of those that lie inside a span, rising.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        with self._lock:
            starts = self._waiting | self._taken
        return sorted(start for start in starts if start_ms <= start and start + self._length_ms <= end_ms)

    def overlapping(self, start_ms: int, end_ms: int) -> frozenset[int]:
        """Return the starts of those that share a moment with a span.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        with self._lock:
            starts = self._waiting | self._taken
        return frozenset(start for start in starts if start_ms - self._length_ms < start < end_ms)

    @contextmanager
    def taken(self, *starts_ms: int) -> Iterator[None]:
        """Recompute some in the block; they have to be recomputed again when the block fails.

        Args:
            starts_ms: Their starts in epoch ms; one thread at a time may take any.
        """
        with self._lock:
            # Before reading: what is committed from here on adds it once more.
            self._waiting.difference_update(starts_ms)
            self._taken.update(starts_ms)
        done = False
        try:
            yield
            done = True
        finally:
            with self._lock:
                self._taken.difference_update(starts_ms)
                if not done:
                    self._waiting.update(starts_ms)
