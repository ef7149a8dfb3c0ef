"""What was acknowledged, and whether a database holds exactly that: rows, minutes, hours, days."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from collector.events import Metric, PageNavigation, SchedulerRun
from collector.sinks import Batch
from db import sketch

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
_KINDS = ("navigation", "scrape")


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
            self.metrics += len(batch.metrics)
            for metric in batch.metrics:
                if isinstance(metric, SchedulerRun):
                    self._runs[_run(metric)] += 1
                    continue
                for length_ms, totals in self._totals.items():
                    start_ms = metric.recorded_at_ms // length_ms * length_ms
                    totals.setdefault((start_ms, metric.scraper_source), Total()).add(metric)

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
