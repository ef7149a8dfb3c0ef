"""Everything that the alert tables hold, in one hand: settings, how alerts stand, the outbox, and who evaluates."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Engine

from db.alert_lease import AlertLease
from db.alert_outbox import Outbox
from db.alert_settings import AlertSettings
from db.alert_store import AlertStore
from db.clock import now_ms


class AlertTables:
    """The alert tables of a database.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self.settings = AlertSettings(engine, clock_ms=clock_ms)
        self.store = AlertStore(engine)
        self.outbox = Outbox(engine, clock_ms=clock_ms)

    def lease(self, holder: int, *, length_s: float) -> AlertLease:
        """Return a process' part in who evaluates; see `AlertLease`."""
        return AlertLease(self._engine, holder, length_s=length_s)
