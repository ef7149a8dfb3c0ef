"""Rollups that another process reads for are those that would have been read here, whatever becomes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from db.cells import DAY_MS
from db.engine import begin_writing
from db.reader_process import ReaderProcess
from db.rolling import Row, look
from db.rollups import Rollups
from db.state import TURN
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, scrape

_TABLES = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary", "scraper_breakdowns")
_LONG_S = 30.0


@pytest.fixture
def reader(engine: Engine) -> Iterator[ReaderProcess]:
    """A process that is there."""
    made = ReaderProcess(engine.url.render_as_string(hide_password=False))
    made.start()
    assert made.ready(_LONG_S)
    yield made
    made.stop()


def rolled(engine: Engine) -> list[list[tuple[object, ...]]]:
    with engine.connect() as connection:
        return [
            [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3"))]
            for table in _TABLES
        ]


def fill(store: Store) -> None:
    store.send(batch(*(
        kind(f"s{number % 3}", NOON_MS - number * 37_000, success=number % 7 > 0)
        for number in range(30) for kind in (navigation, scrape)
    )))  # fmt: skip


def nobody(connection: Connection) -> list[Row]:
    del connection
    raise RuntimeError("nothing can be read today")


def test_another_process_finds_what_would_be_found_here(store: Store, engine: Engine, reader: ReaderProcess) -> None:
    fill(store)
    Rollups(engine, clock_ms=lambda: NOON_MS + DAY_MS).run_once()
    expected = rolled(engine)
    assert all(expected)
    with begin_writing(engine) as connection:
        for table in (*_TABLES, "rollup_state"):
            connection.execute(text(f"DELETE FROM {table}"))
    assert Rollups(engine, clock_ms=lambda: NOON_MS + DAY_MS, look=reader.look).run_once()
    assert rolled(engine) == expected
    assert reader.asked > 5
    assert reader.failures == 0


def test_process_that_is_killed_is_done_without(store: Store, engine: Engine, reader: ReaderProcess) -> None:
    fill(store)
    assert reader._process is not None
    os.kill(reader._process.pid, signal.SIGKILL)
    reader._process.wait(_LONG_S)
    assert Rollups(engine, clock_ms=lambda: NOON_MS + DAY_MS, look=reader.look).run_once()
    assert reader.failures == 1
    assert all(rolled(engine))
    assert not reader.ready()


def test_lost_process_is_started_again(engine: Engine, reader: ReaderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reader._process is not None
    reader._process.kill()
    reader._process.wait(_LONG_S)
    reader.look(engine, _state, TURN)
    monkeypatch.setattr("db.reader_process._RESTART_S", -1.0)
    assert reader.ready(_LONG_S)
    assert reader.look(engine, _state, TURN) == look(engine, _state, TURN)
    assert reader.failures == 1


def test_what_fails_there_is_tried_here(engine: Engine, reader: ReaderProcess) -> None:
    with pytest.raises(RuntimeError, match="today"):
        reader.look(engine, nobody, TURN)
    assert reader.failures == 1
    assert reader.ready()


def test_nothing_is_started_beside_several_servers(engine: Engine) -> None:
    cluster = ReaderProcess("mysql://someone@one:3306,two:3306/name")
    cluster.start()
    assert not cluster.ready(_LONG_S)
    assert cluster.look(engine, _state, TURN) == look(engine, _state, TURN)
    cluster.stop()


def test_process_ends_with_the_one_that_started_it(reader: ReaderProcess) -> None:
    process = reader._process
    assert process is not None
    assert reader._line is not None
    reader._line.close()  # what the system does for a process that is killed
    assert process.wait(_LONG_S) == 0
    reader.stop()
    assert not reader.ready()


def _state(connection: Connection) -> list[Row]:
    return [tuple(row) for row in connection.execute(text("SELECT name, value FROM rollup_state ORDER BY name"))]
