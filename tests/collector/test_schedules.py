"""Schedules that a program declares: told once and in the background, kept to what an app takes, never in the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from collector import Collector, InvalidMetric, schedules
from collector.cron_fields import cron_text
from tests.collector.doubles import WAIT_S, Answer, App, MemorySink

BERLIN = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}


def wait_until_told(made: Collector) -> None:
    """Wait for the thread that tells, which ends when it has."""
    thread = made._schedules._thread
    if thread is not None:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_schedule_is_told_once_and_again_when_it_changes(collector: Collector) -> None:
    with App() as app:
        collector.declare_schedule("nightly/eu", cron="30 2 * * *", timezone="Europe/Berlin")  # before configure
        collector.configure(url=f"{app.url}/board", token="s3cret", spool_max_bytes=0)
        (first,) = app.wait_for_puts(1)
        assert first["path"] == "/board/api/alerts/schedules/nightly%2Feu"
        assert first["body"] == BERLIN
        assert first["headers"]["Authorization"] == "Bearer s3cret"
        collector.declare_schedule("nightly/eu", cron="30  2 * * *", timezone="Europe/Berlin")
        wait_until_told(collector)
        collector.declare_schedule("nightly/eu", interval_s=900, grace_s=60, longest_s=3600)
        second = app.wait_for_puts(2)[1]
        assert second["body"] == {"interval": 900, "grace": 60, "longest": 3600}
        wait_until_told(collector)
        assert len(app.puts) == 2


def test_another_app_is_told_what_the_one_before_was(collector: Collector) -> None:
    with App() as one, App() as other:
        collector.configure(url=one.url, spool_max_bytes=0)
        collector.declare_schedule("nightly", interval_s=60)
        one.wait_for_puts(1)
        collector.configure(url=other.url, spool_max_bytes=0)
        assert other.wait_for_puts(1)[0]["body"] == {"interval": 60}


def test_an_app_that_is_away_is_asked_again(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "_WAITS_S", (0.0,))
    with App() as app:
        app.put_answers.extend([Answer(503), Answer(0), Answer(429)])
        collector.configure(url=app.url, spool_max_bytes=0)
        collector.declare_schedule("nightly", cron="30 2 * * *", timezone="Europe/Berlin")
        assert [put["body"] for put in app.wait_for_puts(4)] == [BERLIN] * 4
        wait_until_told(collector)
        assert len(app.puts) == 4


def test_an_app_that_stays_away_is_given_up_and_asked_when_the_program_says_it_again(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schedules, "_WAITS_S", (0.0,))
    with App() as app:
        app.put_answers.extend([Answer(503)] * 10)
        collector.configure(url=app.url, spool_max_bytes=0)
        collector.declare_schedule("nightly", interval_s=60)
        app.wait_for_puts(10)
        wait_until_told(collector)
        assert (len(app.puts), caplog.text.count("isn't declared")) == (10, 1)
        collector.declare_schedule("nightly", interval_s=60)
        app.wait_for_puts(11)


@pytest.mark.parametrize("status", [400, 401, 404, 405, 422, 501])
def test_an_app_that_refuses_is_told_of_once(
    collector: Collector, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with App() as app:
        app.put_answers.extend([Answer(status)] * 3)
        collector.configure(url=app.url, spool_max_bytes=0)
        for job in ("one", "two", "three", "one"):
            collector.declare_schedule(job, interval_s=60)
        app.wait_for_puts(3)
        wait_until_told(collector)
        assert (len(app.puts), caplog.text.count("isn't declared")) == (3, 1)


def test_a_schedule_that_a_person_keeps_is_no_trouble(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "collector")
    with App() as app:
        app.put_answers.append(Answer(200, {"changed": False, "keptBy": "Ada"}))
        collector.configure(url=app.url, spool_max_bytes=0)
        collector.declare_schedule("nightly", interval_s=60)
        app.wait_for_puts(1)
        wait_until_told(collector)
    assert "the schedule of nightly stays as Ada wrote it" in caplog.text


def test_without_an_app_nothing_happens(tracked: Collector) -> None:
    tracked.declare_schedule("nightly", interval_s=60)
    assert tracked._schedules._thread is None
    assert not tracked._schedules._waiting


@pytest.mark.parametrize(
    ("job", "said", "field"),
    [
        ("nightly", {}, "cron"),
        ("nightly", {"cron": "1 2 * * *", "interval_s": 60}, "cron"),
        ("nightly", {"cron": "@daily"}, "cron"),
        ("nightly", {"cron": 5}, "cron"),
        ("nightly", {"cron": "1 2 * * *", "timezone": None}, "timezone"),
        ("nightly", {"interval_s": 9}, "interval_s"),
        ("nightly", {"interval_s": float("nan")}, "interval_s"),
        ("nightly", {"interval_s": "1h"}, "interval_s"),
        ("nightly", {"interval_s": 60, "grace_s": -1}, "grace_s"),
        ("", {"interval_s": 60}, "job"),
        (None, {"interval_s": 60}, "job"),
    ],
)
def test_nonsense_is_logged_and_raises_in_strict_mode_only(
    collector: Collector, job: Any, said: dict[str, Any], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    collector.declare_schedule(job, **said)
    assert caplog.text.count("can't be declared") == 1
    collector.configure(sinks=[MemorySink()], strict=True)
    with pytest.raises(InvalidMetric) as caught:
        collector.declare_schedule(job, **said)
    assert caught.value.field == field


def test_no_thread_is_held_up_while_an_app_answers(make_collector: Callable[[], Collector]) -> None:
    release = threading.Event()
    with App() as app:
        made = make_collector()
        app.put_answers.append(Answer(200, wait=release))
        made.configure(url=app.url, spool_max_bytes=0)
        made.declare_schedule("slow", interval_s=60)
        app.wait_for_puts(1)
        made.declare_schedule("other", interval_s=60)
        assert len(app.puts) == 1
        release.set()
        app.wait_for_puts(2)


def test_a_program_that_ends_at_once_has_declared_its_job(run_python: Callable[..., str]) -> None:
    with App() as app:
        run_python(
            "import sys, collector\n"
            "collector.configure(url=sys.argv[1], spool_max_bytes=0)\n"
            "collector.declare_schedule('nightly', interval_s=60)",
            app.url,
        )
        app.wait_for_puts(1)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ({}, "* * * * *"),
        ({"minutes": {30}, "hours": {2}}, "30 2 * * *"),
        ({"minutes": range(0, 60, 15)}, "*/15 * * * *"),
        ({"minutes": range(5, 31, 5), "hours": range(9, 18)}, "5-30/5 9-17 * * *"),
        ({"minutes": {0, 30}, "hours": {1, 2, 3, 7, 9}}, "0,30 1-3,7,9 * * *"),
        ({"minutes": {0}, "hours": {0}, "weekdays": {1, 2, 3, 4, 5}}, "0 0 * * mon-fri"),
        ({"minutes": {0}, "hours": {0}, "weekdays": {6, 0}}, "0 0 * * sat,sun"),
        ({"minutes": {0}, "hours": {0}, "days": {1}, "months": {1, 4, 7, 10}}, "0 0 1 */3 *"),
        ({"days": {1}, "weekdays": {1}}, None),  # cron takes the 1st and every Monday
        ({"minutes": {60}}, None),
        ({"hours": ()}, None),
    ],
)
def test_cron_says_what_it_can_say_exactly(said: dict[str, Any], written: str | None) -> None:
    every = {
        "minutes": range(60), "hours": range(24), "days": range(1, 32), "months": range(1, 13), "weekdays": range(7),
    }  # fmt: skip
    assert cron_text(**{**every, **said}) == written
