"""What the rollups don't hold yet: found by counting, so that a start recomputes only what a kill left undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.models import DailySummary, HourlyRollup, MinuteRollup
from db.models import PagePerformance as Page
from db.rolling import minutes_of_detail, spans
from db.rollup_rows import hour_utc

_LONGEST_RUN = 6 * 60  # minutes that are counted in one statement


class Unrolled(NamedTuple):
    """Starts in epoch ms of what has to be recomputed."""

    minutes: set[int]
    hours: set[int]
    days: set[int]


def unrolled(connection: Connection, first_id: int | None) -> Unrolled:
    """Compare the rollups of recent rows with these rows, level by level.

    Detail rows are only ever added, and deleted by whole days: a rollup of as many rows is the rollup of these rows.

    Args:
        connection: An open connection.
        first_id: Rows of higher ids are looked at; None for all of them, and then nothing is compared.
    """
    if first_id is None:
        return Unrolled(set(minutes_of_detail(connection)), set(), set())
    near = sorted(minutes_of_detail(connection, Page.id > first_id))
    minutes: set[int] = set()
    for run in spans(near, most=_LONGEST_RUN):
        start_ms, end_ms = run[0], run[-1] + MINUTE_MS
        rows = _counts(connection, Page.created_at, func.count(), MINUTE_MS, start_ms, end_ms)
        rolled = _counts(connection, MinuteRollup.minute_start_ms, _rows(MinuteRollup), MINUTE_MS, start_ms, end_ms)
        minutes.update(start for start, count in rows.items() if rolled.get(start) != count)
    hours = set()
    for start_ms in sorted({minute // HOUR_MS * HOUR_MS for minute in near}):
        end_ms = start_ms + HOUR_MS
        finer = _counts(connection, MinuteRollup.minute_start_ms, _rows(MinuteRollup), HOUR_MS, start_ms, end_ms)
        rolled = _counts(connection, HourlyRollup.hour_start_ms, _rows(HourlyRollup), HOUR_MS, start_ms, end_ms)
        if finer != rolled:
            hours.add(start_ms)
    days = set()
    for start_ms in sorted({minute // DAY_MS * DAY_MS for minute in near}):
        hourly = _counts(
            connection, HourlyRollup.hour_start_ms, _rows(HourlyRollup), DAY_MS, start_ms, start_ms + DAY_MS
        )
        summary = select(_rows(DailySummary)).where(DailySummary.metric_date == hour_utc(start_ms).date())
        if hourly.get(start_ms, 0) != int(connection.scalar(summary) or 0):
            days.add(start_ms)
    return Unrolled(minutes, hours, days)


def _rows(table: Any) -> Any:
    return func.sum(table.total_navigations + table.total_scrapes)


def _counts(
    connection: Connection, moment: Any, rows: Any, step_ms: int, start_ms: int, end_ms: int
) -> Mapping[int, int]:
    begins = moment - moment % step_ms
    counted = select(begins, rows).where(moment >= start_ms, moment < end_ms).group_by(begins)
    return {int(start): int(count) for start, count in connection.execute(counted)}
