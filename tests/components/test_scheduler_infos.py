"""The charts of scheduler runs: exact infos, and never more bars or lines than a browser and a reader can take."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.habits import learn
from alerts.punctuality import punctuality
from charts import make_adapter
from charts.info import FAILED_KEY, OK_KEY, BarInfo, Line, LineInfo, Span, TimelineInfo
from components import scheduler_infos
from components.timerange import DAY_MS, HOUR_MS, MINUTE_MS
from db.job_runs import JobRuns, JobTrend
from db.results import SchedulerSeries, SchedulerStats, TimeRange
from tests.alerts.test_habits import START_MS, TOOK_MS, at, runs_of

RANGE = TimeRange(START_MS, START_MS + 2 * HOUR_MS, HOUR_MS)
NAN = float("nan")


def timeline(runs: JobRuns, range: TimeRange, result: str = "all") -> TimelineInfo:
    learnt = learn(runs)
    punctual = punctuality(learnt, {}, range.start_ms, range.end_ms, range.end_ms)
    return scheduler_infos.runs_timeline(learnt, punctual, range, result)


def test_planned_late_and_missed_runs_are_drawn() -> None:
    info = timeline(runs_of({"job": [0, 10, 20, 30, 43, 53, 73, 83]}), TimeRange(at(5), at(90), MINUTE_MS))

    def plan(minute: float, said: str = "planned, as usual") -> Span:
        return Span("job", at(minute), at(minute) + TOOK_MS, said, True, planned=True)

    def came(minute: float) -> Span:
        return Span("job", at(minute), at(minute) + TOOK_MS, "ok, 30.0\u00a0s, 0 items", True)

    assert info == TimelineInfo(
        title="Runs, planned and actual",
        description="When scheduler jobs ran, in outline when they should have: 7 runs of 1 job, 0 failed, "
        "1 late, 1 missed.",
        bars=(
            *(plan(minute) for minute in (10, 20, 30, 40, 53, 73, 83)),
            plan(63, "missed"),
            *(came(minute) for minute in (10, 20, 30, 43, 53, 73, 83)),
        ),
        x_range_ms=(at(5), at(90)),
    )


def test_a_job_with_many_runs_is_drawn_in_blocks_that_lose_none() -> None:
    runs = runs_of({"busy": [minute / 2 for minute in range(24 * 120)]}, took_ms=20_000)
    runs.success[::97] = False
    info = timeline(runs, TimeRange(at(0), at(24 * 60), 10 * MINUTE_MS))
    assert len(info.bars) <= 60
    counted = {True: 0, False: 0}
    for span in info.bars:
        counted[span.ok] += int(span.label.split()[0])
    assert counted == {True: int(runs.success.sum()), False: int((~runs.success).sum())}
    assert info.bars[0].label.endswith("mean 20.0\u00a0s, 0 items")


def test_five_hundred_jobs_are_cut_to_those_in_trouble_and_the_title_says_so() -> None:
    jobs = {f"job{number:03}": [number % 7 + minute for minute in range(0, 1440, 15)] for number in range(500)}
    jobs["job321"] = [minute for minute in jobs["job321"] if not 400 < minute < 600]
    runs = runs_of(jobs)
    runs.success[runs.offsets[123]] = False
    info = timeline(runs, TimeRange(at(0), at(1441), 10 * MINUTE_MS))
    assert len(info.bars) <= scheduler_infos.MOST_SPANS
    assert len(info.lanes()) <= scheduler_infos.MOST_LANES
    assert {"job123", "job321"} <= set(info.lanes())
    assert info.title == f"Runs, planned and actual ({len(info.lanes())} of 500 jobs)"
    assert list(info.lanes()) == sorted(info.lanes())


def test_a_long_outage_is_one_outline() -> None:
    info = timeline(runs_of({"job": [*range(50), *range(1000, 1050)]}), TimeRange(at(0), at(1051), MINUTE_MS))
    plans = [span for span in info.bars if span.planned and "missed" in span.label]
    assert plans == [Span("job", at(50), at(999) + TOOK_MS, "950 missed", True, planned=True)]


def test_only_the_runs_of_the_chosen_result_are_drawn_but_none_is_missing() -> None:
    runs = runs_of({"job": [0, 10, 20, 30, 40, 50]})
    runs.success[2] = False
    info = timeline(runs, TimeRange(at(0), at(52), MINUTE_MS), "failed")
    assert [(span.planned, span.ok, span.start_ms) for span in info.bars] == [
        (True, True, at(20)),
        (False, False, at(20)),
    ]


@pytest.mark.parametrize("name", ["plotly", "altair"])
def test_no_run_at_all_is_drawn_as_an_empty_timeline(name: str) -> None:
    info = timeline(runs_of({}), RANGE)
    assert info.bars == ()
    assert make_adapter(name).draw(info).spec


def test_the_eight_jobs_that_run_longest_get_a_line() -> None:
    names = tuple(f"job{number}" for number in range(10))
    runs = np.array([[number % 2, 2] for number in range(10)])
    trend = JobTrend(names, runs, runs * (1000.0 + 100 * np.arange(10)[:, None]))
    info = scheduler_infos.run_durations(trend, RANGE)
    assert isinstance(info, LineInfo)
    assert info.title == "Run duration (8 of 10 jobs)"
    assert [line.name for line in info.lines] == ["job1", "job3", *names[4:]]
    assert info.lines[2] == Line("job4", np.array([NAN, 1400.0]))
    assert scheduler_infos.run_durations(JobTrend((), runs[:0], runs[:0] * 1.0), RANGE).lines == ()


def test_results_are_stacked_by_bucket() -> None:
    none = np.full(2, NAN)
    ok, failed, both = np.array([3, 0]), np.array([1, 2]), np.array([4, 2])
    series = SchedulerSeries(RANGE.bucket_starts(), both, ok, failed, both, none, none, none, none)
    assert scheduler_infos.run_results(series, RANGE) == BarInfo(
        title="Results over time",
        description="Scheduler runs per bucket: 3 went well, 3 failed.",
        categories=("12:00", "13:00"),
        groups=(("ok", ok), ("failed", failed)),
        colour_keys=(OK_KEY, FAILED_KEY),
        stacked=True,
        value_title="runs",
        ordered=True,
    )


def test_buckets_are_named_by_what_tells_them_apart() -> None:
    def names(bucket_ms: int) -> tuple[str, ...]:
        return scheduler_infos.bucket_names(TimeRange(START_MS, START_MS + 30 * bucket_ms, bucket_ms))

    assert names(30_000)[:2] == ("12:00:00", "12:00:30")
    assert names(2 * MINUTE_MS)[1] == "12:02"
    assert names(6 * HOUR_MS)[1] == "22 Nov 18:00"
    assert names(DAY_MS)[1] == "23 Nov"
    for bucket_ms in (30_000, MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS):
        assert len(set(names(bucket_ms))) == 30


def test_items_are_those_of_each_job_most_first() -> None:
    def job(name: str, items: int) -> SchedulerStats:
        return SchedulerStats(name, 1, 1, 0, items, 1.0, 1.0, 1.0, START_MS, True, None, None)

    info = scheduler_infos.items_by_job([job("a", 1), job("b", 5), job("c", 5)])
    assert info.categories == ("b", "c", "a")
    assert info.values == (5, 5, 1)
    many = scheduler_infos.items_by_job([job(str(number), number) for number in range(25)])
    assert many.title == "Items processed by job (top 20 of 25)"
    assert many.description == "Items that each job processed: 300 in all."
