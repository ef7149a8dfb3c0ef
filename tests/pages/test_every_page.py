"""What must be true of every page, whatever its data and its address."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import plotly.utils
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charts import make_adapter
from charts.base import ChartAdapter
from charts.info import ChartInfo
from components.content import Content
from components.nav import TABS
from components.view import View
from pages import NOT_FOUND, PAGES, find
from pages.page import Page, Rows, RowStream
from tests.pages.conftest import FLEETS
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.tree import components_of, ids_of

HOSTILE = (
    "",
    "?from=banana&source=nope",
    "?from=now&to=now-6h",
    "?from=2016-12-01&to=2026-11-22",
    "?source=%3Cscript%3Ealert(1)%3C/script%3E&q=%27%22%3E%3Cb%3E",
    "?source=" + "%F0%9F%A6%8A" * 50,
    "?result=failed&from=now-5m&live=0",
    "?from=2026-11-21T22:20&to=2026-11-21T22:20:05",
    "?q=" + "x" * 4_000,
)


def path_of(page: Page) -> str:
    return page.path + {"/scrapers/": "robinhood", "/events/": "p%3A0"}.get(page.path, "")


def plain(tree: Any) -> Any:
    return json.loads(json.dumps(tree, cls=plotly.utils.PlotlyJSONEncoder))


def after_updates(tree: Any, content: Content) -> Any:
    """Return what the browser shows once every component inside has got its own live props, too."""
    if isinstance(tree, list):
        return [after_updates(item, content) for item in tree]
    if isinstance(tree, dict):
        tree = {name: after_updates(value, content) for name, value in tree.items()}
        own = tree.get("props", {}).get("id")
        if isinstance(own, str) and own in content:  # a pattern is no live component's
            return {**tree, "props": {**tree["props"], **plain(content[own])}}
    return tree


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Page:
    page: Page = request.param
    return page


def content_of(page: Page, queries: MemoryQueries, adapter: ChartAdapter, search: str = "") -> tuple[View, Content]:
    view = View.parse(path_of(page), search)
    return view, page.content(queries, adapter, view, NOW_MS)


def test_every_live_component_is_on_the_page_once(page: Page, any_fleet: MemoryQueries, adapter: ChartAdapter) -> None:
    view, content = content_of(page, any_fleet, adapter)
    there = Counter(ids_of(page.layout(view, content)))
    assert set(content) <= set(there)
    assert max(there.values()) == 1


def test_every_live_component_shows_exactly_its_content(
    page: Page, any_fleet: MemoryQueries, adapter: ChartAdapter
) -> None:
    view, content = content_of(page, any_fleet, adapter)
    there = {
        str(component.id): component
        for component in components_of(page.layout(view, content))
        if hasattr(component, "id")
    }
    for id, props in content.items():
        for name, value in props.items():
            assert plain(getattr(there[id], name, None)) == after_updates(plain(value), content), (id, name)


def test_numbers_and_charts_never_write_the_same_component(
    page: Page, any_fleet: MemoryQueries, adapter: ChartAdapter
) -> None:
    view = View.parse(path_of(page), "")
    numbers = page.numbers(any_fleet, view, NOW_MS)
    assert not set(numbers) & set(page.charts(any_fleet, adapter, view, NOW_MS))
    assert all(id.startswith(f"{page.name}-") for id in content_of(page, any_fleet, adapter)[1])


def test_the_same_ids_and_props_come_whatever_the_data_so_that_a_difference_can_be_sent(page: Page) -> None:
    adapter = make_adapter("plotly")
    shapes = {
        name: {id: sorted(props) for id, props in content_of(page, queries, adapter)[1].items()}
        for name, queries in FLEETS.items()
    }
    # A fleet's cards are named after the arrangement: a new one's are all new to the browser.
    shapes = {
        name: {id: props for id, props in shape.items() if not id.startswith("overview-scrapers-")}
        for name, shape in shapes.items()
    }
    for name, shape in shapes.items():
        assert shape.keys() == shapes["sixty"].keys(), name
    assert {id: props for id, props in shapes["one"].items() if not id.endswith("-change")} == {
        id: props for id, props in shapes["sixty"].items() if not id.endswith("-change")
    }


def test_a_page_is_the_same_for_the_same_moment_and_within_a_bucket(page: Page, six: MemoryQueries) -> None:
    adapter = make_adapter("plotly")
    view = View.parse(path_of(page), "")
    end_ms = view.time_range(NOW_MS).end_ms
    first = plain(page.content(six, adapter, view, end_ms - 10_000))
    assert plain(page.content(six, adapter, view, end_ms - 10_000)) == first
    assert plain(page.content(six, adapter, view, end_ms - 1)) == first


@pytest.mark.parametrize("search", HOSTILE)
def test_no_address_breaks_a_page(page: Page, search: str, six: MemoryQueries) -> None:
    view, content = content_of(page, six, make_adapter("plotly"), search)
    assert plain(page.layout(view, content))
    notice = content[f"{page.name}-notice"]
    assert bool(notice["children"]) == bool(view.problems_at(NOW_MS))


@settings(max_examples=20)
@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_in_an_address_breaks_any_page(pathname: str, search: str) -> None:
    adapter = make_adapter("plotly")
    view = View.parse(f"/scrapers/{pathname}", f"?q={search}&source={search}&from={search}")
    for page in PAGES:
        content = page.content(FLEETS["one"], adapter, view, NOW_MS)
        assert plain(page.layout(view, content))


def test_every_export_answers_for_every_fleet(page: Page, any_fleet: MemoryQueries) -> None:
    assert page.exports
    for name, export in page.exports.items():
        assert name.startswith(f"{page.name}-")
        answer = export(any_fleet, View.parse(path_of(page), ""), NOW_MS)
        assert isinstance(answer, (ChartInfo, Rows, RowStream))
        if isinstance(answer, (Rows, RowStream)):
            sheet = answer.sheet()
            for row in (row for rows in sheet.chunks() for row in rows):
                assert len(row) == len(sheet.fields)
                for field, cell in zip(sheet.fields, row, strict=True):
                    looks_like_a_moment = isinstance(cell, int) and cell > 10**12
                    assert cell is None or looks_like_a_moment == (field.kind == "time"), (name, field)


def test_every_chart_can_be_exported_under_its_id_and_is_what_the_export_draws(
    page: Page, any_fleet: MemoryQueries, adapter: ChartAdapter
) -> None:
    view = View.parse(path_of(page), "")
    drawn = page.charts(any_fleet, adapter, view, NOW_MS)
    charts = [id for id, props in drawn.items() if "figure" in props or "spec" in props]
    assert charts
    for id in charts:
        info = page.exports[id](any_fleet, view, NOW_MS)
        assert isinstance(info, ChartInfo)
        for name, value in adapter.props(adapter.draw(info)).items():
            assert plain(drawn[id][name]) == plain(value)


def test_every_chart_is_described_for_screen_readers(page: Page, six: MemoryQueries, adapter: ChartAdapter) -> None:
    view, content = content_of(page, six, adapter)
    for id, export in page.exports.items():
        if id in content and isinstance(info := export(six, view, NOW_MS), ChartInfo):
            assert content[f"{id}-words"]["children"] == info.description
            assert info.description.endswith(".")


def test_export_links_carry_the_query_string(page: Page, six: MemoryQueries) -> None:
    view, content = content_of(page, six, make_adapter("plotly"), "?from=now-6h&source=cnbc")
    links = [getattr(one, "href", "") or "" for one in components_of(page.layout(view, content))]
    exports = [link for link in links if link.startswith("/api/export/")]
    assert exports
    for link in exports:
        name, _, rest = link.removeprefix("/api/export/").partition(".")
        assert name in page.exports or (name == "report" and f"page={view.path}" in rest)
        assert rest.partition("?")[2].startswith("from=now-6h&source=cnbc")


def test_a_fresh_installation_is_told_what_to_do(page: Page, adapter: ChartAdapter) -> None:
    view, content = content_of(page, MemoryQueries(), adapter)
    assert "record_page_navigation(" in json.dumps(plain(content[f"{page.name}-empty"]))
    away = "page-body" if page.name == "alerts" else "page-body page-body-away"  # rules are made before metrics come
    assert content[f"{page.name}-body"]["className"] == away
    assert plain(page.layout(view, content))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ("alerts", "event")], ids=lambda page: page.name
)
def test_a_range_without_data_leads_to_the_last_data(page: Page, six: MemoryQueries) -> None:
    _, content = content_of(page, six, make_adapter("plotly"), "?from=2026-01-01&to=2026-01-02&q=stocks")
    said = json.dumps(plain(content[f"{page.name}-empty"]))
    assert re.search(r"Last data: [0-9]+.{1,6}(s|min) ago, 21 Nov 2026 22:32 UTC", said)
    assert "Clear the filters" in said
    assert "Jump to the last data" in said


def test_every_tab_has_its_page_and_every_path_its_own() -> None:
    assert [page.path for page in PAGES if page.name in {tab.name for tab in TABS}] == [tab.path for tab in TABS]
    assert {find(tab.path).name for tab in TABS} == {tab.name for tab in TABS}
    assert find("/scrapers/cnbc").name == "scraper"
    assert find("/scrapers/a%2Fb").name == "scraper"


@pytest.mark.parametrize("path", ["/nope", "/scrapers/", "/scrapers/a/b", "/overview", "//", ""])
def test_what_leads_nowhere_says_so(path: str) -> None:
    page = find(path)
    assert page is NOT_FOUND
    view = View.parse(path, "?from=now-6h")
    assert "There is no such page" in json.dumps(plain(page.layout(view, {})))
    assert "/?from=now-6h" in json.dumps(plain(page.layout(view, {})))
