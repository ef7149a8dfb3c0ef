"""A tally: how often something happened, by reason."""

from __future__ import annotations

import threading
from collections import Counter


class Tally:
    """Counts by reason, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects _counts
        self._counts: Counter[str] = Counter()

    def add(self, reason: str, times: int = 1) -> None:
        """Count something.

        Args:
            reason: Why, in a few words; one of few, so that there is an end to them.
            times: How often it happened.
        """
        with self._lock:
            self._counts[reason] += times

    def counts(self) -> dict[str, int]:
        """Return reason -> times."""
        with self._lock:
            return dict(self._counts)

    def total(self) -> int:
        """Return how often it happened for any reason."""
        with self._lock:
            return self._counts.total()
