"""What the Scheduler tab asks: the part of `db.queries.Queries` that is about scheduler runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sqlalchemy.engine import Connection, Engine

from db.columns import Names
from db.errors import unavailable_as_ours
from db.events import newest_runs
from db.job_history import JobHistory
from db.job_runs import MOST_RUNS, JobRuns, JobTrend, job_runs_of, trend_of
from db.results import Filter, SchedulerRunRow, SchedulerSeries, SchedulerStats, TimeRange
from db.run_columns import newest_runs_of, read_runs
from db.scheduler import series_of_runs, summarize_runs

_EVERYTHING = Filter()


class SchedulerQueries:
    """Reads about scheduler runs; every method raises DatabaseUnavailable when the database can't be asked.

    Args:
        engine: A migrated database.
        jobs: Memory and rollups of its runs; without them, everything is counted from the runs in the database.
    """

    def __init__(self, engine: Engine, jobs: JobHistory | None) -> None:
        self._engine = engine
        self._jobs = jobs

    def scheduler_runs(
        self, range: TimeRange, filter: Filter = _EVERYTHING, limit: int = 500
    ) -> tuple[SchedulerRunRow, ...]:
        """Return the newest scheduler runs of the range, newest first.

        Args:
            range: The range.
            filter: Sources match a run's scraper and its own name; no run has a type, an outcome, a label or a URL, so
                that a filter that asks for one leaves none.
            limit: How many at most.
        """
        return self._newest_runs(range.start_ms, range.end_ms, filter, limit)

    def scheduler_summary(self, range: TimeRange, filter: Filter = _EVERYTHING) -> tuple[SchedulerStats, ...]:
        """Return one row for each scheduler job that ran in the range, by name.

        Args:
            range: The range.
            filter: As for `scheduler_runs`.
        """
        if self._jobs is not None:
            with unavailable_as_ours(self._engine):
                return self._jobs.summary(range, filter)
        with self._connect() as connection:
            return summarize_runs(read_runs(connection, range.start_ms, range.end_ms, Names(), filter))

    def scheduler_series(self, range: TimeRange, filter: Filter = _EVERYTHING) -> SchedulerSeries:
        """Return how many runs ended in each bucket, how they did and how long they took.

        Args:
            range: The range and its buckets; those under an hour are counted from the runs, which retention deletes.
            filter: As for `scheduler_runs`.
        """
        if self._jobs is not None:
            with unavailable_as_ours(self._engine):
                return self._jobs.series(range, filter)
        with self._connect() as connection:
            return series_of_runs(range, read_runs(connection, range.start_ms, range.end_ms, Names(), filter))

    def scheduler_trend(self, range: TimeRange, filter: Filter = _EVERYTHING) -> JobTrend:
        """Return how many runs of each job ended in each bucket, and how long they took together.

        Args:
            range: The range and its buckets; those of whole hours are counted from rollups, which retention keeps.
            filter: As for `scheduler_runs`.
        """
        if self._jobs is not None:
            with unavailable_as_ours(self._engine):
                return self._jobs.trend(range, filter)
        with self._connect() as connection:
            runs = read_runs(connection, range.start_ms, range.end_ms, Names(), filter)
        ones = np.ones(len(runs), dtype=np.int64)
        return trend_of(range, runs.names.all(), runs.name, runs.created_at_ms, ones, runs.duration_ms)

    def job_runs(self, end_ms: int, filter: Filter = _EVERYTHING) -> JobRuns:
        """Return the newest runs that ended before a moment, at most 40,000, by job and start.

        Args:
            end_ms: Epoch ms.
            filter: As for `scheduler_runs`.
        """
        if self._jobs is not None:
            with unavailable_as_ours(self._engine):
                return self._jobs.job_runs(end_ms, filter)
        with self._connect() as connection:
            runs = newest_runs_of(connection, end_ms, MOST_RUNS, Names(), filter).matching(filter)
        return job_runs_of(runs, most=MOST_RUNS)

    def _newest_runs(
        self, start_ms: int | None, end_ms: int | None, filter: Filter, limit: int
    ) -> tuple[SchedulerRunRow, ...]:
        found = None if self._jobs is None else self._jobs.newest(start_ms, end_ms, filter, limit)
        if found is not None:
            return found.rows()
        with self._connect() as connection:
            return newest_runs(connection, start_ms, end_ms, filter, limit)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            yield connection
