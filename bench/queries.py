"""What every page query costs beside how many rows there are: `python -m bench.queries [--rows 10000000]`.

A week of detail rows is written and rolled up. Each query is then asked once after a restart ("cold"), and again after
every batch that lands ("tick": nothing remembered answers it), over the ranges that a click chooses. As the yardstick,
the same question (count and mean by minute and source) goes to the raw rows in SQL.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.sinks import Batch
from db.engine import begin_writing, make_engine
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.rows import PAGE_COLUMNS, PAGE_TABLE, insert_many, page_row
from db.store import Store
from tests.servers import PrivateMariaDB

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
END_MS = 1_714_564_800_000 + 8 * HOUR_MS + 34 * MINUTE_MS  # somewhere inside its hour, day and buckets
SOURCES, URLS = 10, 200
ERRORS = ("timeout", "HTTP 503", "no table found", "blocked by captcha")
RANGES = {
    "15m": (15 * MINUTE_MS, 10_000), "1h": (HOUR_MS, 30_000), "6h": (6 * HOUR_MS, 5 * MINUTE_MS),
    "24h": (DAY_MS, 10 * MINUTE_MS), "7d": (7 * DAY_MS, 2 * HOUR_MS), "30d": (30 * DAY_MS, 6 * HOUR_MS),
}  # fmt: skip


def page_metric(rng: random.Random, number: int, at_ms: int) -> PageNavigation | PageScrape:
    """Make one metric: ten sources of different speed, heavy-tailed durations, two failures in a hundred."""
    source = int(rng.random() ** 2 * SOURCES)
    name, url = f"source{source}", f"https://shop{source}.example/items/{rng.randrange(URLS)}"
    duration_ms = round(rng.lognormvariate(5 + source / 5, 0.8), 2)
    error = ERRORS[rng.randrange(len(ERRORS))] if rng.random() < 0.02 else None
    if number % 2:
        return PageNavigation(name, url, duration_ms, error is None, 0, error, 200, at_ms)
    outcome = "ok" if error is None else "blocked"
    return PageScrape(name, url, duration_ms, 5, error is None, error, 40_000, outcome, at_ms)


def fill(engine: Engine, rows: int, *, seed: int = 1) -> float:
    """Write a week of detail rows, in time order; returns rows per second."""
    rng = random.Random(seed)
    started_s, start_ms, step = time.perf_counter(), END_MS - 7 * DAY_MS, 7 * DAY_MS / rows
    for first in range(0, rows, 20_000):
        values = [
            page_row(page_metric(rng, number, int(start_ms + number * step)))
            for number in range(first, min(rows, first + 20_000))
        ]
        with begin_writing(engine) as connection:
            insert_many(connection, PAGE_TABLE, PAGE_COLUMNS, values)
    store = Store(engine)
    runs = [
        SchedulerRun(f"job{n % 20}", rng.lognormvariate(7, 1), n % 50 > 0, 10, None, None, END_MS - n * 60_000)
        for n in range(7 * 1440)
    ]
    for first in range(0, len(runs), 1000):
        store.send(Batch(f"runs-{first}", tuple(runs[first : first + 1000])))
    return rows / (time.perf_counter() - started_s)


def questions(queries: Queries, span: TimeRange) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Return what the pages ask of a range."""
    everything, one = Filter(), Filter(("source3",))
    yield "overview", lambda: queries.overview(span)
    yield "overview_one_source", lambda: queries.overview(span, one)
    yield "overview_failed", lambda: queries.overview(span, Filter(result="failed"))
    yield "sources", lambda: queries.sources(span)
    yield "source_series", lambda: queries.source_series(span)
    yield "duration_trend", lambda: queries.duration_trend(span, everything, "navigation")
    yield "duration_histogram", lambda: queries.duration_histogram(span, everything, "navigation")
    yield "errors_by_kind", lambda: queries.errors_by_kind(span, everything)
    yield "outcomes", lambda: queries.outcomes(span)
    yield "slowest_urls", lambda: queries.slowest_urls(span, everything, "navigation")
    yield "events", lambda: queries.events(span)
    yield "scheduler_runs", lambda: queries.scheduler_runs(span)
    yield "scheduler_summary", lambda: queries.scheduler_summary(span)


def milliseconds(ask: Callable[[], Any]) -> float:
    """Return how long a question took."""
    started_s = time.perf_counter()
    ask()
    return (time.perf_counter() - started_s) * 1000


class Program:
    """The store with its readers as the app wires them, started on a database."""

    def __init__(self, engine: Engine, now_ms: int) -> None:
        started_s = time.perf_counter()
        self.store = Store(engine)
        self.recent, self.rollups = RecentDetail(), Rollups(engine)
        self.recent.load(engine)
        self.rollups.run_once()
        self.queries = Queries(engine, self.recent, rollups=self.rollups, clock_ms=lambda: self.now_ms)
        self.store.subscribe(self.recent.append)
        self.store.subscribe(self.rollups.mark)
        self.now_ms = now_ms
        self.queries.warm(now_ms)
        self.start_s = time.perf_counter() - started_s

    def land(self, rng: random.Random) -> None:
        """Let a batch of 100 metrics land, two seconds after the one before."""
        self.now_ms += 2000
        metrics: list[Metric] = [page_metric(rng, number, self.now_ms - 2000 + number * 20) for number in range(100)]
        self.store.send(Batch(f"tick-{self.now_ms}", tuple(metrics)))


def range_of(name: str, now_ms: int) -> TimeRange:
    """Return one of RANGES up to now, on whole buckets as pages ask for them."""
    length_ms, bucket_ms = RANGES[name]
    end_ms = -(-(now_ms + 1) // bucket_ms) * bucket_ms
    return TimeRange(end_ms - length_ms, end_ms, bucket_ms)


def measure(engine: Engine, ticks: int, slow_ms: float) -> dict[str, Any]:
    """Return cold and warm milliseconds of every question over every range."""
    rng = random.Random(2)
    report: dict[str, Any] = {}
    now_ms = END_MS
    for name in RANGES:
        program = Program(engine, now_ms)  # a restart: nothing is remembered
        report[name] = {"start_s": round(program.start_s, 2)}
        for question, ask in questions(program.queries, range_of(name, program.now_ms)):
            cold_ms = milliseconds(ask)
            took_ms: list[float] = []
            while len(took_ms) < ticks and sum(took_ms) + cold_ms < slow_ms:
                program.land(rng)
                again = dict(questions(program.queries, range_of(name, program.now_ms)))[question]
                took_ms.append(milliseconds(again))
            found = {"cold_ms": round(cold_ms, 2), "ticks": len(took_ms)}
            if took_ms:
                p50_ms, p99_ms = np.quantile(took_ms, (0.5, 0.99)).tolist()
                found |= {"tick_p50_ms": round(p50_ms, 2), "tick_p99_ms": round(p99_ms, 2)}
            report[name][question] = found
        program.rollups.run_once()
        now_ms = program.now_ms
    return report


def raw_ms(engine: Engine) -> float:
    """Return what the last 24 hours by minute and source cost from raw rows, in SQL."""
    sql = text(
        "SELECT created_at - created_at % 60000, scraper_source, COUNT(*), "
        "AVG(COALESCE(navigation_duration_ms, scrape_duration_ms)) FROM scraper_page_performance "
        "WHERE created_at >= :since GROUP BY 1, 2"
    )
    with engine.connect() as connection:
        return milliseconds(lambda: connection.execute(sql, {"since": END_MS - DAY_MS}).all())


def run(url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fill a database, roll it up, and ask."""
    engine = make_engine(url=url, io_timeout_s=600)
    upgrade(engine)
    report: dict[str, Any] = {"rows": options.rows, "fill_rows_per_s": round(fill(engine, options.rows))}
    report["roll_s"] = round(milliseconds(Rollups(engine).run_once) / 1000, 1)
    if engine.dialect.name == "mysql":
        with begin_writing(engine) as connection:
            connection.execute(text(f"ANALYZE TABLE {PAGE_TABLE}"))
    report["raw_24h_by_minute_ms"] = round(raw_ms(engine), 1)
    report["ranges"] = measure(engine, options.ticks, options.slow_s * 1000)
    engine.dispose()
    return report


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="detail rows of the week")
    parser.add_argument("--ticks", type=int, default=40, help="batches that land while a query is asked")
    parser.add_argument("--slow-s", type=float, default=2.0, help="stop asking one question after so long")
    parser.add_argument("--database", choices=("sqlite", "mariadb"), default="sqlite")
    parser.add_argument("--directory", type=Path, help="where the database is made (a real disk; default: /tmp)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        if options.database == "sqlite":
            report = run(f"sqlite:///{directory}/bench.db", options)
        else:
            with PrivateMariaDB(parent=Path(directory)) as server:
                server.execute("CREATE DATABASE bench")
                report = run(server.url("bench"), options)
    json.dump({options.database: report}, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
