"""Copy everything from one database into another, of any kind: resumable, and compared at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db.clock import now_ms
from db.engine import begin_writing
from db.errors import TransferRefused, unavailable_as_ours, where_is
from db.migrate import check, upgrade
from db.models import PagePerformance, SchedulerMetric
from db.portable import (
    Checksum,
    PortableTable,
    Report,
    count_rows,
    delete_between,
    is_empty,
    read_chunks,
    snapshot,
    tables_of,
)
from db.rows import Row, insert_many
from db.unfinished import mark, marked, unmark

_DETAIL = (PagePerformance, SchedulerMetric)


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did."""

    rows: int  # that both databases hold now
    written: int  # of them; the others were there from a copy that had been cut off, or from one before
    moment_ms: int  # when the source held exactly these rows, epoch ms
    arrived: int  # metrics that the source has got since


def copy(source: Engine, target: Engine, report: Report, *, replace: bool = False) -> Copied:
    """Make a database equal to another one, as that is at the start; the program may go on storing there.

    It goes along each table's key, chunk by chunk, and writes a chunk only where the target's rows differ, in one
    transaction: so it can be killed at any moment and goes on where it was, and so a second copy brings over only what
    has changed since. Until the end, the target carries a mark that keeps the program from starting on it.

    Args:
        source: A database with the newest schema.
        target: An empty one, one with an unfinished copy from the same source, or any with `replace`.
        report: Told how far it is.
        replace: Make it equal whatever it holds.

    Returns:
        What was done; every row was compared by checksum after it was stored.

    Raises:
        TransferRefused: The target holds something, is the source itself, or differs from the source afterwards.
        DatabaseUnavailable: One of them can't be reached; start the same copy again.
        SchemaTooNew, MigrationFailed: The target's schema can't be brought up to date.
    """
    if _place(source) == _place(target):
        raise TransferRefused(where_is(target), "is the one to copy from: name another one")
    check(target)
    _claim(source, target, replace=replace)
    sums: dict[str, Checksum] = {}
    written = 0
    with unavailable_as_ours(source), snapshot(source) as reading:
        tables = tables_of(reading)
        moment_ms = now_ms()
        newest = _newest(reading)
        totals = {table.name: count_rows(reading, table) for table in tables}
        for table in tables:
            sums[table.name] = Checksum()
            for rows, changed in _copy_table(reading, target, table):
                sums[table.name].add(rows)
                written += len(rows) if changed else 0
                report(f"copying {table.name}", sums[table.name].rows, totals[table.name])
    _compare(target, tables, sums, report)
    unmark(target)
    with unavailable_as_ours(source), source.connect() as connection:
        arrived = sum(_count_after(connection, model, newest[model.__tablename__]) for model in _DETAIL)
    return Copied(sum(found.rows for found in sums.values()), written, moment_ms, arrived)


def _place(engine: Engine) -> tuple[object, ...]:
    url = engine.url
    if engine.dialect.name == "sqlite":
        return (str(Path(url.database or "").resolve()),)
    return (url.host, url.port or 3306, url.database)


def _claim(source: Engine, target: Engine, *, replace: bool) -> None:
    """Make the target ready, and note on it that it is being filled, unless there is a reason not to."""
    what = f"a copy from {where_is(source)} was cut off; run the same `python app.py copy` again"
    with unavailable_as_ours(target), target.connect() as connection:
        unfinished = marked(connection)
        empty = is_empty(connection)
    if unfinished != what and not replace:
        if unfinished is not None:
            raise TransferRefused(where_is(target), f"is unfinished: {unfinished}")
        if not empty:
            raise TransferRefused(
                where_is(target), "is not empty: --replace makes it equal to the one to copy from, whatever it holds"
            )
    with unavailable_as_ours(target), begin_writing(target) as connection:
        mark(connection, what)
    upgrade(target)


def _copy_table(reading: Connection, target: Engine, table: PortableTable) -> Iterator[tuple[list[Row], bool]]:
    """Make one table equal; yields each chunk's rows, and whether they had to be written."""
    after: Row | None = None
    with unavailable_as_ours(target), target.connect() as connection:
        fresh = count_rows(connection, table) == 0
    for rows in read_chunks(reading, table):
        until = table.place(rows[-1])
        changed = fresh or not _holds(target, table, rows, after, until)
        if changed:
            with unavailable_as_ours(target), begin_writing(target) as connection:
                if not fresh:
                    delete_between(connection, table, after, until)
                insert_many(connection, table.name, table.columns, rows)
        yield rows, changed
        after = until
    if not fresh:
        with unavailable_as_ours(target), begin_writing(target) as connection:
            delete_between(connection, table, after, None)


def _holds(target: Engine, table: PortableTable, rows: list[Row], after: Row | None, until: Row) -> bool:
    with unavailable_as_ours(target), target.connect() as connection:
        there = [row for chunk in read_chunks(connection, table, after=after, until=until) for row in chunk]
    return there == rows


def _compare(target: Engine, tables: tuple[PortableTable, ...], sums: dict[str, Checksum], report: Report) -> None:
    with unavailable_as_ours(target), snapshot(target) as connection:
        for table in tables:
            found, wanted = Checksum(), sums[table.name]
            for rows in read_chunks(connection, table):
                found.add(rows)
                report(f"comparing {table.name}", found.rows, wanted.rows)
            if found != wanted:
                raise TransferRefused(
                    where_is(target),
                    f"holds other rows in {table.name} than were copied ({found.rows:,} and {wanted.rows:,}, or other "
                    "values): is a program using it? Stop it, then run the same copy again",
                )


def _newest(connection: Connection) -> dict[str, int]:
    return {model.__tablename__: connection.scalar(sa.select(sa.func.max(model.id))) or 0 for model in _DETAIL}


def _count_after(connection: Connection, model: type[PagePerformance] | type[SchedulerMetric], id: int) -> int:
    return connection.scalar(sa.select(sa.func.count()).where(model.id > id)) or 0
