"""What the Navigation and the Scraping tab ask, without a database: plain Python over a list of events."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from db.field_coverage import FieldCoverage
from db.queries import Queries
from db.results import Event, Filter, IntArray, Kind, TimeRange, UrlStats
from db.tab_results import Attempts, OkFailed, OutcomeSeries, UsableSuccess, WeekHours, YieldSeries


class MemoryTabs(Queries):
    """Answers from the events that `_events` returns; a scrape's data is told to be 1,000 bytes an item."""

    fields: Mapping[str, Mapping[str, int]] = MappingProxyType({})  # event id -> fields

    def _events(self, range: TimeRange, filter: Filter, kind: Kind | None = None) -> list[Event]:
        raise NotImplementedError

    def week_hours(self, range: TimeRange, filter: Filter, kind: Kind) -> WeekHours:
        cells: dict[tuple[int, int], list[Event]] = defaultdict(list)
        for event in self._events(range, filter, kind):
            moment = dt.datetime.fromtimestamp(event.recorded_at_ms / 1000, dt.UTC)
            cells[moment.weekday(), moment.hour].append(event)
        counts, successes = np.zeros((7, 24), dtype=np.int64), np.zeros((7, 24), dtype=np.int64)
        mean_ms, p95_ms = np.full((7, 24), np.nan), np.full((7, 24), np.nan)
        for at, own in cells.items():
            durations = [event.duration_ms for event in own]
            counts[at], successes[at] = len(own), sum(event.success for event in own)
            mean_ms[at], p95_ms[at] = np.mean(durations), np.quantile(durations, 0.95)
        return WeekHours(counts, successes, mean_ms, p95_ms)

    def attempts(self, range: TimeRange, filter: Filter = Filter()) -> Attempts:
        events = self._events(range, filter, "navigation")
        retries = Counter((min(event.retry_count or 0, 3), event.success) for event in events)
        statuses = Counter((event.status_code, event.success) for event in events)
        order = sorted({event.status_code for event in events}, key=lambda status: (status is None, status))
        return Attempts(
            tuple(OkFailed(retries[number, True], retries[number, False]) for number in (0, 1, 2, 3)),
            {status: OkFailed(statuses[status, True], statuses[status, False]) for status in order},
        )

    def yields(self, range: TimeRange, filter: Filter = Filter()) -> YieldSeries:
        rows = []
        for own in self._by_bucket(range, filter):
            items = sum(event.items or 0 for event in own)
            ok = [event for event in own if event.success]
            rows.append((len(own), items, len(ok), sum(not event.items for event in ok), len(own), 1000 * items))
        return YieldSeries(range.bucket_starts(), *np.array(rows, dtype=np.int64).reshape(-1, 6).T)

    def outcome_series(self, range: TimeRange, filter: Filter = Filter()) -> OutcomeSeries:
        counts: dict[str, Any] = {name: np.zeros(range.bucket_count, np.int64) for name in self.outcomes(range, filter)}
        for place, own in enumerate(self._by_bucket(range, filter)):
            for event in own:
                counts[event.outcome or ("ok" if event.success else "failed")][place] += 1
        starts = range.bucket_starts()
        return OutcomeSeries(starts, starts + range.bucket_ms, counts)

    def usable_success(self, range: TimeRange, filter: Filter = Filter()) -> tuple[UsableSuccess, ...]:
        scrapes = self._events(range, filter, "scrape")
        return tuple(
            UsableSuccess(
                source,
                sum(event.source == source for event in scrapes),
                sum(event.source == source and event.success for event in scrapes),
                sum(event.source == source and event.success and event.outcome in (None, "ok") for event in scrapes),
            )
            for source in sorted({event.source for event in scrapes})
        )

    def field_coverage(
        self, range: TimeRange, filter: Filter = Filter(), than: TimeRange | None = None
    ) -> tuple[FieldCoverage, ...]:
        earlier = than or range.before()

        def told(span: TimeRange, source: str, field: str) -> tuple[int, int]:
            own = [event for event in self._events(span, filter, "scrape") if event.source == source]
            own = [event for event in own if event.id in self.fields]
            return sum(event.items or 0 for event in own), sum(self.fields[event.id].get(field, 0) for event in own)

        found = []
        scrapes = [*self._events(range, filter, "scrape"), *self._events(earlier, filter, "scrape")]
        for source, field in {(event.source, name) for event in scrapes for name in self.fields.get(event.id, ())}:
            now, before = told(range, source, field), told(earlier, source, field)
            if now[0]:
                found.append(FieldCoverage(source, field, *now, *before, (range.start_ms,), now[:1], now[1:]))
        return tuple(sorted(found, key=lambda one: (-(one.fall or 0), one.coverage or 0, one.source, one.field)))

    def items_by_source(self, range: TimeRange, filter: Filter = Filter()) -> Mapping[str, IntArray]:
        found: dict[str, IntArray] = {}
        for place, own in enumerate(self._by_bucket(range, filter)):
            for event in own:
                if event.items:
                    found.setdefault(event.source, np.zeros(range.bucket_count, np.int64))[place] += event.items
        return dict(sorted(found.items()))

    def worst_urls(self, range: TimeRange, filter: Filter, kind: Kind, limit: int = 20) -> tuple[UrlStats, ...]:
        found = self.slowest_urls(range, filter, kind, 1_000_000)
        return tuple(sorted(found, key=lambda url: (-(url.errors**2) / url.count, -url.mean_ms))[:limit])

    def _by_bucket(self, range: TimeRange, filter: Filter) -> list[list[Event]]:
        buckets: list[list[Event]] = [[] for _ in range.bucket_starts()]
        for event in self._events(range, filter, "scrape"):
            buckets[(event.recorded_at_ms - range.start_ms) // range.bucket_ms].append(event)
        return buckets
