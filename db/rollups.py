"""Keep minute, hour and day rollups equal to the detail rows: always recomputed, never incremented."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from collector.events import Metric, SchedulerRun
from db.breakdown_rolling import BreakdownRoller
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.changes import Changes
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.models import DailySummary
from db.models import PagePerformance as Page
from db.rolling import Look, look, minutes_of_detail, roll_day, roll_hour, roll_minutes, spans
from db.stale import Stale
from db.state import ROLLED_ID, read_state, write_state
from db.unrolled import unrolled

_log = logging.getLogger(__name__)

# Ids are given in the order of inserts but seen in the order of commits. After a restart, so many rows before the last
# rolled one are looked at again: far more than can be in flight at once.
_ID_MARGIN = 200_000
# Detail is read in spans of at most so many minutes: bounds the memory of catching up.
_SPAN_MINUTES = 15
# Minutes without a change that are read between two with one: cheaper than a transaction more.
_HOLE_MINUTES = 3


class Rollups:
    """Knows which minutes changed and recomputes them, their hours and their days.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
        look: As for `db.rolling.replacing`.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms, look: Look = look) -> None:
        self._engine = engine
        self._look = look
        self._clock_ms = clock_ms
        self._minutes, self._hours, self._days = Stale(MINUTE_MS), Stale(HOUR_MS), Stale(DAY_MS)
        self._changes = Changes()
        self._once_lock = threading.Lock()  # one `run_once` at a time; held while the database is asked
        self._run_lock = threading.Lock()  # one computation at a time; held while the database is asked
        self._loaded = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0
        self.breakdowns = BreakdownRoller(engine, clock_ms=clock_ms, look=look)

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
        return self._changes.version

    def changes_since(self, version: int) -> tuple[int, Collection[int] | None]:
        """Return which minutes may have changed after a version was read: see `db.changes.Changes.since`."""
        return self._changes.since(version)

    def changed_since(self, version: int, start_ms: int, end_ms: int) -> bool:
        """Say whether a minute of a span may have changed after a version was read: see `db.changes.Changes.touch`."""
        return self._changes.touch(version, start_ms, end_ms)

    def run_once(self) -> int:
        """Recompute everything that is dirty, and remember how far that went.

        Returns:
            Number of minutes recomputed.

        Raises:
            DatabaseUnavailable: The database can't be reached; what is left stays dirty.
        """
        with self._once_lock, unavailable_as_ours(self._engine):
            self._load()
            self.breakdowns.verify()  # before the work: what is right already can be read meanwhile
            with self._engine.connect() as connection:
                # Read before the dirty minutes are taken: whatever has a higher id is found again after a crash.
                last_id = connection.scalar(select(func.max(Page.id))) or 0
            minutes = self._minutes.waiting()
            self._roll_minutes(minutes)
            hours = self._hours.waiting()
            self._roll_hours(hours)
            days = self._days.waiting()
            self._roll_days(days)
            self.breakdowns.run_once(self._stop.is_set)
            if (minutes or hours or days) and not self._stop.is_set():
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
        with unavailable_as_ours(self._engine):
            self._load()
            self._roll_minutes(self._minutes.within(start_ms, end_ms))
            self._roll_hours(self._hours.within(start_ms, end_ms))
            if days:
                self._roll_days(self._days.within(start_ms, end_ms))

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
        self._days.add([start_ms])
        with unavailable_as_ours(self._engine):
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
        with unavailable_as_ours(self._engine):
            self.breakdowns.by_url.forget(start_ms, end_ms)

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
        self._stop.clear()  # it was for that thread; whoever asks from now on is answered in full

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
        self._minutes.add(minutes)
        self._changes.note(minutes)

    def _load(self) -> None:
        """Find what was stored but not rolled before this program started."""
        if self._loaded:
            return
        with self._run_lock:
            if self._loaded:
                return
            with self._engine.connect() as connection:
                rolled_id = read_state(connection).get(ROLLED_ID, 0)
                last_id = connection.scalar(select(func.max(Page.id))) or 0
                # Ids that went back mean another database content: then nothing that was rolled is to be trusted.
                first_id = max(0, rolled_id - _ID_MARGIN) if 0 < rolled_id <= last_id else None
                minutes, hours, days = unrolled(connection, first_id)
            self._mark(minutes)
            self._hours.add(hours)
            self._days.add(days)
            self._loaded = True

    # A coarser one is said to be stale before the finer one counts as done: nobody may read it in between. ------------

    def _roll_minutes(self, minutes: Sequence[int]) -> None:
        for span in spans(minutes, most=_SPAN_MINUTES, hole=_HOLE_MINUTES):
            # Only for a span at a time: who needs a few minutes now mustn't wait for a night's work.
            with self._run_lock:
                left = self._minutes.still(span)
                if not left or self._stop.is_set():
                    continue
                with self._minutes.taken(*left):
                    rolled = roll_minutes(self._engine, left, look=self._look)
                    self._hours.add({minute // HOUR_MS * HOUR_MS for minute in rolled})

    def _roll_hours(self, hours: Sequence[int]) -> None:
        for start_ms in hours:
            with self._run_lock:
                if self._hours.still([start_ms]) and not self._stop.is_set():
                    with self._hours.taken(start_ms):
                        roll_hour(self._engine, start_ms, look=self._look)
                        self._days.add([start_ms // DAY_MS * DAY_MS])

    def _roll_days(self, days: Sequence[int]) -> None:
        for start_ms in days:
            with self._run_lock:
                if self._days.still([start_ms]) and not self._stop.is_set():
                    with self._days.taken(start_ms):
                        roll_day(self._engine, start_ms, look=self._look)
