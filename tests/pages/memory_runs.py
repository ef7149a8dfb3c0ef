"""The part of the queries without a database that is about runs: of jobs over time, and of scrapers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from collector.run_events import ScraperRun as RunEvent
from db.job_runs import JobRuns, JobTrend
from db.results import Event, Filter, FloatArray, Kind, SchedulerRunRow, SchedulerSeries, TimeRange
from db.run_states import RunState
from db.scraper_runs import ScraperRun
from db.told_runs import RunLine, run_lines


class MemoryRuns:
    """Answers from what `MemoryQueries` was given; `run_ids` says which run an event came with."""

    run_ids: dict[str, str]  # event id -> run
    told: Sequence[RunState] = ()

    def scheduler_series(self, range: TimeRange, filter: Filter = Filter()) -> SchedulerSeries:
        buckets: list[list[SchedulerRunRow]] = [[] for _ in range.bucket_starts()]
        for run in self._runs_in(range, filter):
            buckets[(run.recorded_at_ms - range.start_ms) // range.bucket_ms].append(run)

        def durations(rank: float | None) -> FloatArray:
            lists = [[run.duration_ms for run in bucket] for bucket in buckets]
            return np.array([
                math.nan if not some else np.mean(some) if rank is None else np.quantile(some, rank) for some in lists
            ])  # fmt: skip

        return SchedulerSeries(
            range.bucket_starts(),
            np.array([len(bucket) for bucket in buckets]),
            np.array([sum(run.success for run in bucket) for bucket in buckets]),
            np.array([sum(not run.success for run in bucket) for bucket in buckets]),
            np.array([sum(run.items for run in bucket) for bucket in buckets]),
            *(durations(rank) for rank in (None, 0.5, 0.95, 0.99)),
        )

    def scheduler_trend(self, range: TimeRange, filter: Filter = Filter()) -> JobTrend:
        runs = self._runs_in(range, filter)
        names = tuple(sorted({run.scheduler_name for run in runs}))
        counts, sums = (
            np.zeros((len(names), range.bucket_count), dtype=np.int64),
            np.zeros((len(names), range.bucket_count)),
        )
        for run in runs:
            place = names.index(run.scheduler_name), (run.recorded_at_ms - range.start_ms) // range.bucket_ms
            counts[place] += 1
            sums[place] += run.duration_ms
        return JobTrend(names, counts, sums)

    def job_runs(self, end_ms: int, filter: Filter = Filter()) -> JobRuns:
        found = self._runs_in(TimeRange(0, end_ms, end_ms), filter)
        runs = sorted(found, key=lambda run: (run.scheduler_name, run.start_ms))
        names = sorted({run.scheduler_name for run in runs})
        offsets = [sum(run.scheduler_name < name for run in runs) for name in names]
        return JobRuns(
            tuple(names),
            np.array([*offsets, len(runs)]),
            np.array([run.start_ms for run in runs], dtype=np.int64),
            np.array([run.recorded_at_ms for run in runs], dtype=np.int64),
            np.array([run.success for run in runs], dtype=np.bool_),
            np.array([run.items for run in runs], dtype=np.int64),
        )

    def scraper_runs(self, range: TimeRange, filter: Filter, limit: int = 20) -> tuple[ScraperRun, ...]:
        groups = defaultdict(list)
        for event in self._events_in(range, Filter(filter.sources, url_contains=filter.url_contains)):
            if event.id in self.run_ids:
                groups[self.run_ids[event.id]].append(event)
        found = [
            ScraperRun(
                run_id,
                min(event.recorded_at_ms - round(event.duration_ms) for event in group),
                max(event.recorded_at_ms for event in group),
                sum(event.kind == "navigation" for event in group),
                sum(event.kind == "scrape" for event in group),
                sum(event.items or 0 for event in group),
                sum(event.success for event in group),
            )
            for run_id, group in groups.items()
        ]
        return tuple(sorted(found, key=lambda run: (-run.ended_ms, run.run_id))[:limit])

    def told_runs(self, range: TimeRange, filter: Filter = Filter(), limit: int = 100) -> tuple[RunLine, ...]:
        told = [
            state
            for state in self.told
            if state.told.recorded_at_ms >= range.start_ms
            and state.told.started_at_ms < range.end_ms
            and (not filter.sources or state.told.scraper_source in filter.sources)
            and not (filter.url_contains or filter.labels)
        ]
        return run_lines((), told, limit)

    def runs_of_scraper(self, range: TimeRange, filter: Filter, limit: int = 20) -> tuple[RunLine, ...]:
        added_up = self.scraper_runs(range, filter, limit)
        own = {run.run_id for run in added_up} | {run.run_id for run in self.told_runs(range, filter, limit)}
        return run_lines(added_up, [state for state in self.told if state.told.run_id in own], limit)

    def scrapes_with_items(self, range: TimeRange, filter: Filter) -> int | None:
        return sum(bool(event.items) for event in self._events_in(range, filter, "scrape"))

    def _runs_in(self: Any, range: TimeRange, filter: Filter) -> Sequence[SchedulerRunRow]:
        runs: Sequence[SchedulerRunRow] = self.scheduler_runs(range, filter, 1_000_000)
        return runs

    def _events_in(self: Any, range: TimeRange, filter: Filter, kind: Kind | None = None) -> Sequence[Event]:
        events: Sequence[Event] = self._events(range, filter, kind)
        return events


def told_of(sources: Sequence[str], now_ms: int) -> list[RunState]:
    """Invent a run of each of up to five sources, each in another state."""
    return [
        RunState(
            RunEvent(
                "nightly", f"run-{number}", source, state, now_ms - 900_000, now_ms - 60_000, 70, 100, 30_000, None
            ),
            now_ms - 60_000,
        )
        for number, (source, state) in enumerate(
            zip(sources, ("running", "ok", "failed", "killed", "lost"), strict=False)
        )
    ]
