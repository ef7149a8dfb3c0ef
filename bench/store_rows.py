"""Rows per second of Store.send, beside the driver alone doing the same inserts: `python -m bench.store_rows`."""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pymysql

from collector.events import Metric, PageNavigation, PageScrape
from collector.sinks import Batch
from db.engine import make_engine
from db.migrate import upgrade
from db.recent import RecentDetail
from db.rollups import Rollups
from db.rows import PAGE_COLUMNS, PAGE_TABLE, page_row
from db.store import Store
from tests.servers import PrivateMariaDB, ServerFailedError, ServerMissingError

START_MS = 1_714_564_800_000
BATCH_SIZES = (100, 1000)


def metrics(count: int, *, seed: int = 1) -> list[PageNavigation | PageScrape]:
    """Make page metrics of ten sources with heavy-tailed durations, ten a millisecond apart."""
    rng = random.Random(seed)
    made: list[PageNavigation | PageScrape] = []
    for number in range(count):
        source, url = f"source{number % 10}", f"https://example{number % 7}.com/stocks/{number}"
        duration_ms, at_ms = rng.lognormvariate(6, 1), START_MS + number // 10
        if number % 2:
            made.append(PageNavigation(source, url, duration_ms, True, 0, None, 200, at_ms))
        else:
            made.append(PageScrape(source, url, duration_ms, 5, True, None, 40_000, "ok", at_ms))
    return made


def store_rate(url: str, rows: Sequence[Metric], batch_size: int, *, listeners: bool) -> float:
    """Return rows per second of Store.send, with or without the app's own listeners."""
    engine = make_engine(url=url)
    upgrade(engine)
    store = Store(engine)
    if listeners:
        store.subscribe(RecentDetail().append)
        store.subscribe(Rollups(engine).mark)
    batches = [
        Batch(f"{batch_size}-{first}", tuple(rows[first : first + batch_size]))
        for first in range(0, len(rows), batch_size)
    ]
    started_s = time.perf_counter()
    for batch in batches:
        store.send(batch)
    rate = len(rows) / (time.perf_counter() - started_s)
    engine.dispose()
    return rate


def sqlite_floor(path: Path, values: Sequence[tuple[Any, ...]], batch_size: int) -> float:
    """Return rows per second of sqlite3's executemany alone, one durable commit a batch."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    marks = ", ".join("?" * len(PAGE_COLUMNS))
    sql = f"INSERT INTO {PAGE_TABLE} ({', '.join(PAGE_COLUMNS)}) VALUES ({marks})"
    started_s = time.perf_counter()
    for first in range(0, len(values), batch_size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql, values[first : first + batch_size])
        connection.execute("COMMIT")
    rate = len(values) / (time.perf_counter() - started_s)
    connection.close()
    return rate


def mariadb_floor(server: PrivateMariaDB, database: str, values: Sequence[tuple[Any, ...]], batch_size: int) -> float:
    """Return rows per second of PyMySQL alone, one multi-row statement and one commit a batch."""
    connection = pymysql.connect(
        host="127.0.0.1", port=server.port, user=server.user, password=server.password, database=database
    )
    marks = "(" + ", ".join(["%s"] * len(PAGE_COLUMNS)) + ")"
    head = f"INSERT INTO {PAGE_TABLE} ({', '.join(PAGE_COLUMNS)}) VALUES "
    started_s = time.perf_counter()
    with connection, connection.cursor() as cursor:
        for first in range(0, len(values), batch_size):
            some = values[first : first + batch_size]
            cursor.execute(head + ", ".join([marks] * len(some)), [value for row in some for value in row])
            connection.commit()
        return len(values) / (time.perf_counter() - started_s)


def measure(
    database: Callable[[str], str], floor: Callable[[str, int], float], rows: Sequence[Metric]
) -> dict[str, dict[str, float]]:
    """Return rows per second for each batch size; `database(name)` gives the URL of a new one."""
    result: dict[str, dict[str, float]] = {}
    for batch_size in BATCH_SIZES:
        plain = store_rate(database(f"plain_{batch_size}"), rows, batch_size, listeners=False)
        heard = store_rate(database(f"heard_{batch_size}"), rows, batch_size, listeners=True)
        name = f"floor_{batch_size}"
        store_rate(database(name), [], batch_size, listeners=False)  # makes the tables
        alone = floor(name, batch_size)
        result[f"batch_of_{batch_size}"] = {
            "store_rows_per_s": round(plain),
            "store_with_listeners_rows_per_s": round(heard),
            "floor_rows_per_s": round(alone),
            "store_to_floor": round(plain / alone, 3),
        }
    return result


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="rows for each measurement")
    parser.add_argument("--directory", type=Path, help="where the databases are made (a real disk; default: /tmp)")
    options = parser.parse_args()
    rows = metrics(options.rows)
    values = [page_row(metric) for metric in rows]
    report: dict[str, Any] = {"rows": options.rows}
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        report["sqlite"] = measure(
            lambda name: f"sqlite:///{directory}/{name}.db",
            lambda name, size: sqlite_floor(Path(directory) / f"{name}.db", values, size),
            rows,
        )
    try:
        with PrivateMariaDB(parent=options.directory or Path(tempfile.gettempdir())) as server:

            def fresh(name: str) -> str:
                server.execute(f"CREATE DATABASE {name}")
                return server.url(name)

            report["mariadb"] = measure(fresh, lambda name, size: mariadb_floor(server, name, values, size), rows)
    except (ServerMissingError, ServerFailedError) as exc:
        report["mariadb"] = {"not_measured": str(exc)}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
