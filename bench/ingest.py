"""Rows per second of `POST /api/ingest` to the whole app, persisted: `python -m bench.ingest` prints one JSON document.

The app runs as a user starts it (`python app.py`: one process, memory, rollups, channel and views all listening, every
commit durable); a second process posts pre-encoded batches over keep-alive connections. Beside it, in the same run and
on the same server, the yardsticks: the store alone with the app's listeners, LOAD DATA LOCAL and PyMySQL's multi-row
INSERT (MariaDB), sqlite3's executemany (SQLite), with the same columns, indexes and commits.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from sqlalchemy import text

from bench.store_rows import mariadb_floor, metrics, sqlite_floor, store_rate
from collector.sinks import Batch
from db.engine import opened
from db.migrate import upgrade
from db.recent import RecentDetail
from db.rollups import Rollups
from db.rows import PAGE_COLUMNS, PAGE_TABLE, Row, page_row
from db.store import Store
from tests.servers import PrivateMariaDB, ServerFailedError, ServerMissingError, free_port

ROOT = Path(__file__).resolve().parent.parent
BATCH_SIZES = (100, 1_000, 5_000)
CONNECTIONS = (1, 4, 8)
SENDERS = 4
WARM_UP_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class App:
    """The app, serving from processes of its own."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the processor seconds that all its processes have used."""
        return sum(_cpu_s(pid) for pid in (self.pid, *_children(self.pid)))


@contextmanager
def running_app(database_url: str) -> Iterator[App]:
    """Start `python app.py` on a database and wait until it answers."""
    port = free_port()
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")}
    environment = {
        **ours,
        "SCRAPEBOARD_DATABASE_URL": database_url,
        "SCRAPEBOARD_PORT": str(port),
        "SCRAPEBOARD_LOG_LEVEL": "warning",
    }
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5):
                    break
            except OSError:
                if time.monotonic() > deadline_s or process.poll() is not None:
                    raise
                time.sleep(0.1)
        yield App(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def posted(app: App, *, rows: int, batch_size: int, connections: int, seed: int) -> dict[str, Any]:
    """Post rows to the app; returns the load's own report, with the app's processor seconds.

    Raises:
        RuntimeError: An answer wasn't a 202.
    """
    order = {"port": app.port, "rows": rows, "batch_size": batch_size, "connections": connections, "seed": seed}
    load = subprocess.Popen(
        [sys.executable, "-m", "bench._ingest_load"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert load.stdin is not None
    assert load.stdout is not None
    with load:
        load.stdin.write(json.dumps(order) + "\n")
        load.stdin.flush()
        load.stdout.readline()
        before_s = app.cpu_s()
        load.stdin.write("go\n")
        load.stdin.flush()
        report: dict[str, Any] = json.loads(load.stdout.readline())
        report["app_cpu_s"] = app.cpu_s() - before_s
    if report["wrong"] or report["acknowledged"] != rows:
        raise RuntimeError(f"{report['acknowledged']} of {rows} rows were acknowledged: {report['wrong'][:3]}")
    return report


def over_http(url: str, rows: int) -> dict[str, Any]:
    """Measure every batch size and number of connections on one running app, and count what it stored."""
    result: dict[str, Any] = {}
    acknowledged = 0
    with running_app(url) as app:
        acknowledged += posted(app, rows=WARM_UP_ROWS, batch_size=100, connections=4, seed=0)["acknowledged"]
        for batch_size in BATCH_SIZES:
            for connections in CONNECTIONS:
                report = posted(
                    app, rows=rows, batch_size=batch_size, connections=connections, seed=batch_size + connections
                )
                acknowledged += report["acknowledged"]
                answers_ms = report["answers_ms"]
                result[f"batch_of_{batch_size}_over_{connections}"] = {
                    "rows_per_s": round(rows / report["took_s"]),
                    "answer_p50_ms": round(answers_ms[len(answers_ms) // 2], 1),
                    "answer_p99_ms": round(answers_ms[min(len(answers_ms) - 1, int(0.99 * len(answers_ms)))], 1),
                    "app_cpu_ms_per_1000_rows": round(1e6 * report["app_cpu_s"] / rows, 2),
                    "load_cpu_ms_per_1000_rows": round(1e6 * report["own_cpu_s"] / rows, 2),
                }
    with opened(url) as engine, engine.connect() as connection:
        stored = connection.execute(text(f"SELECT COUNT(*) FROM {PAGE_TABLE}")).scalar_one()
    if stored != acknowledged:
        raise RuntimeError(f"{acknowledged} rows were acknowledged, {stored} are stored")
    return {"acknowledged": acknowledged, "stored": stored, **result}


def together_rate(url: str, rows: Sequence[Any], batch_size: int) -> float:
    """Return rows per second of Store.send with the app's listeners, called by several threads as the app's are."""
    with opened(url) as engine:
        upgrade(engine)
        store = Store(engine)
        store.subscribe(RecentDetail().append)
        store.subscribe(Rollups(engine).mark)
        batches = [
            Batch(f"{batch_size}-{first}", tuple(rows[first : first + batch_size]))
            for first in range(0, len(rows), batch_size)
        ]
        with ThreadPoolExecutor(SENDERS) as senders:
            started_s = time.perf_counter()
            accepted = sum(delivery.accepted for delivery in senders.map(store.send, batches))
            took_s = time.perf_counter() - started_s
    assert accepted == len(rows)
    return accepted / took_s


def load_data_rate(
    server: PrivateMariaDB, database: str, values: Sequence[Row], batch_size: int, parent: Path, connections: int = 1
) -> float:
    """Return rows per second of LOAD DATA LOCAL, one commit a batch; its files were written beforehand."""
    paths = []
    for first in range(0, len(values), batch_size):
        paths.append(parent / f"load-{batch_size}-{first}.tsv")
        lines = ["\t".join(map(_field, row)) for row in values[first : first + batch_size]]
        paths[-1].write_text("\n".join(lines) + "\n")
    waiting = deque(paths)

    def load(connection: pymysql.Connection[Any]) -> None:
        with connection, connection.cursor() as cursor, suppress(IndexError):  # until nothing is left
            while True:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE %s INTO TABLE {PAGE_TABLE} CHARACTER SET utf8mb4"
                    f" ({', '.join(PAGE_COLUMNS)})",
                    (str(waiting.popleft()),),
                )
                connection.commit()

    opened_before = [
        pymysql.connect(
            host="127.0.0.1", port=server.port, user=server.user, password=server.password, database=database,
            local_infile=True, charset="utf8mb4",
        )
        for _ in range(connections)
    ]  # fmt: skip
    with ThreadPoolExecutor(connections) as pool:
        started_s = time.perf_counter()
        list(pool.map(load, opened_before))
        rate = len(values) / (time.perf_counter() - started_s)
    for path in paths:
        path.unlink()
    return rate


def yardsticks(
    fresh: Callable[[str], str], peers: dict[str, Callable[[str, int], float]], rows: Sequence[Any]
) -> dict[str, Any]:
    """Return rows per second of the store with the app's listeners and of its peers, for each batch size.

    Args:
        fresh: Gives the URL of a new database.
        peers: By name: (database's name, batch size) → rows per second; the tables are there. A name that ends in
            `_together` is what several threads do.
        rows: The metrics.
    """
    result: dict[str, Any] = {}
    for batch_size in BATCH_SIZES:
        alone = store_rate(fresh(f"store_{batch_size}"), rows, batch_size, listeners=True)
        together = together_rate(fresh(f"store_together_{batch_size}"), rows, batch_size)
        found: dict[str, float] = {"store_rows_per_s": round(alone), "store_together_rows_per_s": round(together)}
        for peer, measure in peers.items():
            name = f"{peer}_{batch_size}"
            with opened(fresh(name)) as engine:
                upgrade(engine)
            rate = measure(name, batch_size)
            store, how = (together, "store_together") if peer.endswith("_together") else (alone, "store")
            found |= {f"{peer}_rows_per_s": round(rate), f"{how}_to_{peer}": round(store / rate, 3)}
        result[f"batch_of_{batch_size}"] = found
    return result


def on_sqlite(directory: Path, rows: int) -> dict[str, Any]:
    """Measure SQLite."""
    made = metrics(rows)
    values = [page_row(metric) for metric in made]
    return {
        "http": over_http(f"sqlite:///{directory}/http.db", rows),
        "store": yardsticks(
            lambda name: f"sqlite:///{directory}/{name}.db",
            {"executemany": lambda name, size: sqlite_floor(directory / f"{name}.db", values, size)},
            made,
        ),
    }


def on_mariadb(directory: Path, rows: int) -> dict[str, Any]:
    """Measure MariaDB."""
    made = metrics(rows)
    values = [page_row(metric) for metric in made]
    try:
        with PrivateMariaDB(parent=directory) as server:

            def fresh(name: str) -> str:
                server.execute(f"CREATE DATABASE {name}")
                return server.url(name)

            return {
                "http": over_http(fresh("http"), rows),
                "store": yardsticks(
                    fresh,
                    {
                        "load_data": lambda name, size: load_data_rate(server, name, values, size, directory),
                        "load_data_together": lambda name, size: load_data_rate(
                            server, name, values, size, directory, SENDERS
                        ),
                        "multi_row_insert": lambda name, size: mariadb_floor(server, name, values, size),
                    },
                    made,
                ),
            }
    except (ServerMissingError, ServerFailedError) as exc:
        return {"not_measured": str(exc)}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40_000, help="rows for each measurement")
    parser.add_argument("--database", choices=("sqlite", "mariadb", "both"), default="both")
    parser.add_argument("--directory", type=Path, help="where the databases are made (a real disk; default: /tmp)")
    options = parser.parse_args()
    report: dict[str, Any] = {"rows": options.rows, "cores": os.cpu_count(), "load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        if options.database != "mariadb":
            report["sqlite"] = on_sqlite(Path(directory), options.rows)
        if options.database != "sqlite":
            report["mariadb"] = on_mariadb(Path(directory), options.rows)
    print(json.dumps(report, indent=2))


def _cpu_s(pid: int) -> float:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _field(value: object) -> str:
    """Write one value as LOAD DATA reads it."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return str(int(value))
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


if __name__ == "__main__":
    main()
