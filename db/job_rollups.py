"""Keep hour and day rollups of scheduler runs equal to the runs: always recomputed, never incremented.

There is no minute level: a job that runs once a minute would have as many minutes as runs. Ranges with buckets under an
hour are answered from the runs themselves, the newest of which are in memory (db.recent_runs).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from collector.events import Metric, SchedulerRun
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.changes import Changes
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.job_rolling import hours_of_runs, roll_job_day, roll_job_hour
from db.models import SchedulerDay
from db.models import SchedulerMetric as Run
from db.stale import Stale
from db.state import ROLLED_RUN_ID, read_state, write_state

# As in db.rollups: after a restart, so many runs before the last rolled one are looked at again.
_ID_MARGIN = 20_000


class JobRollups:
    """Knows which hours have new runs and recomputes them and their days.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms
        self.changes = Changes()  # by the minute in which runs ended
        self._hours = Stale(HOUR_MS)
        self._days = Stale(DAY_MS)
        # One computation at a time; held while the database is asked. Protects what is below too.
        self._run_lock = threading.Lock()
        self._loaded = threading.Event()
        self._rolled_ms: dict[int, int] = {}  # hours that weren't over when they were recomputed, and when that was

    def mark(self, metrics: Sequence[Metric]) -> None:
        """Note that hours have changed: a listener of the store.

        Args:
            metrics: What was just stored.
        """
        self._mark({
            metric.recorded_at_ms // MINUTE_MS * MINUTE_MS for metric in metrics if isinstance(metric, SchedulerRun)
        })  # fmt: skip

    def run_once(self, *, open_every_ms: int = 0) -> int:
        """Recompute everything that is dirty, and remember how far that went.

        Args:
            open_every_ms: An hour that isn't over is recomputed no more often: its newest runs are in memory anyway.

        Returns:
            Number of hours recomputed.

        Raises:
            DatabaseUnavailable: The database can't be reached; what is left stays dirty.
        """
        with self._run_lock, unavailable_as_ours(self._engine):
            self._load()
            if not self._hours.waiting() and not self._days.waiting():
                return 0
            with self._engine.connect() as connection:
                # Read before the dirty hours are taken: whatever has a higher id is found again after a crash.
                last_id = connection.scalar(select(func.max(Run.id))) or 0
            present_ms = self._clock_ms()
            dirty = self._hours.waiting()
            patient_ms = present_ms - open_every_ms
            hours = [
                hour for hour in dirty
                if hour + HOUR_MS <= present_ms or self._rolled_ms.get(hour, patient_ms) <= patient_ms
            ]  # fmt: skip
            self._roll_hours(hours)
            self._rolled_ms = {hour: at_ms for hour, at_ms in self._rolled_ms.items() if hour + HOUR_MS > present_ms}
            self._rolled_ms |= {hour: present_ms for hour in hours if hour + HOUR_MS > present_ms}
            days = self._days.waiting()
            self._roll_days(days)
            # An hour that waits for its end would be forgotten by a crash.
            if (hours or days) and len(hours) == len(dirty):
                with begin_writing(self._engine) as connection:
                    write_state(connection, ROLLED_RUN_ID, last_id)
            return len(hours)

    def stale_hours(self, start_ms: int, end_ms: int) -> frozenset[int]:
        """Return the hours that share a moment with [start_ms, end_ms) and aren't equal to their runs in the database.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        self._load_once()
        return self._hours.overlapping(start_ms, end_ms)

    def stale_days(self, start_ms: int, end_ms: int) -> frozenset[int]:
        """Return the days of which the same is true.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        self._load_once()
        # The hours first: one that is done meanwhile has made its day stale before.
        days = {hour // DAY_MS * DAY_MS for hour in self._hours.overlapping(start_ms, end_ms)}
        return self._days.overlapping(start_ms, end_ms) | days

    def settle(self, start_ms: int, end_ms: int) -> None:
        """Bring hours that lie inside [start_ms, end_ms) up to date now, before somebody reads them.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        self._load_once()
        if self._hours.within(start_ms, end_ms):
            with self._run_lock, unavailable_as_ours(self._engine):
                self._roll_hours(self._hours.within(start_ms, end_ms))

    def summarize(self, date: dt.date) -> int:
        """Recompute the summary of one UTC day from its hours, after what is dirty in it.

        Args:
            date: The day.

        Returns:
            Number of jobs with a summary for that day.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        start_ms = int(dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC).timestamp() * 1000)
        self.settle(start_ms, start_ms + DAY_MS)
        with self._run_lock, unavailable_as_ours(self._engine):
            self._roll_days([start_ms])
            with self._engine.connect() as connection:
                jobs = select(func.count(SchedulerDay.scheduler_name.distinct()))
                return connection.scalar(jobs.where(SchedulerDay.metric_date == date)) or 0

    def rebuild(self, start_ms: int, end_ms: int) -> None:
        """Mark every hour of a span that has runs, so that the next run recomputes it.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            self._mark(hours_of_runs(connection, Run.created_at >= start_ms, Run.created_at < end_ms))

    def _mark(self, minutes: Iterable[int]) -> None:
        minutes = list(minutes)
        if not minutes:
            return
        # First of all: who sees the new version must not take the rollups for equal to the runs.
        self._hours.add(minute // HOUR_MS * HOUR_MS for minute in minutes)
        self.changes.note(minutes)

    def _load_once(self) -> None:
        if not self._loaded.is_set():
            with self._run_lock, unavailable_as_ours(self._engine):
                self._load()

    def _load(self) -> None:
        """Find what was stored but not rolled before this program started; the caller holds _run_lock."""
        if self._loaded.is_set():
            return
        with self._engine.connect() as connection:
            rolled_id = read_state(connection).get(ROLLED_RUN_ID, 0)
            last_id = connection.scalar(select(func.max(Run.id))) or 0
            # Ids that went back mean another database content: then all of it is looked at.
            first_id = rolled_id - _ID_MARGIN if last_id >= rolled_id else 0
            self._mark(hours_of_runs(connection, *([Run.id > first_id] if first_id > 0 else [])))
        self._loaded.set()

    def _roll_hours(self, hours: Sequence[int]) -> None:
        for start_ms in hours:
            with self._hours.taken(start_ms):
                if roll_job_hour(self._engine, start_ms):
                    self._days.add([start_ms // DAY_MS * DAY_MS])

    def _roll_days(self, days: Sequence[int]) -> None:
        for start_ms in days:
            with self._days.taken(start_ms):
                roll_job_day(self._engine, start_ms)
