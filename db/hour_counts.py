"""Rows counted by the hour of the week that they fall into, so that others can be added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from db.cells import HOUR_MS
from db.columns import DetailColumns
from db.results import FloatArray, IntArray
from db.spread import RANKS, spread
from db.tab_results import WeekHours

HOURS = 7 * 24
# The epoch was a Thursday.
_FIRST_HOUR = 3 * 24
_P95 = RANKS.index(0.95)


@dataclass(frozen=True, slots=True, eq=False)
class HourCounts:
    """What rows add up to by hour of the week (UTC, from Monday on), and how long each took."""

    counts: IntArray  # [HOURS], like the next three
    successes: IntArray
    sums_ms: FloatArray
    p95_ms: FloatArray  # NaN without rows
    durations_ms: FloatArray  # [n], by hour
    offsets: IntArray  # [HOURS + 1], where each begins

    @classmethod
    def of(cls, rows: DetailColumns) -> HourCounts:
        """Count rows.

        Args:
            rows: Any, with the columns of statistics.
        """
        hour = hour_of_week(rows.created_at_ms)
        counts = np.bincount(hour, minlength=HOURS)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        durations_ms = rows.duration_ms[np.argsort(hour.astype(np.uint8), kind="stable")]
        return cls(
            counts=counts,
            successes=np.bincount(hour[rows.success], minlength=HOURS),
            sums_ms=np.bincount(hour, weights=rows.duration_ms, minlength=HOURS).astype(np.float64, copy=False),
            p95_ms=spread(durations_ms, offsets).quantiles_ms[:, _P95],
            durations_ms=durations_ms,
            offsets=offsets,
        )

    def with_newer(self, rows: DetailColumns) -> WeekHours:
        """Return what these rows and others are together; only the hours that the others fall into are sorted again.

        Args:
            rows: The others, few.
        """
        new = HourCounts.of(rows)
        p95_ms = self.p95_ms.copy()
        for hour in np.flatnonzero(new.counts).tolist():
            both = np.concatenate((self._of_hour(hour), new._of_hour(hour)))
            p95_ms[hour] = spread(both, np.array([0, len(both)])).quantiles_ms[0, _P95]
        counts = self.counts + new.counts
        mean_ms = np.where(counts > 0, (self.sums_ms + new.sums_ms) / np.maximum(counts, 1), np.nan)
        successes = self.successes + new.successes
        grid = (7, 24)
        return WeekHours(counts.reshape(grid), successes.reshape(grid), mean_ms.reshape(grid), p95_ms.reshape(grid))

    def _of_hour(self, hour: int) -> FloatArray:
        return self.durations_ms[self.offsets[hour] : self.offsets[hour + 1]]


def hour_of_week(moment_ms: IntArray) -> IntArray:
    """Return the hours of the week that moments lie in, from 0 for Monday's first one (UTC) to HOURS - 1.

    Args:
        moment_ms: Epoch ms.
    """
    return (moment_ms // HOUR_MS + _FIRST_HOUR) % HOURS
