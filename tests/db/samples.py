"""Short ways to make metrics and batches for tests."""

from __future__ import annotations

import uuid
from typing import Any

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.report import CollectorReport
from collector.run_events import ScraperRun
from collector.sinks import Batch

# 2024-05-01T12:00:00Z: a full hour, so that minutes and hours are easy to count from it.
NOON_MS = 1_714_564_800_000


def navigation(source: str = "robinhood", at_ms: int = NOON_MS, **changes: Any) -> PageNavigation:
    """A navigation that went well, but for the changes."""
    values: dict[str, Any] = {
        "scraper_source": source,
        "url": f"https://{source}.example/page",
        "navigation_duration_ms": 150,
        "success": True,
        "retry_count": 0,
        "error": None,
        "status_code": 200,
        "recorded_at_ms": at_ms,
    }
    return PageNavigation(**(values | changes))


def scrape(source: str = "robinhood", at_ms: int = NOON_MS, **changes: Any) -> PageScrape:
    """A scrape that went well, but for the changes."""
    values: dict[str, Any] = {
        "scraper_source": source,
        "url": f"https://{source}.example/page",
        "scrape_duration_ms": 40.5,
        "items_extracted": 5,
        "success": True,
        "error": None,
        "data_size": 1000,
        "outcome": "ok",
        "recorded_at_ms": at_ms,
    }
    return PageScrape(**(values | changes))


def run(name: str = "nightly", at_ms: int = NOON_MS, **changes: Any) -> SchedulerRun:
    """A scheduler run that went well, but for the changes."""
    values: dict[str, Any] = {
        "scheduler_name": name,
        "execution_duration_ms": 2000,
        "success": True,
        "items_processed": 7,
        "error": None,
        "scraper_source": None,
        "recorded_at_ms": at_ms,
    }
    return SchedulerRun(**(values | changes))


def told(run_id: str = "run-1", at_ms: int = NOON_MS, **changes: Any) -> ScraperRun:
    """A heartbeat of a run that goes on, but for the changes."""
    values: dict[str, Any] = {
        "name": "nightly",
        "run_id": run_id,
        "scraper_source": "robinhood",
        "state": "running",
        "started_at_ms": NOON_MS - 60_000,
        "recorded_at_ms": at_ms,
        "items_extracted": 10,
        "expected_items": 100,
        "heartbeat_interval_ms": 30_000,
        "error": None,
    }
    return ScraperRun(**(values | changes))


def report(collector_id: str = "c1", **changes: Any) -> CollectorReport:
    """What a collector says that is well, but for the changes."""
    values: dict[str, Any] = {
        "collector_id": collector_id,
        "host": "büro",
        "pid": 77,
        "name": "nightly.py",
        "version": "1.0",
        "python": "3.12.1",
        "started_at_ms": NOON_MS - 3_600_000,
        "sent_at_ms": NOON_MS,
        "recorded": 100,
        "flushed": 90,
        "pending": 7,
        "dropped": {"queue_full": 3},
        "adopted": 0,
        "spool_bytes": 1_000,
        "spool_metrics": 7,
        "last_flush_at_ms": NOON_MS - 2_000,
        "last_error": None,
        "interval_s": 30.0,
    }
    return CollectorReport(**(values | changes))


def batch(*metrics: Metric, batch_id: str | None = None, runs: tuple[ScraperRun, ...] = ()) -> Batch:
    """A batch, with an id of its own unless one is given."""
    return Batch(batch_id or uuid.uuid4().hex, metrics, runs)
