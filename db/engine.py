"""Make an engine that means the same on SQLite and on MySQL/MariaDB."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import Pool

from db import one_trip
from db.errors import BadDatabaseUrl, unavailable_as_ours
from db.hosts import Host, Hosts, IsCurrent, attach, leave_read_only, split_hosts
from db.pooled import spare_round_trips

# SQLite's driver looks for a conversion of every NULL and boolean, in vain and for a microsecond a row. Here they are,
# in C: what an empty dict has for None is None.
_NOTHING: dict[None, None] = {}
sqlite3.register_adapter(type(None), _NOTHING.get)
sqlite3.register_adapter(bool, int)

# By the pool of an SQLite engine: held by the one thread that writes.
_write_locks: WeakKeyDictionary[Pool, threading.Lock] = WeakKeyDictionary()
_LONGEST_TURN_S = 10.0

# STRICT_ALL_TABLES: a value that doesn't fit is an error, never cut silently, whatever the server's default is.
_SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


def make_engine(
    *,
    url: str,
    fallback_url: str | None = None,
    is_current: IsCurrent | None = None,
    pool_size: int = 10,
    max_overflow: int = 10,
    pool_timeout_s: float = 10.0,
    connect_timeout_s: int = 5,
    io_timeout_s: int = 30,
    busy_timeout_s: float = 10.0,
    aside_s: float = 5.0,
) -> Engine:
    """Make an engine; nothing is connected yet.

    Args:
        url: `sqlite:///file`, `mysql://…`, `mariadb://…` or `mysql+pymysql://…`. Several servers with the same
            content (a Galera cluster) are `mysql://user:password@one:3306,two:3306/name`, tried in this order.
        fallback_url: Servers to use while none of those of `url` can be used (MySQL/MariaDB).
        is_current: Asked of each connection to a server of `url` before it is used; "no" sends it to the fallback.
        pool_size: Connections kept open.
        max_overflow: Connections opened beyond that under load.
        pool_timeout_s: How long a caller waits for a free connection.
        connect_timeout_s: How long opening a connection may take (MySQL/MariaDB).
        io_timeout_s: How long one statement may be silent (MySQL/MariaDB).
        busy_timeout_s: How long to wait for another writer (SQLite; lock waits on MySQL/MariaDB).
        aside_s: How long a server that failed isn't tried while there is another one.

    Returns:
        An engine whose connections are in UTC, strict, utf8mb4 and READ COMMITTED on MySQL/MariaDB, and in WAL mode
        with explicit transactions on SQLite.

    Raises:
        BadDatabaseUrl: The URL can't be read or names another kind of database.
        DatabaseUnavailable: The directory of an SQLite file can't be made.
    """
    try:
        urls = [make_url(one) for one in split_hosts(url)]
        fallback = [] if fallback_url is None else [make_url(one) for one in split_hosts(fallback_url)]
    except (ArgumentError, ValueError) as exc:
        raise BadDatabaseUrl("the database URL can't be read") from exc
    parsed = urls[0]
    backend = parsed.drivername.split("+")[0]
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": max_overflow, "pool_timeout": pool_timeout_s}
    if backend == "sqlite":
        return _sqlite(parsed, busy_timeout_s, pool)
    if backend in ("mysql", "mariadb"):
        arguments = {
            "charset": "utf8mb4",
            "connect_timeout": connect_timeout_s,
            "read_timeout": io_timeout_s,
            "write_timeout": io_timeout_s,
        }
        engine = _mysql(parsed, arguments, busy_timeout_s, pool)
        if len(urls) > 1 or fallback:
            hosts = [_host(engine, one, arguments, checked=is_current is not None) for one in urls]
            hosts += [_host(engine, one, arguments, checked=False) for one in fallback]
            attach(engine, Hosts(hosts, engine.dialect.loaded_dbapi, is_current=is_current, aside_s=aside_s))
        return engine
    raise BadDatabaseUrl(f"{backend} is no database that Scrapeboard knows")


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Make an engine for the length of a block.

    Args:
        url: As for `make_engine`, which raises the same.

    Yields:
        The engine; its connections are closed at the end of the block.
    """
    engine = make_engine(url=url)
    try:
        yield engine
    finally:
        engine.dispose()


def connect_or_explain(engine: Engine) -> None:
    """Connect once and ask the simplest question: what a program does at its start.

    Args:
        engine: The engine to try.

    Raises:
        DatabaseUnavailable: With one line that says where, why and what to do; never the password.
    """
    with unavailable_as_ours(engine), engine.connect() as connection:
        connection.execute(text("SELECT 1"))


def _sqlite(url: URL, busy_timeout_s: float, pool: dict[str, Any]) -> Engine:
    if not url.database or url.database == ":memory:" or "mode=memory" in url.database:
        # Every pooled connection would be a database of its own.
        raise BadDatabaseUrl("an SQLite database must be a file")
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), connect_args={"timeout": busy_timeout_s}, **pool)
    if not url.database.startswith("file:"):
        with unavailable_as_ours(engine):
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        # The driver must not begin transactions by itself: `_begin` does it, for reads and DDL too.
        connection.isolation_level = None
        cursor = connection.cursor()
        # Of a new file only, which retention can make shorter again then: in another one it would change nothing, but
        # wait for whoever writes.
        if cursor.execute("PRAGMA page_count").fetchone() == (0,):
            cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        cursor.execute("PRAGMA journal_mode=WAL")
        # FULL syncs the log at every commit: an answered batch survives a power cut, not only a killed process.
        # The price is one sync for each batch; bench/store_rows.py measures with it.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA cache_size=-65536")
        cursor.execute("PRAGMA journal_size_limit=67108864")
        cursor.close()
        # SQLite's own LOWER knows ASCII only; MySQL's knows every letter.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the write lock at once: upgrading a read lock later fails when another writer was faster.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _host(engine: Engine, url: URL, arguments: dict[str, Any], *, checked: bool) -> Host:
    _, parameters = engine.dialect.create_connect_args(url)
    return Host(f"{url.host}:{url.port or 3306}", one_trip.allowing({**parameters, **arguments}), checked)


def _mysql(url: URL, arguments: dict[str, Any], lock_wait_s: float, pool: dict[str, Any]) -> Engine:
    if not url.database:
        raise BadDatabaseUrl("the database URL names no database")
    engine = create_engine(
        url.set(drivername="mysql+pymysql"),
        connect_args=arguments,
        pool_recycle=1800,
        pool_pre_ping=False,  # what it and the reset do is done by `spare_round_trips`, where it is needed
        pool_reset_on_return=None,
        **pool,
    )

    # First of all: SQLAlchemy looks at its first connection to learn how this server quotes names (ANSI_QUOTES).
    @event.listens_for(engine, "connect", insert=True)
    def _prepare(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SET SESSION sql_mode=%s, time_zone='+00:00', innodb_lock_wait_timeout=%s",
                (_SQL_MODE, max(1, int(lock_wait_s))),
            )
            # Without gap locks, inserts don't wait for retention or rollups.
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    spare_round_trips(engine)
    one_trip.allow(engine)
    leave_read_only(engine)
    return engine


@contextmanager
def begin_writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that is going to write: like `engine.begin()`, with SQLite's write lock taken at once.

    Args:
        engine: The engine.

    Yields:
        A connection; its work is committed at the end of the block and rolled back when the block raises.
    """
    with _turn_to_write(engine), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execution_options(writes=True)
        with connection.begin():
            yield connection


@contextmanager
def _turn_to_write(engine: Engine) -> Iterator[None]:
    """Wait for the other writers of this process: SQLite itself only looks again after up to 100 ms of sleep."""
    if engine.dialect.name != "sqlite":
        yield
        return
    lock = _write_locks.setdefault(engine.pool, threading.Lock())
    # Who waits that long is told by SQLite itself that the database is locked.
    taken = lock.acquire(timeout=_LONGEST_TURN_S)
    try:
        yield
    finally:
        if taken:
            lock.release()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open a transaction whose statements all see the same moment of the database.

    Args:
        engine: The engine.

    Yields:
        A connection for reading.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            # For the next transaction only, which the first read begins; SQLite's are all like that.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield connection
