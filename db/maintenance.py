"""The nightly maintenance: once a day, in one process, in a thread of its own; and the jobs that people ask for."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable

from sqlalchemy.engine import Engine

from db.alone import alone
from db.cells import DAY_MS
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.job_rollups import JobRollups
from db.retention import Progress, cleanup, silent
from db.rollups import Rollups
from db.state import MAINTAINED_MS, read_state, write_state

_log = logging.getLogger(__name__)


def maintain(
    engine: Engine,
    retention_days: int,
    *,
    present_ms: int,
    minute_days: int = 30,
    hour_days: int = 400,
    once_a_day: bool = False,
    progress: Progress = silent,
    rollups: Rollups | None = None,
    jobs: JobRollups | None = None,
) -> int | None:
    """Roll up what is left, delete what has outlived its retention, and make room for the next days.

    Safe to be killed anywhere: what is left is done by the next one.

    Args:
        engine: A migrated database.
        retention_days: Days to keep detail rows and scheduler runs, at least 1.
        present_ms: Epoch ms.
        minute_days: As for `cleanup`.
        hour_days: As for `cleanup`.
        once_a_day: Do nothing when it was done on this UTC day already.
        progress: As for `cleanup`.
        rollups: As for `cleanup`.
        jobs: As for `cleanup`.

    Returns:
        Number of detail rows and scheduler runs deleted; None when it isn't due, or another process is at it.

    Raises:
        ValueError: retention_days is below 1.
        DatabaseUnavailable: The database can't be reached.
    """
    with alone(engine, "maintain") as only_one:
        if not only_one:
            return None
        today_ms = present_ms // DAY_MS * DAY_MS
        with unavailable_as_ours(engine):
            with engine.connect() as connection:
                done_ms = read_state(connection).get(MAINTAINED_MS)
            # What was done on a clock that was days ahead doesn't count: nothing would be done until then.
            if once_a_day and done_ms is not None and today_ms <= done_ms < today_ms + 2 * DAY_MS:
                return None
            deleted = cleanup(
                engine, retention_days, now_ms=present_ms, minute_days=minute_days, hour_days=hour_days,
                progress=progress, rollups=rollups, jobs=jobs,
            )  # fmt: skip
            with begin_writing(engine) as connection:
                write_state(connection, MAINTAINED_MS, present_ms)
        return deleted


def rebuild(engine: Engine, first: dt.date, last: dt.date, *, progress: Progress = silent) -> int:
    """Recompute the rollups of some days from the detail rows that are kept.

    Args:
        engine: A migrated database.
        first: The first UTC day.
        last: The last one, included.
        progress: Called with (what, days done, days).

    Returns:
        Number of minutes of pages that were recomputed; hours of scheduler runs aren't counted.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    rollups, jobs, minutes = Rollups(engine), JobRollups(engine), 0
    start_ms = int(dt.datetime.combine(first, dt.time(), dt.UTC).timestamp() * 1000)
    days = (last - first).days + 1
    for day in range(days):
        progress("rebuilding rollups, days", day, days)
        rollups.rebuild(start_ms + day * DAY_MS, start_ms + (day + 1) * DAY_MS)
        jobs.rebuild(start_ms + day * DAY_MS, start_ms + (day + 1) * DAY_MS)
        minutes += rollups.run_once()
        jobs.run_once()
    progress("rebuilding rollups, days", max(days, 0), max(days, 0))
    return minutes


class Nightly:
    """Runs `maintain` in a thread when a new UTC day has begun, and at the start for days that were missed.

    Args:
        engine: A migrated database.
        retention_days: As for `maintain`.
        minute_days: As for `maintain`.
        hour_days: As for `maintain`.
        rollups: As for `cleanup`.
        jobs: As for `cleanup`.
        after: Called after each look, whichever process did the work.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(
        self,
        engine: Engine,
        retention_days: int,
        *,
        minute_days: int = 30,
        hour_days: int = 400,
        rollups: Rollups | None = None,
        jobs: JobRollups | None = None,
        after: Callable[[], object] | None = None,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._engine = engine
        self._retention_days = retention_days
        self._minute_days = minute_days
        self._hour_days = hour_days
        self._rollups = rollups
        self._jobs = jobs
        self._after = after
        self._clock_ms = clock_ms
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0

    def start(self, interval_s: float = 600.0) -> None:
        """Look in a background thread whether it is due, until `stop`.

        Args:
            interval_s: Pause between two looks.
        """
        assert self._thread is None, "the maintenance runs already"
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name="nightly", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the background thread; one that is deleting is left to end with the process, which is safe.

        Args:
            timeout_s: How long to wait for it.
        """
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self, interval_s: float) -> None:
        while True:
            try:
                maintain(
                    self._engine,
                    self._retention_days,
                    present_ms=self._clock_ms(),
                    minute_days=self._minute_days,
                    hour_days=self._hour_days,
                    once_a_day=True,
                    rollups=self._rollups,
                    jobs=self._jobs,
                )
                if self._after is not None:
                    self._after()
            except DatabaseUnavailable as exc:
                self.failures += 1
                _log.warning("maintenance waits: %s", exc)
            except Exception:  # noqa: BLE001 - what is left is done next time; a bug here must not end it for good
                self.failures += 1
                _log.exception("maintenance failed")
            if self._stop.wait(interval_s):
                return
