"""What the channel's speed is judged by: percentiles of durations over the last minute, and rates of counters."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

_SHORTEST_S: Final = 1e-6
_STEPS: Final = 8  # buckets for each doubling: a percentile is at most 9 % too high
_BUCKETS: Final = 8 * 27  # up to two minutes
_SECONDS: Final = 60


class Durations:
    """Percentiles of the durations of the last minute.

    One thread adds, any thread asks: while it reads, a duration that is just being added may be missed or not.

    Args:
        clock_s: Seconds that only go up.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._counts = np.zeros((_SECONDS, _BUCKETS), dtype=np.int64)  # a ring of seconds
        self._second = int(clock_s())

    def add(self, duration_s: float) -> None:
        """Add one.

        Args:
            duration_s: Seconds.
        """
        bucket = math.ceil(_STEPS * math.log2(max(duration_s, _SHORTEST_S) / _SHORTEST_S))
        self._counts[self._now() % _SECONDS, min(bucket, _BUCKETS - 1)] += 1

    def percentile_ms(self, share: float) -> float | None:
        """Return the duration that so many stayed within, in milliseconds; None when there was none.

        Args:
            share: How many, 0 to 1.
        """
        second = int(self._clock_s())
        age = (second - np.arange(_SECONDS)) % _SECONDS  # of what each row would hold by now
        fresh = age >= max(0, second - self._second)  # what wasn't written since is older than a minute
        counts = self._counts[fresh].sum(axis=0)
        total = int(counts.sum())
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(counts), math.ceil(share * total)))
        return 1_000 * _SHORTEST_S * float(2 ** (place / _STEPS))

    def _now(self) -> int:
        second = int(self._clock_s())
        for gone in range(self._second + 1, min(second, self._second + _SECONDS) + 1):
            self._counts[gone % _SECONDS] = 0
        self._second = max(second, self._second)
        return second


class Rates:
    """How fast counters grow: the mean of the last seconds.

    Args:
        read: Returns the counters, always as many.
        span_s: Over how many seconds.
        clock_s: Seconds that only go up.
    """

    def __init__(
        self,
        read: Callable[[], tuple[int, ...]],
        *,
        span_s: float = 10.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._span_s = span_s
        self._clock_s = clock_s
        self._lock = threading.Lock()  # protects _samples
        self._samples: deque[tuple[float, tuple[int, ...]]] = deque([(clock_s(), read())])

    def sample(self) -> None:
        """Look at the counters; to be called about once a second."""
        now_s, counters = self._clock_s(), self._read()
        with self._lock:
            self._samples.append((now_s, counters))
            while len(self._samples) > 2 and self._samples[1][0] <= now_s - self._span_s:
                self._samples.popleft()

    def per_s(self) -> tuple[float, ...]:
        """Return how much each counter grew, a second."""
        with self._lock:
            (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        passed_s = last_s - first_s
        return tuple((b - a) / passed_s if passed_s > 0 else 0.0 for a, b in zip(first, last, strict=True))
