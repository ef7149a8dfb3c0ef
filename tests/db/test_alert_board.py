"""Alerts as pages read them: once for all who ask, anew after a change, and as they were while the database is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert
from alerts.states import AlertState
from db.alert_board import AlertBoardQueries
from db.alert_rows import Changes, HistoryRow
from db.alert_tables import AlertTables
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.migrate import upgrade


class Board(AlertBoardQueries):
    """The questions on a database of their own, with a clock that stands."""

    def __init__(self, path: Path) -> None:
        self._engine = make_engine(url=f"sqlite:///{path / 'board.db'}")
        upgrade(self._engine)
        self.tables = AlertTables(self._engine)
        self.now_s = 100.0
        self._monotonic_s = lambda: self.now_s
        self.read_alerts_from(self.tables)


@pytest.fixture
def board(tmp_path: Path) -> Any:
    made = Board(tmp_path)
    yield made
    made._engine.dispose()


def fire(board: Board) -> None:
    lease = board.tables.lease(1, length_s=15)
    assert lease.take()
    fired = AlertState("firing", 1_000, 1_000)
    change = Changes((Alert("slow", "x", fired).row(),), history=(HistoryRow(1_000, "slow", "x", "firing", {}),))
    board.tables.store.write(lease, change, evaluated_at_ms=1_000)


def test_what_nobody_changed_is_not_read_again(board: Board) -> None:
    first = board.alert_board()
    board.now_s += 10
    assert board.alert_board() is first
    assert board.alert_history(0, 2_000) is board.alert_history(0, 2_000)


def test_a_change_is_seen_at_once_when_told_and_soon_when_not(board: Board) -> None:
    assert board.alert_board().counts["firing"] == 0
    fire(board)
    assert board.alert_board().counts["firing"] == 0  # half a second old
    board.alerts_changed()
    assert board.alert_board().counts["firing"] == 1
    assert [row.what for row in board.alert_history(0, 2_000)] == ["firing"]
    board.tables.settings.put("rules", "mine", {"name": "Mine"}, by="Ada")
    board.now_s += 1
    assert [row.id for row in board.alert_board().rules] == ["mine"]


def test_counts_stay_as_they_were_while_the_database_is_away(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    fire(board)
    assert board.alert_counts()["firing"] == 1

    def away() -> Any:
        raise DatabaseUnavailable("sqlite:///x", "no route")

    monkeypatch.setattr(board.tables.settings, "turns", away)
    board.now_s += 10
    assert board.alert_counts()["firing"] == 1
    assert board.alert_counts(ask=False)["firing"] == 1
    with pytest.raises(DatabaseUnavailable):
        board.alert_board()
