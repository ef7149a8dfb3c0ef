"""What scheduler jobs did over any range: old time from rollups, the newest from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from sqlalchemy.engine import Engine

from db.cells import DAY_MS, HOUR_MS
from db.clock import now_ms
from db.job_cells import JobCells, cells_of_runs, joined, merged, no_cells
from db.job_rolling import read_job_days, read_job_hours
from db.job_rollups import JobRollups
from db.job_runs import MOST_RUNS, JobRuns, JobTrend, job_runs_of, trend_of
from db.recent_runs import RecentRuns
from db.remembered import Remembered
from db.results import Filter, SchedulerSeries, SchedulerStats, TimeRange
from db.run_columns import RunColumns, matches, newest_runs_of, read_runs
from db.scheduler import series_of_cells, series_of_runs, summarize_cells, summarize_runs

_Answer = TypeVar("_Answer")
_EVERYTHING = Filter()
# The part of the hour before these last minutes is counted out once, and again only when a late run lands in it.
_PIECE_MS = 300_000
# A run that is told within so long isn't late.
_LATE_MS = 60_000
_MAX_ANSWERS = 64
_MAX_BUCKETS = 20_000
_MAX_JOB_RUNS = 8  # a megabyte each


class JobHistory:
    """Answers what is asked of scheduler runs, and remembers what it read while no run lands in it.

    Args:
        engine: A migrated database.
        runs: The newest runs, subscribed to the store.
        rollups: The rollups of the runs, subscribed to the store after them.
        exact_runs: Up to so many runs in memory are counted one by one, so that quantiles are exact.
        clock_ms: The present in epoch milliseconds; it decides what is remembered, and about no answer.
        max_bytes: Memory for rollups.
    """

    def __init__(
        self,
        engine: Engine,
        runs: RecentRuns,
        rollups: JobRollups,
        *,
        exact_runs: int = 10_000,
        clock_ms: Callable[[], int] = now_ms,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._engine = engine
        self._runs = runs
        self._rollups = rollups
        self._exact_runs = exact_runs
        self._clock_ms = clock_ms
        changes = rollups.changes
        self._cells: Remembered[JobCells] = Remembered(changes, most=max_bytes, size=lambda cells: cells.nbytes)
        self._summaries: Remembered[tuple[SchedulerStats, ...]] = Remembered(changes, most=_MAX_ANSWERS)
        self._series: Remembered[SchedulerSeries] = Remembered(changes, most=_MAX_ANSWERS)
        self._buckets: Remembered[tuple[float, ...]] = Remembered(changes, most=_MAX_BUCKETS)
        self._trends: Remembered[JobTrend] = Remembered(changes, most=_MAX_ANSWERS)
        self._job_runs: Remembered[JobRuns] = Remembered(changes, most=_MAX_JOB_RUNS)

    def newest(self, start_ms: int | None, end_ms: int | None, filter: Filter, limit: int) -> RunColumns | None:
        """Return the newest runs, or None when the database has to be asked.

        Args:
            start_ms: Epoch ms, None for no bound.
            end_ms: Epoch ms, None for no bound.
            filter: As for `db.events.run_conditions`.
            limit: How many at most.
        """
        return self._runs.newest(start_ms, end_ms, filter, limit)

    def summary(self, span: TimeRange, filter: Filter) -> tuple[SchedulerStats, ...]:
        """Count out every job that ran, by name; see `db.scheduler` for what is exact.

        Args:
            span: The range.
            filter: As for `newest`.
        """

        def find() -> tuple[SchedulerStats, ...]:
            few = self._few(span, filter)
            if few is not None:
                return summarize_runs(few)
            cells = joined(self._parts(span.start_ms, span.end_ms), self._runs.names)
            return summarize_cells(merged(cells, np.full(len(cells), span.start_ms)), filter)

        return self._once(self._summaries, (span.start_ms, span.end_ms, filter), span.start_ms, span.end_ms, find)

    def series(self, span: TimeRange, filter: Filter) -> SchedulerSeries:
        """Count out every bucket: of an hour and more from rollups, of less from the runs themselves.

        Args:
            span: The range and its buckets.
            filter: As for `newest`.
        """

        def find() -> SchedulerSeries:
            few = self._few(span, filter)
            return self._by_bucket(span, filter) if few is None else series_of_runs(span, few)

        return self._once(self._series, (span, filter), span.start_ms, span.end_ms, find)

    def trend(self, span: TimeRange, filter: Filter) -> JobTrend:
        """Count out every job per bucket: buckets of whole hours from rollups, others from the runs themselves.

        Args:
            span: The range and its buckets.
            filter: As for `newest`.
        """

        def find() -> JobTrend:
            few = self._few(span, filter)
            # Rollups don't know why runs failed.
            if few is not None or span.bucket_ms % HOUR_MS or filter.error or filter.without_runs:
                runs = self._read(span.start_ms, span.end_ms, filter) if few is None else few
                ones = np.ones(len(runs), dtype=np.int64)
                return trend_of(span, runs.names.all(), runs.name, runs.created_at_ms, ones, runs.duration_ms)
            starts = span.bucket_starts().tolist()
            parts = []
            for low, high in zip(starts, [*starts[1:], span.end_ms], strict=True):
                parts += self._parts(low, high)
            cells = joined(parts, self._runs.names)
            cells = cells.chosen(matches(cells.name, cells.source, cells.names, filter))
            wanted = [result for result in (0, 1) if filter.result in ("all", ("failed", "ok")[result])]
            counts, sum_ms = (cells.parts[name][:, wanted].sum(axis=1) for name in ("runs", "sum_ms"))
            return trend_of(span, cells.names.all(), cells.name, cells.span_ms, counts, sum_ms)

        return self._once(self._trends, ("trend", span, filter), span.start_ms, span.end_ms, find)

    def job_runs(self, end_ms: int, filter: Filter) -> JobRuns:
        """Return the newest runs before a moment by job and start.

        Args:
            end_ms: Epoch ms.
            filter: As for `newest`.
        """

        def find() -> JobRuns:
            runs = self._runs.newest(None, end_ms, filter, MOST_RUNS)
            if runs is None:
                with self._engine.connect() as connection:
                    runs = newest_runs_of(connection, end_ms, MOST_RUNS, self._runs.names, filter).matching(filter)
            return job_runs_of(runs, most=MOST_RUNS)

        return self._once(self._job_runs, (end_ms, filter), 0, end_ms, find)

    def warm(self, present_ms: int) -> None:
        """Read what a month up to the present is counted from.

        Args:
            present_ms: Epoch ms.
        """
        midnight_ms = present_ms // DAY_MS * DAY_MS
        self._days(midnight_ms - 31 * DAY_MS, midnight_ms)
        self._hours(midnight_ms - DAY_MS, present_ms // HOUR_MS * HOUR_MS)

    def _few(self, span: TimeRange, filter: Filter) -> RunColumns | None:
        """Return the runs of a span, filtered, when they are to be counted one by one."""
        if filter.without_runs:
            return RunColumns.of_rows([], self._runs.names)
        if filter.error:  # rollups don't know why runs failed
            return self._read(span.start_ms, span.end_ms, filter)
        count = self._runs.count(span.start_ms, span.end_ms)
        if count is None or count > self._exact_runs:
            return None
        runs = self._runs.columns(span.start_ms, span.end_ms)
        return None if runs is None else runs.matching(filter)

    def _by_bucket(self, span: TimeRange, filter: Filter) -> SchedulerSeries:
        version = self._rollups.changes.version
        starts = span.bucket_starts().tolist()
        ends = [*starts[1:], span.end_ms]
        keys = [("bucket", low, high, filter) for low, high in zip(starts, ends, strict=True)]
        found = {key: self._buckets.get(key, key[1], key[2]) for key in keys}
        for missing in _side_by_side([key[1:3] for key in keys if found[key] is None]):
            part = TimeRange(missing[0][0], missing[-1][1], span.bucket_ms)
            if span.bucket_ms < HOUR_MS:
                series = series_of_runs(part, self._read(part.start_ms, part.end_ms, filter))
            else:
                # All at once, for the parts below.
                if span.bucket_ms % DAY_MS == 0:
                    self._days(*_whole(part.start_ms, part.end_ms, DAY_MS))
                else:
                    self._hours(*_whole(part.start_ms, part.end_ms, HOUR_MS))
                cells = [cell for low, high in missing for cell in self._parts(low, high)]
                series = series_of_cells(part, joined(cells, self._runs.names), filter)
            columns = (getattr(series, name).tolist() for name in _SERIES_COLUMNS)
            for (low, high), values in zip(missing, zip(*columns, strict=True), strict=True):
                key = ("bucket", low, high, filter)
                found[key] = self._buckets.put(key, version, values)
        every = np.array([found[key] for key in keys], dtype=np.float64).reshape(len(keys), -1).T
        counts, durations = every[:4].astype(np.int64), every[4:]
        return SchedulerSeries(span.bucket_starts(), *counts, *durations)

    def _parts(self, start_ms: int, end_ms: int) -> list[JobCells]:
        """Return everything of a span: what hardly changes any more, the rest of the last hour, the last minutes."""
        now_ms = max(start_ms, min(end_ms, self._clock_ms() - _LATE_MS))
        hour_ms = max(start_ms, now_ms // HOUR_MS * HOUR_MS)
        piece_ms = max(hour_ms, now_ms // _PIECE_MS * _PIECE_MS)
        parts = [self._sealed(start_ms, hour_ms), self._counted(hour_ms, piece_ms)]
        if piece_ms < end_ms:
            parts.append(self._of_runs(piece_ms, end_ms))
        return [part for part in parts if len(part)]

    def _sealed(self, start_ms: int, end_ms: int) -> JobCells:
        """Return a span that ends with an hour, added up to one row for each job and scraper."""

        def find() -> JobCells:
            hour_ms, last_hour_ms = _whole(start_ms, end_ms, HOUR_MS)
            day_ms, last_day_ms = _whole(hour_ms, last_hour_ms, DAY_MS)
            parts = [
                self._counted(start_ms, hour_ms),
                *self._hours(hour_ms, day_ms),
                *self._days(day_ms, last_day_ms),
                *self._hours(last_day_ms, last_hour_ms),
            ]
            cells = joined([part for part in parts if len(part)], self._runs.names)
            return merged(cells, np.full(len(cells), start_ms))

        return self._once(self._cells, ("sealed", start_ms, end_ms), start_ms, end_ms, find)

    def _days(self, start_ms: int, end_ms: int) -> list[JobCells]:
        """Return whole days: the summaries, and added up from hours where these aren't up to date."""
        version = self._rollups.changes.version
        found, missing = self._known(start_ms, end_ms, DAY_MS)
        stale = self._rollups.stale_days(start_ms, end_ms) if missing else frozenset()
        clean = [day for day in missing if day not in stale]
        if clean:
            with self._engine.connect() as connection:
                read = read_job_days(connection, clean[0], clean[-1] + DAY_MS, self._runs.names)
            found |= {day: read.of_spans(day, day + DAY_MS) for day in clean}
        for day in missing:
            if day in stale:
                hours = joined([hour for hour in self._hours(day, day + DAY_MS) if len(hour)], self._runs.names)
                found[day] = merged(hours, np.full(len(hours), day))
            self._cells.put((DAY_MS, day), version, found[day])
        return [found[day] for day in range(start_ms, end_ms, DAY_MS)]

    def _hours(self, start_ms: int, end_ms: int) -> list[JobCells]:
        """Return whole hours: the rollups, and counted from memory where these aren't up to date."""
        version = self._rollups.changes.version
        found, missing = self._known(start_ms, end_ms, HOUR_MS)
        stale = self._rollups.stale_hours(start_ms, end_ms) if missing else frozenset()
        for hour in stale.intersection(missing):
            runs = self._runs.columns(hour, hour + HOUR_MS)
            if runs is None:
                self._rollups.settle(hour, hour + HOUR_MS)
            else:
                found[hour] = cells_of_runs(runs, np.full(len(runs), hour))
        rolled = [hour for hour in missing if hour not in found]
        if rolled:
            with self._engine.connect() as connection:
                read = read_job_hours(connection, rolled[0], rolled[-1] + HOUR_MS, self._runs.names)
            found |= {hour: read.of_spans(hour, hour + HOUR_MS) for hour in rolled}
        for hour in missing:
            self._cells.put((HOUR_MS, hour), version, found[hour])
        return [found[hour] for hour in range(start_ms, end_ms, HOUR_MS)]

    def _known(self, start_ms: int, end_ms: int, step_ms: int) -> tuple[dict[int, JobCells], list[int]]:
        found, missing = {}, []
        for start in range(start_ms, end_ms, step_ms):
            known = self._cells.get((step_ms, start), start, start + step_ms)
            if known is None:
                missing.append(start)
            else:
                found[start] = known
        return found, missing

    def _counted(self, start_ms: int, end_ms: int) -> JobCells:
        if start_ms == end_ms:
            return no_cells(self._runs.names)
        return self._once(
            self._cells, ("counted", start_ms, end_ms), start_ms, end_ms, lambda: self._of_runs(start_ms, end_ms)
        )

    def _of_runs(self, start_ms: int, end_ms: int) -> JobCells:
        runs = self._read(start_ms, end_ms, _EVERYTHING)
        return cells_of_runs(runs, np.full(len(runs), start_ms))

    def _read(self, start_ms: int, end_ms: int, filter: Filter) -> RunColumns:
        covered_ms = self._runs.covered_since_ms
        border_ms = start_ms if covered_ms is None else min(max(covered_ms, start_ms), end_ms)
        newer = self._runs.columns(border_ms, end_ms)
        if newer is None:  # memory has let go of its oldest runs meanwhile
            border_ms, newer = end_ms, RunColumns.of_rows([], self._runs.names)
        if border_ms == start_ms:
            return newer.matching(filter)
        with self._engine.connect() as connection:
            older = read_runs(connection, start_ms, border_ms, self._runs.names, filter)
        return RunColumns.joined([older, newer.matching(filter)], self._runs.names)

    def _once(
        self, memory: Remembered[_Answer], key: object, start_ms: int, end_ms: int, find: Callable[[], _Answer]
    ) -> _Answer:
        # Read before looking: what is stored meanwhile makes the answer one to find again.
        version = self._rollups.changes.version
        known = memory.get(key, start_ms, end_ms)
        return memory.put(key, version, find()) if known is None else known


_SERIES_COLUMNS = ("runs", "ok", "failed", "items", "mean_ms", "p50_ms", "p95_ms", "p99_ms")


def _whole(start_ms: int, end_ms: int, step_ms: int) -> tuple[int, int]:
    """Return the whole steps inside a span; where there is none, its end twice."""
    first, last = -(-start_ms // step_ms) * step_ms, end_ms // step_ms * step_ms
    return (first, last) if first < last else (end_ms, end_ms)


def _side_by_side(spans: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    group = list(spans[:1])
    for before, after in pairwise(spans):
        if before[1] != after[0]:
            yield group
            group = []
        group.append(after)
    if group:
        yield group
