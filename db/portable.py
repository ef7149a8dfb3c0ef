"""Our tables as portable values: read in chunks along the key, the same from every database, with a checksum."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db.alone import alone
from db.errors import TransferRefused, where_is
from db.models import Base, CollectorState, RollupState
from db.rows import Row

# (what is being done, rows done, rows in all)
Report = Callable[[str, int, int], None]
CHUNK_ROWS = 5_000
_CHECKSUM_BITS = 128
_MAINTENANCE = "maintain"  # the name of db.maintenance's lock; a test makes sure
_LONGEST_WAIT_S = 600.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class PortableTable:
    """A table of ours as a database has it now: nothing here depends on what the newest models look like."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]  # the primary key's columns, in its order
    moments: frozenset[int] = frozenset()  # positions of the columns that some drivers return as dates and datetimes

    def place(self, row: Row) -> Row:
        """Return the values of a row's key."""
        return tuple(row[self.columns.index(name)] for name in self.key)

    def portable(self, rows: Iterable[Any]) -> list[Row]:
        """Return rows as numbers, texts and bytes alone.

        Args:
            rows: As the driver gave them, in the order of `columns`.
        """
        if not self.moments:
            return [tuple(row) for row in rows]
        return [
            tuple(_text_of(value) if index in self.moments else value for index, value in enumerate(row))
            for row in rows
        ]


@dataclass(slots=True)
class Checksum:
    """Counts rows and adds up their hashes: equal for equal rows in whatever order and from whichever database."""

    rows: int = 0
    _sum: int = field(default=0, repr=False)

    def add(self, rows: Iterable[Row]) -> None:
        """Take some portable rows in.

        Args:
            rows: Of one table, with its columns in the same order each time.
        """
        total = 0
        for row in rows:
            digest = hashlib.blake2b(coded(row), digest_size=_CHECKSUM_BITS // 8).digest()
            total += int.from_bytes(digest, "big")
            self.rows += 1
        self._sum = (self._sum + total) % (1 << _CHECKSUM_BITS)

    def hex(self) -> str:
        """Return the checksum as 32 hexadecimal digits."""
        return f"{self._sum:032x}"


def tables_of(connection: Connection) -> tuple[PortableTable, ...]:
    """Return our tables that the database has, by name; others in the same database aren't ours to touch.

    Args:
        connection: An open connection.
    """
    inspector = sa.inspect(connection)
    tables = []
    for name in sorted(set(Base.metadata.tables).intersection(inspector.get_table_names())):
        # What the database computes by itself can't be inserted.
        columns = [column for column in inspector.get_columns(name) if not column.get("computed")]
        tables.append(
            PortableTable(
                name=name,
                columns=tuple(column["name"] for column in columns),
                key=tuple(inspector.get_pk_constraint(name)["constrained_columns"]),
                moments=frozenset(
                    index for index, column in enumerate(columns) if isinstance(column["type"], (sa.Date, sa.DateTime))
                ),
            )
        )
    return tuple(tables)


def read_chunks(
    connection: Connection, table: PortableTable, *, after: Row | None = None, until: Row | None = None
) -> Iterator[list[Row]]:
    """Read a table along its key, CHUNK_ROWS at a time.

    Args:
        connection: An open connection; one from `snapshot` when the whole must be of one moment.
        table: Which table.
        after: Key of the row before the first one, None for the first of all.
        until: Key of the last row, None for the last of all.

    Yields:
        Portable rows in the order of `table.columns`; never an empty list.
    """
    clause = _clause(table)
    statement = sa.select(*clause.c).order_by(*(clause.c[name] for name in table.key)).limit(CHUNK_ROWS)
    if until is not None:
        statement = statement.where(_not_beyond(clause, table, until))
    while True:
        page = statement if after is None else statement.where(_beyond(clause, table, after))
        rows = table.portable(connection.execute(page))
        if rows:
            yield rows
            after = table.place(rows[-1])
        if len(rows) < CHUNK_ROWS:
            return


def delete_between(connection: Connection, table: PortableTable, after: Row | None, until: Row | None) -> None:
    """Delete the rows that `read_chunks` would read for the same keys.

    Args:
        connection: A writing transaction.
        table: Which table.
        after: Key of the row before the first one, None for the first of all.
        until: Key of the last row, None for the last of all.
    """
    clause = _clause(table)
    statement = sa.delete(clause)
    if after is not None:
        statement = statement.where(_beyond(clause, table, after))
    if until is not None:
        statement = statement.where(_not_beyond(clause, table, until))
    connection.execute(statement)


def count_rows(connection: Connection, table: PortableTable) -> int:
    """Return how many rows a table has.

    Args:
        connection: An open connection.
        table: Which table.
    """
    return connection.scalar(sa.select(sa.func.count()).select_from(_clause(table))) or 0


def is_empty(connection: Connection) -> bool:
    """Say whether nothing was ever stored; what rollups and collectors note about themselves doesn't count.

    Args:
        connection: An open connection.
    """
    return not any(
        connection.execute(sa.select(sa.literal(1)).select_from(_clause(table)).limit(1)).first()
        for table in tables_of(connection)
        if table.name not in (RollupState.__tablename__, CollectorState.__tablename__)
    )


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees the database as it is now, whatever is stored meanwhile; nobody waits for it.

    Args:
        engine: The engine.

    Yields:
        The connection, in a transaction that only reads.

    Raises:
        TransferRefused: Another process maintains or backs up the database, for longer than one should wait.
    """
    if engine.dialect.name == "sqlite":  # whose readers keep the moment of their first read anyway (WAL)
        with engine.connect() as connection:
            yield connection
        return
    # An old day's partition can't be dropped below a snapshot: that would wait for us, and every insert for that.
    with _unmaintained(engine), engine.connect() as connection:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # of the next one alone
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield connection


@contextmanager
def _unmaintained(engine: Engine) -> Iterator[None]:
    """Keep the maintenance away for the length of the block, after waiting for one that is at it."""
    deadline_s = time.monotonic() + _LONGEST_WAIT_S
    while True:
        with alone(engine, _MAINTENANCE) as only_one:
            if only_one:
                yield
                return
        if time.monotonic() > deadline_s:
            raise TransferRefused(where_is(engine), "is being maintained or backed up by another process: try later")
        time.sleep(_LOOK_S)


def coded(value: object) -> bytes:
    """Return a portable value as JSON; bytes become {"b64": …}.

    Args:
        value: Numbers, texts, bytes, None, and lists, tuples and dicts of them.
    """
    return orjson.dumps(value, _coded)


def _coded(value: object) -> object:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    raise TypeError(f"a {type(value).__name__} is no portable value")


def _text_of(moment: object) -> object:
    """Write dates and datetimes as text that both databases read, whole seconds without a fraction."""
    if isinstance(moment, dt.datetime):
        return moment.isoformat(sep=" ")
    if isinstance(moment, str):
        return moment.removesuffix(".000000")
    return moment.isoformat() if isinstance(moment, dt.date) else moment


def _clause(table: PortableTable) -> sa.TableClause:
    # Columns without types: values come and go as the drivers have them.
    return sa.table(table.name, *(sa.column(name) for name in table.columns))


def _beyond(clause: sa.TableClause, table: PortableTable, place: Row) -> sa.ColumnElement[bool]:
    """Return (a, b, c) > place, written so that both databases find the start in the primary key."""
    columns = [clause.c[name] for name in table.key]
    steps = [
        sa.and_(*(columns[before] == place[before] for before in range(index)), columns[index] > place[index])
        for index in range(len(columns))
    ]
    return sa.and_(columns[0] >= place[0], sa.or_(*steps))


def _not_beyond(clause: sa.TableClause, table: PortableTable, place: Row) -> sa.ColumnElement[bool]:
    columns = [clause.c[name] for name in table.key]
    steps = [
        sa.and_(*(columns[before] == place[before] for before in range(index)), columns[index] < place[index])
        for index in range(len(columns))
    ]
    same = sa.and_(*(column == value for column, value in zip(columns, place, strict=True)))
    return sa.and_(columns[0] <= place[0], sa.or_(*steps, same))
