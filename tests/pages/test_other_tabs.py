"""What the other tabs tell, against the events and runs it comes from."""

from __future__ import annotations

import json
from typing import Any

import plotly.utils
import pytest

from charts import make_adapter
from charts.info import BarInfo, PieInfo
from components.view import View
from db.results import Event, Filter, SchedulerRunRow
from pages import navigation, scheduler, scraper, scrapers, scraping
from pages.page import unreachable
from tests.pages.invented import fleet
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.test_overview import event

FAILED_RUN = SchedulerRunRow(
    id="s:1",
    scheduler_name="nightly",
    source=None,
    duration_ms=2_000.0,
    items=7,
    success=False,
    error="RuntimeError:\n boom",
    recorded_at_ms=NOW_MS - 60_000,
    run_id=None,
)


def body(page: Any, id: str, queries: MemoryQueries, search: str = "", path: str = "") -> list[list[str]]:
    view = View.parse(path or page.PAGE.path, search)
    rows: list[list[str]] = page.PAGE.content(queries, make_adapter("plotly"), view, NOW_MS)[id]["data"]["body"]
    return rows


def test_scrapers_are_compared_row_by_row(six: MemoryQueries) -> None:
    rows = body(scrapers, "scrapers-table", six)
    stats = six.sources(View().time_range(NOW_MS))
    assert [row[0] for row in rows] == [one.source for one in stats]
    assert [row[4] for row in rows] == [f"{one.totals.navigations:,}" for one in stats]
    assert [row[11] for row in rows] == [f"{one.totals.errors:,}" for one in stats]


def test_the_shares_of_the_pie_sum_up_to_the_table_also_with_more_sources_than_slices(six: MemoryQueries) -> None:
    for queries in (six, fleet([f"s{n:02d}" for n in range(20)], hours=0.3)):
        info = scrapers.PAGE.exports["scrapers-share"](queries, View(), NOW_MS)
        assert isinstance(info, PieInfo)
        assert sum(info.values) == sum(one.totals.count for one in queries.sources(View().time_range(NOW_MS)))
        assert len(info.labels) <= 8


def test_the_slowest_pages_come_first() -> None:
    queries = MemoryQueries(
        [
            event("a", 1, url="https://x/fast", duration_ms=50.0),
            event("a", 2, url="https://x/slow", duration_ms=5_000.0),
        ]
    )
    rows = body(navigation, "navigation-slowest", queries)
    assert [row[0] for row in rows] == ["x/slow", "x/fast"]
    assert rows[0][2:6] == ["1", "5.00\u00a0s", "5.00\u00a0s", "0"]


def test_the_worst_pages_are_those_that_fail_most_and_most_often_then_those_that_are_slow() -> None:
    def visits(name: str, failures: int, count: int, duration_ms: float) -> list[Event]:
        return [
            event(
                "a", n, kind="scrape", url=f"https://x/{name}", success=n >= failures, duration_ms=duration_ms, items=3
            )
            for n in range(count)
        ]

    queries = MemoryQueries(
        visits("slow", 0, 4, 900.0) + visits("rarely", 4, 40, 10.0) + visits("always", 3, 3, 10.0)
        + visits("fast", 0, 4, 1.0)
    )  # fmt: skip
    rows = body(scraping, "scraping-worst", queries)
    assert [row[0] for row in rows] == ["x/always", "x/rarely", "x/slow", "x/fast"]
    assert rows[0][2:6] == ["3", "100\u00a0%", "3", "3.0"]
    assert rows[1][2:6] == ["4", "10.0\u00a0%", "40", "3.0"]


def test_items_and_outcomes_are_those_of_the_events(six: MemoryQueries) -> None:
    items = scraping.PAGE.exports["scraping-items"](six, View(), NOW_MS)
    assert isinstance(items, BarInfo)
    assert sum(items.values) == six.overview(View().time_range(NOW_MS)).current.items  # type: ignore[arg-type]
    outcomes = scraping.PAGE.exports["scraping-outcomes"](six, View(), NOW_MS)
    assert isinstance(outcomes, PieInfo)
    told = dict(zip(outcomes.labels, outcomes.values, strict=True))
    assert told == dict(six.outcomes(View().time_range(NOW_MS)))
    assert outcomes.labels[0] == "ok"


def test_a_failed_last_run_is_told_by_word_and_with_its_error() -> None:
    queries = MemoryQueries(runs=[FAILED_RUN])
    job = body(scheduler, "scheduler-jobs", queries)[0]
    assert job[:4] == ["nightly", "", "", "✕ failed"]
    assert job[-1] == "RuntimeError: boom"
    assert body(scheduler, "scheduler-runs", queries)[0][1:] == [
        "nightly", "–", "", "", "✕ failed", "2.00\u00a0s", "7", "RuntimeError: boom"
    ]  # fmt: skip


def told_rows(queries: MemoryQueries) -> tuple[list[list[str]], Any]:
    content = scheduler.PAGE.charts(queries, make_adapter("plotly"), View(path="/scheduler"), NOW_MS)
    return content["scheduler-told"]["data"]["body"], content["scheduler-told-more"]["children"]


def test_runs_of_scrapers_are_told_on_the_scheduler_tab_each_with_its_state(six: MemoryQueries) -> None:
    rows, hint = told_rows(six)
    assert [next(cell for cell in row[2:5] if cell) for row in rows] == [
        "▶ running", "▼ ok, short", "✕ failed", "■ killed", "◌ lost"
    ]  # fmt: skip
    assert rows[0][0] == "nightly · run-0"
    assert hint == ""


def test_where_no_run_was_told_of_the_scheduler_tab_says_how_to(
    six: MemoryQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(six, "told", ())
    rows, hint = told_rows(six)
    assert rows == []
    assert 'with collector.run("nightly"):' in [part.children for part in hint if not isinstance(part, str)]


def test_runs_of_scrapers_alone_are_no_empty_scheduler_tab() -> None:
    own = fleet(("robinhood", "cnbc"))  # the shared ones remember their answers
    own.runs = []
    numbers = scheduler.PAGE.numbers(own, View(path="/scheduler"), NOW_MS)
    assert numbers["scheduler-body"] == {"className": "page-body"}
    own.told = ()
    numbers = scheduler.PAGE.numbers(own, View(path="/scheduler"), NOW_MS)
    assert numbers["scheduler-body"] == {"className": "page-body page-body-away"}


def test_a_scrapers_page_is_about_that_scraper_only(six: MemoryQueries) -> None:
    numbers = scraper.PAGE.numbers(six, View.parse("/scrapers/cnbc", "?source=reuters"), NOW_MS)
    stats = next(one for one in six.sources(View().time_range(NOW_MS)) if one.source == "cnbc")
    assert numbers["scraper-navigations"]["children"] == str(stats.totals.navigations)
    assert {row[1] for row in numbers["scraper-events-newest"]["data"]["body"]} == {"cnbc"}


def test_a_scraper_that_never_reported_is_told_to_be_none(six: MemoryQueries) -> None:
    numbers = scraper.PAGE.numbers(six, View.parse("/scrapers/nope", ""), NOW_MS)
    said = json.dumps(numbers["scraper-empty"], cls=plotly.utils.PlotlyJSONEncoder)
    assert "There is no such scraper" in said
    assert "/scrapers" in said
    assert numbers["scraper-seen"]["children"] == "–"


def test_an_unreachable_database_is_told_instead_of_a_page() -> None:
    said = json.dumps(unreachable("(2003) no route"), cls=plotly.utils.PlotlyJSONEncoder)
    assert "can\\u2019t be reached" in said
    assert "(2003) no route" in said


def test_the_brute_queries_know_filters() -> None:
    queries = MemoryQueries([event("a", 1), event("b", 2, success=False)])
    range = View().time_range(NOW_MS)
    assert queries.overview(range, Filter(sources=("b",))).current.errors == 1
    assert queries.overview(range, Filter(result="ok")).current.count == 1
    assert queries.overview(range, Filter(url_contains="EXAMPLE")).current.count == 2
