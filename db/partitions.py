"""The daily partitions of detail rows on MySQL/MariaDB: made ahead of time, dropped as a whole.

The first partition also takes what is older than its day, the last one (`later`) what is dated beyond the days that
were made: no row is ever refused for its date.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection, Engine

from db.cells import DAY_MS, HOUR_MS
from db.models import PagePerformance as Page
from db.pace import LONG_PAUSE_SHARE, Pace

DAYS_AHEAD = 3
_MAX_PAST_DAYS = 60  # made by the conversion; older rows share one partition
_LAST = "later"
_TABLE = Page.__tablename__


class Day(NamedTuple):
    """One partition."""

    name: str
    end_ms: int | None  # its rows are older, epoch ms; None for the last partition


def partition(engine: Engine, present_ms: int) -> None:
    """Convert the detail table; nothing happens when it is partitioned already.

    Args:
        engine: A MySQL or MariaDB database; its connections must be allowed to be silent while all rows are written.
        present_ms: Epoch ms.
    """
    with engine.connect() as connection:
        if days(connection):
            return
        oldest_ms = connection.scalar(select(func.min(Page.created_at)).where(Page.created_at <= present_ms))
        connection.commit()  # what was read mustn't hold the table while it is altered
        today_ms = present_ms // DAY_MS * DAY_MS
        first_ms = max(today_ms - _MAX_PAST_DAYS * DAY_MS, (oldest_ms or present_ms) // DAY_MS * DAY_MS)
        parts = [_definition(end_ms) for end_ms in _ends(first_ms, today_ms)]
        # The day must be in every unique key of a partitioned table; ids stay unique because they are given, not made.
        connection.execute(text(
            f"ALTER TABLE {_TABLE} DROP PRIMARY KEY, ADD PRIMARY KEY (id, created_at), "
            "DROP INDEX ix_page_created, ADD INDEX ix_page_created (created_at, id), "
            "DROP INDEX ix_page_source_created, "
            "ADD INDEX ix_page_source_created (scraper_source, created_at, id) "
            f"PARTITION BY RANGE (created_at) ({', '.join([*parts, _definition(None)])})"
        ))  # fmt: skip


def days(connection: Connection) -> list[Day]:
    """Return the partitions, oldest first; none when the table has none.

    Args:
        connection: An open connection to MySQL or MariaDB.
    """
    rows = connection.execute(
        text(
            "SELECT PARTITION_NAME, PARTITION_DESCRIPTION FROM information_schema.PARTITIONS "
            "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :name AND PARTITION_NAME IS NOT NULL "
            "ORDER BY PARTITION_ORDINAL_POSITION"
        ),
        {"name": _TABLE},
    )
    return [Day(name, None if until == "MAXVALUE" else int(until)) for name, until in rows]


def make_days(engine: Engine, present_ms: int) -> int:
    """Make the partitions of the next days.

    Args:
        engine: A MySQL or MariaDB database.
        present_ms: Epoch ms.

    Returns:
        How many were made.
    """
    with engine.connect() as connection:
        made = days(connection)
        if not made:
            return 0
        known_ms = max((day.end_ms for day in made if day.end_ms is not None), default=0)
        today_ms = present_ms // DAY_MS * DAY_MS
        # After weeks without this program, the days in between share the first new one: they may hold rows already.
        ends = [end_ms for end_ms in _ends(max(today_ms, known_ms), today_ms) if end_ms > known_ms]
        if ends:
            connection.commit()
            parts = ", ".join([*map(_definition, ends), _definition(None)])
            # Copies only what is in the last partition: rows dated far ahead.
            connection.execute(text(f"ALTER TABLE {_TABLE} REORGANIZE PARTITION {_LAST} INTO ({parts})"))
        return len(ends)


def drop_days(engine: Engine, before_ms: int) -> int:
    """Drop the partitions all of whose rows are older than a moment.

    Args:
        engine: A MySQL or MariaDB database.
        before_ms: Epoch ms.

    Returns:
        How many detail rows went with them.
    """
    dropped = 0
    with engine.connect() as connection:
        for day in days(connection):
            if day.end_ms is None or day.end_ms > before_ms:
                break
            connection.commit()
            dropped += _count(connection, day.name, day.end_ms)
            connection.execute(text(f"ALTER TABLE {_TABLE} DROP PARTITION {day.name}"))
    return dropped


def _count(connection: Connection, name: str, end_ms: int) -> int:
    """Count a partition's rows hour by hour: in one piece it would keep one of few processors busy."""
    rows, pace = 0, Pace(1, 1, pause_share=LONG_PAUSE_SHARE)
    older = text(f"SELECT COUNT(*) FROM {_TABLE} PARTITION ({name}) WHERE created_at < :first")
    own = text(f"SELECT COUNT(*) FROM {_TABLE} PARTITION ({name}) WHERE created_at >= :first AND created_at < :end")
    first_ms = end_ms - DAY_MS
    with pace.step():
        rows += connection.scalar(older, {"first": first_ms}) or 0
    for start_ms in range(first_ms, end_ms, HOUR_MS):
        with pace.step():
            rows += connection.scalar(own, {"first": start_ms, "end": start_ms + HOUR_MS}) or 0
            connection.commit()  # what was read mustn't hold the table while others alter it
    return rows


def _ends(first_ms: int, today_ms: int) -> range:
    """Return where the days from first_ms to DAYS_AHEAD days after today end."""
    return range(first_ms + DAY_MS, today_ms + (DAYS_AHEAD + 2) * DAY_MS, DAY_MS)


def _definition(end_ms: int | None) -> str:
    if end_ms is None:
        return f"PARTITION {_LAST} VALUES LESS THAN MAXVALUE"
    day = dt.datetime.fromtimestamp((end_ms - DAY_MS) / 1000, tz=dt.UTC)
    return f"PARTITION d{day:%Y%m%d} VALUES LESS THAN ({end_ms})"
