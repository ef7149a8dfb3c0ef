"""Every job per bucket and by start: the same from memory, rollups and the database, as counted by hand."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from sqlalchemy.engine import Engine

import db.job_history
import db.scheduler_queries
from collector.events import SchedulerRun
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.results import Filter, TimeRange
from db.store import Store
from tests.db.samples import NOON_MS, batch, run

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
FILTERS = (Filter(), Filter(("slow",)), Filter(("shop",)), Filter(result="failed"), Filter(("nobody",)))


def fleet() -> list[SchedulerRun]:
    return [
        run(
            name, NOON_MS + number * every_min * MINUTE_MS + number % 7 * 1000, execution_duration_ms=1000.4 + number,
            success=number % 5 > 0, scraper_source=source, items_processed=number,
        )
        for name, every_min, source in (("slow", 50, "shop"), ("Fast", 6, None), ("fast", 7, "shop"))
        for number in range(12 * 60 // every_min)
    ]  # fmt: skip


def program(engine: Engine, *, max_runs: int, exact_runs: int) -> Queries:
    store, runs = Store(engine), RecentRuns(max_runs)
    runs.load(engine)
    rollups = JobRollups(engine, clock_ms=lambda: NOON_MS + 13 * HOUR_MS)
    store.subscribe_runs(runs.append)
    store.subscribe(rollups.mark)
    store.send(batch(*fleet()))
    rollups.run_once()
    jobs = JobHistory(engine, runs, rollups, exact_runs=exact_runs, clock_ms=lambda: NOON_MS + 13 * HOUR_MS)
    return Queries(engine, RecentDetail(), jobs=jobs)


def chosen(filter: Filter) -> list[SchedulerRun]:
    return [
        one
        for one in fleet()
        if (not filter.sources or {one.scheduler_name, one.scraper_source} & set(filter.sources))
        and filter.result in ("all", "ok" if one.success else "failed")
    ]


@pytest.mark.parametrize("bucket_ms", [10 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS])
@pytest.mark.parametrize(("max_runs", "exact_runs"), [(1000, 10_000), (1000, -1), (50, -1)])
def test_every_job_is_counted_per_bucket(engine: Engine, bucket_ms: int, max_runs: int, exact_runs: int) -> None:
    queries = program(engine, max_runs=max_runs, exact_runs=exact_runs)
    bare = Queries(engine, RecentDetail())
    span = TimeRange(NOON_MS + 2 * HOUR_MS, NOON_MS + 12 * HOUR_MS, bucket_ms)
    for filter in FILTERS:
        expected: dict[str, list[Any]] = defaultdict(lambda: [[0, 0.0] for _ in range(span.bucket_count)])
        for one in chosen(filter):
            if span.start_ms <= one.recorded_at_ms < span.end_ms:
                bucket = expected[one.scheduler_name][(one.recorded_at_ms - span.start_ms) // bucket_ms]
                bucket[0] += 1
                bucket[1] += one.execution_duration_ms
        for found in (queries.scheduler_trend(span, filter), bare.scheduler_trend(span, filter)):
            assert found.names == tuple(sorted(expected))
            assert found.runs.tolist() == [[count for count, _ in expected[name]] for name in found.names]
            sums = [[pytest.approx(total) for _, total in expected[name]] for name in found.names]
            assert found.sum_ms.tolist() == sums


@pytest.mark.parametrize("most", [40_000, 30])
@pytest.mark.parametrize("max_runs", [1000, 50])
def test_runs_come_by_job_and_start_the_newest_of_all(
    engine: Engine, max_runs: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (db.job_history, db.scheduler_queries):
        monkeypatch.setattr(module, "MOST_RUNS", most)
    queries = program(engine, max_runs=max_runs, exact_runs=-1)
    bare = Queries(engine, RecentDetail())
    for end_ms in (NOON_MS + 12 * HOUR_MS, NOON_MS + 3 * HOUR_MS, NOON_MS):
        for filter in FILTERS:
            runs = [one for one in chosen(filter) if one.recorded_at_ms < end_ms]
            newest = sorted(runs, key=lambda one: one.recorded_at_ms)[-most:]
            oldest_ms = newest[0].recorded_at_ms if len(newest) == most else None
            if sum(one.recorded_at_ms == oldest_ms for one in runs) > 1:
                continue  # which of several runs of one moment is left out is a matter of their ids
            for found in (queries.job_runs(end_ms, filter), bare.job_runs(end_ms, filter)):
                expected = sorted(
                    (
                        one.scheduler_name, one.recorded_at_ms - round(one.execution_duration_ms), one.recorded_at_ms,
                        one.success, one.items_processed,
                    )
                    for one in newest
                )  # fmt: skip
                names = [found.names[place] for place in found.job.tolist()]
                columns = [column.tolist() for column in (found.start_ms, found.end_ms, found.success, found.items)]
                assert list(zip(names, *columns, strict=True)) == expected
                assert found.since_ms == (0 if oldest_ms is None else oldest_ms + 1)
                assert found.offsets.tolist()[-1] == len(newest)


def test_a_run_that_lands_is_seen_at_the_next_ask(engine: Engine) -> None:
    store, runs, rollups = Store(engine), RecentRuns(), JobRollups(engine)
    store.subscribe_runs(runs.append)
    store.subscribe(rollups.mark)
    queries = Queries(engine, RecentDetail(), jobs=JobHistory(engine, runs, rollups))
    span = TimeRange(NOON_MS, NOON_MS + HOUR_MS, MINUTE_MS)
    assert queries.job_runs(span.end_ms).names == () == queries.scheduler_trend(span).names
    store.send(batch(run("a", NOON_MS + 5)))
    assert queries.job_runs(span.end_ms).names == ("a",) == queries.scheduler_trend(span).names
