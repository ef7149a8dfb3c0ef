"""Schedules over HTTP: declared by programs, said back with their next moments, refused with what they take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from alerts.schedule_desk import ScheduleDesk
from api.schedules import schedules_blueprint
from db.alert_tables import AlertTables
from db.engine import make_engine
from db.migrate import upgrade

NOW_MS = 1_795_300_325_000  # 2026-11-21 22:32 UTC, a Saturday
URL = "/api/alerts/schedules/nightly/eu"
NIGHTLY = {"cron": "30 2 * * mon-fri", "timezone": "Europe/Berlin", "grace": "10m"}


class Server:
    """The routes over a database of their own."""

    def __init__(self, folder: Path, token: str | None) -> None:
        self.engine = make_engine(url=f"sqlite:///{folder / 'board.db'}")
        upgrade(self.engine)
        self.changes = 0
        server = Flask(__name__)
        tables = AlertTables(self.engine, clock_ms=lambda: NOW_MS)
        server.register_blueprint(
            schedules_blueprint(tables, token=token, changed=self._changed, clock_ms=lambda: NOW_MS)
        )
        self.client: FlaskClient = server.test_client()

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(tmp_path, getattr(request, "param", None))
    yield made
    made.engine.dispose()


def test_a_schedule_is_declared_told_and_deleted(server: Server) -> None:
    assert server.client.put(URL, json=NIGHTLY).json == {**NIGHTLY, "job": "nightly/eu", "changed": True}
    again: Any = server.client.put(URL, json=NIGHTLY).json
    assert again["changed"] is False  # each start of a program may say it: since when it holds stays
    (told,) = server.client.get("/api/alerts/schedules").json["schedules"]  # type: ignore[index]
    monday_ms = 1_795_397_400_000  # 2026-11-23 01:30 UTC
    assert told == {
        **NIGHTLY, "job": "nightly/eu", "declaredAt": NOW_MS,
        "next": [monday_ms, monday_ms + 86_400_000, monday_ms + 2 * 86_400_000],
    }  # fmt: skip
    assert server.client.put(URL, json={"interval": "15m"}).json == {
        "interval": "15m", "grace": "5m", "timezone": "UTC", "job": "nightly/eu", "changed": True,
    }  # fmt: skip
    assert server.client.delete(URL).status_code == 204
    assert server.client.delete(URL).status_code == 404
    assert server.client.get("/api/alerts/schedules").json == {"schedules": []}
    assert server.changes == 3


def test_a_schedule_that_a_person_saved_stays_until_it_is_deleted(server: Server) -> None:
    desk = ScheduleDesk(AlertTables(server.engine, clock_ms=lambda: NOW_MS))
    assert server.client.put(URL, json={"interval": "15m"}).json["changed"] is True  # type: ignore[index]
    opened = desk.plan("nightly/eu")
    assert opened is not None
    desk.save({**NIGHTLY, "job": "nightly/eu"}, by="Ada", known=opened[1])
    kept = {**NIGHTLY, "job": "nightly/eu", "changed": False}
    assert server.client.put(URL, json={"interval": "15m"}).json == {**kept, "keptBy": "Ada"}
    assert server.client.put(URL, json=NIGHTLY).json == kept
    desk.save({"job": "weekly", "interval": "7d"}, by="", known=None)
    assert server.client.put(URL.replace("nightly/eu", "weekly"), json=NIGHTLY).json["keptBy"] == "somebody"  # type: ignore[index]
    assert server.changes == 1
    desk.remove("nightly/eu")
    assert server.client.put(URL, json={"interval": "15m"}).json["changed"] is True  # type: ignore[index]


def test_a_person_who_saves_while_a_program_declares_wins(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = AlertTables(server.engine, clock_ms=lambda: NOW_MS)
    desk, between = ScheduleDesk(tables), tables.settings.put

    def put(*args: Any, **named: Any) -> None:
        if named["by"] == "the API":
            ScheduleDesk(AlertTables(server.engine)).save({**NIGHTLY, "job": "nightly/eu"}, by="Ada", known=None)
        between(*args, **named)

    monkeypatch.setattr(tables.settings, "put", put)
    plan, changed, kept_by = desk.declare({"job": "nightly/eu", "interval": "15m"}, by="the API")
    assert (plan.cron, changed, kept_by) == (NIGHTLY["cron"], False, "Ada")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"[]", 400, "JSON object"),
        (b"{", 400, "JSON object"),
        (b" " * 10_001, 413, "at most 10,000"),
        (b"{}", 422, "cron"),
        (b'{"cron": "99 * * * *"}', 422, "five fields"),
        (b'{"interval": "1s"}', 422, "at least 10s"),
        (b'{"interval": "1h", "timezone": "Mars"}', 422, "Europe/Berlin"),
        (b'{"interval": "1h", "colour": "red"}', 422, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_it_takes(server: Server, body: bytes, status: int, says: str) -> None:
    answer = server.client.put(URL, data=body)
    assert answer.status_code == status
    assert says in answer.get_data(as_text=True)
    assert server.changes == 0


@pytest.mark.parametrize("server", ["s3cret"], indirect=True)
def test_who_writes_needs_the_token_and_who_reads_does_not(server: Server) -> None:
    assert server.client.put(URL, json=NIGHTLY).status_code == 401
    assert server.client.delete(URL, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert server.client.put(URL, json=NIGHTLY, headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert server.client.get("/api/alerts/schedules").status_code == 200
