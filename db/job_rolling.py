"""Recompute single rollups of scheduler runs in the database: one hour, one day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.engine import Connection, Engine

from db.cells import DAY_MS, HOUR_MS
from db.columns import Names
from db.job_cells import JobCells, cells_of_runs, merged
from db.job_rows import DAY_COLUMNS, HOUR_COLUMNS, STATE_COLUMNS, cells_of_rows, day_rows, hour_rows
from db.models import SchedulerDay, SchedulerHour
from db.models import SchedulerMetric as Run
from db.rolling import replacing
from db.rollup_rows import hour_utc
from db.rows import Row, insert_many
from db.run_columns import read_runs
from db.state import DETAIL_SINCE_MS, HOURS_SINCE_MS, JOB_TURN, read_state


def roll_job_hour(engine: Engine, start_ms: int) -> bool:
    """Recompute an hour from its runs.

    Args:
        engine: A migrated database.
        start_ms: A full hour in epoch ms.

    Returns:
        False when retention has deleted its runs, and the hour was left as it is.
    """

    def read(connection: Connection) -> list[Row]:
        runs = read_runs(connection, start_ms, start_ms + HOUR_MS, Names())
        return hour_rows(cells_of_runs(runs, np.full(len(runs), start_ms)))

    with replacing(engine, read, turn_name=JOB_TURN) as (connection, rows):
        # Asked after reading: retention says first what it is going to delete, so an hour that it halved is noticed.
        if start_ms < read_state(connection).get(DETAIL_SINCE_MS, 0):
            return False
        connection.execute(delete(SchedulerHour).where(SchedulerHour.hour_start_ms == start_ms))
        insert_many(connection, SchedulerHour.__tablename__, HOUR_COLUMNS, rows, replace=True)
    return True


def roll_job_day(engine: Engine, start_ms: int) -> None:
    """Recompute a daily summary from its hours; one whose hours retention has deleted is left as it is.

    Args:
        engine: A migrated database.
        start_ms: A UTC midnight in epoch ms.
    """
    date = hour_utc(start_ms).date()

    def read(connection: Connection) -> list[Row]:
        hours = read_job_hours(connection, start_ms, start_ms + DAY_MS, Names())
        return day_rows(merged(hours, np.full(len(hours), start_ms)))

    with replacing(engine, read, turn_name=JOB_TURN) as (connection, rows):
        if start_ms < read_state(connection).get(HOURS_SINCE_MS, 0):
            return
        connection.execute(delete(SchedulerDay).where(SchedulerDay.metric_date == date))
        insert_many(connection, SchedulerDay.__tablename__, DAY_COLUMNS, rows, replace=True)


def read_job_hours(connection: Connection, start_ms: int, end_ms: int, names: Names) -> JobCells:
    """Read hour rollups.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        names: Gives jobs and scrapers their numbers.

    Returns:
        One row for each hour, job and scraper, by hour.
    """
    begins = SchedulerHour.hour_start_ms
    return cells_of_rows(
        connection.execute(
            select(begins, *_state(SchedulerHour)).where(begins >= start_ms, begins < end_ms).order_by(begins)
        ).all(),
        names,
    )


def read_job_days(connection: Connection, start_ms: int, end_ms: int, names: Names) -> JobCells:
    """Read daily summaries.

    Args:
        connection: An open connection.
        start_ms: A UTC midnight in epoch ms, inclusive.
        end_ms: Another one, exclusive.
        names: Gives jobs and scrapers their numbers.

    Returns:
        One row for each day, job and scraper, by day.
    """
    date = SchedulerDay.metric_date
    rows = connection.execute(
        select(date, *_state(SchedulerDay))
        .where(date >= hour_utc(start_ms).date(), date < hour_utc(end_ms).date())
        .order_by(date)
    )
    return cells_of_rows([(_midnight_ms(day), *rest) for day, *rest in rows], names)


def hours_of_runs(connection: Connection, *conditions: ColumnElement[bool]) -> list[int]:
    """Return the starts of all hours that have a run.

    Args:
        connection: An open connection.
        conditions: Which runs; none means all.
    """
    hour = Run.created_at - Run.created_at % HOUR_MS
    return list(connection.scalars(select(hour).where(*conditions).distinct()))


def _state(table: Any) -> Sequence[Any]:
    return [getattr(table, name) for name in STATE_COLUMNS]


def _midnight_ms(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp() * 1000)
