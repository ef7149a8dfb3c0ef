"""Alerts in memory, for `MemoryQueries`: what it was given, and nothing is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from db.alert_board import AlertBoard
from db.alert_rows import DeliveryRow, HistoryRow
from db.columns import Names


class MemoryAlerts:
    """Answers about alerts from what was put into it."""

    board = AlertBoard()
    source_names: Callable[[], tuple[str, ...]]
    happened: tuple[HistoryRow, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()

    def alert_board(self) -> AlertBoard:
        return self.board

    def alert_counts(self, *, ask: bool = True) -> Mapping[str, int]:
        return self.board.counts

    def alert_sources(self) -> Names:
        names = Names()
        for name in self.source_names():
            names.code(name)
        return names

    def alert_history(
        self, start_ms: int, end_ms: int, whats: tuple[str, ...] = (), limit: int = 500
    ) -> tuple[HistoryRow, ...]:
        found = [row for row in self.happened if start_ms <= row.at_ms < end_ms and (not whats or row.what in whats)]
        return tuple(sorted(found, key=lambda row: (-row.at_ms, -row.id))[:limit])

    def alert_deliveries(self, states: tuple[str, ...] = (), limit: int = 100) -> tuple[DeliveryRow, ...]:
        found = [row for row in self.deliveries if not states or row.state in states]
        return tuple(sorted(found, key=lambda row: -row.id)[:limit])
