"""A month of a fleet's metrics, stored as the app stores them: what the page benches look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.sinks import Batch
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from db.store import Store

DAY_MS = 86_400_000
_ERRORS = ("HTTP 503", "timeout after 30000 ms", "no price on the page")


def fill(database_url: str, *, sources: int, metrics: int, days: int = 30) -> None:
    """Store a seeded month that ends now.

    Args:
        database_url: An empty database.
        sources: How many scrapers there are.
        metrics: How many page metrics; a scheduler run comes with every hundredth.
        days: How long it is.
    """
    engine = make_engine(url=database_url)
    upgrade(engine)
    store = Store(engine)
    made = _metrics(sources, metrics, days)
    for number in itertools.count():
        some = tuple(itertools.islice(made, 5_000))
        if not some:
            break
        store.send(Batch(f"month-{number}", some))
    engine.dispose()


def _metrics(sources: int, metrics: int, days: int) -> Iterator[Metric]:
    rng = np.random.default_rng(5)
    end_ms = now_ms()
    durations_ms = rng.lognormal(5.5, 0.8, metrics).round(1)
    failed = rng.random(metrics) < 0.04
    source = rng.integers(0, sources, metrics)
    page = rng.integers(0, 200, metrics)
    for n in range(metrics):
        at_ms = end_ms - (metrics - n) * days * DAY_MS // metrics
        name, error = f"scraper-{source[n]:02d}", _ERRORS[n % 3] if failed[n] else None
        url, ok = f"https://{name}.example/items/{page[n]}", not failed[n]
        if n % 2:
            yield PageNavigation(name, url, float(durations_ms[n]), ok, n % 3 if n % 20 == 0 else 0, error, 200, at_ms)
        else:
            outcome = "ok" if ok else "blocked"
            yield PageScrape(name, url, float(durations_ms[n]) / 4, n % 12, ok, error, 40_000, outcome, at_ms)
        if n % 100 == 0:
            yield SchedulerRun(f"job-{n // 100 % 8}", 2_000.0, ok, 12, error, None, at_ms)
