"""The nightly work: daily summaries, and deleting what has outlived its retention."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Engine

from db.cells import DAY_MS
from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.models import HourlyRollup, IngestBatch, MinuteRollup, PagePerformance, SchedulerMetric
from db.rollups import Rollups
from db.state import DETAIL_SINCE_MS, HOURS_SINCE_MS, MINUTES_SINCE_MS, read_state, write_state

# Rows of one transaction: short enough that an insert hardly waits for it.
_CHUNK_ROWS = 2_000


def generate_daily_summary(engine: Engine, date: dt.date) -> int:
    """Recompute the daily summary of one UTC day.

    Args:
        engine: A migrated database.
        date: The day.

    Returns:
        Number of sources that have a summary for it.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    return Rollups(engine).summarize(date)


def cleanup(engine: Engine, retention_days: int, *, now_ms: int, minute_days: int = 30, hour_days: int = 400) -> int:
    """Delete what is older than its retention, in small chunks; daily summaries are kept for ever.

    Everything is in the rollups before its detail is deleted. Days are deleted whole, so that no rollup is ever left
    with half of its rows.

    Args:
        engine: A migrated database.
        retention_days: Days to keep detail rows and scheduler runs, at least 1.
        now_ms: The present in epoch milliseconds.
        minute_days: Days to keep minute rollups and batch ids; at least as long as detail.
        hour_days: Days to keep hour rollups; at least as long as minutes.

    Returns:
        Number of detail rows and scheduler runs deleted.

    Raises:
        ValueError: retention_days is below 1.
        DatabaseUnavailable: The database can't be reached; what is left is deleted by the next run.
    """
    if retention_days < 1:
        raise ValueError(f"retention_days must be at least 1, got {retention_days}")
    minute_days = max(minute_days, retention_days)
    hour_days = max(hour_days, minute_days)
    Rollups(engine).run_once()
    today_ms = now_ms // DAY_MS * DAY_MS
    detail_ms, minutes_ms, hours_ms = (today_ms - days * DAY_MS for days in (retention_days, minute_days, hour_days))
    with unavailable_as_ours(engine):
        with begin_writing(engine) as connection:
            # Said before the first row goes: from now on nobody computes a rollup from what is left of these rows.
            state = read_state(connection)
            for name, since_ms in (
                (DETAIL_SINCE_MS, detail_ms), (MINUTES_SINCE_MS, minutes_ms), (HOURS_SINCE_MS, hours_ms),
            ):  # fmt: skip
                write_state(connection, name, max(since_ms, state.get(name, 0)))
        deleted = _delete_before(engine, PagePerformance.id, PagePerformance.created_at, detail_ms)
        deleted += _delete_before(engine, SchedulerMetric.id, SchedulerMetric.created_at, detail_ms)
        # Longer than detail: a scraper's spool may come back late, and must not be stored twice then.
        _delete_before(engine, IngestBatch.batch_id, IngestBatch.created_at, minutes_ms)
        _delete_starts_before(engine, MinuteRollup, MinuteRollup.minute_start_ms, minutes_ms)
        _delete_starts_before(engine, HourlyRollup, HourlyRollup.hour_start_ms, hours_ms)
    return deleted


def _delete_before(engine: Engine, key: Any, moment: Any, before_ms: int) -> int:
    deleted = 0
    while True:
        with begin_writing(engine) as connection:
            old = connection.scalars(select(key).where(moment < before_ms).order_by(moment).limit(_CHUNK_ROWS)).all()
            if not old:
                return deleted
            connection.execute(delete(key.class_).where(key.in_(old)))
            deleted += len(old)


def _delete_starts_before(engine: Engine, table: Any, starts: Any, before_ms: int) -> None:
    """Delete rollups an hour's or a day's worth at a time, along their primary key."""
    while True:
        with begin_writing(engine) as connection:
            first_ms = connection.scalar(select(func.min(starts)).where(starts < before_ms))
            if first_ms is None:
                return
            end_ms = min(first_ms + DAY_MS // 24, before_ms)
            connection.execute(delete(table).where(starts >= first_ms, starts < end_ms))
