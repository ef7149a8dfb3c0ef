"""Whether the fleet has gone quiet: since when, judged by how often it usually reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from components.timerange import MINUTE_MS
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.queries import Queries

LEAST_QUIET_MS: Final = 2 * MINUTE_MS
MOST_GAPS: Final = 5
LOOKED_AT: Final = 500


def quiet_since_ms(times_ms: Sequence[int], now_ms: int) -> int | None:
    """Return when the newest metric came, if that is longer ago than usual; None while all is as usual.

    Usual is the gap between two metrics into which half of the time falls (not half of the gaps: a fleet that reports
    a hundred pages once an hour is quiet for nearly all of it). Longer than usual is five times that, and two minutes
    at least.

    Args:
        times_ms: When the newest metrics were recorded, newest first, epoch milliseconds.
        now_ms: The moment, epoch milliseconds.
    """
    if not times_ms:
        return None
    gaps_ms = sorted(newer - older for newer, older in pairwise(times_ms))
    half_ms, passed_ms, usual_ms = sum(gaps_ms) / 2, 0, 0
    for gap_ms in gaps_ms:
        passed_ms, usual_ms = passed_ms + gap_ms, gap_ms
        if passed_ms >= half_ms:
            break
    quiet_ms = now_ms - times_ms[0]
    return times_ms[0] if quiet_ms > max(LEAST_QUIET_MS, MOST_GAPS * usual_ms) else None


class Freshness:
    """Know since when the fleet is quiet, without asking the database for every page.

    Args:
        queries: Who knows the newest metrics.
        clock_ms: The present, epoch milliseconds.
    """

    def __init__(self, queries: Queries, clock_ms: Callable[[], int] = now_ms) -> None:
        self._queries = queries
        self._clock_ms = clock_ms
        self.since_ms: int | None = None

    def check(self) -> None:
        """Look anew; while the database is away, what was known stays."""
        try:
            newest = self._queries.events(None, limit=LOOKED_AT)
        except DatabaseUnavailable:  # the banner says so
            return
        self.since_ms = quiet_since_ms([event.recorded_at_ms for event in newest], self._clock_ms())
