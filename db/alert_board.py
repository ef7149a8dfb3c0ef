"""How alerts stand and what people decided about them, as pages and the API ask for it: read once for all who ask."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.engine import Engine

from db.alert_rows import DeliveryRow, DeliveryState, HistoryRow, Setting, SettingRow, StateRow
from db.alert_tables import AlertTables
from db.errors import DatabaseUnavailable

# Who is told of a change asks anew at once; this is for what another process changed.
_FRESH_S: Final = 0.5
_MAX_REMEMBERED: Final = 32


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: what is made of one is remembered
class AlertBoard:
    """Everything but what is past.

    Args:
        states: Every alert that isn't simply normal.
        rules: The rules that somebody wrote; default rules are no rows.
        silences: Silences and acknowledgements.
        channels: Where notifications go, without what is secret.
        schedules: When scheduler jobs are meant to run.
        turns: Two numbers that change with these.
    """

    states: tuple[StateRow, ...] = ()
    rules: tuple[SettingRow, ...] = ()
    silences: tuple[SettingRow, ...] = ()
    channels: tuple[SettingRow, ...] = ()
    schedules: tuple[SettingRow, ...] = ()
    turns: tuple[int, int] = (0, 0)

    def all(self, which: Setting) -> tuple[SettingRow, ...]:
        """Return every setting of a kind.

        Args:
            which: The kind.
        """
        kinds: Mapping[Setting, tuple[SettingRow, ...]] = {
            "rules": self.rules, "silences": self.silences, "channels": self.channels, "schedules": self.schedules,
        }  # fmt: skip
        return kinds[which]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many alerts stand how; what is recovering fires still."""
        found = Counter("firing" if row.fired_at_ms is not None else row.state for row in self.states)
        return {name: found[name] for name in ("firing", "pending", "no_data", "error")}


@dataclass(slots=True)
class _Remembered:
    lock: threading.Lock = field(default_factory=threading.Lock)  # protects the others
    board: AlertBoard | None = None
    asked_s: float = 0.0
    history: dict[object, tuple[tuple[int, int], tuple[HistoryRow, ...]]] = field(default_factory=dict)
    changes: int = 0  # how often somebody said that there is something new


class AlertBoardQueries:
    """Questions about alerts: the part of `db.queries.Queries` that is about these.

    They are asked where they are written: a replica that lags would show a silence late that somebody just made.
    """

    _engine: Engine
    _tables_of_alerts: AlertTables | None = None
    _monotonic_s: Callable[[], float] = staticmethod(time.monotonic)

    def read_alerts_from(self, tables: AlertTables) -> None:
        """Say where alerts are kept, when that isn't where everything else is read.

        Args:
            tables: The tables of the database that is written to.
        """
        self._tables_of_alerts = tables

    def alerts_changed(self, *_: object) -> None:
        """Note that alerts or settings changed: who asks next gets them as they are now."""
        remembered = self._alerts_remembered()
        with remembered.lock:
            remembered.changes += 1
            remembered.asked_s = float("-inf")

    def alert_board(self) -> AlertBoard:
        """Return how alerts stand and what was decided; remembered for as long as nothing changes."""
        remembered = self._alerts_remembered()
        asked_s = self._monotonic_s()
        with remembered.lock:
            board, changes = remembered.board, remembered.changes
            if board is not None and asked_s - remembered.asked_s < _FRESH_S:
                return board
        tables = self._alert_tables()
        turns = tables.settings.turns()
        if board is None or board.turns != turns:
            settings = tables.settings
            board = AlertBoard(
                tables.store.states(), settings.all("rules"), settings.all("silences"), settings.all("channels"),
                settings.all("schedules"), turns,
            )  # fmt: skip
        with remembered.lock:
            remembered.board = board
            if remembered.changes == changes:  # else what was read may be older than what changed
                remembered.asked_s = asked_s
        return board

    def alert_counts(self, *, ask: bool = True) -> Mapping[str, int]:
        """Return how many alerts stand how, as far as is known: while the database is away, as it was before.

        Args:
            ask: Whether the database may be asked; one that is known to be away costs a time-out.
        """
        if ask:
            with suppress(DatabaseUnavailable):
                return self.alert_board().counts
        remembered = self._alerts_remembered()
        with remembered.lock:
            return (remembered.board or AlertBoard()).counts

    def alert_history(
        self, start_ms: int, end_ms: int, whats: tuple[str, ...] = (), limit: int = 500
    ) -> tuple[HistoryRow, ...]:
        """Return what happened to alerts, newest first.

        Args:
            start_ms: Epoch ms, inclusive.
            end_ms: Epoch ms, exclusive.
            whats: Only these (`HistoryRow.what`); empty for all.
            limit: How many at most.
        """
        board, question = self.alert_board(), (start_ms, end_ms, whats, limit)
        remembered = self._alerts_remembered()
        with remembered.lock:
            found = remembered.history.get(question)
        if found is not None and found[0] == board.turns:
            return found[1]
        rows = self._alert_tables().store.history(start_ms, end_ms, whats=whats, limit=limit)
        with remembered.lock:
            remembered.history[question] = (board.turns, rows)
            while len(remembered.history) > _MAX_REMEMBERED:
                del remembered.history[next(iter(remembered.history))]
        return rows

    def alert_deliveries(self, states: tuple[DeliveryState, ...] = (), limit: int = 100) -> tuple[DeliveryRow, ...]:
        """Return notifications on their way, arrived or given up, newest first.

        Args:
            states: Only those in one of these states; empty for all.
            limit: How many at most.
        """
        return self._alert_tables().outbox.newest(states, limit)

    def _alert_tables(self) -> AlertTables:
        if self._tables_of_alerts is None:
            self._tables_of_alerts = AlertTables(self._engine)
        return self._tables_of_alerts

    def _alerts_remembered(self) -> _Remembered:
        # One for each instance; made by whoever comes first, of two the dictionary keeps one.
        found: _Remembered = self.__dict__.setdefault("_remembered_alerts", _Remembered())
        return found
