"""The service: one of several processes evaluates, and what goes wrong with one rule or the database stays there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from alerts.look import Look
from alerts.measure import Measurer
from alerts.measured import Measured
from alerts.rules import Rule, rule_of
from alerts.service import AlertService
from db.alert_lease import LeaseLost
from db.alert_outbox import Outbox
from db.alert_settings import AlertSettings
from db.alert_store import AlertStore
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import DatabaseUnavailable
from db.queries import Queries
from db.recent import RecentDetail
from db.state import ALERT_LEASE_MS, write_state
from db.store import Store
from tests.alerts.simulator import World, pages
from tests.db.samples import batch

LOW = rule_of({"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "5m", "min_samples": 5})


class Process:
    """What one app process has of it: its own memory of the same database."""

    def __init__(self, engine: Engine, measure: Callable[[Rule, Look], Measured] | None = None) -> None:
        self.store = Store(engine)
        recent = RecentDetail()
        recent.load(engine)
        self.queries = Queries(engine, recent)
        self.store.subscribe(recent.append)
        self.service = AlertService(AlertTables(engine), self.queries, measure or Measurer(self.queries).measure)
        self.store.subscribe(self.service.wake)


def prepare(engine: Engine, *rules: Rule) -> None:
    settings = AlertSettings(engine)
    settings.put("channels", "ops", {"name": "Ops"}, by="test")
    settings.put_all("rules", {rule.id: rule.document() for rule in rules}, by="test")


def run_out(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        write_state(connection, ALERT_LEASE_MS, 1)


def told(engine: Engine) -> list[tuple[str, str]]:
    return [(row.rule_id, row.what) for row in reversed(Outbox(engine).newest())]


def test_another_process_goes_on_where_the_first_one_was_and_tells_nothing_twice(engine: Engine) -> None:
    prepare(engine, LOW)
    first = Process(engine)
    first.store.send(batch(*pages("shop", now_ms(), 10, failing=1)))
    assert first.service.once() is not None
    second = Process(engine)
    assert second.service.once() is None
    run_out(engine)  # as if the first one had been killed
    assert second.service.once() is not None
    assert told(engine) == [("low", "firing")]
    second.store.send(batch(*pages("shop", now_ms(), 100)))
    second.service.wake()
    second.service.once()
    assert AlertStore(engine).history(0, now_ms() + 1, whats=("resolved",))
    # The first one was only slow: what it finds now isn't written.
    first.store.send(batch(*pages("news", now_ms(), 10, failing=1)))
    first.service.wake()
    first.service._renewed_s = 0.0
    with pytest.raises(LeaseLost):
        first.service.once()
    assert not first.service.leads
    assert [row.key for row in AlertStore(engine).states() if row.rule_id == "low" and row.state == "firing"] == []


def test_metrics_that_cross_the_threshold_are_in_the_outbox_soon(engine: Engine) -> None:
    prepare(engine, LOW)
    process = Process(engine)
    told_of = threading.Event()
    process.service._on_deliveries = told_of.set
    process.service.start()
    try:
        process.store.send(batch(*pages("shop", now_ms(), 10, failing=1)))
        assert told_of.wait(60)
    finally:
        process.service.stop()
    assert told(engine) == [("low", "firing")]
    # Who stops in an orderly way is followed at once.
    assert Process(engine).service.once() is not None


def test_a_rule_that_raises_is_in_error_and_the_others_go_on(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW, LOW.model_copy(update={"id": "broken"}))
        right = Measurer(world.queries).measure
        broken = [True]

        def measure(rule: Rule, look: Look) -> Measured:
            if rule.id == "broken" and broken[0]:
                raise ZeroDivisionError("by zero")
            return right(rule, look)

        world.service._evaluator._measure = measure
        world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        assert [(row.rule_id, row.state) for row in world.alerts.states()] == [("broken", "error"), ("low", "firing")]
        assert "ZeroDivisionError" in world.service.problems["broken"]
        assert world.service.stats()["alertFailures"] == 1
        broken[0] = False
        world.pass_time(10)
        world.step()
        assert [(row.rule_id, row.state) for row in world.alerts.states()] == [("broken", "firing"), ("low", "firing")]
        assert world.service.problems == {}


def test_while_the_database_is_away_nothing_is_known_and_nothing_is_lost(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW)
        write = world.service._store.write

        def away(*_args: object, **_named: object) -> None:
            raise DatabaseUnavailable("sqlite:///x", "gone")

        world.service._store.write = away  # type: ignore[method-assign]
        with pytest.raises(DatabaseUnavailable):
            world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        world.service._store.write = write  # type: ignore[method-assign]
        world.pass_time(5)
        world.step()
        world.pass_time(5)
        world.step()
        assert [(one.what, one.rule) for one in world.told()] == [("firing", "low")]
        assert world.outbox() == world.told()


def test_an_answer_that_was_lost_after_the_commit_tells_nothing_twice(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW)
        write = world.service._store.write

        def lost(*args: object, **named: object) -> None:
            write(*args, **named)  # type: ignore[arg-type]
            raise DatabaseUnavailable("sqlite:///x", "gone after the commit")

        world.service._store.write = lost  # type: ignore[method-assign]
        with pytest.raises(DatabaseUnavailable):
            world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        world.service._store.write = write  # type: ignore[method-assign]
        for _ in range(3):
            world.pass_time(5)
            world.step()
        assert [one.rule for one in world.outbox()] == ["low"]


def test_evaluation_that_takes_longer_than_its_interval_is_skipped_and_counted(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW)
        right = world.service._evaluator._measure

        def slow(rule: Rule, look: Look) -> Measured:
            world._passed_ms += 7_000
            return right(rule, look)

        world.service._evaluator._measure = slow
        world.step()
        assert world.service.skipped == 3
        world.service._evaluator._measure = right
        world.step()  # not due yet
        assert world.service.evaluations == 2
        assert world.service.last_took_ms == 0


def test_rule_that_is_switched_off_ends_its_alerts_quietly(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW)
        world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        world.only(LOW.model_copy(update={"enabled": False}))
        world.pass_time(5)
        world.step()
        assert world.alerts.states() == ()
        assert [what for _, what, _ in world.history("firing", "resolved")] == ["firing", "resolved"]
        assert [one.what for one in world.told()] == ["firing"]


def test_window_beyond_memory_is_told_with_what_to_do(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW.model_copy(update={"by": "domain", "window_s": 3600.0}))
        world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        assert world.told()
        world.recent.forget_before(world.now_ms - 60_000)
        world.pass_time(5)
        world.step()
        assert "SCRAPEBOARD_RECENT_ROWS" in world.service.problems["low"]
        assert [row.state for row in world.alerts.states() if row.key] == ["firing"]  # as long as nothing is known


def test_setting_that_nobody_understands_is_told_and_the_others_count(tmp_path: Path) -> None:
    with World(tmp_path, "2024-05-01 12:00") as world:
        world.only(LOW)
        world.settings.put("rules", "odd", {"name": "Odd", "what": "phase_of_moon"}, by="x")
        world.settings.put("silences", "odd", {"only": []}, by="x")
        world.settings.put("schedules", "odd", {"cron": "61 * * * *"}, by="x")
        world.step(pages("shop", world.now_ms - 1, 10, failing=1))
        assert set(world.service.problems) == {"rule Odd", "silence ", "schedule of odd"}
        assert [one.rule for one in world.told()] == ["low"]


def test_service_starts_and_stops_and_counts(engine: Engine) -> None:
    process = Process(engine)
    process.service.start()
    deadline_s = time.monotonic() + 120
    while not process.service.evaluations:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.service.stop()
    assert process.service.stats()["alertTakeovers"] == 1
    assert not process.service.leads
