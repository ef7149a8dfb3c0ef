"""What events add up to, one by one: slow and obviously right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from db.results import Event, FloatArray, IntArray, Series, TimeRange, Totals

NOTHING = Totals(0, 0, 0, 0, 0, 0, None, None, None, None, None, None)


def totals(events: Sequence[Event]) -> Totals:
    """Sum up events."""
    if not events:
        return NOTHING
    durations = np.array([event.duration_ms for event in events])
    p50_ms, p95_ms, p99_ms = (float(value) for value in np.quantile(durations, [0.5, 0.95, 0.99]))
    return Totals(
        navigations=sum(event.kind == "navigation" for event in events),
        scrapes=sum(event.kind == "scrape" for event in events),
        successes=sum(event.success for event in events),
        errors=sum(not event.success for event in events),
        items=sum(event.items or 0 for event in events),
        active_sources=len({event.source for event in events}),
        mean_ms=float(durations.mean()),
        min_ms=float(durations.min()),
        max_ms=float(durations.max()),
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )


def series(events: Sequence[Event], range: TimeRange) -> Series:
    """Sum up events by bucket."""
    buckets: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        buckets[(event.recorded_at_ms - range.start_ms) // range.bucket_ms].append(event)
    each = [totals(buckets[place]) for place in np.arange(range.bucket_count).tolist()]

    def counts(name: str) -> IntArray:
        return np.array([getattr(one, name) for one in each], dtype=np.int64)

    def durations(name: str) -> FloatArray:
        return np.array([math.nan if getattr(one, name) is None else getattr(one, name) for one in each])

    return Series(
        bucket_ms=range.bucket_starts(),
        **{name: counts(name) for name in ("navigations", "scrapes", "successes", "errors", "items", "active_sources")},
        **{name: durations(name) for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms")},
    )
