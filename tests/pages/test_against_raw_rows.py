"""Every chart and every table equals what pandas counts from the tables' raw rows, on both databases."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.view import COARSE_BUCKETS, View, event_path
from db.engine import make_engine
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.results import TimeRange
from db.rollups import Rollups
from db.store import Store
from pages import PAGES
from pages.page import Rows, RowStream
from tests.db.samples import batch
from tests.pages.raw import (
    alerts,
    attempts_and_yields,
    events,
    items_and_runs,
    overview,
    pages_tabs,
    scheduler,
    scraper,
    scrapers,
)
from tests.pages.raw.fleet import HOURS, NOW_MS, SOURCES, Raw, chosen, metrics, read_tables, told

CHECKS: dict[str, Any] = {
    **overview.CHECKS,
    **scrapers.CHECKS,
    **scraper.CHECKS,
    **items_and_runs.CHECKS,
    **pages_tabs.CHECKS,
    **attempts_and_yields.CHECKS,
    **scheduler.CHECKS,
    **alerts.CHECKS,
    **events.CHECKS,
}
EXPORTS = {name: (page, export) for page in PAGES for name, export in page.exports.items()}
# Ranges that memory answers and such that rollups do, with and without filters.
VIEWS = ("?from=now-15m", "?from=now-6h", "?from=now-24h", "?from=now-24h&source=cnbc&source=edgar&result=failed")


@dataclass(frozen=True, slots=True)
class Board:
    """Who answers from a database with the fleet's metrics, and all of its rows."""

    queries: Queries
    rows: Raw


# Each is filled once, by the worker that has all of its tests.
KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(f"raw-rows-{kind}")) for kind in ("sqlite", "mariadb")]


@pytest.fixture(scope="module", params=KINDS)
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """The fleet, stored as the app stores it; memory holds a few hours of it."""
    if request.param == "sqlite":
        url = f"sqlite:///{Path(tmp_path_factory.mktemp('raw')) / 'raw.db'}"
    else:
        server, name = request.getfixturevalue("mariadb"), f"t_{uuid.uuid4().hex}"
        server.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
    engine = make_engine(url=url)
    upgrade(engine)
    store, recent, runs = Store(engine, clock_ms=lambda: NOW_MS), RecentDetail(max_rows=2_000), RecentRuns(max_runs=40)
    rollups, jobs = Rollups(engine, clock_ms=lambda: NOW_MS), JobRollups(engine, clock_ms=lambda: NOW_MS)
    store.subscribe_runs(runs.append)
    for listener in (recent.append, rollups.mark, jobs.mark):
        store.subscribe(listener)
    made = list(metrics())
    for first in range(0, len(made), 500):
        store.send(batch(*made[first : first + 500]))
    store.send(batch(runs=tuple(told())))
    rollups.run_once()
    jobs.run_once()
    history = JobHistory(engine, runs, jobs, exact_runs=30, clock_ms=lambda: NOW_MS)
    queries = Queries(engine, recent, rollups=rollups, jobs=history, exact_rows=1_000, clock_ms=lambda: NOW_MS)
    yield Board(queries, read_tables(engine))
    engine.dispose()
    if request.param == "mariadb":
        server.execute(f"DROP DATABASE {name}")


def view_of(name: str, search: str) -> View:
    """The view that an export belongs to; a scraper's own page is that of robinhood."""
    path = EXPORTS[name][0].path
    return View.parse("/scrapers/robinhood" if path == "/scrapers/" else path, search)


def whole(shown: Any) -> Any:
    """A chart's info or a table, read to its end."""
    if not isinstance(shown, RowStream):
        return shown
    return Rows(tuple(field.name for field in shown.fields), tuple(row for rows in shown.chunks() for row in rows))


def test_every_export_is_checked() -> None:
    assert set(CHECKS) == set(EXPORTS)


def test_fleet_has_the_answers_that_it_was_made_with(board: Board) -> None:
    raw = board.rows
    for place, source in enumerate(SOURCES):
        rows = raw.navigations[raw.navigations.scraper_source == source]
        assert len(rows) in (HOURS * 30 - 1, HOURS * 30)
        assert abs(rows.success.mean() - (1 - 1 / (5 + place))) < 0.002
        (items,) = set(
            raw.scrapes[(raw.scrapes.scraper_source == source) & (raw.scrapes.outcome == "ok")].items_extracted
        )
        assert items == place + 1


@pytest.mark.parametrize("search", VIEWS)
@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_chart_or_table_equals_the_raw_rows(board: Board, name: str, search: str) -> None:
    view = view_of(name, search)
    if EXPORTS[name][0].path == "/events/":
        view = view.at(event_path(f"p:{board.rows.pages.id.max()}"))
    shown = whole(EXPORTS[name][1](board.queries, view, NOW_MS))
    filter = view.filter
    if view.path == "/scrapers/robinhood":
        filter = View.parse("/", f"{search}&source=robinhood" if "source" not in search else search).filter
        filter = type(filter)(sources=("robinhood",), result=filter.result)
    span = range_of(shown, view)
    if view.path.startswith("/events/"):  # of all times, whatever the filters
        span, filter = TimeRange(0, 2 * NOW_MS, 2 * NOW_MS), type(filter)()
    CHECKS[name](shown, chosen(board.rows, span, filter), chosen(board.rows, span.before(), filter))


def range_of(shown: Any, view: View) -> TimeRange:
    """The range that a chart says it shows: its own moments or bars of a bucket each, or the view's."""
    fine = view.time_range(NOW_MS)
    moments = getattr(shown, "x_ms", None)
    if moments is None and getattr(shown, "ordered", False):
        moments = shown.categories
    if moments is None:
        return fine
    ranges = [view.time_range(NOW_MS, most_buckets=most) for most in (150, COARSE_BUCKETS, 30)]
    return next((range for range in ranges if range.bucket_count == len(moments)), fine)


def test_raw_rows_are_all_there(board: Board) -> None:
    made = list(metrics())
    raw: Raw = board.rows
    assert len(raw.pages) + len(raw.runs) == len(made) > 9_000
