"""Runs against schedules that were declared: what was late and missed, and what each run was meant for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.habits import Deviation, learn
from alerts.next_runs import NextRun, next_runs
from alerts.punctuality import Punctuality, punctuality
from alerts.schedules import Planned, plan_of
from components.timerange import HOUR_MS, MINUTE_MS
from tests.alerts.test_habits import START_MS, TOOK_MS, at, runs_of

FAR = 1_000_000


def planned(since: float = -FAR, **document: Any) -> dict[str, Planned]:
    return {"job": Planned(plan_of({"job": "job", "grace": "2m", **document}), at(since))}


def judged(minutes: list[float], plans: dict[str, Planned], *, since: float = 0, until: float) -> Punctuality:
    runs = runs_of({"job": minutes} if minutes else {})
    return punctuality(learn(runs), plans, at(since), at(until), at(until) - 1)


def slips(minutes: list[float], plans: dict[str, Planned], *, since: float = 0, until: float) -> list[Deviation]:
    return list(judged(minutes, plans, since=since, until=until).slips)


def test_the_start_of_these_tests_is_a_full_hour() -> None:
    assert START_MS % HOUR_MS == 0


def test_runs_are_judged_by_cron_and_its_grace() -> None:
    hourly = planned(cron="0 * * * *")
    assert slips([0, 60, 121, 180], hourly, until=200) == []
    assert slips([0, 60, 125, 180], hourly, until=200) == [Deviation("job", "late", at(120), at(125), 5 * MINUTE_MS)]
    assert slips([0, 60, 240.2], hourly, until=250) == [Deviation("job", "missed", at(120), None, HOUR_MS, 2)]
    # One that begins a little early is meant for the moment that comes, one by hand for none.
    assert slips([-0.3, 59.8, 90, 120], hourly, until=130) == []
    expected = judged([0, 59.8, 90, 125], hourly, until=130).expected_ms
    np.testing.assert_array_equal(expected, [at(0), at(60), np.nan, at(120)])


def test_what_is_still_missing_is_told_after_its_grace_and_the_usual_duration() -> None:
    hourly = planned(cron="0 * * * *")
    assert slips([0, 60], hourly, until=122.5) == []  # it would be recorded at its end
    assert slips([0, 60], hourly, until=122.6) == [Deviation("job", "missed", at(120), None, 0.0)]
    assert slips([0, 60], planned(cron="0 * * * *", longest="30m"), until=150) == []
    assert slips([], hourly, until=125) == [Deviation("job", "missed", at(0), None, 2.0 * HOUR_MS, 3)]
    assert slips([], planned(since=10, interval="1h"), until=135) == [
        Deviation("job", "missed", at(70), None, HOUR_MS, 2)
    ]


def test_runs_are_judged_by_a_declared_interval() -> None:
    ten = planned(interval="10m")
    assert slips([0, 10, 21.5, 30], ten, until=35) == []
    assert slips([0, 10, 23, 33], ten, until=35) == [Deviation("job", "late", at(20), at(23), 3 * MINUTE_MS)]
    assert slips([0, 10, 40, 50], ten, until=55) == [Deviation("job", "missed", at(20), None, 10.0 * MINUTE_MS, 2)]


def test_a_schedule_counts_from_when_it_was_declared_and_habits_before() -> None:
    minutes = [0.0, 10, 20, 30, 43, 53, 63, 73, 83, 93]
    by_habit = [Deviation("job", "late", at(40), at(43), 3 * MINUTE_MS)]
    assert slips(minutes, {}, until=95) == by_habit
    assert slips(minutes, planned(since=51, cron="*/10 * * * *"), until=95) == [
        *(Deviation("job", "late", at(moment), at(moment + 3), 3 * MINUTE_MS) for moment in (90, 80, 70, 60)),
        *by_habit,
    ]
    assert slips(minutes, planned(since=100, cron="0 0 1 1 *"), until=95) == by_habit  # nobody knew of it yet


def test_overlaps_are_told_whatever_was_declared() -> None:
    runs = runs_of({"job": [0, 30]}, took_ms=40 * MINUTE_MS)
    found = punctuality(learn(runs), planned(interval="30m"), at(0), at(60), at(60))
    assert [one.what for one in found.slips] == ["overlap"]


@given(
    st.lists(st.integers(-60, 3_000), max_size=40, unique=True).map(sorted),
    st.integers(0, 2_000),
    st.integers(1, 1_000),
    st.integers(0, 10),
)
def test_every_moment_since_the_declaration_was_kept_was_missed_or_is_still_waited_for(
    starts: list[int], since: int, length: int, grace: int
) -> None:
    until = since + length
    starts = [minute for minute in starts if minute < until]
    plans = planned(cron="*/20 * * * *", grace=f"{grace}m")
    found = judged([float(minute) for minute in starts], plans, since=since, until=until)
    # Word by word: each moment belongs to the first run that began from its minute on and before the next moment.
    missed, late, told = set(), set(), until * 60_000 - 1 - grace * 60_000 - (TOOK_MS if starts else 0)
    for moment in range(-(-since // 20) * 20, until, 20):
        own = [minute for minute in starts if moment <= minute < moment + 20]
        if own and own[0] - moment > grace:
            late.add((at(moment), at(own[0])))
        if not own and (moment * 60_000 <= told or any(minute > moment for minute in starts)):
            missed.add(at(moment))
    claimed: set[int] = set()
    for one in found.slips:
        if one.what == "missed":
            step_ms = 20 * MINUTE_MS
            claimed |= {one.expected_ms + number * step_ms for number in range(one.count)}
            assert one.by_ms == (one.count - 1) * step_ms
    assert claimed == missed
    assert {(one.expected_ms, one.came_ms) for one in found.slips if one.what == "late"} == late


def test_the_moments_of_a_month_by_the_minute_are_not_all_looked_at() -> None:
    found = slips([], planned(cron="* * * * *"), since=0, until=30 * 1_440)
    assert [(one.what, one.count) for one in found] == [("missed", 1_998)]  # two are within the grace


@pytest.mark.parametrize(
    ("document", "minutes", "now", "state", "due"),
    [
        ({"cron": "0 * * * *"}, [0, 60], 70, "on time", 120),
        ({"cron": "0 * * * *"}, [0, 59.8], 70, "on time", 120),
        ({"cron": "0 * * * *"}, [0, 60], 121, "due", 120),
        ({"cron": "0 * * * *"}, [0, 60], 300, "overdue", 120),
        ({"interval": "15m"}, [0, 60], 70, "on time", 75),
        ({"interval": "15m"}, [0, 60], 80, "overdue", 75),
        ({"cron": "0 * * * *", "since": 10.0}, [], 20, "on time", 60),
        ({"cron": "0 0 29 2 *"}, [0], 20, "on time", (dt.datetime(2028, 2, 29, tzinfo=dt.UTC).timestamp() * 1000)),
    ],
)
def test_a_declared_job_runs_next_when_it_is_meant_to(
    document: dict[str, Any], minutes: list[float], now: float, state: str, due: float
) -> None:
    runs = runs_of({"job": minutes} if minutes else {})
    (one,) = next_runs(learn(runs), planned(**document), at(now))
    assert (one.state, one.due_ms) == (state, int(due) if due > FAR else at(due))
    assert bool(one.overdue_ms) == (state == "overdue")
    assert (one.habit is None) == (not minutes)


def test_the_overdue_come_first_and_the_unknown_last() -> None:
    runs = runs_of({"a": [0, 10, 20, 30, 40, 50], "b": [0, 10, 20, 30, 40], "c": [0], "d": [45], "e": [42]})
    plans = {
        job: Planned(plan_of({"job": job, "interval": "10m", "grace": "1m"}), at(0)) for job in ("d", "e", "never ran")
    }
    found = next_runs(learn(runs), plans, at(52))
    assert [(one.job, one.state) for one in found] == [
        ("never ran", "overdue"), ("b", "due"), ("e", "due"), ("d", "on time"), ("a", "on time"), ("c", "not known"),
    ]  # fmt: skip
    assert isinstance(found[0], NextRun)
    assert found[0].due_ms == at(10)
