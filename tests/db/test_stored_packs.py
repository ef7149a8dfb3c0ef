"""Packs of several lengths come in one statement, which reads those alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.engine import Engine

from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.engine import begin_writing
from db.models import Breakdown
from db.stored_packs import packs_of_lengths, starts_of_packs, stored_packs
from tests.db.test_time_packs import statements

LENGTHS_MS = (SLOT_MS, HOUR_MS, DAY_MS)
EACH = 700


def pack_of(dimension: str, length_ms: int, start_ms: int) -> bytes:
    return f"{dimension} {length_ms} {start_ms}".encode()


@pytest.fixture
def full(engine: Engine) -> Engine:
    rows: list[dict[str, Any]] = [
        {
            "dimension": dimension, "length_ms": length_ms, "start_ms": number * length_ms, "row_count": 1,
            "packed": pack_of(dimension, length_ms, number * length_ms),
        }
        for dimension in ("one", "two", "three") for length_ms in LENGTHS_MS for number in range(EACH)
    ]  # fmt: skip
    with begin_writing(engine) as connection:
        connection.execute(insert(Breakdown), rows)
    return engine


def test_those_that_are_there_come_back_in_one_statement(full: Engine) -> None:
    asked = statements(full)
    starts = {SLOT_MS: [0, 7 * SLOT_MS, 5], HOUR_MS: [], DAY_MS: [DAY_MS, EACH * DAY_MS]}
    with full.connect() as connection:
        found = [tuple(row) for row in packs_of_lengths(connection, ("one", "three"), starts)]
    wanted = [(SLOT_MS, 0), (SLOT_MS, 7 * SLOT_MS), (DAY_MS, DAY_MS)]
    assert sorted(found) == sorted(
        (dimension, *place, pack_of(dimension, *place)) for dimension in ("one", "three") for place in wanted
    )
    assert len(_selects(asked)) == 1


def test_many_are_asked_for_some_at_a_time(full: Engine) -> None:
    asked = statements(full)
    starts = {length_ms: [number * length_ms for number in range(EACH + 1)] for length_ms in LENGTHS_MS}
    with full.connect() as connection:
        found = [(row.length_ms, row.start_ms) for row in packs_of_lengths(connection, ("two",), starts)]
        assert sorted(found) == [(length_ms, start) for length_ms in LENGTHS_MS for start in starts[length_ms][:EACH]]
        assert len(_selects(asked)) == 5
        assert len(list(stored_packs(connection, "two", HOUR_MS, starts[HOUR_MS]))) == EACH
        assert list(packs_of_lengths(connection, ("two",), {})) == list(stored_packs(connection, "two", 1, [])) == []


def test_nothing_else_is_read(full: Engine) -> None:
    asked = statements(full)
    starts = {length_ms: [number * length_ms for number in range(9)] for length_ms in LENGTHS_MS}
    with full.connect() as connection:
        before = _read(connection)
        assert len(list(packs_of_lengths(connection, ("one", "two"), starts))) == 54
        given = [name for length_ms in LENGTHS_MS for name in ("one", "two", length_ms, *starts[length_ms])]
        assert _read(connection) - before <= 4 * 54
        searches = _searches(connection, asked, given)
        assert all("dimension=? AND length_ms=? AND start_ms=?" in search for search in searches)
        assert len(searches) == 3 * (full.dialect.name == "sqlite")


@pytest.mark.parametrize("runs", [[(0, SLOT_MS)], [(-9, 0), (5 * SLOT_MS, 7 * SLOT_MS + 1), (EACH * SLOT_MS, 1 << 50)]])
def test_which_ones_there_are_is_told_without_looking_at_others(full: Engine, runs: list[tuple[int, int]]) -> None:
    asked = statements(full)
    wanted = [slot * SLOT_MS for slot in range(EACH) if any(first <= slot * SLOT_MS <= last for first, last in runs)]
    with full.connect() as connection:
        before = _read(connection)
        found = [tuple(row) for row in starts_of_packs(connection, ("one", "three", "four"), SLOT_MS, runs)]
        assert _read(connection) - before <= 4 * len(found) + 9
        assert sorted(found) == [(dimension, slot) for dimension in ("one", "three") for slot in wanted]
        searches = _searches(connection, asked, [v for run in runs for v in ("one", "three", "four", SLOT_MS, *run)])
        assert all("dimension=? AND length_ms=? AND start_ms>? AND start_ms<?" in search for search in searches)
        assert len(searches) == len(runs) * (full.dialect.name == "sqlite")


def _selects(asked: list[str]) -> list[str]:
    return [sql for sql in asked if sql.startswith("SELECT")]


def _searches(connection: Any, asked: list[str], given: list[Any]) -> list[str]:
    """Return how SQLite goes about the first statement."""
    if connection.dialect.name != "sqlite":
        return []
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {_selects(asked)[0]}", tuple(given)).all()
    return [row.detail for row in plan if "scraper_breakdowns" in row.detail]


def _read(connection: Any) -> int:
    """Return how many rows MariaDB read for this connection."""
    if connection.dialect.name != "mysql":
        return 0
    counts = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
    return sum(int(count) for _, count in counts)
