"""Schedules that APScheduler and Celery know: told where cron or an interval says exactly the same, else not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.combining import AndTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from celery import Celery, signals
from celery.beat import Service
from celery.schedules import crontab
from celery.schedules import schedule as every

from alerts.schedules import JobPlan
from collector import Collector
from collector.integrations.apscheduler import track_scheduler
from collector.integrations.celery import track_tasks
from tests.collector.doubles import WAIT_S, App

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 3, 12, tzinfo=BERLIN)


class Moonrise(crontab):
    """A schedule of somebody's own; Celery's `solar` is one too, but needs a library."""


class Heard:
    """A collector that sends to the app double, and what that was told."""

    def __init__(self, collector: Collector, app: App) -> None:
        self.collector = collector
        self._app = app
        collector.configure(url=app.url, spool_max_bytes=0)

    def plans(self) -> dict[str, dict[str, Any]]:
        """Wait until all is told, and return it by job: the newest."""
        thread = self.collector._schedules._thread
        if thread is not None:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        return {unquote(put["path"].rpartition("/")[2]): put["body"] for put in self._app.puts}


@pytest.fixture
def heard(collector: Collector, app: App) -> Heard:
    return Heard(collector, app)


@pytest.fixture
def scheduler() -> Iterator[BackgroundScheduler]:
    """A scheduler whose jobs never run, which is shut down afterwards."""
    scheduler = BackgroundScheduler(timezone=BERLIN)
    yield scheduler
    if scheduler.running:
        scheduler.shutdown()


TRIGGERS = {
    "nightly": ({"hour": 2, "minute": 30}, "30 2 * * *"),
    "workdays": ({"day_of_week": "mon-fri", "hour": 6}, "0 6 * * mon-fri"),
    "numbered": ({"day_of_week": "0,6", "hour": 6}, "0 6 * * mon,sun"),  # APScheduler's 0 is Monday
    "stepped": ({"day_of_week": "*/2", "hour": 6}, "0 6 * * mon,wed,fri,sun"),
    "often": ({"minute": "*/15"}, "*/15 * * * *"),
    "open": ({"minute": "5/20"}, "5-45/20 * * * *"),
    "office": ({"day_of_week": "tue", "hour": "9-17", "minute": "0,30"}, "0,30 9-17 * * tue"),
    "quarterly": ({"month": "1-12/3", "day": 1}, "0 0 1 */3 *"),
    "summer": ({"month": "jun-aug", "day": "*", "hour": 4}, "0 4 * 6-8 *"),
}


@pytest.mark.parametrize(("fields", "cron"), TRIGGERS.values(), ids=TRIGGERS)
def test_a_cron_trigger_is_told_as_the_cron_that_names_its_moments(
    heard: Heard, scheduler: BackgroundScheduler, fields: dict[str, Any], cron: str
) -> None:
    track_scheduler(scheduler, collector=heard.collector)
    job = scheduler.add_job(print, "cron", name="job", **fields)
    scheduler.start(paused=True)
    assert heard.plans() == {"job": {"cron": cron, "timezone": "Europe/Berlin"}}
    # The app's cron library and APScheduler agree about the next moments.
    told = JobPlan(job="job", **heard.plans()["job"]).next_after(int(NOW.timestamp() * 1000), 8)
    moments, moment = [], NOW
    for _ in told:
        moment = job.trigger.get_next_fire_time(moment, moment + dt.timedelta(seconds=1))
        moments.append(int(moment.timestamp() * 1000))
    assert told == moments


UNSAID = {
    "date": DateTrigger(NOW + dt.timedelta(days=3650)),
    "seconds": CronTrigger(second="*/5"),
    "week": CronTrigger(week="1-10", hour=2),
    "year": CronTrigger(year=2030, hour=2),
    "last day": CronTrigger(day="last", hour=2),
    "second friday": CronTrigger(day="2nd fri", hour=2),
    "both days": CronTrigger(day=13, day_of_week="fri", hour=2),
    "jitter": CronTrigger(hour=2, jitter=60),
    "ends": CronTrigger(hour=2, end_date=NOW + dt.timedelta(days=3650)),
    "nameless zone": CronTrigger(hour=2, timezone=dt.timezone(dt.timedelta(hours=1))),
    "short": IntervalTrigger(seconds=5),
    "random": IntervalTrigger(hours=5, jitter=60),
    "combined": AndTrigger([CronTrigger(hour=2), CronTrigger(day_of_week="fri")]),
}


def test_what_cron_or_an_interval_cannot_say_is_not_told(heard: Heard, scheduler: BackgroundScheduler) -> None:
    track_scheduler(scheduler, collector=heard.collector)
    for name, trigger in UNSAID.items():
        scheduler.add_job(print, trigger, name=name, next_run_time=None)  # to look for it takes APScheduler seconds
    scheduler.add_job(print, "interval", minutes=15, name="said")
    scheduler.start(paused=True)
    assert heard.plans() == {"said": {"interval": 900}}


def test_a_job_that_comes_later_or_changes_is_told_and_namesakes_are_not(
    heard: Heard, scheduler: BackgroundScheduler
) -> None:
    scheduler.add_job(print, "interval", minutes=15, name="there before")
    scheduler.start(paused=True)
    track_scheduler(scheduler, collector=heard.collector)
    job = scheduler.add_job(print, "interval", minutes=5, name="later")
    assert heard.plans() == {"there before": {"interval": 900}, "later": {"interval": 300}}
    job.reschedule("cron", hour=2)
    assert heard.plans()["later"] == {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}
    namesake = scheduler.add_job(print, "interval", minutes=1, name="later")
    assert heard.plans()["later"] == {"cron": "0 2 * * *", "timezone": "Europe/Berlin"}
    job.remove()
    namesake.reschedule("interval", minutes=2)
    assert heard.plans()["later"] == {"interval": 120}


def test_namesakes_are_not_told_and_neither_is_anything_when_switched_off(
    heard: Heard, scheduler: BackgroundScheduler
) -> None:
    track_scheduler(scheduler, collector=heard.collector)
    scheduler.add_job(print, "interval", minutes=1)
    scheduler.add_job(print, "interval", minutes=2)
    scheduler.start(paused=True)
    silent = BackgroundScheduler(timezone=BERLIN)
    track_scheduler(silent, declare_schedules=False, collector=heard.collector)
    silent.add_job(print, "interval", minutes=1, name="silent")
    silent.start(paused=True)
    silent.shutdown()
    assert heard.plans() == {}


@pytest.fixture
def beat() -> Iterator[Service]:
    """Celery's beat, which isn't started, with entries of each kind."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.timezone = "Europe/Berlin"
    entries = {
        "shop.nightly": crontab(minute=30, hour=2, day_of_week="mon-fri"),
        "shop.sunday": crontab(minute=0, hour=4, day_of_week="sun"),
        "shop.both": crontab(minute=0, hour=2, day_of_month=13, day_of_week="fri"),
        "shop.number": 90,
        "shop.length": dt.timedelta(hours=1),
        "shop.schedule": every(dt.timedelta(minutes=5)),
        "shop.short": 1.0,
        "shop.moonrise": Moonrise(hour=2),
        "x" * 60: 60,
    }
    planned = {task: {"task": task, "schedule": schedule} for task, schedule in entries.items()}
    twice = {f"twice {number}": {"task": "shop.twice", "schedule": number} for number in (60, 70)}
    app.conf.beat_schedule = {**planned, **twice}
    yield Service(app)
    app.close()
    for uid in ("begin", "end", "explain_retry", "explain_failure", "deliver", "declare"):
        for signal in (
            signals.task_prerun, signals.task_postrun, signals.task_retry, signals.task_failure,
            signals.worker_process_shutdown, signals.beat_init,
        ):  # fmt: skip
            signal.disconnect(dispatch_uid=f"scrapeboard-{uid}")


def test_beats_entries_are_told_when_it_begins(heard: Heard, beat: Service) -> None:
    track_tasks(declare_schedules=False, collector=heard.collector)
    signals.beat_init.send(sender=beat)
    assert heard.plans() == {}
    track_tasks(collector=heard.collector)
    signals.beat_init.send(sender=beat)
    assert heard.plans() == {
        "shop.nightly": {"cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin"},
        "shop.sunday": {"cron": "0 4 * * sun", "timezone": "Europe/Berlin"},
        "shop.number": {"interval": 90},
        "shop.length": {"interval": 3600},
        "shop.schedule": {"interval": 300},
        "x" * 50: {"interval": 60},
    }
