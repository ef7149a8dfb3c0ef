"""A fleet whose answers are known: seeded metrics over a day and a bit, and the raw rows as they lie in the tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.run_events import ScraperRun
from db.results import Filter, TimeRange

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
# 2026-11-21T22:30:30Z: inside a minute, so that the newest one is never over.
NOW_MS = 1_795_300_230_000
HOURS = 26
SOURCES = ("bloomberg", "cnbc", "edgar", "reuters", "robinhood", "yahoo")
_ERRORS = (
    ("timeout after {n} ms at https://{source}.example/p/{n}", "network", None),
    ("HTTP 503", "network", 503),
    ("HTTP 429 Too Many Requests", "blocked", 429),
    ("row {n} has no price", "parse_error", 200),
)


def metrics() -> Iterator[Metric]:
    """Make the metrics in the order of time.

    Known answers: every source loads a page every two minutes and scrapes it a second later; source i fails every
    (5 + i)th time; every 7th load needed retries; a scrape that went well brings i + 1 items, every 11th none at all.
    """
    rng = random.Random(7)
    start_ms = NOW_MS - HOURS * HOUR_MS
    for turn in range(HOURS * 30):
        at_ms = start_ms + turn * 120_000
        for place, source in enumerate(SOURCES):
            when_ms = at_ms + place * 1_500 + rng.randrange(1_000)
            if when_ms + 2_000 >= NOW_MS:
                return
            url = f"https://{source}.example/p/{turn % 40}"
            labels = {"proxy": "eu" if turn % 3 else "us"} if turn % 2 else None
            ok = turn % (5 + place) != 0
            error, outcome, status = (None, "ok", 200) if ok else _ERRORS[(turn + place) % len(_ERRORS)]
            error = error and error.format(n=turn, source=source)
            run_id = f"{source}-{turn // 40}"
            yield PageNavigation(
                source, url, round(rng.lognormvariate(5.5, 0.8), 3), ok, (turn // 7) % 4 if turn % 7 == 0 else 0,
                error, status, when_ms, run_id, labels,
            )  # fmt: skip
            empty = turn % 11 == 0
            items = place + 1 if ok and not empty else 0
            # The price goes missing three hours before the end; a title is always there, an image rarely told of.
            fields = {"title": items, "price": items if turn < (HOURS - 3) * 30 else items // 2}
            fields |= {"image": min(1, items)} if turn % 4 == 0 else {}
            yield PageScrape(
                source, url, round(rng.lognormvariate(4.0, 0.6), 3), items, ok, error,
                rng.randrange(5_000, 90_000) if turn % 5 else None, "empty" if ok and empty else outcome,
                when_ms + 1_000, run_id, labels, None if place == 3 else fields,
            )  # fmt: skip
        if turn % 8 == 0:
            job = f"job{turn // 8 % 3}"
            ok = turn % 40 != 0
            yield SchedulerRun(
                job, rng.randrange(500, 60_000), ok, turn % 13, None if ok else f"exit code {turn % 3 + 1}",
                "cnbc" if job == "job1" else None, at_ms + 80_000, None,
            )  # fmt: skip


def told() -> Iterator[ScraperRun]:
    """Make what is told of every second of the runs: that they began, and how they ended but for the newest."""
    start_ms = NOW_MS - HOURS * HOUR_MS
    for number in range(0, HOURS * 30 // 40, 2):
        for place, source in enumerate(SOURCES[2:]):
            begun_ms = start_ms + number * 40 * 120_000
            run = ScraperRun(
                "crawl", f"{source}-{number}", source if place else None, "running", begun_ms, begun_ms + 5_000,
                3, 100 if place % 2 else None, 30_000, None,
            )  # fmt: skip
            yield run
            if number < HOURS * 30 // 40 - 2:
                state = ("ok", "failed", "killed", "lost")[(number // 2 + place) % 4]
                error = None if state == "ok" else f"it {state}"
                ended_ms = begun_ms + 60_000 * (40 + place)
                yield replace(run, state=state, recorded_at_ms=ended_ms, items_extracted=number * 9, error=error)


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """The rows of the two detail tables that a range and a filter leave.

    Args:
        pages: `scraper_page_performance`, with `duration_ms` (of its kind) and `bucket` (place in the range).
        runs: `scheduler_metrics`, with `bucket`.
        told: `scraper_runs`, those that were going on in the range.
        range: The range.
    """

    pages: pd.DataFrame
    runs: pd.DataFrame
    told: pd.DataFrame
    range: TimeRange

    @property
    def navigations(self) -> pd.DataFrame:
        """The page navigations."""
        return self.pages[self.pages.metric_type == "navigation"]

    @property
    def scrapes(self) -> pd.DataFrame:
        """The page scrapes."""
        return self.pages[self.pages.metric_type == "scrape"]

    def per_bucket(self, values: pd.Series[float], how: str = "sum") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Aggregate values bucket by bucket, float64[n]: 0 for a sum and NaN for anything else where nothing was."""
        grouped = values.groupby(self.pages.bucket.reindex(values.index)).agg(how)
        filled = grouped.reindex(range(self.range.bucket_count), fill_value=0.0 if how in ("sum", "count") else np.nan)
        return filled.to_numpy(dtype=np.float64)

    def per_minute(self, values: pd.Series[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Sum values bucket by bucket, and say it as a rate a minute."""
        return self.per_bucket(values) * MINUTE_MS / self.range.bucket_ms

    def over(
        self, values: np.ndarray[tuple[int], np.dtype[np.float64]]
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Leave out the buckets that aren't over."""
        return np.where(self.range.bucket_starts() + self.range.bucket_ms <= NOW_MS, values, np.nan)


def read_tables(engine: Engine) -> Raw:
    """Read all rows of both tables.

    Args:
        engine: The database.
    """
    with engine.connect() as connection:
        pages = pd.read_sql(text("SELECT * FROM scraper_page_performance"), connection)
        runs = pd.read_sql(text("SELECT * FROM scheduler_metrics"), connection)
        told = pd.read_sql(text("SELECT * FROM scraper_runs"), connection)
    for frame in (pages, runs):
        frame["success"] = frame.success.astype(bool)
    loaded = pages.metric_type == "navigation"
    pages["duration_ms"] = pages.navigation_duration_ms.where(loaded, pages.scrape_duration_ms)
    return Raw(pages, runs, told, TimeRange(0, 2 * NOW_MS, 2 * NOW_MS))


def chosen(everything: Raw, span: TimeRange, filter: Filter) -> Raw:
    """Pick the rows of a range.

    Args:
        everything: All rows.
        span: The range.
        filter: Its sources and result.
    """
    pages, runs = (
        frame[frame.created_at.between(span.start_ms, span.end_ms - 1)].assign(
            bucket=lambda rows: (rows.created_at - span.start_ms) // span.bucket_ms
        )
        for frame in (everything.pages, everything.runs)
    )
    going = everything.told.recorded_at >= span.start_ms
    told = everything.told[going & (everything.told.started_at < span.end_ms)]
    if filter.sources:
        told = told[told.scraper_source.isin(filter.sources)]
        pages = pages[pages.scraper_source.isin(filter.sources)]
        runs = runs[runs.scheduler_name.isin(filter.sources) | runs.scraper_source.isin(filter.sources)]
    if filter.result != "all":
        wanted = filter.result == "ok"
        pages, runs = pages[pages.success == wanted], runs[runs.success == wanted]
    return Raw(pages, runs, told, span)
