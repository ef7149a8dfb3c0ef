"""The two databases: made empty, filled in bulk, weighed; and the fastest plain way in, as the floor."""

from __future__ import annotations

import os
import sqlite3
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pymysql
from sqlalchemy import text
from sqlalchemy.engine import Engine

from bench.storage.fleet import Fleet, Rows
from bench.storage.times import milliseconds, say, together
from collector.events import Metric, SchedulerRun
from db.engine import begin_writing, opened
from db.migrate import upgrade
from db.rows import PAGE_COLUMNS, PAGE_TABLE, SCHEDULER_COLUMNS, SCHEDULER_TABLE, Row, insert_many, page_row
from tests.servers import PrivateMariaDB

_Item = TypeVar("_Item")
_MANY_ROWS = 1_000_000
_BEFORE_DAYS = "0002"  # the schema before detail is cut into days, which begin with the oldest row that is there


class Database(ABC):
    """One database, fresh."""

    name: str
    url: str
    floor: str  # what `plain_way` does
    ready: str  # what is ready for it beforehand

    @abstractmethod
    def make(self, fleet: Fleet) -> None:
        """Make the schema as the program does, ready for rows of the fleet's week."""

    @abstractmethod
    def fill(self, chunks: Iterable[Rows]) -> None:
        """Write detail rows in bulk, in their order."""

    @abstractmethod
    def plain_way(
        self, batches: Sequence[Rows], connections: int, *, ready: bool
    ) -> AbstractContextManager[Callable[[], None]]:
        """Give what writes some batches in the fastest plain way, one durable commit each.

        Args:
            batches: The rows.
            connections: How many write at a time; they are open already.
            ready: What can be made beforehand is; otherwise it begins with metrics, as the store does.
        """

    def worked_ms(self) -> float:
        """Return what this process and the database have worked, all threads together."""
        return time.process_time() * 1000

    @abstractmethod
    def bytes_by_table(self) -> dict[str, dict[str, int]]:
        """Return what each table takes on disk, with its indexes."""

    @abstractmethod
    def settle(self) -> None:
        """Let the database do what it would have done in the course of a week."""

    def load(self, fleet: Fleet) -> dict[str, Any]:
        """Make the schema and write the fleet's week; returns rows and rows per second."""
        self.make(fleet)

        def counted() -> Iterator[Rows]:
            written = 0
            for chunk in _ahead(fleet.chunks()):
                yield chunk
                written += len(chunk)
                if written // _MANY_ROWS > (written - len(chunk)) // _MANY_ROWS:
                    say(f"{self.name}: {written:,} rows written")

        took_ms = milliseconds(lambda: self.fill(counted()))
        runs = fleet.scheduler_runs()
        with opened(self.url) as engine:
            for first in range(0, len(runs), 1000):
                with begin_writing(engine) as connection:
                    insert_many(connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, runs[first : first + 1000])
        self.settle()
        return {"rows_per_s": round(fleet.rows / took_ms * 1000), "scheduler_runs": len(runs)}


class Sqlite(Database):
    """An SQLite file."""

    name = "sqlite"
    floor = "sqlite3 executemany"
    ready = "of values that were made beforehand"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.url = f"sqlite:///{path}"

    def make(self, fleet: Fleet) -> None:
        """As the program does it."""
        del fleet  # its days need no room of their own
        with opened(self.url) as engine:
            upgrade(engine)

    def fill(self, chunks: Iterable[Rows]) -> None:
        """One transaction a chunk."""
        with opened(self.url) as engine:
            for chunk in chunks:
                with begin_writing(engine) as connection:
                    insert_many(connection, PAGE_TABLE, PAGE_COLUMNS, chunk.tuples())

    @contextmanager
    def plain_way(self, batches: Sequence[Rows], connections: int, *, ready: bool) -> Iterator[Callable[[], None]]:
        """sqlite3's executemany alone, with the syncs that the program asks for."""
        marks = ", ".join("?" * len(PAGE_COLUMNS))
        sql = f"INSERT INTO {PAGE_TABLE} ({', '.join(PAGE_COLUMNS)}) VALUES ({marks})"
        tuples = [batch.tuples() for batch in batches] if ready else []
        metrics = [] if ready else [batch.metrics() for batch in batches]
        free = [
            sqlite3.connect(self._path, isolation_level=None, timeout=60, check_same_thread=False)
            for _ in range(connections)
        ]

        def write(places: range) -> None:
            connection = free.pop()
            connection.execute("PRAGMA synchronous=FULL")
            for place in places:
                values = tuples[place] if ready else _rows_of(metrics[place])
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(sql, values)
                connection.execute("COMMIT")
            connection.close()

        yield together(write, [range(first, len(batches), connections) for first in range(connections)])

    def bytes_by_table(self) -> dict[str, dict[str, int]]:
        """Asks dbstat, which reads the whole file."""
        found: dict[str, dict[str, int]] = defaultdict(lambda: {"data": 0, "indexes": 0})
        with opened(self.url) as engine, engine.connect() as connection:
            owners = {
                row.name: row.tbl_name for row in connection.execute(text("SELECT name, tbl_name FROM sqlite_master"))
            }
            for name, size in connection.execute(text("SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE")):
                table = owners.get(name, name)
                found[table]["data" if name == table else "indexes"] += size
            found["(free pages)"]["data"] = (
                connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
                * connection.exec_driver_sql("PRAGMA page_size").scalar_one()
            )
        return dict(found)

    def settle(self) -> None:
        """Move the write-ahead log into the file."""
        with opened(self.url) as engine, engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


class MariaDB(Database):
    """A database on a private MariaDB server."""

    name = "mariadb"
    floor = "LOAD DATA LOCAL INFILE"
    ready = "from files that were written beforehand"

    def __init__(self, server: BenchMariaDB, database: str) -> None:
        server.execute(f"CREATE DATABASE {database}")
        self._server, self._database = server, database
        self.url = server.url(database)

    def make(self, fleet: Fleet) -> None:
        """As the program does it that was started when the week began: a partition for each of its days."""
        with opened(self.url) as engine:
            upgrade(engine, _BEFORE_DAYS)
            with begin_writing(engine) as connection:
                connection.execute(
                    text(
                        f"INSERT INTO {PAGE_TABLE} (scraper_source, metric_type, page_url, success, created_at) "
                        "VALUES ('first', 'scrape', '', 1, :start_ms)"
                    ),
                    {"start_ms": fleet.start_ms},
                )
            upgrade(engine)
            with begin_writing(engine) as connection:
                connection.execute(text(f"DELETE FROM {PAGE_TABLE}"))

    def fill(self, chunks: Iterable[Rows]) -> None:
        """One LOAD DATA a chunk."""
        path = self._server.directory / "chunk.tsv"
        with self._connected() as cursor:
            for chunk in chunks:
                path.write_bytes(chunk.tsv())
                cursor.execute(_load_data(path))
        path.unlink(missing_ok=True)

    @contextmanager
    def plain_way(self, batches: Sequence[Rows], connections: int, *, ready: bool) -> Iterator[Callable[[], None]]:
        """LOAD DATA, a file a batch."""
        paths = [self._server.directory / f"batch-{number}.tsv" for number in range(len(batches))]
        metrics = [] if ready else [batch.metrics() for batch in batches]
        if ready:
            for path, batch in zip(paths, batches, strict=True):
                path.write_bytes(batch.tsv())
        with ExitStack() as stack:
            free = [stack.enter_context(self._connected()) for _ in range(connections)]

            def write(places: range) -> None:
                cursor = free.pop()
                for place in places:
                    if not ready:
                        paths[place].write_bytes(Rows.of(_rows_of(metrics[place])).tsv())
                    cursor.execute(_load_data(paths[place]))

            yield together(write, [range(first, len(batches), connections) for first in range(connections)])
        for path in paths:
            path.unlink()

    def worked_ms(self) -> float:
        """With the server's threads."""
        words = Path(f"/proc/{self._server.pid}/stat").read_text().rpartition(")")[2].split()
        return super().worked_ms() + (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK") * 1000

    def bytes_by_table(self) -> dict[str, dict[str, int]]:
        """Asks information_schema, and adds up the files, which is what the disk really holds."""
        found: dict[str, dict[str, int]] = {}
        with opened(self.url) as engine, engine.connect() as connection:
            for name, data, indexes in connection.execute(
                text(
                    "SELECT TABLE_NAME, DATA_LENGTH, INDEX_LENGTH FROM information_schema.TABLES "
                    "WHERE TABLE_SCHEMA = DATABASE()"
                )
            ):
                found[name] = {"data": int(data), "indexes": int(indexes), "files": 0}
        for path in (self._server.datadir / self._database).glob("*.ibd"):
            found[path.stem.split("#")[0]]["files"] += path.stat().st_blocks * 512
        return found

    def settle(self) -> None:
        """Count again what the optimizer goes by, as the server does on its own after a while."""
        with opened(self.url) as engine, engine.connect() as connection:
            connection.execute(text(f"ANALYZE TABLE {PAGE_TABLE}, {SCHEDULER_TABLE}"))

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        connection = pymysql.connect(
            host="127.0.0.1", port=self._server.port, user=self._server.user, password=self._server.password,
            database=self._database, local_infile=True, autocommit=True, charset="utf8mb4",
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            yield cursor


class BenchMariaDB(PrivateMariaDB):
    """A server with the memory of a small machine's own, which takes files from its clients.

    Args:
        parent: As for `PrivateServer`.
        buffer_pool_mb: InnoDB's memory.
    """

    def __init__(self, *, parent: Path, buffer_pool_mb: int = 1024) -> None:
        options = ("--local-infile=1", f"--innodb-buffer-pool-size={buffer_pool_mb}M", "--innodb-log-file-size=256M")
        super().__init__(parent=parent, options=options)


def row_counts(engine: Engine) -> dict[str, int]:
    """Return how many rows each of our tables has."""
    tables = (
        PAGE_TABLE, SCHEDULER_TABLE, "scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary",
    )  # fmt: skip
    with engine.connect() as connection:
        return {name: connection.scalar(text(f"SELECT COUNT(*) FROM {name}")) or 0 for name in tables}


def _load_data(path: Path) -> str:
    return f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {PAGE_TABLE} CHARACTER SET utf8mb4 ({', '.join(PAGE_COLUMNS)})"


def _rows_of(metrics: Sequence[Metric]) -> list[Row]:
    return [page_row(metric) for metric in metrics if not isinstance(metric, SchedulerRun)]


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Make the next item while the one before is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
