"""What is learnt of a job's habits, and what is claimed of late, missed and overlapping runs: nothing beyond that."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.habits import Deviation, Schedule, deviations, learn, overdue_ms
from components.timerange import DAY_MS, HOUR_MS, MINUTE_MS
from db.job_runs import JobRuns

START_MS = 1_795_348_800_000
TOOK_MS = 30_000


def runs_of(jobs: dict[str, Iterable[float]], *, took_ms: int = TOOK_MS) -> JobRuns:
    """Runs that begin so many minutes after the start."""
    starts = {name: sorted(START_MS + round(minute * MINUTE_MS) for minute in jobs[name]) for name in sorted(jobs)}
    start_ms = np.array([moment for moments in starts.values() for moment in moments], dtype=np.int64)
    return JobRuns(
        names=tuple(starts),
        offsets=np.cumsum([0, *(len(moments) for moments in starts.values())]),
        start_ms=start_ms,
        end_ms=start_ms + took_ms,
        success=np.ones(len(start_ms), dtype=np.bool_),
        items=np.zeros(len(start_ms), dtype=np.int64),
    )


def found(minutes: Iterable[float], *, until: float, took_ms: int = TOOK_MS, since: float = 0) -> list[Deviation]:
    learnt = learn(runs_of({"job": minutes}, took_ms=took_ms))
    since_ms, until_ms = START_MS + round(since * MINUTE_MS), START_MS + round(until * MINUTE_MS)
    return list(deviations(learnt, since_ms, until_ms, until_ms))


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def habits(minutes: Iterable[float], *, took_ms: int = TOOK_MS) -> Schedule:
    return learn(runs_of({"job": minutes}, took_ms=took_ms)).schedules[0]


def test_the_interval_is_the_median_pause_and_the_duration_the_usual_one() -> None:
    schedule = habits([0, 10, 20, 30.5, 40, 50])
    assert schedule == Schedule("job", 6, 10 * MINUTE_MS, TOOK_MS, TOOK_MS, 0.0, at(50), True)
    assert schedule.tolerance_ms == 2.5 * MINUTE_MS


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_nothing_is_claimed_of_fewer_than_five_runs(count: int) -> None:
    minutes = [10 * number for number in range(count)]
    assert habits(minutes).interval_ms is None
    assert found(minutes, until=10_000) == []


def test_a_job_that_follows_no_interval_is_not_judged() -> None:
    dice = random.Random(3)
    minutes = np.cumsum([dice.expovariate(0.1) for _ in range(200)]).tolist()
    assert habits(minutes).interval_ms is None
    assert found(minutes, until=minutes[-1] + 10_000, took_ms=1) == []


def test_runs_on_time_and_early_ones_are_nothing_to_tell() -> None:
    assert found([0, 10, 20, 31, 39, 50, 52, 62, 72], until=80) == []


def test_a_run_later_than_a_quarter_of_the_interval_is_late() -> None:
    minutes = [0, 10, 20, 30, 43, 53, 63, 73]
    assert found(minutes, until=80) == [Deviation("job", "late", at(40), at(43), 3 * MINUTE_MS)]
    assert found([0, 10, 20, 30, 42.5, 52.5, 62.5, 72.5], until=80) == []


def test_a_run_that_never_came_is_missed_and_the_next_one_is_judged_by_its_own_moment() -> None:
    assert found([0, 10, 20, 30, 50, 60, 70], until=75) == [Deviation("job", "missed", at(40), None, 0.0)]
    assert found([0, 10, 20, 30, 84, 94, 104, 114], until=115) == [
        Deviation("job", "late", at(80), at(84), 4 * MINUTE_MS),
        Deviation("job", "missed", at(40), None, 30 * MINUTE_MS, 4),
    ]


def test_only_what_was_missed_inside_the_range_is_counted() -> None:
    minutes = [0, 10, 20, 30, 40, 100, 110, 120]
    assert found(minutes, since=65, until=125) == [Deviation("job", "missed", at(70), None, 20 * MINUTE_MS, 3)]
    assert found(minutes, since=101, until=125) == []


def test_a_run_that_may_still_be_going_is_not_missing_yet() -> None:
    minutes = [0, 10, 20, 30, 40]
    schedule = habits(minutes, took_ms=4 * MINUTE_MS)
    # It should have begun at 50, may begin until 52:30, and is told four minutes later.
    assert overdue_ms(schedule, at(56.5)) == 0.0
    assert overdue_ms(schedule, at(56.6)) == pytest.approx(6.6 * MINUTE_MS)
    assert found(minutes, until=61, took_ms=4 * MINUTE_MS) == []
    assert found(minutes, until=62, took_ms=4 * MINUTE_MS) == [Deviation("job", "missed", at(50), None, 0.0)]
    assert found(minutes, until=162, since=95, took_ms=4 * MINUTE_MS) == [
        Deviation("job", "missed", at(100), None, 50 * MINUTE_MS, 6)
    ]


def test_nothing_of_the_future_is_missing() -> None:
    learnt = learn(runs_of({"job": [0, 10, 20, 30, 40]}))
    assert deviations(learnt, at(0), at(1_000), at(45)) == ()


def test_a_pause_that_comes_every_night_is_a_habit() -> None:
    minutes = [day * 1440 + hour * 60 for day in range(5) for hour in range(9)]
    schedule = habits(minutes)
    assert schedule.interval_ms == HOUR_MS
    assert schedule.pause_ms == 16 * HOUR_MS
    assert found(minutes, until=minutes[-1] + 15 * 60) == []
    assert overdue_ms(schedule, at(minutes[-1] + 18 * 60)) == 17 * HOUR_MS


def test_two_outages_of_the_same_length_are_no_habit() -> None:
    minutes = [*range(0, 100, 10), *range(140, 240, 10), *range(280, 380, 10)]
    assert [(one.what, one.expected_ms, one.count) for one in found(minutes, until=370)] == [
        ("missed", at(240), 4),
        ("missed", at(100), 4),
    ]


def test_a_job_whose_pace_was_changed_is_judged_by_the_pace_of_each_time() -> None:
    slow = [60 * number for number in range(100)]
    fast = [slow[-1] + 5 * number for number in range(1, 101)]
    assert habits([*slow, *fast]).interval_ms == 5 * MINUTE_MS
    assert found([*slow, *fast], until=fast[-1] + 5) == []


def test_runs_that_begin_before_the_last_has_ended_overlap() -> None:
    assert found([0, 10, 20, 30, 40], took_ms=12 * MINUTE_MS, until=41)[:1] == [
        Deviation("job", "overlap", at(42), at(40), 2 * MINUTE_MS)
    ]
    # Irregular jobs overlap, too; a second is nothing.
    assert found([0, 1], took_ms=61_000, until=5) == []
    assert [one.what for one in found([0, 1], took_ms=62_000, until=5)] == ["overlap"]


def test_jobs_do_not_disturb_each_other() -> None:
    jobs = {"a": [0, 10, 20, 30, 50, 60], "b": [5, 65, 125, 185, 245], "c": [1]}
    learnt = learn(runs_of(jobs))
    assert [schedule.interval_ms for schedule in learnt.schedules] == [10 * MINUTE_MS, HOUR_MS, None]
    until_ms = at(61)
    assert [(one.job, one.what) for one in deviations(learnt, START_MS, until_ms, until_ms)] == [("a", "missed")]
    assert learnt.of("b") == learnt.schedules[1]
    assert learnt.of("nobody") is None


def test_no_run_at_all_teaches_nothing() -> None:
    learnt = learn(runs_of({}))
    assert learnt.schedules == ()
    assert deviations(learnt, 0, DAY_MS, DAY_MS) == ()


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.floats(0, 10_000), min_size=1, max_size=80), max_size=3),
    st.integers(0, 10**9),
    st.integers(0, 10_000),
)
def test_whatever_the_starts_every_claim_names_its_job_and_lies_in_the_range(
    jobs: dict[str, list[float]], took_ms: int, until: int
) -> None:
    learnt = learn(runs_of(jobs, took_ms=took_ms))
    for one in deviations(learnt, at(100), at(until), at(until)):
        assert one.job in jobs
        assert at(100) <= one.seen_ms < at(until)
        assert one.count >= 1
        assert one.by_ms > 0 or one.what == "missed"
        assert one.what == "overlap" or len(jobs[one.job]) >= 5
