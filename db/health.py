"""Whether the database answers, since when not, and what was stored: numbers for the health route and the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A snapshot of the store's health; counters are since this process started."""

    reachable: bool = True
    unreachable_since_ms: int | None = None  # first failure after the last success, epoch ms
    unwritable_since_ms: int | None = None  # it answers, but stores nothing: it is full or read-only
    last_error: str | None = None  # the last failure in one line; kept after the database is back
    rows_stored: int = 0
    batches_stored: int = 0
    duplicates: int = 0
    rows_rejected: int = 0
    listener_errors: int = 0

    @property
    def storing(self) -> bool:
        """Whether new metrics are stored."""
        return self.reachable and self.unwritable_since_ms is None


# A question that is answered says nothing of a full disk: so long after the last refused batch, all may be well again.
_REFUSED_FOR_MS = 30_000


class HealthTracker:
    """Keeps one StoreHealth up to date from many threads.

    Args:
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._lock = threading.Lock()  # protects _health: read, changed and replaced in one step
        self._health = StoreHealth()
        self._refused_ms = 0  # when something was refused for the last time

    def snapshot(self) -> StoreHealth:
        """Return the present health."""
        with self._lock:
            return self._health

    def succeeded(
        self, *, rows: int = 0, batches: int = 0, duplicates: int = 0, rejected: int = 0, only_asked: bool = False
    ) -> None:
        """Note that the database answered, and what was stored by it.

        Args:
            only_asked: Nothing was to be stored.
            rows: Metrics stored.
            batches: Batches stored.
            duplicates: Batches that were there already.
            rejected: Metrics that no table can hold.
        """
        with self._lock:
            old = self._health
            still_refuses = only_asked and self._clock_ms() - self._refused_ms < _REFUSED_FOR_MS
            self._health = replace(
                old,
                reachable=True,
                unreachable_since_ms=None,
                unwritable_since_ms=old.unwritable_since_ms if still_refuses else None,
                rows_stored=old.rows_stored + rows,
                batches_stored=old.batches_stored + batches,
                duplicates=old.duplicates + duplicates,
                rows_rejected=old.rows_rejected + rejected,
            )

    def failed(self, reason: str) -> None:
        """Note that the database didn't answer.

        Args:
            reason: Why, in one line.
        """
        with self._lock:
            since_ms = self._health.unreachable_since_ms
            if since_ms is None:
                since_ms = self._clock_ms()
            self._health = replace(self._health, reachable=False, unreachable_since_ms=since_ms, last_error=reason)

    def refused(self, reason: str) -> None:
        """Note that the database answers but takes no writes.

        Args:
            reason: Why, in one line.
        """
        with self._lock:
            self._refused_ms = self._clock_ms()
            since_ms = self._health.unwritable_since_ms
            self._health = replace(
                self._health,
                reachable=True,
                unreachable_since_ms=None,
                unwritable_since_ms=self._refused_ms if since_ms is None else since_ms,
                last_error=reason,
            )

    def listener_failed(self) -> None:
        """Count a listener that raised."""
        with self._lock:
            self._health = replace(self._health, listener_errors=self._health.listener_errors + 1)
