"""Clocks that jump, metrics of tomorrow, and metrics that are older than what is kept: counted right, or refused."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine

from api.ingest import ingest_blueprint
from collector.events import Metric
from collector.sinks import Delivery
from db.clock import now_ms
from db.maintenance import maintain
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from tests.db.brute_force import Truth, check_overview
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
LEVELS = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")


class Program:
    """What one process of the app holds, on a clock that tests set."""

    def __init__(self, engine: Engine, clock_ms: int = NOON_MS, max_rows: int = 1000) -> None:
        self.clock_ms, self.engine = clock_ms, engine
        self.store = Store(engine, clock_ms=self.now_ms)
        self.recent, self.rollups = RecentDetail(max_rows), Rollups(engine, clock_ms=self.now_ms)
        self.recent.load(engine)
        self.queries = Queries(engine, self.recent, rollups=self.rollups, clock_ms=self.now_ms)
        self.stored: list[Metric] = []
        for listener in (self.recent.append, self.rollups.mark, self.stored.extend):
            self.store.subscribe(listener)
        flask = Flask("clock-test")
        flask.register_blueprint(ingest_blueprint(self.store, token=None, max_bytes=1 << 20, clock_ms=self.now_ms))
        self.client = flask.test_client()

    def now_ms(self) -> int:
        return self.clock_ms

    def post(self, batch_id: str, *recorded_at_ms: int | None) -> tuple[int, dict[str, Any]]:
        metrics = [
            {"type": "page_navigation", "scraperSource": "a", "url": f"https://a.test/{at_ms}",
             "navigationDurationMs": 5, "recordedAt": at_ms}
            for at_ms in recorded_at_ms
        ]  # fmt: skip
        answer = self.client.post("/api/ingest", data=json.dumps({"batchId": batch_id, "metrics": metrics}))
        return answer.status_code, answer.get_json()

    def check(self, *metrics: Metric) -> None:
        """Ask what pages of now ask, and compare with what was stored."""
        truth, end_ms = Truth(metrics or self.stored), self.clock_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
        for length_ms, bucket_ms in ((15 * MINUTE_MS, MINUTE_MS), (6 * HOUR_MS, 5 * MINUTE_MS)):
            span = TimeRange(end_ms - length_ms, end_ms, bucket_ms)
            check_overview(self.queries.overview(span), truth, span, Filter())
        hour_ms = self.clock_ms // HOUR_MS * HOUR_MS
        span = TimeRange(hour_ms - 2 * DAY_MS, hour_ms + 2 * DAY_MS, HOUR_MS)  # to the day after tomorrow
        check_overview(self.queries.overview(span), truth, span, Filter())


def sums(engine: Engine) -> list[int]:
    """Navigations in the detail, the minutes, the hours, the days."""
    with engine.connect() as connection:
        found = [connection.scalar(text("SELECT COUNT(*) FROM scraper_page_performance"))]
        found += [connection.scalar(text(f"SELECT SUM(total_navigations) FROM {table}")) for table in LEVELS]
    return [int(number or 0) for number in found]


@pytest.mark.parametrize("max_rows", [20, 1000])
def test_clock_that_is_set_back_and_forth_loses_and_doubles_nothing(engine: Engine, max_rows: int) -> None:
    program = Program(engine, max_rows=max_rows)
    for jump_ms in (0, -10_000, HOUR_MS, -10_000, -HOUR_MS, 50_000, 2 * HOUR_MS, -3 * HOUR_MS):
        program.clock_ms += jump_ms
        for _ in range(8):
            at_ms = program.clock_ms
            program.store.send(batch(navigation("a", at_ms), scrape("b", at_ms - 700, success=False), run(at_ms=at_ms)))
            assert program.post(f"{len(program.stored)}", None, at_ms + 3)[0] == 202
            program.clock_ms += 1500
        program.check()
        program.rollups.run_once()
        program.check()
        assert maintain(engine, 7, present_ms=program.clock_ms, once_a_day=True) in (0, None)
    again = Program(engine, program.clock_ms, max_rows=max_rows)
    again.check(*program.stored)
    assert sums(engine) == [256, 192, 192, 192]


def test_after_a_maintenance_on_a_clock_far_ahead_new_metrics_are_stored_and_rolled_up(engine: Engine) -> None:
    program = Program(engine)
    program.store.send(batch(navigation(at_ms=NOON_MS)))
    assert maintain(engine, 7, present_ms=NOON_MS + 300 * DAY_MS, once_a_day=True) == 1  # so it is, for that clock
    assert program.post("now", NOON_MS + MINUTE_MS)[0] == 202
    assert maintain(engine, 7, present_ms=NOON_MS + MINUTE_MS, once_a_day=True) == 0  # and not only in 300 days
    assert program.post("later", NOON_MS + HOUR_MS)[0] == 202
    Rollups(engine).run_once()
    # That clock found the first minute older than 30 days. Its hour and day keep their totals; new hours are counted.
    assert sums(engine) == [2, 1, 2, 2]


def test_metric_of_tomorrow_is_kept_and_shown_when_its_time_comes(engine: Engine) -> None:
    today_ms = now_ms() // DAY_MS * DAY_MS + DAY_MS // 2  # of the partitions that were made
    program = Program(engine, today_ms)
    tomorrow_ms = today_ms + DAY_MS
    status, said = program.post("b", today_ms, tomorrow_ms, tomorrow_ms + 1)
    assert (status, said["accepted"]) == (422, 2)
    assert [(no["index"], no["field"]) for no in said["rejected"]] == [(2, "recordedAt")]
    now = TimeRange(today_ms - HOUR_MS, today_ms + MINUTE_MS, MINUTE_MS)
    assert program.queries.overview(now).current.navigations == 1
    program.check()
    program.rollups.run_once()
    maintain(engine, 7, present_ms=today_ms)
    assert sums(engine) == [2, 2, 2, 2]
    for step_ms in range(HOUR_MS, DAY_MS + 1, HOUR_MS):
        program.clock_ms = today_ms + step_ms
        program.store.send(batch(navigation(at_ms=program.clock_ms)))
        program.check()
    assert (
        program.queries.overview(
            TimeRange(tomorrow_ms - HOUR_MS, tomorrow_ms + MINUTE_MS, MINUTE_MS)
        ).current.navigations
        == 3
    )
    Program(engine, tomorrow_ms).check(*program.stored)


def test_metrics_beyond_the_days_that_were_made_survive_the_making_of_these_days(engine: Engine) -> None:
    far_ms = now_ms() // DAY_MS * DAY_MS + 30 * DAY_MS + HOUR_MS  # nobody has maintained for a month
    program = Program(engine, far_ms)
    for day in (-1, 0, 1):
        program.store.send(batch(*(navigation(at_ms=far_ms + day * DAY_MS + n) for n in range(10))))
    program.check()
    if engine.dialect.name == "mysql":
        later = text("SELECT COUNT(*) FROM scraper_page_performance PARTITION (later)")
        with engine.connect() as connection:
            assert connection.scalar(later) == 30
    maintain(engine, 7, present_ms=far_ms)
    program.check()
    assert sums(engine) == [30, 30, 30, 30]
    if engine.dialect.name == "mysql":
        with engine.connect() as connection:
            assert connection.scalar(later) == 0


def test_metric_older_than_retention_counts_while_nothing_was_deleted(engine: Engine) -> None:
    program = Program(engine)
    assert program.post("import", NOON_MS - 30 * DAY_MS, NOON_MS - 8 * DAY_MS, NOON_MS)[0] == 202
    assert maintain(engine, 7, present_ms=NOON_MS) == 2
    assert sums(engine) == [1, 3, 3, 3]


def test_metric_older_than_what_was_deleted_is_refused_by_name_and_changes_nothing(engine: Engine) -> None:
    program = Program(engine)
    horizon_ms = NOON_MS // DAY_MS * DAY_MS - 7 * DAY_MS
    program.post("first", *(horizon_ms - 5 * MINUTE_MS + n * 30_000 for n in range(20)))
    assert maintain(engine, 7, present_ms=NOON_MS) == 10
    assert sums(engine) == [10, 20, 20, 20]
    late = (horizon_ms - 1, horizon_ms, NOON_MS, horizon_ms - 3 * MINUTE_MS)
    status, said = program.post("late", *late)
    assert (status, said["accepted"]) == (422, 2)
    assert [(no["index"], no["field"]) for no in said["rejected"]] == [(0, "recordedAt"), (3, "recordedAt")]
    assert "must not be before 2024-04-24T00:00Z" in said["rejected"][0]["message"]
    assert program.store.health().rows_rejected == 2
    assert program.post("late", *late) == (202, {"accepted": 0, "duplicate": True})
    program.rollups.run_once()
    maintain(engine, 7, present_ms=NOON_MS)
    assert sums(engine) == [12, 22, 22, 22]
    program.check()
    # Nothing but old ones, and scheduler runs, are refused the same way.
    assert program.store.send(batch(run(at_ms=horizon_ms - 1), run(at_ms=horizon_ms))).accepted == 1
    status, said = program.post("too late", horizon_ms - 1)
    assert (status, said["accepted"], len(said["rejected"])) == (422, 0, 1)


@pytest.mark.parametrize("maintained_before", [False, True])
def test_old_metric_that_is_being_stored_while_its_day_is_closed_is_counted(
    engine: Engine, maintained_before: bool
) -> None:
    store = Store(engine, clock_ms=lambda: NOON_MS)
    store.send(batch(navigation()))
    if maintained_before:
        cleanup(engine, 30, now_ms=NOON_MS)
    committing, go_on = threading.Event(), threading.Event()

    @event.listens_for(engine, "commit")
    def _wait(_: Connection) -> None:
        if threading.current_thread() is slow:
            committing.set()
            go_on.wait(90)

    answers: list[Delivery] = []
    old = batch(*(navigation(at_ms=NOON_MS - 9 * DAY_MS + n) for n in range(5)))
    slow = threading.Thread(target=lambda: answers.append(store.send(old)))
    cleaner = threading.Thread(target=lambda: cleanup(engine, 7, now_ms=NOON_MS))
    slow.start()
    assert committing.wait(90)
    cleaner.start()
    cleaner.join(0.3)
    assert cleaner.is_alive()  # it waits for the batch that may still bring something old
    go_on.set()
    slow.join()
    cleaner.join()
    assert answers == [Delivery(5)]
    assert sums(engine) == [1, 6, 6, 6]
