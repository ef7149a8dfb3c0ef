"""Queries without a database: plain Python over lists of events and runs, slow and obviously right."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from db.collectors import CollectorLine
from db.error_kinds import kind_of_error
from db.results import (
    Anchor,
    DailyRow,
    ErrorGroup,
    Event,
    EventDetail,
    EventList,
    EventPage,
    Filter,
    FilterChoices,
    FloatArray,
    IntArray,
    Kind,
    Overview,
    SchedulerRunRow,
    SchedulerStats,
    Series,
    SourceStats,
    TimeRange,
    UrlHistory,
    UrlStats,
)
from db.vitals import VitalsQueries
from tests.pages.memory_alerts import MemoryAlerts
from tests.pages.memory_runs import MemoryRuns
from tests.pages.memory_sums import series, totals
from tests.pages.memory_tabs import MemoryTabs

NOW_MS = 1_795_300_325_000  # 2026-11-21 22:32:05 UTC


class MemoryQueries(MemoryAlerts, MemoryRuns, MemoryTabs, VitalsQueries):
    """Answers from what it was given; `veterans` are sources that have reported for years, `labels` those of events."""

    def __init__(
        self,
        events: Sequence[Event] = (),
        runs: Sequence[SchedulerRunRow] = (),
        *,
        veterans: Sequence[str] = (),
        labels: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self.labels = labels  # by the event's id
        self.veterans = veterans
        self.run_ids = {}
        self.known_collectors: tuple[CollectorLine, ...] = ()
        self.all = sorted(events, key=lambda event: event.recorded_at_ms)
        self.runs = sorted(runs, key=lambda run: run.recorded_at_ms)

    def overview(self, range: TimeRange, filter: Filter = Filter(), than: TimeRange | None = None) -> Overview:
        events = self._events(range, filter)
        sources = self.sources(range, filter)
        return Overview(
            range=range,
            current=totals(events),
            previous=totals(self._events(than or range.before(), filter)),
            series=series(events, range),
            sources=sources,
            throughput={stats.source: stats.counts for stats in sources},
        )

    def sources(self, range: TimeRange, filter: Filter = Filter()) -> tuple[SourceStats, ...]:
        found = []
        for source, events in sorted(_by(self._events(range, filter), "source").items()):
            summed = totals(events)
            ok = [event.recorded_at_ms for event in events if event.success]
            per_bucket = series(events, range)
            found.append(
                SourceStats(
                    source=source,
                    totals=summed,
                    last_seen_ms=max(event.recorded_at_ms for event in events),
                    last_ok_ms=max(ok, default=None),
                    items_per_min=summed.items / ((range.end_ms - range.start_ms) / 60_000),
                    counts=per_bucket.navigations + per_bucket.scrapes,
                )
            )
        return tuple(found)

    def source_series(self, range: TimeRange, filter: Filter = Filter()) -> Mapping[str, Series]:
        return {source: series(events, range) for source, events in _by(self._events(range, filter), "source").items()}

    def source_names(self) -> tuple[str, ...]:
        return tuple(sorted({event.source for event in self.all}))

    def duration_trend(self, range: TimeRange, filter: Filter, kind: Kind) -> Series:
        return series(self._events(range, filter, kind), range)

    def duration_histogram(
        self, range: TimeRange, filter: Filter, kind: Kind, bins: int = 40
    ) -> tuple[FloatArray, IntArray]:
        durations = [event.duration_ms for event in self._events(range, filter, kind)]
        counts, edges = np.histogram(durations, bins=bins)
        return edges.astype(np.float64), counts.astype(np.int64)

    def errors_by_kind(self, range: TimeRange, filter: Filter, kind: Kind | None = None) -> tuple[ErrorGroup, ...]:
        failed = [event for event in self._events(range, filter, kind) if not event.success]
        groups: dict[str, list[Event]] = defaultdict(list)
        for event in failed:
            groups[kind_of_error(event.error or "")].append(event)
        step_ms = (range.end_ms - range.start_ms) // 4
        found = [
            ErrorGroup(
                error=text, failures=len(group), last_seen_ms=group[-1].recorded_at_ms,
                first_seen_ms=group[0].recorded_at_ms, sources=tuple(sorted({event.source for event in group})),
                starts_ms=tuple(range.start_ms + step_ms * n for n in (0, 1, 2, 3)),
                counts=tuple(
                    sum(min(3, (event.recorded_at_ms - range.start_ms) // step_ms) == n for event in group)
                    for n in (0, 1, 2, 3)
                ),
                sample=group[-1].error or "",
            )
            for text, group in groups.items()
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda group: (-group.failures, group.error)))

    def slowest_urls(self, range: TimeRange, filter: Filter, kind: Kind, limit: int = 20) -> tuple[UrlStats, ...]:
        groups: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self._events(range, filter, kind):
            groups[event.url or "", event.source].append(event)
        found = [
            UrlStats(
                url=url,
                source=source,
                count=len(group),
                errors=sum(not event.success for event in group),
                items=sum(event.items or 0 for event in group),
                mean_ms=sum(event.duration_ms for event in group) / len(group),
                max_ms=max(event.duration_ms for event in group),
                last_seen_ms=group[-1].recorded_at_ms,
            )
            for (url, source), group in groups.items()
        ]
        return tuple(sorted(found, key=lambda url: -url.mean_ms)[:limit])

    def outcomes(self, range: TimeRange, filter: Filter = Filter()) -> Mapping[str, int]:
        scrapes = self._events(range, filter, "scrape")
        return Counter(str(_outcome(event)) for event in scrapes)

    def filter_choices(self, range: TimeRange | None = None) -> FilterChoices:
        events = self.all if range is None else self._events(range, Filter())
        outcomes = {_outcome(event) for event in events} - {None}
        errors = {kind_of_error(event.error) for event in events if event.error and not event.success}
        labels = {f"{key}={value}" for own in self.labels.values() for key, value in own.items()}
        return FilterChoices(tuple(sorted(map(str, outcomes))), tuple(sorted(errors)), tuple(sorted(labels)))

    def events(self, range: TimeRange | None, filter: Filter = Filter(), limit: int = 100) -> tuple[Event, ...]:
        pages = self.all if range is None else self._events(range, filter)
        runs = [
            Event(
                id=run.id,
                kind="scheduler",
                source=run.scheduler_name,
                url=None,
                duration_ms=run.duration_ms,
                items=run.items,
                retry_count=None,
                success=run.success,
                error=run.error,
                status_code=None,
                outcome=None,
                recorded_at_ms=run.recorded_at_ms,
            )
            for run in self.runs
            if range is None or run in self.scheduler_runs(range, filter)
        ]
        both = sorted([*pages, *runs], key=lambda event: (event.recorded_at_ms, event.id), reverse=True)
        return tuple(both[:limit])

    def event_count(self, range: TimeRange, filter: Filter = Filter()) -> int:
        return len(self.events(range, filter, 1 << 40))

    def open_events(self, range: TimeRange, filter: Filter = Filter()) -> EventList:
        return EventList(range, filter, Anchor(len(self.all), len(self.runs)))

    def events_page(self, events: EventList, first: int, count: int) -> EventPage:
        found = self.events(events.range, events.filter, 1 << 40)
        return EventPage(len(found), found[first : first + count])

    def newer_events(self, events: EventList) -> int:
        return 0

    def event_detail(self, id: str) -> EventDetail | None:
        event = next((event for event in self.events(None, limit=1 << 40) if event.id == id), None)
        return None if event is None else EventDetail(event, "run-1", (("team", "a"),), 4_096, None)

    def collectors(self, now_ms: int) -> tuple[CollectorLine, ...]:
        return self.known_collectors

    def url_history(self, event: Event, limit: int = 50) -> UrlHistory:
        same = [one for one in reversed(self.all) if (one.source, one.url) == (event.source, event.url)]
        return UrlHistory(tuple(same[:limit]), whole=True, gap=False)

    def scheduler_runs(
        self, range: TimeRange, filter: Filter = Filter(), limit: int = 10_000
    ) -> tuple[SchedulerRunRow, ...]:
        inside = [
            run
            for run in self.runs
            if range.start_ms <= run.recorded_at_ms < range.end_ms
            and (not filter.sources or run.source in filter.sources)
            and filter.result in ("all", "ok" if run.success else "failed")
            and _has_error(run, filter.error)
            and not (filter.url_contains or filter.outcomes or filter.labels or filter.kind != "all")
            and not (filter.url or filter.run)
        ]
        return tuple(reversed(inside))[:limit]

    def scheduler_summary(self, range: TimeRange, filter: Filter = Filter()) -> tuple[SchedulerStats, ...]:
        found = []
        groups: dict[str, list[SchedulerRunRow]] = defaultdict(list)
        for run in reversed(self.scheduler_runs(range, filter)):
            groups[run.scheduler_name].append(run)
        for name, runs in sorted(groups.items()):
            durations = [run.duration_ms for run in runs]
            failed = [run for run in runs if not run.success]
            pauses = np.diff([run.start_ms for run in runs])
            found.append(
                SchedulerStats(
                    scheduler_name=name,
                    runs=len(runs),
                    ok=len(runs) - len(failed),
                    failed=len(failed),
                    items=sum(run.items for run in runs),
                    mean_ms=float(np.mean(durations)),
                    p95_ms=float(np.quantile(durations, 0.95)),
                    max_ms=max(durations),
                    last_run_ms=runs[-1].recorded_at_ms,
                    last_success=runs[-1].success,
                    last_error=failed[-1].error if failed else None,
                    typical_interval_ms=float(np.median(pauses)) if len(runs) >= 3 else None,
                )
            )
        return tuple(found)

    def event_chunks(self, range: TimeRange, filter: Filter) -> Iterator[list[tuple[Any, ...]]]:
        yield [
            (
                event.recorded_at_ms, event.kind, event.source, event.url, event.duration_ms, event.items, None,
                event.retry_count, event.success, event.error, event.status_code, event.outcome, None, None, None,
                event.id,
            )
            for event in self.events(range, filter, 10**9)
        ]  # fmt: skip

    def run_chunks(self, range: TimeRange, filter: Filter) -> Iterator[list[tuple[Any, ...]]]:
        yield [
            (
                run.recorded_at_ms, "scheduler", run.scheduler_name, None, run.duration_ms, run.items, None, None,
                run.success, run.error, None, None, run.run_id, run.source, None, run.id,
            )
            for run in self.scheduler_runs(range, filter, 10**9)
        ]  # fmt: skip

    def daily(self, source: str | None, days: int) -> tuple[DailyRow, ...]:
        nothing = (None,) * 5
        return tuple(
            DailyRow(name, dt.date(2026, 11, 19), 0, 0, *nothing, 0, 0, *nothing, total_items_extracted=0)
            for name in self.veterans
        )

    def last_recorded_ms(self) -> int | None:
        newest = [*(event.recorded_at_ms for event in self.all[-1:]), *(run.recorded_at_ms for run in self.runs[-1:])]
        return max(newest, default=None)

    def _events(self, range: TimeRange, filter: Filter, kind: Kind | None = None) -> list[Event]:
        return [
            event
            for event in self.all
            if range.start_ms <= event.recorded_at_ms < range.end_ms
            and (kind is None or event.kind == kind)
            and (not filter.sources or event.source in filter.sources)
            and filter.result in ("all", "ok" if event.success else "failed")
            and filter.url_contains.lower() in (event.url or "").lower()
            and filter.url in ("", event.url)
            and filter.run in ("", self.run_ids.get(event.id))
            and filter.kind in ("all", event.kind)
            and (not filter.outcomes or _outcome(event) in filter.outcomes)
            and _has_error(event, filter.error)
            and self._has_labels(event, filter.labels)
        ]

    def _has_labels(self, event: Event, wanted: Sequence[str]) -> bool:
        own = [f"{key}={value}" for key, value in self.labels.get(event.id, {}).items()]
        keys = {label.split("=")[0] for label in wanted}
        return all(any(label in own for label in wanted if label.split("=")[0] == key) for key in keys)


def _outcome(event: Event) -> str | None:
    if event.kind != "scrape":
        return None
    return event.outcome or ("ok" if event.success else "failed")


def _has_error(one: Event | SchedulerRunRow, kind: str) -> bool:
    return not kind or (not one.success and kind_of_error(one.error or "") == kind)


def _by(events: Sequence[Event], name: str) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        groups[getattr(event, name)].append(event)
    return groups
