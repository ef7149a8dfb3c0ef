"""Closes runs of scrapers that fell silent: whichever process notices first, it is said once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy.engine import Engine

from collector.errors import SinkUnavailable
from collector.run_events import ScraperRun as RunEvent
from db.clock import now_ms
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.run_states import lost_batch, silent_runs
from db.store import Store

_log = logging.getLogger(__name__)

# Longer between two looks, and this process (or its machine) stood still itself.
_STOOD_STILL_MS = 60_000


class LostRuns:
    """Looks for runs whose heartbeats stopped, and stores that they are lost as if a scraper had told it.

    Silence counts only while this process could hear: not before it started, not while the database was away.

    Args:
        engine: The store's database.
        store: Tells everybody of a run that is lost.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, store: Store, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._store = store
        self._clock_ms = clock_ms
        self._hearing_since_ms: int | None = None
        self._looked_ms = 0
        self.closed = 0  # by this process

    def check(self) -> int:
        """Look once; one thread at a time calls this.

        Returns:
            How many runs this process found to be lost.
        """
        present_ms = self._clock_ms()
        health = self._store.health()
        stood_still = not 0 <= present_ms - self._looked_ms <= _STOOD_STILL_MS
        self._looked_ms = present_ms
        if self._hearing_since_ms is None or stood_still or not health.storing:
            self._hearing_since_ms = present_ms
            return 0
        try:
            with unavailable_as_ours(self._engine), self._engine.connect() as connection:
                silent = silent_runs(connection, present_ms, self._hearing_since_ms)
            return sum(self._close(event) for event in silent)
        except (DatabaseUnavailable, SinkUnavailable) as exc:
            _log.info("runs that fell silent are looked for again: %s", exc)
            self._hearing_since_ms = present_ms
            return 0

    def _close(self, event: RunEvent) -> bool:
        delivery = self._store.send(lost_batch(event))
        if delivery.accepted:
            self.closed += 1
            _log.warning("run %s (%s) is lost: it has been silent for too long", event.name, event.run_id)
        return bool(delivery.accepted)
