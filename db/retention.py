"""The nightly work: daily summaries, and deleting what has outlived its retention."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.engine import Connection, Engine

from db.breakdown import DIMENSIONS
from db.breakdown_rolling import KEPT
from db.cells import DAY_MS, HOUR_MS, QUARTER_MS, SLOT_MS
from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.ingest_log import shorten_log
from db.job_rollups import JobRollups
from db.models import (
    Breakdown,
    HourlyRollup,
    IngestBatch,
    MinuteRollup,
    PagePerformance,
    RunMessage,
    SchedulerHour,
    SchedulerMetric,
    ScraperRun,
)
from db.pace import LONG_PAUSE_SHARE, PAUSE_SHARE, Pace
from db.partitions import drop_days, make_days
from db.rest_pack import REST
from db.rollups import Rollups
from db.row_pack import ROWS
from db.state import (
    ACCEPTED_SINCE_MS,
    DETAIL_SINCE_MS,
    HOURS_SINCE_MS,
    MINUTES_SINCE_MS,
    read_state,
    write_state,
)
from db.time_packs import TIME
from db.url_rolling import BLOCKS_TOGETHER, URL_BLOCKS, URL_KEPT, URL_LENGTHS_MS

Progress = Callable[[str, int, int], None]  # (what, how far, of how many or 0)

# Of one transaction, however fast the database is.
_MOST_ROWS = 2_000
_MOST_PAGES = 500
MOST_DAYS = 36_500


def silent(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


def generate_daily_summary(engine: Engine, date: dt.date) -> int:
    """Recompute the daily summaries of one UTC day: of the sources, and of the scheduler's jobs.

    Args:
        engine: A migrated database.
        date: The day.

    Returns:
        Number of sources that have a summary for it.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    JobRollups(engine).summarize(date)
    return Rollups(engine).summarize(date)


def cleanup(
    engine: Engine,
    retention_days: int,
    *,
    now_ms: int,
    minute_days: int = 30,
    hour_days: int = 400,
    progress: Progress = silent,
    rollups: Rollups | None = None,
    jobs: JobRollups | None = None,
) -> int:
    """Delete what is older than its retention; daily summaries are kept for ever.

    Everything is in the rollups before its detail is deleted; from then on every store refuses what is older, with a
    reason, because it could neither be kept nor be counted. Days are deleted whole, so that no rollup is ever left
    with half of its rows: as partitions on MySQL/MariaDB, in small chunks elsewhere.

    A database that never held a metric has lost none: it goes on taking metrics of any age, so that a board can begin
    with the history of its scrapers.

    Args:
        engine: A migrated database.
        retention_days: Days to keep detail rows and scheduler runs, at least 1.
        now_ms: The present in epoch milliseconds.
        minute_days: Days to keep minute rollups, runs and batch ids; at least as long as detail.
        hour_days: Days to keep hour rollups; at least as long as minutes.
        progress: Called with (what, how many are deleted, 0).
        rollups: This program's, so that nothing is looked for that they know; new ones by default.
        jobs: The same for scheduler runs.

    Returns:
        Number of detail rows and scheduler runs deleted.

    Raises:
        ValueError: retention_days is no whole number from 1 to 36500.
        DatabaseUnavailable: The database can't be reached; what is left is deleted by the next run.
    """
    # From here on it decides what is gone for good: NaN is below nothing, and True is a day.
    if type(retention_days) is not int or not 1 <= retention_days <= MOST_DAYS:
        raise ValueError(f"retention_days must be a whole number from 1 to {MOST_DAYS}, got {retention_days!r}")
    minute_days = max(minute_days, retention_days)
    hour_days = max(hour_days, minute_days)
    today_ms = now_ms // DAY_MS * DAY_MS
    detail_ms, minutes_ms, hours_ms = (today_ms - days * DAY_MS for days in (retention_days, minute_days, hour_days))
    with unavailable_as_ours(engine):
        with begin_writing(engine) as connection:
            # From now on no such old metric is stored any more: the rollups of its time become final with the next
            # step, and its row would be deleted without being in them.
            since_ms = read_state(connection).get(ACCEPTED_SINCE_MS, 0)
            begun = bool(since_ms) or _holds_metrics(connection)
            if begun:
                write_state(connection, ACCEPTED_SINCE_MS, _later(detail_ms, since_ms, now_ms))
        if not begun:
            if engine.dialect.name != "sqlite":
                make_days(engine, now_ms)
            return 0
        (rollups or Rollups(engine)).run_once()
        (jobs or JobRollups(engine)).run_once()
        with begin_writing(engine) as connection:
            # Said before the first row goes: from now on nobody computes a rollup from what is left of these rows.
            state = read_state(connection)
            for name, since_ms in (
                (DETAIL_SINCE_MS, detail_ms), (MINUTES_SINCE_MS, minutes_ms), (HOURS_SINCE_MS, hours_ms),
            ):  # fmt: skip
                write_state(connection, name, _later(since_ms, state.get(name, 0), now_ms))
        deleted = 0
        if engine.dialect.name != "sqlite":
            make_days(engine, now_ms)
            deleted = drop_days(engine, detail_ms)
        # With partitions, only late rows that the oldest of them took in.
        deleted += _delete_before(engine, PagePerformance.id, PagePerformance.created_at, detail_ms, progress)
        deleted += _delete_before(engine, SchedulerMetric.id, SchedulerMetric.created_at, detail_ms, progress)
        _delete_before(engine, RunMessage.id, RunMessage.heard_at, detail_ms, progress)
        _delete_before(engine, ScraperRun.run_id, ScraperRun.recorded_at, minutes_ms, progress)
        # Longer than detail: a scraper's spool may come back late, and must not be stored twice then.
        _delete_before(engine, IngestBatch.batch_id, IngestBatch.created_at, minutes_ms, progress)
        shorten_log(engine)
        _delete_starts_before(engine, MinuteRollup, MinuteRollup.minute_start_ms, minutes_ms)
        _delete_starts_before(engine, HourlyRollup, HourlyRollup.hour_start_ms, hours_ms)
        for length_ms, before_ms, dimensions in (
            (SLOT_MS, detail_ms, (ROWS, REST)),
            (SLOT_MS, minutes_ms, KEPT), (HOUR_MS, minutes_ms, (TIME,)), (HOUR_MS, hours_ms, DIMENSIONS),
            (QUARTER_MS, hours_ms, KEPT), (DAY_MS, hours_ms, KEPT),
            *((length_ms, detail_ms, URL_KEPT) for length_ms in URL_LENGTHS_MS),
        ):  # fmt: skip
            for dimension in dimensions:
                own = (Breakdown.dimension == dimension, Breakdown.length_ms == length_ms)
                # Blocks of rows begin a millisecond after one another.
                step_ms = BLOCKS_TOGETHER if dimension in URL_BLOCKS else HOUR_MS
                _delete_starts_before(engine, Breakdown, Breakdown.start_ms, before_ms, *own, step_ms=step_ms)
        _delete_starts_before(engine, SchedulerHour, SchedulerHour.hour_start_ms, hours_ms)
        if engine.dialect.name == "sqlite":
            _give_pages_back(engine)
    return deleted


def _holds_metrics(connection: Connection) -> bool:
    ids = (PagePerformance.id, SchedulerMetric.id, RunMessage.id)
    return any(connection.scalar(select(id).limit(1)) is not None for id in ids)


def _later(since_ms: int, known_ms: int, now_ms: int) -> int:
    """Return the later moment: it never moves back, unless it was written on a clock that was ahead.

    Then it is the next full hour: until then, an hour may have lost minutes that it must keep in its total.
    """
    return max(since_ms, min(known_ms, now_ms // HOUR_MS * HOUR_MS + HOUR_MS))


def _delete_before(engine: Engine, key: Any, moment: Any, before_ms: int, progress: Progress) -> int:
    deleted, pace = 0, _pace(engine, 100, _MOST_ROWS)
    while True:
        with pace.step():
            with begin_writing(engine) as connection:
                chosen = select(key).where(moment < before_ms).order_by(moment).limit(pace.size)
                old = connection.scalars(chosen).all()
                if not old:
                    return deleted
                # The time too: with it, the database looks into one partition only.
                connection.execute(delete(key.class_).where(key.in_(old), moment < before_ms))
                deleted += len(old)
            _checkpoint(engine)
        progress(f"deleting old rows of {key.class_.__tablename__}", deleted, 0)


def _pace(engine: Engine, first: int, most: int) -> Pace:
    # Where the bulk goes as partitions, little is left to delete.
    return Pace(first, most, pause_share=PAUSE_SHARE if engine.dialect.name == "sqlite" else LONG_PAUSE_SHARE)


def _give_pages_back(engine: Engine) -> None:
    """Shrink an SQLite file by what was deleted, a little at a time; one that was made without this keeps its size."""
    pace = Pace(20, _MOST_PAGES)
    while True:
        with pace.step():
            with begin_writing(engine) as connection:
                before = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
                # Straight to the driver: each step frees one page, and SQLAlchemy takes none where no row comes back.
                driver: Any = connection.connection.driver_connection
                driver.execute(f"PRAGMA incremental_vacuum({pace.size})").fetchall()
                after = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            _checkpoint(engine)
        if not after or after == before:
            return


def _checkpoint(engine: Engine) -> None:
    """Bring what was just written into SQLite's file here, or the next commit of metrics has to do it."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")


def _delete_starts_before(
    engine: Engine, table: Any, starts: Any, before_ms: int, *own: ColumnElement[bool], step_ms: int = HOUR_MS
) -> None:
    """Delete rollups an hour's or a day's worth at a time, along their primary key."""
    pace = _pace(engine, 1, 1)
    while True:
        with pace.step(), begin_writing(engine) as connection:
            first_ms = connection.scalar(select(func.min(starts)).where(*own, starts < before_ms))
            if first_ms is None:
                return
            end_ms = min(first_ms + step_ms, before_ms)
            connection.execute(delete(table).where(*own, starts >= first_ms, starts < end_ms))
