"""What rides beside the metrics of a batch: runs, a collector's report, and the sender's clock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.engine import Engine

from api.ingest import ingest_blueprint
from collector.report import report_to_wire
from db.collectors import Collectors, read_collectors
from db.engine import make_engine
from db.migrate import upgrade
from db.store import Store
from tests.db.samples import NOON_MS, report

HOUR_MS = 3_600_000


class App:
    """The route on a real database, at noon."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now_ms = NOON_MS
        self.collectors = Collectors(engine, clock_ms=lambda: self.now_ms)
        store = Store(engine, clock_ms=lambda: self.now_ms)
        app = Flask(__name__)
        app.register_blueprint(
            ingest_blueprint(
                store, token=None, max_bytes=1 << 20, collectors=self.collectors, clock_ms=lambda: self.now_ms
            )
        )
        self._client = app.test_client()
        self._number = 0

    def post(self, *metrics: Any, **beside: Any) -> tuple[int, Any]:
        self._number += 1
        body = {"batchId": f"b{self._number}", "metrics": list(metrics), **beside}
        answer = self._client.post("/api/ingest", json=body)
        return answer.status_code, answer.get_json()

    def rows(self, sql: str) -> list[Any]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def lines(self) -> dict[str, Any]:
        self.collectors.flush(all=True)
        with self.engine.connect() as connection:
            return {line.collector_id: line for line in read_collectors(connection, self.now_ms)}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    engine = make_engine(url=f"sqlite:///{tmp_path / 'ingest.db'}")
    upgrade(engine)
    yield App(engine)
    engine.dispose()


def page(at_ms: int | None = NOON_MS, **changes: Any) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "type": "page_navigation",
        "scraperSource": "a",
        "url": "https://a",
        "navigationDurationMs": 5,
    }
    return {**wire, **({} if at_ms is None else {"recordedAt": at_ms}), **changes}


def run(at_ms: int = NOON_MS, **changes: Any) -> dict[str, Any]:
    return {"type": "run", "name": "nightly", "runId": "r1", "state": "running", "startedAt": at_ms - 5_000,
            "recordedAt": at_ms, **changes}  # fmt: skip


def test_runs_among_metrics_are_stored_and_rejected_by_their_place(app: App) -> None:
    status, said = app.post(run(), page(), run(state="odd"), page(navigationDurationMs=-1), run(runId="r2", state="ok"))
    assert (status, said["accepted"]) == (422, 3)
    assert [(no["index"], no["field"]) for no in said["rejected"]] == [(2, "state"), (3, "navigationDurationMs")]
    assert app.rows("SELECT run_id, state FROM scraper_runs ORDER BY 1") == [("r1", "running"), ("r2", "ok")]


def test_report_beside_a_batch_is_taken_in(app: App) -> None:
    assert app.post(page(), collector=report_to_wire(report())) == (202, {"accepted": 1, "duplicate": False})
    line = app.lines()["c1"]
    assert (line.host, line.recorded, line.dropped, line.skew_ms) == ("büro", 100, {"queue_full": 3}, 0)


def test_idle_collector_reports_without_metrics_and_leaves_no_batch(app: App) -> None:
    assert app.post(collector=report_to_wire(report())) == (202, {"accepted": 0, "duplicate": False})
    assert list(app.lines()) == ["c1"]
    assert app.rows("SELECT * FROM ingest_batches") == []


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"id": ""}, "collector.id"), ({"sentAt": "now"}, "collector.sentAt"), ({"recorded": -1}, "collector.recorded"),
        ({"dropped": [1]}, "collector.dropped"), ({"intervalS": 0}, "collector.intervalS"), (7, "collector"),
        (None, "collector"),
    ],
)  # fmt: skip
def test_malformed_report_is_rejected_and_costs_the_metrics_nothing(app: App, bad: Any, field: str) -> None:
    told = {**report_to_wire(report()), **bad} if isinstance(bad, dict) else bad
    status, said = app.post(page(), collector=told)
    assert (status, said["accepted"]) == (202, 1)
    assert said["collector"]["rejected"]["field"] == field
    assert said["collector"]["rejected"]["message"]
    assert app.lines() == {}


@pytest.mark.parametrize("hours", [-5, 5, 24 * 400])
def test_times_from_a_clock_that_is_hours_off_are_corrected_and_counted(app: App, hours: int) -> None:
    theirs = NOON_MS + hours * HOUR_MS
    told = report_to_wire(report(sent_at_ms=theirs, started_at_ms=theirs - 60_000, last_flush_at_ms=theirs - 1_000))
    assert app.post(page(theirs - 1_000), page(None), run(theirs - 500), collector=told)[0] == 202
    app.now_ms += 3_000
    assert app.post(page(theirs + 2_000), collectorId="c1", sentAt=theirs + 2_990)[0] == 202  # ten ms on its way
    moments = [row[0] for row in app.rows("SELECT created_at FROM scraper_page_performance ORDER BY id")]
    assert moments == [NOON_MS - 1_000, NOON_MS, NOON_MS + 2_000]
    assert app.rows("SELECT started_at, recorded_at FROM scraper_runs") == [(NOON_MS - 5_500, NOON_MS - 500)]
    line = app.lines()["c1"]
    assert (line.skew_ms, line.corrected) == (-hours * HOUR_MS, 4)
    assert (line.started_ms, line.last_flush_ms) == (NOON_MS - 60_000, NOON_MS - 1_000)


def test_times_from_a_clock_that_is_about_right_stay(app: App) -> None:
    told = report_to_wire(report(sent_at_ms=NOON_MS - 59_000))
    app.post(page(NOON_MS - 60_000), collector=told)
    assert app.rows("SELECT created_at FROM scraper_page_performance") == [(NOON_MS - 60_000,)]
    assert (app.lines()["c1"].skew_ms, app.lines()["c1"].corrected) == (59_000, 0)


@pytest.mark.parametrize("beside", [{"sentAt": "x"}, {"sentAt": True}, {"sentAt": -1}, {"collectorId": 7}, {"odd": {}}])
def test_keys_that_mean_nothing_are_ignored(app: App, beside: dict[str, Any]) -> None:
    assert app.post(page(), **beside) == (202, {"accepted": 1, "duplicate": False})


def test_what_is_no_moment_is_refused_as_ever_also_from_a_wrong_clock(app: App) -> None:
    told = report_to_wire(report(sent_at_ms=NOON_MS - HOUR_MS))
    status, said = app.post(page(recordedAt="soon"), page(recordedAt=True), 7, collector=told)
    assert (status, said["accepted"]) == (422, 0)
    assert [no["field"] for no in said["rejected"]] == ["recordedAt", "recordedAt", "metric"]
