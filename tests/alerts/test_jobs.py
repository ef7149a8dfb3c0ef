"""What rules by job find: runs that came late, ran side by side, took too long, were lost or have begun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from alerts.look import Look
from alerts.measure import Measurer
from alerts.rules import rule_of
from alerts.schedules import JobPlan, Planned
from collector.events import SchedulerRun
from collector.run_events import ScraperRun
from db.queries import Queries
from db.recent import RecentDetail
from db.store import Store
from tests.alerts.simulator import HOUR_MS, MINUTE_MS, moment
from tests.db.samples import batch, run, told

NOW_MS = moment("2024-05-01 12:00")


def ran(job: str, minute: float, took: float = 1, **changes: Any) -> SchedulerRun:
    """A run that began so many minutes before now and took so many."""
    end_ms = NOW_MS - int((minute - took) * MINUTE_MS)
    return run(job, end_ms, execution_duration_ms=took * MINUTE_MS, **changes)


def test_run_by_habit_is_missed_a_quarter_after_its_moment_and_not_before(engine: Engine) -> None:
    # Ten minutes apart, a minute long: those of 20 and of 10 minutes ago are overdue, that of now isn't yet.
    jobs = Jobs(engine, [ran("crawl", minute) for minute in range(120, 20, -10)])
    assert jobs.of("run_missed") == {"crawl": 2.0}
    assert jobs.of("run_missed", minutes_later=3.4) == {"crawl": 2.0}
    assert jobs.of("run_missed", minutes_later=3.6) == {"crawl": 3.0}


def heard(name: str, minute: float, *, of: float = 10, state: str = "running", **changes: Any) -> ScraperRun:
    """A run that began so many minutes before it was heard of last, which was so many before now."""
    at_ms = NOW_MS - int(minute * MINUTE_MS)
    started_ms = at_ms - int(of * MINUTE_MS)
    return told(f"{name}-{started_ms}", at_ms, name=name, state=state, started_at_ms=started_ms, **changes)


class Jobs:
    """A database with runs, and who asks it."""

    def __init__(self, engine: Engine, runs: Iterable[SchedulerRun] = (), *, told: Iterable[ScraperRun] = ()) -> None:
        recent = RecentDetail()
        self.store = Store(engine)
        self.store.subscribe(recent.append)
        self.store.subscribe_told(recent.touch)
        self.queries = Queries(engine, recent, clock_ms=lambda: NOW_MS)
        self.hear(*runs, told=told)

    def hear(self, *runs: SchedulerRun, told: Iterable[ScraperRun] = ()) -> None:
        assert not self.store.send(batch(*runs, runs=tuple(told))).rejected

    def of(
        self, what: str, *plans: JobPlan, minutes_later: float = 0, window: str = "1h", **changes: Any
    ) -> dict[str, float]:
        """What is measured, by job; what can't be is left out."""
        rule = rule_of({"id": "r", "name": "R", "what": what, "by": "job", "threshold": 0, "window": window} | changes)
        since = {plan.job: Planned(plan, NOW_MS - 24 * HOUR_MS) for plan in plans}
        look = Look(self.queries, NOW_MS + int(minutes_later * MINUTE_MS), plans=since)
        found = Measurer(self.queries).measure(rule, look)
        return {key: float(found.value[place]) for place, key in enumerate(found.keys) if found.known[place]}


def test_run_late_counts_runs_that_began_after_their_grace(engine: Engine) -> None:
    # Meant for every ten minutes: at -50 in time, at -40 a minute late, at -30 three, at -20 six late.
    starts = (60, 50, 39, 27, 14)
    jobs = Jobs(engine, [ran("declared", minute) for minute in starts])
    cron = JobPlan(job="declared", cron="*/10 * * * *", grace_s=120)
    assert jobs.of("run_late", cron) == {"declared": 2.0}
    assert jobs.of("run_late", cron, window="20m") == {"declared": 1.0}  # of those that ended in it
    assert jobs.of("run_late", cron.model_copy(update={"grace_s": 300.0})) == {"declared": 1.0}
    assert jobs.of("run_late", cron.model_copy(update={"grace_s": 600.0})) == {"declared": 0.0}
    # From start to start, pauses were 10, 11, 12 and 13 minutes.
    interval = JobPlan(job="declared", interval_s=600.0, grace_s=90)
    assert jobs.of("run_late", interval) == {"declared": 2.0}


def test_run_late_of_jobs_without_a_plan_goes_by_their_habit(engine: Engine) -> None:
    regular = [ran("regular", minute) for minute in range(10, 120, 10)]
    tardy = [ran("tardy", minute - 4 * (minute == 30)) for minute in range(10, 120, 10)]
    few = [ran("few", minute) for minute in (55, 30, 2)]
    jobs = Jobs(engine, [*regular, *tardy, *few])
    assert jobs.of("run_late") == {"regular": 0.0, "tardy": 1.0, "few": 0.0}
    assert jobs.of("run_late", window="25m") == {"regular": 0.0, "tardy": 0.0, "few": 0.0}


def test_run_overlapping_counts_runs_that_began_before_the_one_before_had_ended(engine: Engine) -> None:
    alone = [ran("alone", minute, 10) for minute in (50, 40, 30, 20)]  # back to back
    twice = [ran("twice", 50, 12), ran("twice", 40, 12), ran("twice", 30, 5)]
    long = [ran("long", 55, 50), ran("long", 40, 1), ran("long", 20, 1), ran("long", 4, 1)]
    jobs = Jobs(engine, [*alone, *twice, *long, ran("once", 30, 20)])
    assert jobs.of("run_overlapping") == {"alone": 0.0, "twice": 2.0, "long": 2.0, "once": 0.0}
    assert jobs.of("run_overlapping", window="35m") == {"alone": 0.0, "twice": 1.0, "long": 1.0, "once": 0.0}
    assert jobs.of("run_overlapping", minutes_later=61) == {}  # nothing ran within the hour


def test_run_too_long_goes_by_what_was_declared_or_by_twice_what_nine_of_ten_take(engine: Engine) -> None:
    usual = [ran("usual", minute, 2) for minute in range(300, 60, -20)]  # twelve of two minutes
    jobs = Jobs(engine, [*usual, ran("usual", 50, 3.9), ran("usual", 30, 4.5), ran("new", 40, 30), ran("new", 5, 1)])
    assert jobs.of("run_too_long", window="1h") == {"usual": 0.0}  # two of fourteen took long: so it is usual
    jobs.hear(*[ran("usual", minute, 2) for minute in range(700, 300, -20)])
    assert jobs.of("run_too_long", window="1h") == {"usual": 1.0}  # of a new job nobody knows what is long
    assert jobs.of("run_too_long", window="20m") == {}  # none of its runs ended within it
    limits = [JobPlan(job=job, interval_s=1_200.0, longest_s=180.0) for job in ("usual", "new")]
    assert jobs.of("run_too_long", *limits) == {"usual": 2.0, "new": 1.0}


LOST = (
    heard("crawl", 50, state="lost"), heard("crawl", 30, state="lost"), heard("crawl", 10, state="ok"),
    heard("crawl", 0), heard("nightly", 61, state="lost"), heard("nightly", 20, state="killed"),
    heard("long", 5, of=600, state="lost"), heard("well", 7, state="ok"), heard("well", 3, state="failed"),
)  # fmt: skip


def test_run_lost_counts_the_lost_runs_of_each_name_by_their_last_sign_of_life(engine: Engine) -> None:
    jobs = Jobs(engine, [ran("well", 30), ran("scheduled", 30)], told=LOST)
    wanted = dict.fromkeys(("crawl", "nightly", "long", "well", "scheduled"), 0.0)
    for event in LOST:
        wanted[event.name] += event.state == "lost" and event.recorded_at_ms >= NOW_MS - HOUR_MS
    assert jobs.of("run_lost") == wanted == {"crawl": 2, "nightly": 0, "long": 1, "well": 0, "scheduled": 0}
    assert jobs.of("run_lost", window="25m") == {"crawl": 0, "nightly": 0, "long": 1, "well": 0}
    assert jobs.of("run_lost", only=["job=crawl"], window="1d") == {"crawl": 2.0}
    assert jobs.of("run_lost", window="1d")["nightly"] == 1
    assert jobs.of("run_failed") == {"well": 0.0, "scheduled": 0.0}  # who only tells of runs is no job to other rules


def test_lost_run_that_is_heard_of_again_is_not_lost(engine: Engine) -> None:
    jobs = Jobs(engine, told=[heard("crawl", 10, state="lost")])
    assert jobs.of("run_lost") == {"crawl": 1.0}
    jobs.hear(told=[heard("crawl", 5, of=15)])
    assert jobs.of("run_lost") == {"crawl": 0.0}


@pytest.mark.parametrize("state", ["running", "ok", "failed", "killed", "lost"])
def test_run_that_is_told_of_has_begun_and_is_not_missed(engine: Engine, state: str) -> None:
    plan = JobPlan(job="nightly", cron="30 11 * * *", grace_s=300)
    jobs = Jobs(engine, [ran("nightly", 24 * 60 + 30)])
    assert jobs.of("run_missed", plan) == {"nightly": 1.0}
    jobs.hear(told=[heard("other", 1, of=29), heard("nightly", 23 * 60, of=20, state="ok")])
    assert jobs.of("run_missed", plan) == {"nightly": 1.0}  # another job, and a run of the day before
    jobs.hear(told=[heard("nightly", 1, of=29, state=state)])
    assert jobs.of("run_missed", plan) == {"nightly": 0.0}
    assert jobs.of("run_missed", plan, minutes_later=24 * 60) == {"nightly": 1.0}  # the next one


def test_run_that_is_told_of_is_not_missed_by_habit(engine: Engine) -> None:
    jobs = Jobs(engine, [ran("crawl", minute) for minute in range(120, 20, -10)])
    assert jobs.of("run_missed")["crawl"] > 0
    jobs.hear(told=[heard("crawl", 0, of=9)])
    assert jobs.of("run_missed") == {"crawl": 0.0}
    assert jobs.of("run_missed", minutes_later=4) == {"crawl": 0.0}  # thirteen minutes ago: within the tolerance
    assert jobs.of("run_missed", minutes_later=5)["crawl"] > 0  # the next one
