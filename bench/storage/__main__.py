"""Measure storage beside how many rows there are: `python -m bench.storage --rows 1000000 10000000`.

A fleet's week (`--days`) is made (seeded) and written to a fresh database, rolled up, and asked everything that pages
ask, by the program as `app.create_app` wires it. Goals: every page query p99 < 10 ms (`tick`, `warm`) and < 50 ms the
first time (`cold`, `elsewhere`), the same at 10M rows as at 1M (a fleet of ten times the rate; with `--same-rate` one
that is ten times as old), and faster than DuckDB on the raw rows. What is timed is the server's own work; all times are
wall-clock milliseconds unless a name says otherwise (`cpu_p50`: what the program's process worked, without the database
server; far below p50 on SQLite, the machine was busy with something else). Absolute figures drift with the machine:
`pace_before` and `pace_after` say how long the same work took before and after (bench.storage.drift).

- cold: the first ask after a start and its warm-up, each in a copy of the program as it was then (a fork).
- elsewhere: the first ask of a span of that length that ends two days and some odd hours earlier, in a copy of the
  program when pages had been opened (of the last 15 minutes).
- tick: in the running program, after a new batch has landed; `warm`: again, with nothing new.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from bench.storage import yardsticks
from bench.storage.asking import Asking, Effort, as_report, flatness, misses, pooled
from bench.storage.databases import BenchMariaDB, Database, MariaDB, Sqlite, row_counts
from bench.storage.drift import machine_pace
from bench.storage.fleet import DAY_MS, DAYS, HOUR_MS, MINUTE_MS, Fleet
from bench.storage.ingest import measure_ingest
from bench.storage.program import FleetClock, Program, Ticks
from bench.storage.questions import FILTERS
from bench.storage.retention import measure_retention
from bench.storage.times import say, seconds
from db.clock import now_ms
from db.engine import opened
from db.rollups import Rollups
from db.rows import PAGE_TABLE
from tests.servers import ServerFailedError, ServerMissingError

_Found = TypeVar("_Found")

# The fleet's present: far enough inside its hour, day and buckets, and always the same, so that sizes compare.
_END_OF_DAY_MS = 16 * HOUR_MS + 34 * MINUTE_MS
_PARTS = ("ingest", "queries", "retention")
_LAST_WORDS_S = 30
_LITTLE_ROWS = 500_000  # below, the bench is a part of `make bench` and should be quick
_BEHIND_MS = 6 * HOUR_MS  # it moves on while batches land, and must not overtake the real present


def main() -> None:
    """Measure and print one JSON document."""
    options = _options()
    report: dict[str, Any] = {
        "bench": "storage",
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "duckdb": duckdb.__version__,
            "load_average_before": os.getloadavg()[0],
            "pace_before": machine_pace(),
        },
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
    }
    try:
        for name in options.database:
            report[name] = {}
            _measure(name, options, report[name], lambda: _write(options.keep, report))
    except KeyboardInterrupt:
        report["interrupted"] = True  # what was measured before is worth something
    except Exception as exc:  # noqa: BLE001 - and so it is then
        traceback.print_exc()
        report["failed"] = repr(exc)[:500]
    report["machine"] |= {"load_average_after": os.getloadavg()[0], "pace_after": machine_pace()}
    _write(options.keep, report)
    json.dump(report, sys.stdout, indent=1)
    print()


def _write(path: Path | None, report: dict[str, Any]) -> None:
    """Write what is known so far: a bench that is killed, or whose server dies, must not have run for nothing."""
    if path is not None:
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(report, indent=1))
        beside.replace(path)


def _measure(name: str, options: argparse.Namespace, report: dict[str, Any], keep: Callable[[], None]) -> None:
    alone = len(options.database) == len(options.rows) == 1
    for rows in options.rows:
        size = report[f"{rows}_rows"] = {}
        if alone:
            say(f"{name}, {rows:,} rows")
            try:
                with _places(name, options) as (directory, databases):
                    _measure_size(rows, directory, databases, options, size, keep)
            except (ServerMissingError, ServerFailedError) as exc:
                size["not_measured"] = str(exc)
        else:
            size.update(_in_a_process_of_its_own(name, rows, options))
        keep()
    measured = {rows: report[f"{rows}_rows"].get("queries") for rows in options.rows}
    small, big = min(options.rows), max(options.rows)
    if small < big and measured[small] and measured[big]:
        how = "as old as that, at the same rate" if options.same_rate else "of as many days"
        report["flatness"] = {"of": f"{big} to {small} rows {how}", "ratios": flatness(measured[small], measured[big])}
    elif not alone:
        report["flatness"] = {"not_measured": "it takes two sizes that were measured"}


def _in_a_process_of_its_own(name: str, rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one size: nothing that another one left in memory can make it slower."""
    words = [sys.executable, "-m", "bench.storage", "--database", name, "--rows", str(rows)]
    for option, value in vars(options).items():
        if option in ("database", "rows", "keep", "same_rate") or value is None or value is False:
            continue
        if option == "days" and options.same_rate:
            value *= rows / max(options.rows)
        words.append(f"--{option.replace('_', '-')}")
        if value is not True:
            words += map(str, value) if isinstance(value, list) else [str(value)]
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = Path(directory) / "report.json"
        process = subprocess.Popen([*words, "--keep", str(path)], stdout=subprocess.DEVNULL)
        try:
            process.wait(options.limit_min * 60)
            why = f"its process ended with {process.returncode}; see stderr" if process.returncode else None
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # it stops its server, and writes what it has
            try:
                process.wait(_LAST_WORDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
            why = f"not done after {options.limit_min:g} minutes"
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()
        try:
            found: dict[str, Any] = json.loads(path.read_text())[name][f"{rows}_rows"]
        except (OSError, ValueError, KeyError) as exc:
            return {"not_measured": why or f"nothing was written: {exc!r}"}
    return found | ({"not_measured": why} if why else {})


@contextmanager
def _places(name: str, options: argparse.Namespace) -> Iterator[tuple[Path, list[Database]]]:
    """Give two empty databases on one server: one for a week of rows, one for the ingest; and room beside them."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory)))
        if name == "sqlite":
            yield directory, [Sqlite(directory / "week.db"), Sqlite(directory / "ingest.db")]
            return
        server = stack.enter_context(BenchMariaDB(parent=directory, buffer_pool_mb=options.buffer_pool_mb))
        yield directory, [MariaDB(server, "week"), MariaDB(server, "ingest")]


def _measure_size(
    rows: int,
    directory: Path,
    databases: list[Database],
    options: argparse.Namespace,
    report: dict[str, Any],
    keep: Callable[[], None],
) -> None:
    end_ms = (now_ms() - _BEHIND_MS - _END_OF_DAY_MS) // DAY_MS * DAY_MS + _END_OF_DAY_MS
    of_fleet = {name: getattr(options, name) for name in ("days", "seed", "sources", "distinct_urls")}
    fleet = Fleet(rows, end_ms, labelled=True, **of_fleet)
    database, other = databases
    clock = FleetClock(end_ms)
    with clock.set():
        if "ingest" in options.parts:
            report["ingest"] = _tried(
                lambda: measure_ingest(other, Fleet(rows, end_ms, **of_fleet), quick=rows < _LITTLE_ROWS)
            )
            say(f"ingest: {json.dumps(report['ingest'])}")
            keep()
        if not {"queries", "retention"} & set(options.parts):
            return
        report["load"] = database.load(fleet)
        say(f"loaded: {json.dumps(report['load'])}")
        report["first_roll_up"] = _roll_up(database, rows)
        say(f"rolled up: {json.dumps(report['first_roll_up'])}")
        report["disk"] = _disk(database, rows)
        report["start"] = _start(database.url, end_ms)
        say(f"started: {json.dumps(report['start'])}")
        keep()
        asked = "queries" in options.parts
        if asked:
            sql_ms = _tried(lambda: yardsticks.ask_sql(database.url, end_ms))
            report["duckdb"] = _tried(lambda: _apart(yardsticks.ask_duckdb, directory / "rows.duckdb", fleet))
            keep()
        program = Program(database.url, clock)
        if asked:
            _ask(program, fleet, clock, options, report, sql_ms, keep)
        if "retention" in options.parts:
            steady = Ticks(fleet, clock, 2_000)
            report["retention"] = _tried(
                lambda: measure_retention(database.url, program, steady, quiet_s=options.quiet_s)
            )
            keep()
        program.stop()


def _ask(
    program: Program,
    fleet: Fleet,
    clock: FleetClock,
    options: argparse.Namespace,
    report: dict[str, Any],
    sql_ms: dict[str, Any],
    keep: Callable[[], None],
) -> None:
    effort = Effort(
        starts=options.starts, spans=options.spans, ticks=options.ticks, slow_ms=options.slow_ms,
        filters=tuple(options.filters), limit_s=options.ask_limit_s,
    )  # fmt: skip
    asking = Asking(program, effort)
    ways: dict[str, Callable[[], Any]] = {
        "copies": asking.ask_cold,
        "elsewhere": asking.ask_elsewhere,
        "ticks": lambda: asking.ask_ticks(Ticks(fleet, clock, options.per_s)),
    }
    for name, ask in ways.items():
        report[name] = _tried(ask)
        report["misses"] = misses(asking.found)
        report["queries"] = as_report(asking.found)
        report["all_asks"] = pooled(asking.times)
        keep()
    report["yardsticks"] = _tried(lambda: yardsticks.compared(asking.found, sql_ms, report["duckdb"]["ms"]))
    keep()


def _apart(measure: Callable[..., _Found], *values: Any) -> _Found:
    """Measure in a process of its own: the memory that it takes would be copied with each copy of this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        return pool.submit(measure, *values).result()


def _tried(measure: Callable[[], _Found | None]) -> _Found | dict[str, Any]:
    """Return what was measured; or why it couldn't be: what was measured before must not be lost with it."""
    try:
        found = measure()
    except Exception as exc:  # noqa: BLE001 - it is told in the report and on stderr
        traceback.print_exc()
        return {"not_measured": repr(exc)[:500]}
    return {"done": True} if found is None else found


def _roll_up(database: Database, rows: int) -> dict[str, Any]:
    with opened(database.url) as engine:
        took_s = seconds(Rollups(engine).run_once)
        database.settle()
        return {"s": took_s, "detail_rows_per_s": round(rows / took_s), "rows": row_counts(engine)}


def _disk(database: Database, rows: int) -> dict[str, Any]:
    tables = database.bytes_by_table()
    detail = tables.get(PAGE_TABLE, {})
    return {
        "detail_bytes_a_row": {what: round(size / rows, 1) for what, size in detail.items()},
        "all_bytes_a_row": {
            what: round(sum(table.get(what, 0) for table in tables.values()) / rows, 1)
            for what in detail
        },
        "tables_bytes": tables,
    }  # fmt: skip


def _start(url: str, at_ms: int) -> dict[str, Any]:
    """Start the program in a process of its own, where nothing else takes memory."""
    ended = subprocess.run(
        [sys.executable, "-m", "bench.storage.program", url, str(at_ms)], stdout=subprocess.PIPE, check=False
    )
    if ended.returncode:
        return {"not_measured": "the program didn't start; see stderr"}
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.storage", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[200_000], help="detail rows; several for flatness")
    add("--days", type=float, default=DAYS, help="how long they took")
    add("--same-rate", action="store_true", help="of several sizes, the small ones are the biggest's last days alone")
    add("--database", nargs="+", choices=("sqlite", "mariadb"), default=["sqlite", "mariadb"])
    add("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="what to measure (default: all)")
    add("--directory", type=Path, help="where the databases are made (a real disk; default: the system's temporary)")
    add("--seed", type=int, default=1)
    add("--sources", type=int, default=20, help="scrapers of the fleet, at least 3")
    add("--distinct-urls", action="store_true", help="a crawl: almost every URL is new")
    add("--filters", nargs="+", choices=tuple(FILTERS), help="default: all; for little data no_filter")
    add("--starts", type=int, help="first asks of a question (default: 2; 1 for little data)")
    add("--spans", type=int, help="spans of the past that a question is asked of, at most 12 (default: 3; 1)")
    add("--ticks", type=int, help="batches that land while a question is followed (default: 20; 5)")
    add("--per-s", type=int, default=10, help="metrics of each of them, one second apart in the fleet's time")
    add("--slow-ms", type=float, default=1_500, help="don't repeat a question that takes longer, nor ask it further")
    add("--quiet-s", type=float, help="how long senders are watched before the maintenance (default: 15; 5)")
    add("--limit-min", type=float, default=60.0, help="what one size of several may take; the next one follows then")
    add("--ask-limit-s", type=float, default=300.0, help="what each of the ways of asking may take")
    add("--keep", type=Path, help="a file that what is known so far is written to after each part")
    add("--buffer-pool-mb", type=int, default=1024, help="MariaDB's memory")
    options = parser.parse_args()
    quick = max(options.rows) < _LITTLE_ROWS
    for name, (few, many) in {"starts": (1, 2), "spans": (1, 3), "ticks": (5, 20), "quiet_s": (5.0, 15.0)}.items():
        if getattr(options, name) is None:
            setattr(options, name, few if quick else many)
    options.filters = options.filters or (["no_filter"] if quick else list(FILTERS))
    return options


if __name__ == "__main__":
    main()
