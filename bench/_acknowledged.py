"""What was acknowledged, and whether a database holds exactly that: rows and everything that is rolled up from them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.run_events import ScraperRun
from collector.sinks import Batch
from db import sketch
from db.breakdown import DIMENSIONS
from db.breakdown_pack import unpacked
from db.breakdown_rolling import LENGTHS_MS
from db.cells import SLOT_MS
from db.clock import now_ms
from db.columns import Names
from db.engine import make_engine
from db.run_states import what_counts

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_KINDS = ("navigation", "scrape")
_ROLLED_AFTER_MS = 15_000  # what is over for so long is rolled up, unless the program has just been started


@dataclass(slots=True)
class Total:
    """What the metrics of one source in one minute, hour or day add up to; equal to another one or not."""

    navigations: int = 0
    scrapes: int = 0
    successful_navigations: int = 0
    successful_scrapes: int = 0
    items: int = 0
    retries: int = 0
    last_ms: int = 0
    last_ok_ms: int = -1
    sum_ms: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0.0))
    min_ms: dict[str, float] = field(default_factory=dict)
    max_ms: dict[str, float] = field(default_factory=dict)
    bins: dict[str, Counter[int]] = field(default_factory=lambda: {kind: Counter() for kind in _KINDS})

    def add(self, metric: Metric) -> None:
        """Take in one page metric."""
        assert not isinstance(metric, SchedulerRun)
        if isinstance(metric, PageNavigation):
            kind, duration_ms = "navigation", float(metric.navigation_duration_ms)
            self.navigations += 1
            self.successful_navigations += metric.success
            self.retries += metric.retry_count
        else:
            kind, duration_ms = "scrape", float(metric.scrape_duration_ms)
            self.scrapes += 1
            self.successful_scrapes += metric.success
            self.items += metric.items_extracted
        self.last_ms = max(self.last_ms, metric.recorded_at_ms)
        if metric.success:
            self.last_ok_ms = max(self.last_ok_ms, metric.recorded_at_ms)
        self._durations(kind, duration_ms, duration_ms, duration_ms)
        self.bins[kind][int(sketch.bins_of(np.array([duration_ms]))[0])] += 1

    def add_row(self, row: Any) -> None:
        """Take in one rollup row."""
        self.navigations += row.total_navigations
        self.scrapes += row.total_scrapes
        self.successful_navigations += row.successful_navigations
        self.successful_scrapes += row.successful_scrapes
        self.items += row.total_items_extracted
        self.retries += row.total_retries
        self.last_ms = max(self.last_ms, row.last_recorded_at)
        self.last_ok_ms = max(self.last_ok_ms, -1 if row.last_success_at is None else row.last_success_at)
        for kind in _KINDS:
            least, most = (getattr(row, f"{which}_{kind}_duration_ms") for which in ("min", "max"))
            self._durations(kind, getattr(row, f"sum_{kind}_duration_ms"), least, most)
            counts = sketch.histogram([bytes(getattr(row, f"{kind}_sketch"))])
            self.bins[kind].update({int(number): int(counts[number]) for number in np.flatnonzero(counts)})

    def _durations(self, kind: str, total_ms: float, least_ms: float | None, most_ms: float | None) -> None:
        self.sum_ms[kind] += total_ms
        if least_ms is not None and most_ms is not None:
            self.min_ms[kind] = min(self.min_ms.get(kind, least_ms), least_ms)
            self.max_ms[kind] = max(self.max_ms.get(kind, most_ms), most_ms)


@dataclass(frozen=True)
class Level:
    """One table of rollups."""

    table: str
    start: str  # an expression for the start in epoch ms
    length_ms: int


def _levels(dialect: str) -> tuple[Level, ...]:
    if dialect == "sqlite":
        date_ms = "CAST(strftime('%s', metric_date) AS INTEGER) * 1000"
    else:
        date_ms = "DATEDIFF(metric_date, '1970-01-01') * 86400000"
    return (
        Level("scraper_metrics_minute", "minute_start_ms", MINUTE_MS),
        Level("scraper_metrics_hourly", "hour_start_ms", HOUR_MS),
        Level("scraper_daily_summary", date_ms, DAY_MS),
    )


class Acknowledged:
    """The batches that were answered with "it is stored"; any thread may add to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects everything below
        self._batches: dict[str, tuple[Any, ...]] = {}
        self._runs: Counter[tuple[Any, ...]] = Counter()
        self._totals: dict[int, dict[tuple[int, str], Total]] = {MINUTE_MS: {}, HOUR_MS: {}, DAY_MS: {}}
        self._slots: dict[int, Counter[str]] = {}  # five minutes -> rows by dimension
        self._told: dict[str, ScraperRun] = {}  # of each run the message that counts
        self._messages = 0  # about runs
        self._job_hours: dict[tuple[int, str, str], Counter[str]] = {}
        self.metrics = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._batches)

    def add(self, batch: Batch) -> None:
        """Note a batch, once; every page metric of it has the batch's id as its run_id."""
        with self._lock:
            assert batch.batch_id not in self._batches
            pages = [metric for metric in batch.metrics if not isinstance(metric, SchedulerRun)]
            self._batches[batch.batch_id] = _fingerprint(pages)
            self.metrics += len(batch.events)
            self._messages += len(batch.runs)
            self._told = what_counts([*self._told.values(), *batch.runs])
            for metric in batch.metrics:
                if isinstance(metric, SchedulerRun):
                    self._runs[_run(metric)] += 1
                    self._add_run(metric)
                    continue
                slot = self._slots.setdefault(metric.recorded_at_ms // SLOT_MS * SLOT_MS, Counter())
                scrape = isinstance(metric, PageScrape)
                slot.update(rows=1, url=1, error=not metric.success, outcome=scrape, attempt=not scrape)
                slot["yield"] += scrape
                if isinstance(metric, PageScrape) and metric.fields:
                    slot["field"] += 1 + len(metric.fields)
                for length_ms, totals in self._totals.items():
                    start_ms = metric.recorded_at_ms // length_ms * length_ms
                    totals.setdefault((start_ms, metric.scraper_source), Total()).add(metric)

    def _add_run(self, run: SchedulerRun) -> None:
        hour_ms = run.recorded_at_ms // HOUR_MS * HOUR_MS
        key = (hour_ms, run.scheduler_name, run.scraper_source or "")
        self._job_hours.setdefault(key, Counter()).update(runs=1, ok=run.success, items=run.items_processed)

    def differences(self, engine: Engine) -> dict[str, int]:
        """Compare a database with what was acknowledged.

        Args:
            engine: The database.

        Returns:
            How many batches and runs are lost, are there more than once or were never sent, have wrong rows, and how
            many rollups are missing, too many or wrong; everything is 0 when all is well.
        """
        with self._lock, engine.connect() as connection:
            found = {row[0]: tuple(row[1:]) for row in connection.execute(text(_BATCHES))}
            ids = set(connection.scalars(text("SELECT batch_id FROM ingest_batches")))
            runs = Counter(tuple(row) for row in connection.execute(text(_RUNS)))
            wrong = {
                "batches_lost": len(self._batches.keys() - found.keys()) + len(self._batches.keys() - ids),
                "batches_never_acknowledged": len(found.keys() - self._batches.keys()),
                "batches_wrong": sum(
                    found[name] != self._batches[name] for name in found.keys() & self._batches.keys()
                ),
                "runs_lost": (self._runs - runs).total(),
                "runs_too_many": (runs - self._runs).total(),
            }
            for level in _levels(engine.dialect.name):
                wrong[f"{level.table}_wrong"] = _wrong(self._totals[level.length_ms], _read(connection, level))
            wrong["scraper_breakdowns_wrong"] = _wrong_breakdowns(self._slots, connection)
            kept = connection.scalar(text("SELECT COUNT(*) FROM scraper_run_messages WHERE state <> 'lost'"))
            wrong["run_messages_wrong"] = abs((kept or 0) - self._messages)
            wrong["run_states_wrong"] = _wrong_states(self._told, connection)
            wrong["scheduler_metrics_hourly_wrong"] = _wrong_job_hours(self._job_hours, connection)
        return wrong


# Durations are multiples of a quarter, so that their sums are exact in any order.
_BATCHES = (
    "SELECT run_id, COUNT(*), SUM(metric_type = 'navigation'), SUM(COALESCE(navigation_duration_ms, 0)), "
    "SUM(COALESCE(scrape_duration_ms, 0)), SUM(COALESCE(items_extracted, 0)), SUM(COALESCE(retry_count, 0)), "
    "SUM(success), SUM(created_at), COUNT(DISTINCT page_url) FROM scraper_page_performance GROUP BY run_id"
)
_RUNS = (
    "SELECT scheduler_name, scraper_source, execution_duration_ms, items_processed, success, run_id, created_at "
    "FROM scheduler_metrics"
)


def _fingerprint(pages: Sequence[Any]) -> tuple[Any, ...]:
    """Return what _BATCHES finds of a batch."""
    navigations = [metric for metric in pages if isinstance(metric, PageNavigation)]
    scrapes = [metric for metric in pages if not isinstance(metric, PageNavigation)]
    return (
        len(pages), len(navigations), sum(metric.navigation_duration_ms for metric in navigations),
        sum(metric.scrape_duration_ms for metric in scrapes), sum(metric.items_extracted for metric in scrapes),
        sum(metric.retry_count for metric in navigations), sum(metric.success for metric in pages),
        sum(metric.recorded_at_ms for metric in pages), len({metric.url for metric in pages}),
    )  # fmt: skip


def _run(run: SchedulerRun) -> tuple[Any, ...]:
    return (
        run.scheduler_name, run.scraper_source, run.execution_duration_ms, run.items_processed, run.success,
        run.run_id, run.recorded_at_ms,
    )  # fmt: skip


def _read(connection: Connection, level: Level) -> dict[tuple[int, str], Total]:
    totals: dict[tuple[int, str], Total] = {}
    rows = connection.execute(text(f"SELECT {level.table}.*, {level.start} AS begins FROM {level.table}"))
    for row in rows:
        totals.setdefault((int(row.begins), row.scraper_source), Total()).add_row(row)
    return totals


def _wrong(wanted: dict[tuple[int, str], Total], found: dict[tuple[int, str], Total]) -> int:
    keys: Iterable[tuple[int, str]] = wanted.keys() | found.keys()
    return sum(wanted.get(key) != found.get(key) for key in keys)


def _wrong_breakdowns(slots: dict[int, Counter[str]], connection: Connection) -> int:
    """Count the spans that are over and whose breakdown is missing, too many or not what was acknowledged in them."""
    over_ms = now_ms() - _ROLLED_AFTER_MS
    wanted: dict[tuple[str, int, int], tuple[int, int]] = {}
    for length_ms in LENGTHS_MS:
        spans: dict[int, Counter[str]] = {}
        for start_ms, counts in slots.items():
            spans.setdefault(start_ms // length_ms * length_ms, Counter()).update(counts)
        for start_ms, counts in spans.items():
            if start_ms + length_ms <= over_ms:
                for dimension in DIMENSIONS:
                    wanted[dimension, length_ms, start_ms] = counts["rows"], counts[dimension]
    found: dict[tuple[str, int, int], tuple[int, int]] = {}
    for row in connection.execute(text("SELECT * FROM scraper_breakdowns")):
        key = (row.dimension, row.length_ms, row.start_ms)
        if row.dimension in DIMENSIONS and row.start_ms + row.length_ms <= over_ms:
            groups = unpacked(bytes(row.packed), row.start_ms, Names())
            found[key] = row.row_count, int(groups.count.sum())
    return sum(wanted.get(key) != found.get(key) for key in wanted.keys() | found.keys())


def _wrong_states(told: dict[str, ScraperRun], connection: Connection) -> int:
    """Count the runs that aren't where their messages say they are; the app may say of one that it is lost."""
    columns = "run_id, state, recorded_at, items_extracted"
    found = {row[0]: tuple(row[1:]) for row in connection.execute(text(f"SELECT {columns} FROM scraper_runs"))}
    wanted = {id: (run.state, run.recorded_at_ms, run.items_extracted) for id, run in told.items()}
    for run_id, (state, *rest) in found.items():
        if state == "lost" and wanted.get(run_id, ("",))[0] == "running":
            found[run_id] = ("running", *rest)
    return sum(wanted.get(key) != found.get(key) for key in wanted.keys() | found.keys())


def _wrong_job_hours(hours: dict[tuple[int, str, str], Counter[str]], connection: Connection) -> int:
    """Count the hours that are over and in which a job's rollup isn't what was acknowledged."""
    over_ms = now_ms() - _ROLLED_AFTER_MS - HOUR_MS
    wanted = {
        key: (counts["runs"], counts["ok"], counts["items"]) for key, counts in hours.items() if key[0] <= over_ms
    }
    found = {
        tuple(row[:3]): tuple(row[3:])
        for row in connection.execute(text(
            "SELECT hour_start_ms, scheduler_name, scraper_source, total_runs, successful_runs, total_items_processed "
            "FROM scheduler_metrics_hourly"
        ))
        if row[0] <= over_ms
    }  # fmt: skip
    return sum(wanted.get(key) != found.get(key) for key in wanted.keys() | found.keys())


def count_urls(database_url: str, prefix: str) -> tuple[int, int]:
    """Count the detail rows whose page URL begins with a prefix.

    Args:
        database_url: A migrated database.
        prefix: Without `%` and `_`.

    Returns:
        (rows, different URLs).
    """
    engine = make_engine(url=database_url)
    try:
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "SELECT COUNT(*), COUNT(DISTINCT page_url) FROM scraper_page_performance WHERE page_url LIKE :like"
                ),
                {"like": f"{prefix}%"},
            ).one()
    finally:
        engine.dispose()
    return int(found[0]), int(found[1])
