"""Old rows keep the names of their sources and outcomes, also those that none of the newest rows has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from collector.events import Metric, PageScrape
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.results import Filter, TimeRange
from tests.db.brute_force import Truth, check_overview
from tests.db.filled import FilledDatabases
from tests.db.samples import NOON_MS, navigation, scrape
from tests.db.test_time_packs import Program

DAY_BEGIN_MS = NOON_MS // DAY_MS * DAY_MS


@pytest.mark.parametrize(
    "filter",
    [
        Filter(url_contains="old.example/"),
        Filter(("old1",), url_contains="old.example/"),
        Filter(url_contains="old.example/", outcomes=("captcha",)),
        Filter(outcomes=("captcha", "failed")),
    ],
)
@pytest.mark.parametrize("question", ["outcomes", "sources", "items_by_source", "overview", "outcome_series"])
def test_sources_and_outcomes_that_memory_never_saw_have_their_names(
    engine: Engine, filled: FilledDatabases, filter: Filter, question: str
) -> None:
    metrics: list[Metric] = [
        scrape(
            f"old{number % 3}", DAY_BEGIN_MS - 20 * HOUR_MS + number * MINUTE_MS, url=f"https://old.example/{number}",
            outcome=("blocked", "captcha", None)[number % 7 % 3], success=number % 4 > 0, items_extracted=number,
        )
        for number in range(600)
    ]  # fmt: skip
    # It knows nothing but the newest row.
    program, truth = Program.filled(engine, filled, [*metrics, navigation("new", NOON_MS)]), Truth(metrics)
    assert program.recent.sources.all() == ("new",)
    span = TimeRange(DAY_BEGIN_MS - DAY_MS, DAY_BEGIN_MS, HOUR_MS)
    of_filter = truth.pages(span, filter)
    found: Any = getattr(program.queries, question)(span, filter)
    if question == "outcomes":
        assert found == truth.outcomes(span, filter)
    elif question == "overview":
        check_overview(found, truth, span, filter)
    elif question == "sources":
        wanted = Counter(page.scraper_source for page in of_filter)
        assert {own.source: own.totals.scrapes for own in found} == wanted
    elif question == "items_by_source":
        items: Counter[str] = Counter()
        for page in of_filter:
            assert isinstance(page, PageScrape)
            items[page.scraper_source] += page.items_extracted or 0
        assert {name: int(own.sum()) for name, own in found.items()} == items
    else:
        assert {name: int(own.sum()) for name, own in found.counts.items()} == truth.outcomes(span, filter)
