"""The Overview tab's numbers against the events they come from."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.utils
import pytest

from charts import make_adapter
from components.view import View
from db.results import Event, Filter, TimeRange
from pages.overview import PAGE
from pages.page import Rows, RowStream
from tests.pages.invented import fleet
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.tree import components_of

VIEW = View()


def plain(tree: Any) -> Any:
    return json.loads(json.dumps(tree, cls=plotly.utils.PlotlyJSONEncoder))


def event(source: str, age_s: float, **changes: Any) -> Event:
    plain = Event(
        id=f"p:{age_s}",
        kind="navigation",
        source=source,
        url="https://example.org/",
        duration_ms=100.0,
        items=None,
        retry_count=0,
        success=True,
        error=None,
        status_code=200,
        outcome=None,
        recorded_at_ms=NOW_MS - int(age_s * 1000),
    )
    return replace(plain, **changes)


def texts(queries: MemoryQueries, view: View = VIEW) -> dict[str, str]:
    numbers = PAGE.numbers(queries, view, NOW_MS)
    return {id: props["children"] for id, props in numbers.items() if isinstance(props.get("children"), str)}


def test_cards_show_the_sums_of_the_events_of_the_range() -> None:
    queries = MemoryQueries(
        [
            event("a", 10),
            event("a", 20, duration_ms=300.0, success=False, error="x"),
            event("b", 30, kind="scrape", items=1_200, duration_ms=200.0),
            event("b", 890, kind="scrape", items=34, duration_ms=1_500.0),
            event("c", 901),  # before the range
            event("c", 1_000, success=False),
        ]
    )
    said = texts(queries)
    assert said["overview-navigations"] == "2"
    assert said["overview-scrapes"] == "2"
    assert said["overview-success-rate"] == "75.0\u00a0%"
    assert said["overview-mean"] == "525\u00a0ms"
    assert said["overview-p95"] == "1.32\u00a0s"  # 1,320 ms by linear interpolation
    assert said["overview-items"] == "1,234"
    assert said["overview-sources"] == "2"
    assert said["overview-errors"] == "1"


def test_cards_compare_with_the_period_before() -> None:
    queries = MemoryQueries([event("a", 10), event("a", 20), event("a", 1_000), event("b", 1_001, success=False)])
    numbers = PAGE.numbers(queries, VIEW, NOW_MS)
    assert numbers["overview-navigations-change"]["children"] == "= same"
    assert numbers["overview-success-rate-change"]["children"] == "▲ 50.0\u00a0pt"
    assert numbers["overview-success-rate-change"]["className"] == "stat-change good"
    assert numbers["overview-errors-change"]["children"] == "▼ 100\u00a0%"
    assert numbers["overview-errors-change"]["className"] == "stat-change good"
    assert numbers["overview-sources-change"]["aria-label"] == "down 50\u00a0%, compared with the 15 minutes before"


def test_every_number_of_a_fleet_equals_the_brute_sum(six: MemoryQueries) -> None:
    range = VIEW.time_range(NOW_MS)
    inside = [one for one in six.all if range.start_ms <= one.recorded_at_ms < range.end_ms]
    said = texts(six)
    assert said["overview-navigations"] == f"{sum(one.kind == 'navigation' for one in inside):,}"
    assert said["overview-scrapes"] == f"{sum(one.kind == 'scrape' for one in inside):,}"
    assert said["overview-items"] == f"{sum(one.items or 0 for one in inside):,}"
    assert said["overview-errors"] == f"{sum(not one.success for one in inside):,}"
    assert said["overview-success-rate"] == f"{100 * np.mean([one.success for one in inside]):.1f}\u00a0%"


def test_filters_narrow_every_number(six: MemoryQueries) -> None:
    view = View.parse("/", "?source=cnbc&result=failed")
    range = view.time_range(NOW_MS)
    failed = [
        one
        for one in six.all
        if range.start_ms <= one.recorded_at_ms < range.end_ms and one.source == "cnbc" and not one.success
    ]
    assert texts(six, view)["overview-errors"] == str(len(failed))
    assert len(PAGE.numbers(six, view, NOW_MS)["overview-scrapers"]["children"]) == 1


def test_each_active_scraper_has_a_card_that_links_to_its_page() -> None:
    queries = fleet(["<script>alert(1)</script>", "cnbc"], hours=0.3)
    view = View.parse("/", "?from=now-6h")
    numbers = PAGE.numbers(queries, view, NOW_MS)
    cards = {card.title: card for card in numbers["overview-scrapers"]["children"]}
    assert set(cards) == {"<script>alert(1)</script>", "cnbc"}
    script = cards["<script>alert(1)</script>"].href
    assert script == "/scrapers/%3Cscript%3Ealert%281%29%3C%2Fscript%3E?from=now-6h"
    assert cards["cnbc"].href == "/scrapers/cnbc?from=now-6h"
    stats = queries.sources(view.time_range(NOW_MS))[1]
    facts = numbers[cards["cnbc"].children[2].id]["children"].split("\n")
    assert facts[0] == f"Success {stats.totals.success_rate:.1f}\u202f%"
    assert [line.split(" ")[0] for line in facts] == ["Success", "p95", "Items", "Seen"]
    assert all(line.count(" ") == 1 for line in facts)


def test_scrapers_that_need_attention_come_first() -> None:
    queries = MemoryQueries(
        [event("a", age, success=True) for age in (5, 15, 25)] + [event("z", age, success=False) for age in (6, 16, 26)]
    )
    numbers = PAGE.numbers(queries, VIEW, NOW_MS)
    cards = numbers["overview-scrapers"]["children"]
    assert [card.title for card in cards] == ["z", "a"]
    assert numbers[cards[0].children[1].id] == {"children": "✕ failing", "className": "state bad"}


def test_a_large_fleet_shows_sixty_cards_and_says_how_many_more() -> None:
    queries = MemoryQueries([event(f"s{n:03d}", n / 10) for n in range(75)])
    cards = PAGE.numbers(queries, VIEW, NOW_MS)["overview-scrapers"]["children"]
    assert len(cards) == 61
    assert cards[-1].children == "and 15 more scrapers"


def test_the_last_hundred_events_are_listed_newest_first(six: MemoryQueries) -> None:
    content = PAGE.content(six, make_adapter("plotly"), VIEW, NOW_MS)
    body = [row for part in ("newest", "older") for row in content[f"overview-events-{part}"]["data"]["body"]]
    newest = six.events(VIEW.time_range(NOW_MS), Filter(), 100)
    assert len(body) == 100
    assert [row[1] for row in body] == [one.source for one in newest]
    assert sorted((row[0] for row in body), reverse=True) == [row[0] for row in body]


def test_a_scraper_card_is_few_components() -> None:
    # Sixty of them may move ten times a second.
    cards = PAGE.numbers(fleet(["a"], hours=0.3), VIEW, NOW_MS)["overview-scrapers"]["children"]
    assert len(list(components_of(cards))) <= 8


def test_new_metrics_change_texts_but_no_structure(six: MemoryQueries) -> None:
    before = plain(PAGE.numbers(six, VIEW, NOW_MS))
    after = plain(PAGE.numbers(MemoryQueries([*six.all, event("cnbc", 0, duration_ms=9e4)], six.runs), VIEW, NOW_MS))
    assert before.keys() == after.keys()
    changed = {id for id in before if before[id] != after[id]}
    assert "overview-scrapers" not in changed
    assert {id.rpartition("-")[2] for id in changed if id.startswith("overview-scrapers-")} == {"facts"}


def test_a_new_scraper_names_every_card_anew_so_that_all_texts_are_sent(six: MemoryQueries) -> None:
    before = PAGE.numbers(six, VIEW, NOW_MS)
    after = PAGE.numbers(MemoryQueries([*six.all, event("new", 1)], six.runs), VIEW, NOW_MS)
    cards = {id for id in before if id.startswith("overview-scrapers-")}
    assert cards
    assert not cards & set(after)


def test_what_a_live_update_may_send_ten_times_a_second_is_small(six: MemoryQueries) -> None:
    numbers = PAGE.numbers(six, VIEW, NOW_MS)
    # Buttons beside rows are sent when there are more or fewer rows than before.
    del numbers["overview-scrapers"], numbers["overview-events-newest"], numbers["overview-events-newest-rows"]
    assert len(json.dumps(numbers)) < 16_000


def test_charts_come_before_sparklines_because_they_are_sent_in_this_order(six: MemoryQueries) -> None:
    ids = list(PAGE.charts(six, make_adapter("plotly"), VIEW, NOW_MS))
    assert ids.index("overview-success") < ids.index("overview-navigations-spark")


def test_the_totals_can_be_exported_with_the_period_before(six: MemoryQueries) -> None:
    rows = PAGE.exports["overview-totals"](six, VIEW, NOW_MS)
    assert isinstance(rows, Rows)
    figures = {row[0]: row[1:] for row in rows.rows}
    overview = six.overview(VIEW.time_range(NOW_MS))
    assert figures["items"] == (overview.current.items, overview.previous.items)
    assert figures["success_rate"] == (overview.current.success_rate, overview.previous.success_rate)


def test_exported_events_are_all_of_the_range() -> None:
    queries = fleet(["a"], hours=0.4)
    rows = PAGE.exports["overview-events"](queries, VIEW, NOW_MS)
    assert isinstance(rows, RowStream)
    range = VIEW.time_range(NOW_MS)
    assert isinstance(range, TimeRange)
    assert sum(len(chunk) for chunk in rows.sheet().chunks()) == len(queries.events(range, Filter(), 10_000))


@pytest.mark.parametrize(("compare", "shift_ms"), [("before", 900_000), ("day", 86_400_000), ("week", 604_800_000)])
def test_cards_and_throughput_are_compared_with_the_period_that_the_link_names(compare: str, shift_ms: int) -> None:
    view = View.parse("/", f"?compare={compare}")
    range = view.time_range(NOW_MS)
    earlier = [event("a", (NOW_MS - range.start_ms + shift_ms) / 1_000 - 30)] * 3
    queries = MemoryQueries([event("a", 1), event("a", 2), *earlier])
    content = PAGE.content(queries, make_adapter("plotly"), view, NOW_MS)
    assert "+" not in content["overview-navigations-change"]["children"]
    assert "33" in content["overview-navigations-change"]["children"]  # two are a third less than three
    ghost = content["overview-throughput"]["figure"]["data"][-1]
    assert ghost["line"]["dash"] == "dash"
    assert sum(value for value in ghost["y"] if value) == pytest.approx(3 * 60_000 / range.bucket_ms)
