"""How a scraper is doing, judged from its figures alone: healthy, degraded, failing or silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from components.tables import Mood, Status
from components.timerange import MINUTE_MS
from db.queries import Queries
from db.results import Filter, IntArray, SourceStats, TimeRange

StateName = Literal["healthy", "degraded", "failing", "silent"]

HEALTHY_FROM_PERCENT: Final = 90.0
FAILING_BELOW_PERCENT: Final = 50.0
SILENT_AFTER_PAUSES: Final = 3


@dataclass(frozen=True, slots=True)
class State:
    """A judgement.

    Args:
        name: The word for it.
        symbol: A mark that tells it without colour.
        mood: How it is coloured.
    """

    name: StateName
    symbol: str
    mood: Mood

    @property
    def status(self) -> Status:
        """The same as a table's cell."""
        return Status(self.mood, f"{self.symbol} {self.name}")


HEALTHY: Final = State("healthy", "✓", "ok")
DEGRADED: Final = State("degraded", "▲", "warn")
FAILING: Final = State("failing", "✕", "bad")
SILENT: Final = State("silent", "◌", "warn")


def state_of(stats: SourceStats, range: TimeRange) -> State:
    """Judge a scraper over a range.

    Silent goes first: a scraper that says nothing has no success rate worth telling.

    Args:
        stats: Its figures over the range.
        range: The range; "now" is its end.
    """
    if is_silent(stats, range):
        return SILENT
    rate = stats.totals.success_rate
    if rate is None or rate >= HEALTHY_FROM_PERCENT:
        return HEALTHY
    return DEGRADED if rate >= FAILING_BELOW_PERCENT else FAILING


def states_of(queries: Queries, range: TimeRange, filter: Filter, sources: Sequence[SourceStats]) -> dict[str, State]:
    """Judge scrapers whatever the result and text filters: who looks at failures only would see all of them failing.

    Args:
        queries: Who answers.
        range: The range.
        filter: The page's filter.
        sources: What was found with it; spares a question when it filters nothing but sources.

    Returns:
        Source -> state, for at least all of `sources`.
    """
    if not filter.only_sources:
        sources = queries.sources(range, Filter(sources=filter.sources))
    return {stats.source: state_of(stats, range) for stats in sources}


def is_silent(stats: SourceStats, range: TimeRange, *, known_before: bool = True) -> bool:
    """Return whether a scraper has been quiet for more than three times its usual longest pause.

    Args:
        stats: Its figures over the range.
        range: The range; "now" is its end.
        known_before: Whether it was there before the range, or may have been.
    """
    pause_ms = usual_pause_ms(stats.counts, range.bucket_ms, known_before=known_before)
    return range.end_ms - stats.last_seen_ms > SILENT_AFTER_PAUSES * pause_ms


def usual_pause_ms(counts: IntArray, bucket_ms: int, *, known_before: bool = True) -> int:
    """Return the longest time without data that is normal for a scraper.

    Scrapers work in bursts: a mean interval would call every pause between two bursts a silence. For one that was there
    before the range, the quiet time before its first metric is a pause too, or a lonely burst would be called silent.

    Args:
        counts: Metrics per bucket, int64[n].
        bucket_ms: Length of a bucket in milliseconds.
        known_before: Whether it was there before the range, or may have been.

    Returns:
        Milliseconds; at least a minute and at least a bucket.
    """
    busy = np.flatnonzero(counts)
    if not busy.size:
        return max(bucket_ms * len(counts), MINUTE_MS)
    longest = int(np.diff(busy).max(initial=busy[0] if known_before else 0))
    return max(longest * bucket_ms, bucket_ms, MINUTE_MS)
