"""Runs of scrapers: put together right, wherever their rows lie."""

from __future__ import annotations

from collections import defaultdict

import pytest
from sqlalchemy.engine import Engine

from collector.events import PageNavigation, PageScrape
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.scraper_runs import ScraperRun
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, scrape

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SPAN = TimeRange(NOON_MS, NOON_MS + 5 * HOUR_MS, 5 * MINUTE_MS)


def metrics() -> list[PageNavigation | PageScrape]:
    made: list[PageNavigation | PageScrape] = []
    for number in range(600):
        source, at_ms = ("shop", "cnbc")[number % 2], NOON_MS - HOUR_MS + number * 35_000
        run_id = None if number % 7 == 0 else f"{source}-{number // 50}"
        ok = number % 9 > 0
        made.append(navigation(source, at_ms, run_id=run_id, success=ok, navigation_duration_ms=150.4))
        made.append(scrape(source, at_ms + 3_000, run_id=run_id, success=ok, items_extracted=number % 3))
    return made


def expected(filter: Filter, span: TimeRange) -> list[ScraperRun]:
    groups = defaultdict(list)
    for one in metrics():
        if (
            span.start_ms <= one.recorded_at_ms < span.end_ms
            and one.run_id is not None
            and (not filter.sources or one.scraper_source in filter.sources)
        ):
            groups[one.run_id].append(one)
    runs = [
        ScraperRun(
            run_id,
            min(
                one.recorded_at_ms
                - round(one.navigation_duration_ms if isinstance(one, PageNavigation) else one.scrape_duration_ms)
                for one in group
            ),
            max(one.recorded_at_ms for one in group),
            sum(isinstance(one, PageNavigation) for one in group),
            sum(isinstance(one, PageScrape) for one in group),
            sum(one.items_extracted for one in group if isinstance(one, PageScrape)),
            sum(one.success for one in group),
        )
        for run_id, group in groups.items()
    ]
    return sorted(runs, key=lambda run: (-run.ended_ms, run.run_id))


@pytest.mark.parametrize("max_rows", [10_000, 400])
@pytest.mark.parametrize("loaded", [False, True])
def test_runs_are_those_of_the_rows_in_memory_and_in_the_database(engine: Engine, max_rows: int, loaded: bool) -> None:
    store, recent = Store(engine), RecentDetail(max_rows)
    if not loaded:
        store.subscribe(recent.append)
    made = metrics()
    for first in range(0, len(made), 100):
        store.send(batch(*made[first : first + 100]))
    if loaded:
        recent.load(engine)
    queries = Queries(engine, recent, rollups=Rollups(engine))
    for filter in (Filter(("shop",)), Filter(), Filter(("shop",), "failed"), Filter(("nobody",))):
        for span in (SPAN, TimeRange(SPAN.end_ms - 40 * MINUTE_MS, SPAN.end_ms, MINUTE_MS)):
            assert list(queries.scraper_runs(span, filter, 100)) == expected(filter, span)
            assert list(queries.scraper_runs(span, filter, 3)) == expected(filter, span)[:3]


def test_scrapes_with_items_are_counted_as_far_as_memory_reaches(engine: Engine) -> None:
    store, recent = Store(engine), RecentDetail(400)
    store.subscribe(recent.append)
    store.send(batch(*metrics()))
    queries = Queries(engine, recent, rollups=Rollups(engine))
    near = TimeRange(SPAN.end_ms - 40 * MINUTE_MS, SPAN.end_ms, MINUTE_MS)
    counted = sum(
        isinstance(one, PageScrape)
        and one.scraper_source == "shop"
        and near.start_ms <= one.recorded_at_ms < near.end_ms
        and one.items_extracted > 0
        for one in metrics()
    )
    assert queries.scrapes_with_items(near, Filter(("shop",))) == counted > 10
    assert queries.scrapes_with_items(SPAN, Filter(("shop",))) is None


def test_a_run_tells_its_errors_and_its_success_rate() -> None:
    run = ScraperRun("r", 0, 1, navigations=6, scrapes=4, items=9, successes=8)
    assert (run.count, run.errors, run.success_rate) == (10, 2, 80.0)
