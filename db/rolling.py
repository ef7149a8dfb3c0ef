"""Recompute single rollups in the database: some minutes, one hour, one day."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.engine import Connection, Engine

from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.columns import Names
from db.detail import STATISTICS, read_detail
from db.engine import begin_writing
from db.models import DailySummary, HourlyRollup, MinuteRollup, RollupState
from db.models import PagePerformance as Page
from db.rollup_rows import (
    DAY_COLUMNS,
    HOUR_COLUMNS,
    MERGED_COLUMNS,
    MINUTE_COLUMNS,
    Row,
    hour_utc,
    merged_rows,
    minute_rows,
)
from db.rows import insert_many
from db.state import DETAIL_SINCE_MS, HOURS_SINCE_MS, MINUTES_SINCE_MS, TURN, read_state, write_state

Read: TypeAlias = Callable[[Connection], list[Row]]
Found: TypeAlias = tuple[int, list[Row]]  # (whose turn it was before reading, what was read)
Look: TypeAlias = Callable[[Engine, Read, str], Found]


def look(engine: Engine, read: Read, turn_name: str) -> Found:
    """Read what rollups are made of, and remember who wrote such rollups last before.

    Args:
        engine: A migrated database.
        read: Computes the rollups.
        turn_name: As for `replacing`.
    """
    with engine.connect() as connection:
        turn = read_state(connection).get(turn_name, 0)
        return turn, read(connection)


def roll_minutes(engine: Engine, minutes: Sequence[int], *, look: Look = look) -> list[int]:
    """Recompute some minutes from their detail rows.

    Args:
        engine: A migrated database.
        minutes: Their starts in epoch ms, rising, close together: everything from the first to the last is read.
        look: As for `replacing`.

    Returns:
        The minutes that were recomputed: all but those whose detail rows retention has deleted.
    """
    read = partial(_of_detail, start_ms=minutes[0], end_ms=minutes[-1] + MINUTE_MS)
    with replacing(engine, read, look=look) as (connection, rows):
        # Asked after reading: retention says first what it is going to delete, so a minute that it halved is noticed.
        since_ms = read_state(connection).get(DETAIL_SINCE_MS, 0)
        kept = {minute for minute in minutes if minute >= since_ms}
        connection.execute(delete(MinuteRollup).where(MinuteRollup.minute_start_ms.in_(sorted(kept))))
        insert_many(
            connection,
            MinuteRollup.__tablename__,
            MINUTE_COLUMNS,
            [row for row in rows if row[0] in kept],
            replace=True,
        )
    return sorted(kept)


def roll_hour(engine: Engine, start_ms: int, *, look: Look = look) -> None:
    """Recompute an hour from its minutes; one whose minutes retention has deleted is left as it is.

    Args:
        engine: A migrated database.
        start_ms: A full hour in epoch ms.
        look: As for `replacing`.
    """
    with replacing(engine, partial(_of_minutes, start_ms=start_ms), look=look) as (connection, rows):
        if start_ms < read_state(connection).get(MINUTES_SINCE_MS, 0):
            return
        connection.execute(delete(HourlyRollup).where(HourlyRollup.hour_start_ms == start_ms))
        insert_many(connection, HourlyRollup.__tablename__, HOUR_COLUMNS, rows, replace=True)


def roll_day(engine: Engine, start_ms: int, *, look: Look = look) -> None:
    """Recompute a daily summary from its hours; one whose hours retention has deleted is left as it is.

    Args:
        engine: A migrated database.
        start_ms: A UTC midnight in epoch ms.
        look: As for `replacing`.
    """
    with replacing(engine, partial(_of_hours, start_ms=start_ms), look=look) as (connection, rows):
        if start_ms < read_state(connection).get(HOURS_SINCE_MS, 0):
            return
        date = hour_utc(start_ms).date()
        connection.execute(delete(DailySummary).where(DailySummary.metric_date == date))
        insert_many(connection, DailySummary.__tablename__, DAY_COLUMNS, rows, replace=True)


def minutes_of_detail(connection: Connection, *conditions: ColumnElement[bool]) -> list[int]:
    """Return the starts of all minutes that have a detail row.

    Args:
        connection: An open connection.
        conditions: Which detail rows; none means all.
    """
    minute = Page.created_at - Page.created_at % MINUTE_MS
    return list(connection.scalars(select(minute).where(*conditions).distinct()))


def spans(starts: Sequence[int], *, most: int, hole: int = 0) -> list[list[int]]:
    """Cut minutes into runs.

    Args:
        starts: Starts of minutes in epoch ms, rising.
        most: Minutes that the longest run lasts.
        hole: So many minutes may be missing between two of a run.
    """
    runs: list[list[int]] = []
    for start in starts:
        if runs and start - runs[-1][0] < most * MINUTE_MS and start - runs[-1][-1] <= (1 + hole) * MINUTE_MS:
            runs[-1].append(start)
        else:
            runs.append([start])
    return runs


@contextmanager
def replacing(
    engine: Engine, read: Read, *, turn_name: str = TURN, look: Look = look
) -> Iterator[tuple[Connection, list[Row]]]:
    """Open a transaction that writes what was read, unless another process wrote rollups after the reading began.

    That one may have seen newer rows: what was read before must not take the place of what it wrote.

    Args:
        engine: A migrated database.
        read: Computes the rollups; called again when another process was faster.
        turn_name: Who writes the same rollups changes the same number of db.state.
        look: Reads, here or elsewhere (db.reader_process); what `read` is must be picklable there.

    Yields:
        (the transaction, what `read` returned).
    """
    for last_try in (False, False, False, True):
        turn, rows = look(engine, read, turn_name)
        with begin_writing(engine) as connection:
            turns = select(RollupState.value).where(RollupState.name == turn_name).with_for_update()
            if (connection.scalar(turns) or 0) != turn:
                if not last_try:
                    continue
                rows = read(connection)  # the others wait for this transaction now
            # Whatever it was: another number than the one that anybody has read.
            write_state(connection, turn_name, time.time_ns())
            yield connection, rows
            return


def _of_detail(connection: Connection, *, start_ms: int, end_ms: int) -> list[Row]:
    names = Names()
    return minute_rows(read_detail(connection, start_ms, end_ms, names, names, columns=(*STATISTICS, "retry_count")))


def _of_minutes(connection: Connection, *, start_ms: int) -> list[Row]:
    finer = _finer(connection, MinuteRollup, MinuteRollup.minute_start_ms, start_ms, start_ms + HOUR_MS)
    return [(row[0], row[1], hour_utc(row[0]), *row[2:]) for row in merged_rows(finer, step_ms=HOUR_MS)]


def _of_hours(connection: Connection, *, start_ms: int) -> list[Row]:
    finer = _finer(connection, HourlyRollup, HourlyRollup.hour_start_ms, start_ms, start_ms + DAY_MS)
    date = hour_utc(start_ms).date()
    return [(date, *row[1:]) for row in merged_rows(finer, step_ms=DAY_MS)]


def _finer(connection: Connection, table: Any, begins: Any, start_ms: int, end_ms: int) -> Sequence[Sequence[Any]]:
    columns = [getattr(table, name) for name in MERGED_COLUMNS]
    return connection.execute(
        select(begins, table.scraper_source, *columns).where(begins >= start_ms, begins < end_ms).order_by(begins)
    ).all()
