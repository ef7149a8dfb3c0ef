"""Keep minute, hour and day rollups equal to the detail rows: always recomputed, never incremented."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from collector.events import Metric, SchedulerRun
from db.breakdown_rolling import BreakdownRoller
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.models import DailySummary
from db.models import PagePerformance as Page
from db.rolling import minutes_of_detail, roll_day, roll_hour, roll_minutes, spans
from db.state import ROLLED_ID, read_state, write_state

_log = logging.getLogger(__name__)

# Ids are given in the order of inserts but seen in the order of commits. After a restart, so many rows before the last
# rolled one are looked at again: far more than can be in flight at once.
_ID_MARGIN = 200_000
# Detail is read in spans of at most so many minutes: bounds the memory of catching up.
_SPAN_MINUTES = 15
_MAX_REMEMBERED_MINUTES = 20_000


class Rollups:
    """Knows which minutes changed and recomputes them, their hours and their days.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms
        self._lock = threading.Lock()  # protects the sets and versions below
        self._dirty_minutes: set[int] = set()
        self._dirty_hours: set[int] = set()
        self._dirty_days: set[int] = set()
        self._version = 0
        self._changed: dict[int, int] = {}  # minute -> version of its last change, rising
        self._forgotten_version = 0  # changes up to this one aren't in _changed any more
        self._run_lock = threading.Lock()  # one computation at a time; held while the database is asked
        self._loaded = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0
        self.breakdowns = BreakdownRoller(engine, clock_ms=clock_ms)

    def mark(self, metrics: Sequence[Metric]) -> None:
        """Note that minutes have changed: a listener of the store.

        Args:
            metrics: What was just stored.
        """
        self._mark({
            metric.recorded_at_ms // MINUTE_MS * MINUTE_MS for metric in metrics if not isinstance(metric, SchedulerRun)
        })  # fmt: skip

    @property
    def version(self) -> int:
        """A number that grows whenever a minute changes."""
        with self._lock:
            return self._version

    def changes_since(self, version: int) -> tuple[int, Collection[int] | None]:
        """Return which minutes may have changed after a version was read.

        Args:
            version: An earlier value of `version`.

        Returns:
            (the version now, starts of minutes in epoch ms or None when it is too long ago to say).
        """
        with self._lock:
            if version < self._forgotten_version:
                return self._version, None
            changed: list[int] = []
            for minute in reversed(self._changed):  # the last change comes last
                if self._changed[minute] <= version:
                    break
                changed.append(minute)
            return self._version, changed

    def changed_since(self, version: int, start_ms: int, end_ms: int) -> bool:
        """Say whether a minute of [start_ms, end_ms) may have changed after a version was read.

        Args:
            version: An earlier value of `version`.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        changed = self.changes_since(version)[1]
        return changed is None or any(start_ms - MINUTE_MS < minute < end_ms for minute in changed)

    def run_once(self) -> int:
        """Recompute everything that is dirty, and remember how far that went.

        Returns:
            Number of minutes recomputed.

        Raises:
            DatabaseUnavailable: The database can't be reached; what is left stays dirty.
        """
        with self._run_lock, unavailable_as_ours(self._engine):
            self._load()
            with self._engine.connect() as connection:
                # Read before the dirty minutes are taken: whatever has a higher id is found again after a crash.
                last_id = connection.scalar(select(func.max(Page.id))) or 0
            with self._lock:
                minutes = sorted(self._dirty_minutes)
            self._roll_minutes(minutes)
            with self._lock:
                hours = sorted(self._dirty_hours)
            self._roll_hours(hours)
            with self._lock:
                days = sorted(self._dirty_days)
            self._roll_days(days)
            self.breakdowns.run_once(self._stop.is_set)
            if minutes or hours or days:
                with begin_writing(self._engine) as connection:
                    write_state(connection, ROLLED_ID, last_id)
            return len(minutes)

    def settle(self, start_ms: int, end_ms: int, *, days: bool = False) -> None:
        """Bring rollups that lie inside [start_ms, end_ms) up to date now, before somebody reads them.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            days: The daily summaries too, not only minutes and hours.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        with self._lock:
            if self._loaded and not (
                _within(self._dirty_minutes, start_ms, end_ms, MINUTE_MS)
                or _within(self._dirty_hours, start_ms, end_ms, HOUR_MS)
                or (days and _within(self._dirty_days, start_ms, end_ms, DAY_MS))
            ):
                return
        with self._run_lock, unavailable_as_ours(self._engine):
            self._load()
            with self._lock:
                minutes = _within(self._dirty_minutes, start_ms, end_ms, MINUTE_MS)
            self._roll_minutes(minutes)
            with self._lock:
                hours = _within(self._dirty_hours, start_ms, end_ms, HOUR_MS)
            self._roll_hours(hours)
            if days:
                with self._lock:
                    dates = _within(self._dirty_days, start_ms, end_ms, DAY_MS)
                self._roll_days(dates)

    def summarize(self, date: dt.date) -> int:
        """Recompute the daily summary of one UTC day from its hours, after what is dirty in it.

        Args:
            date: The day.

        Returns:
            Number of sources with a summary for that day.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        start_ms = int(dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC).timestamp() * 1000)
        self.settle(start_ms, start_ms + DAY_MS)
        with self._run_lock, unavailable_as_ours(self._engine):
            self._roll_days([start_ms])
            with self._engine.connect() as connection:
                count = select(func.count()).select_from(DailySummary).where(DailySummary.metric_date == date)
                return connection.scalar(count) or 0

    def rebuild(self, start_ms: int, end_ms: int) -> None:
        """Mark every minute of a span that has detail rows, so that the next run recomputes it.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            self._mark(minutes_of_detail(connection, Page.created_at >= start_ms, Page.created_at < end_ms))

    def start(
        self,
        interval_s: float = 5.0,
        *,
        also: Callable[[], object] | None = None,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Run in a background thread until `stop`.

        Args:
            interval_s: Pause between two runs.
            also: Called in that thread after each run: other rollups.
            then: Called in that thread after the first run that succeeded.
        """
        assert self._thread is None, "the rollups run already"
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(interval_s, also, then), name="rollups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the background thread and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, interval_s: float, also: Callable[[], object] | None, then: Callable[[], object] | None) -> None:
        while True:
            try:
                self.run_once()
                if also is not None:
                    also()
                if then is not None:
                    then()
                    then = None
            except DatabaseUnavailable as exc:
                self.failures += 1
                _log.warning("rollups wait: %s", exc)
            except Exception:  # noqa: BLE001 - what is dirty stays so; a bug here must not end the rollups for good
                self.failures += 1
                _log.exception("rollups failed")
            if self._stop.wait(interval_s):
                return

    def _mark(self, minutes: Collection[int]) -> None:
        # First: who sees the new version must see these as changed.
        self.breakdowns.mark(minutes)
        with self._lock:
            self._version += 1
            for minute in minutes:
                self._dirty_minutes.add(minute)
                self._changed.pop(minute, None)
                self._changed[minute] = self._version
            if len(self._changed) > _MAX_REMEMBERED_MINUTES:
                versions = sorted(self._changed.values())
                self._forgotten_version = versions[len(versions) // 2]
                self._changed = {
                    minute: version for minute, version in self._changed.items() if version > self._forgotten_version
                }

    def _load(self) -> None:
        """Find what was stored but not rolled before this program started; the caller holds _run_lock."""
        if self._loaded:
            return
        with self._engine.connect() as connection:
            rolled_id = read_state(connection).get(ROLLED_ID, 0)
            last_id = connection.scalar(select(func.max(Page.id))) or 0
            # Ids that went back mean another database content: then all of it is looked at.
            first_id = rolled_id - _ID_MARGIN if last_id >= rolled_id else 0
            self._mark(minutes_of_detail(connection, *([Page.id > first_id] if first_id > 0 else [])))
        with self._lock:
            self._loaded = True

    def _roll_minutes(self, minutes: Sequence[int]) -> None:
        for span in spans(minutes, most=_SPAN_MINUTES):
            with self._taken(self._dirty_minutes, span):
                rolled = roll_minutes(self._engine, span)
            with self._lock:
                self._dirty_hours.update(minute // HOUR_MS * HOUR_MS for minute in rolled)

    def _roll_hours(self, hours: Sequence[int]) -> None:
        for start_ms in hours:
            with self._taken(self._dirty_hours, [start_ms]):
                roll_hour(self._engine, start_ms)
            with self._lock:
                self._dirty_days.add(start_ms // DAY_MS * DAY_MS)

    def _roll_days(self, days: Sequence[int]) -> None:
        for start_ms in days:
            with self._taken(self._dirty_days, [start_ms]):
                roll_day(self._engine, start_ms)

    @contextmanager
    def _taken(self, dirty: set[int], starts: Sequence[int]) -> Iterator[None]:
        """Take some starts off a dirty set before they are read, and put them back when the block fails."""
        with self._lock:
            # Before reading: a row that is committed from here on makes its minute dirty again.
            dirty.difference_update(starts)
        try:
            yield
        except BaseException:
            with self._lock:
                dirty.update(starts)
            raise


def _within(starts: set[int], start_ms: int, end_ms: int, length_ms: int) -> list[int]:
    return sorted(start for start in starts if start_ms <= start and start + length_ms <= end_ms)
