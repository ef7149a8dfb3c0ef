"""The table `ingest_log`: which ids each transaction stored, so that other processes can follow without an index.

One short row for each insert statement costs less than a column in every detail row would, and its number is given at
the end of the transaction: numbers are hardly ever seen in another order than they were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Connection, Engine

from collector.events import Event, Metric, SchedulerRun
from collector.run_events import ScraperRun
from db.engine import begin_writing
from db.models import IngestLog
from db.row_text import RowText, insert_plain, insert_texts
from db.rows import Row, insert_many

LOG_TABLE = IngestLog.__tablename__
LOG_COLUMNS = ("writer", "of_runs", "first_id", "row_count", "id_step")
# Followers look back a minute at most; this is hours of a busy fleet, and small.
_KEPT_ENTRIES = 50_000


class Of(IntEnum):
    """What the ids of an entry are of; the numbers are in the database, in the column `of_runs`."""

    PAGES = 0
    SCHEDULER_RUNS = 1
    RUN_MESSAGES = 2


class IdRange(NamedTuple):
    """The ids that one statement gave: first_id, first_id + id_step, ..."""

    of: Of
    first_id: int
    row_count: int
    id_step: int

    @property
    def last_id(self) -> int:
        """The highest id."""
        return self.first_id + (self.row_count - 1) * self.id_step


class Committed(NamedTuple):
    """The metrics of one entry under a name that no other entry has, also not after a restore into another database."""

    key: str
    metrics: Sequence[Event]


def entry_key(writer: int, seq: int) -> str:
    """Return the name of an entry.

    Args:
        writer: Who stored it.
        seq: Its number in the log.
    """
    return f"{writer}:{seq}"


def insert_logged(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Row],
    of: Of,
    texts: Sequence[RowText] = (),
) -> list[IdRange]:
    """Insert rows and say which ids they got.

    Args:
        connection: An open transaction.
        table: A table that numbers its rows.
        columns: Its columns, in the order of the values.
        rows: The rows.
        of: What they are.
        texts: The same rows, written already for MySQL/MariaDB; none when they aren't.

    Returns:
        The ids, one range for each statement that it took.

    Raises:
        sqlalchemy.exc.DBAPIError: What the driver raised.
    """
    if not rows:
        return []
    numbered = insert_texts(connection, table, columns, texts) if texts else None
    if numbered is None:
        numbered = insert_many(connection, table, columns, rows)
    if connection.dialect.name == "sqlite":
        # One writer at a time, so the ids are in a row; the driver tells the last one only.
        last_id = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
        return [IdRange(of, last_id - len(rows) + 1, len(rows), 1)]
    return [IdRange(of, first_id, count, id_step(connection)) for first_id, count in numbered]


def write_log(connection: Connection, writer: int, ranges: Sequence[IdRange]) -> list[tuple[int, IdRange]]:
    """Note what a transaction stored; the last thing before its commit.

    Args:
        connection: The transaction.
        writer: Who stored it.
        ranges: The ids.

    Returns:
        (number of the entry, its ids), in the order of the ids given.
    """
    joined = _joined(ranges)
    if not joined:
        return []
    rows = [(writer, int(ids.of), *ids[1:]) for ids in joined]
    numbered = insert_plain(connection, LOG_TABLE, LOG_COLUMNS, rows)
    if connection.dialect.name == "sqlite":
        last_seq = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
        seqs = list(range(last_seq - len(rows) + 1, last_seq + 1))
    else:
        step = id_step(connection)
        seqs = [first + place * step for first, count in numbered for place in range(count)]
    return list(zip(seqs, joined, strict=True))


def commits_of(
    writer: int, entries: Sequence[tuple[int, IdRange]], metrics: Sequence[Metric], told: Iterable[ScraperRun] = ()
) -> list[Committed]:
    """Return a transaction's metrics and run messages by entry.

    Args:
        writer: Who stored them.
        entries: From `write_log`.
        metrics: All of the transaction, in the order of their rows.
        told: Its run messages, in theirs.
    """
    rest: dict[Of, Iterator[Event]] = {
        Of.PAGES: iter([metric for metric in metrics if not isinstance(metric, SchedulerRun)]),
        Of.SCHEDULER_RUNS: iter([metric for metric in metrics if isinstance(metric, SchedulerRun)]),
        Of.RUN_MESSAGES: iter(told),
    }
    return [Committed(entry_key(writer, seq), list(islice(rest[ids.of], ids.row_count))) for seq, ids in entries]


def shorten_log(engine: Engine) -> None:
    """Delete entries that no follower looks at any more.

    Args:
        engine: A migrated database.
    """
    with begin_writing(engine) as connection:
        newest = connection.scalar(select(func.max(IngestLog.seq))) or 0
        connection.execute(delete(IngestLog).where(IngestLog.seq <= newest - _KEPT_ENTRIES))


def id_step(connection: Connection) -> int:
    """Return how far apart the server's ids are: 1, or the number of nodes of a cluster.

    Args:
        connection: To MySQL/MariaDB.
    """
    step: int | None = connection.info.get("id_step")
    if step is None:
        step = int(connection.exec_driver_sql("SELECT @@SESSION.auto_increment_increment").scalar_one())
        connection.info["id_step"] = step
    return step


def _joined(ranges: Sequence[IdRange]) -> list[IdRange]:
    """Return the ranges with those put together that follow each other without a hole."""
    joined: list[IdRange] = []
    for ids in ranges:
        last = joined[-1] if joined else None
        if last and last.of == ids.of and last.last_id + last.id_step == ids.first_id:
            joined[-1] = last._replace(row_count=last.row_count + ids.row_count)
        else:
            joined.append(ids)
    return joined
