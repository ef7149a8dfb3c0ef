"""What is thought of collectors' clocks: how far each is off, and what its metrics' times are corrected by."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

# Who is off by more has its metrics' times corrected; by less, they are as good as clocks are.
CORRECTED_FROM_MS: Final = 60_000
# Who is off by more is told so on the System page.
SHOWN_FROM_MS: Final = 2_000
# A measurement is late by what its request took. Unless it differs by more, the first one stays, so that the times of
# one collector keep their distances.
_STEADY_MS: Final = 5_000
_MOST_CLOCKS: Final = 10_000


@dataclass(slots=True)
class _Clock:
    skew_ms: int
    correction_ms: int
    corrected: int = 0  # metrics, since they were noted elsewhere


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A collector's clock.

    Args:
        skew_ms: The app's clock less its own.
        correction_ms: What its metrics' times are corrected by; 0 while it is about right.
    """

    skew_ms: int
    correction_ms: int


class Clocks:
    """Remembers the clocks of the collectors that were heard of last, in bounded number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects _clocks and what is in it
        self._clocks: LRUCache[str, _Clock] = LRUCache(_MOST_CLOCKS)

    def read(self, collector_id: str, sent_ms: int, received_ms: int) -> ClockReading:
        """Take note of a moment on a collector's clock.

        Args:
            collector_id: Whose.
            sent_ms: What it showed when it sent something, epoch ms.
            received_ms: What the app's showed when that arrived, epoch ms.
        """
        skew_ms = received_ms - sent_ms
        with self._lock:
            clock = self._clocks.get(collector_id)
            if clock is None:
                clock = self._clocks[collector_id] = _Clock(skew_ms, correction_of(skew_ms))
            # What comes late (the app hung, say) looks like a clock that is slow: only the next one can tell. Nothing
            # comes early, so that a clock is fast is certain at once.
            certain = skew_ms < clock.correction_ms or abs(skew_ms - clock.skew_ms) <= _STEADY_MS
            if certain and abs(skew_ms - clock.correction_ms) > _STEADY_MS:
                clock.correction_ms = correction_of(skew_ms)
            clock.skew_ms = skew_ms
            return ClockReading(skew_ms, clock.correction_ms)

    def count(self, collector_id: str, metrics: int) -> None:
        """Note that so many metrics of a collector were corrected (or, negative, that these are noted elsewhere)."""
        with self._lock:
            clock = self._clocks.get(collector_id)
            if clock is not None:
                clock.corrected += metrics

    def corrected(self, collector_id: str) -> int:
        """Return how many metrics of a collector are noted."""
        with self._lock:
            clock = self._clocks.get(collector_id)
            return 0 if clock is None else clock.corrected


def correction_of(skew_ms: int) -> int:
    """Return what times are corrected by on a clock that is so far off, in milliseconds.

    Args:
        skew_ms: The app's clock less the collector's.
    """
    return skew_ms if abs(skew_ms) > CORRECTED_FROM_MS else 0
