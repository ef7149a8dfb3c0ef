"""A collector's report reaches the app, or the database, seldom; and every batch says whose clock it is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from collector.database import DatabaseSink
from collector.report import CollectorReport, report_to_wire
from collector.sinks import HttpSink
from db.engine import opened
from tests.db.samples import batch, navigation, report


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_000.0
        patch.setattr("time.monotonic", lambda: self.now_s)


def test_batches_between_two_reports_say_whose_they_are_and_when_they_were_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = HttpSink("http://127.0.0.1:9", report=lambda: report_to_wire(report("c7")))
    bodies: list[dict[str, Any]] = []

    def exchange(body: bytes) -> tuple[int, None, bytes]:
        bodies.append(json.loads(body))
        return 202, None, b'{"accepted":1,"duplicate":false}'

    monkeypatch.setattr(sink, "_exchange", exchange)
    for _ in range(2):
        sink.send(batch(navigation()))
    first, second = bodies
    assert first["collector"]["id"] == "c7"
    assert "sentAt" not in first
    assert "collector" not in second
    assert second["collectorId"] == "c7"
    assert type(second["sentAt"]) is int


def test_sink_without_a_report_says_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = HttpSink("http://127.0.0.1:9")
    bodies: list[dict[str, Any]] = []
    monkeypatch.setattr(
        sink, "_exchange", lambda body: (202, None, bodies.append(json.loads(body)) or b'{"accepted":1}')
    )
    sink.send(batch(navigation()))
    assert set(bodies[0]) == {"batchId", "metrics"}


def test_collector_that_writes_into_the_database_reports_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'metrics.db'}"
    told: list[CollectorReport] = []

    def make() -> CollectorReport:
        told.append(report(recorded=len(told)))
        return told[-1]

    def written() -> list[tuple[Any, ...]]:
        with opened(url) as engine, engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text("SELECT way, recorded FROM collectors"))]

    sink = DatabaseSink(url, report=make)
    clock = Clock(monkeypatch)
    assert sink.report_if_due() == 1.0  # nothing was recorded so far: there is nothing to tell
    for _ in range(3):
        sink.send(batch(navigation()))
    assert written() == [("database", 0)]
    clock.now_s += 5.0
    sink.send(batch(navigation()))
    assert written() == [("database", 1)]
    clock.now_s += 29.0
    assert sink.report_if_due() == 1.0
    clock.now_s += 1.0
    assert sink.report_if_due() == 30.0
    assert written() == [("database", 2)]
    sink.report_last(1.0)
    assert written() == [("database", 3)]
    sink.close()


def test_report_that_cannot_be_written_costs_no_batch_and_is_counted(tmp_path: Path) -> None:
    def broken() -> CollectorReport:
        raise RuntimeError("no figures")

    sink = DatabaseSink(f"sqlite:///{tmp_path / 'metrics.db'}", report=broken)
    assert sink.send(batch(navigation())).accepted == 1
    assert sink.reports_failed == 1
    sink.close()
