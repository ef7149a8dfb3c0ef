"""The filters behind the button: what can be chosen, and that nobody overlooks what is active."""

from __future__ import annotations

import pytest

from components import ids
from components.empty import nothing_in_range
from components.frame import described
from components.more_filters import active, chips_props, more_content, more_filters
from components.view import View
from db.results import FilterChoices
from tests.pages.tree import components_of, find_id, ids_of, texts_of

ALL = (
    "?from=now-6h&source=a&source=b&kind=scrape&result=failed&outcome=blocked&outcome=empty&error=HTTP%20503"
    "&label=env=live&label=env=test&q=stocks&compare=week"
)


def test_every_active_filter_is_a_chip_that_takes_it_away() -> None:
    view = View.parse("/scrapers", ALL)
    found = active(view)
    assert [text for text, _ in found] == [
        "source: a", "source: b", "scrapes only", "failed only", "outcome: blocked", "outcome: empty",
        "error: HTTP 503", "label: env=live", "label: env=test", "URL: stocks",
    ]  # fmt: skip
    for text, without in found:
        assert [other for other, _ in active(without)] == [other for other, _ in found if other != text]
        assert (without.path, without.from_, without.compare) == (view.path, view.from_, view.compare)
    props = chips_props(view)
    assert [chip.href for chip in props["children"]] == [
        *(without.href() for _, without in found), "/scrapers?from=now-6h&compare=week",
    ]  # fmt: skip
    assert props["className"] == "filter-chips"


def test_without_a_filter_there_is_no_row() -> None:
    assert chips_props(View(from_="now-6h", compare="day")) == {"children": [], "className": "filter-chips filter-away"}


def test_many_sources_are_one_chip_and_long_texts_are_cut() -> None:
    view = View(sources=tuple(f"s{n}" for n in range(40)), error="x" * 200)
    (sources, without), (error, _) = active(view)
    assert sources == "40 sources"
    assert without.sources == ()
    assert error == "error: " + "x" * 200
    assert all(len(text) <= 60 for text in texts_of(chips_props(view)["children"]))


@pytest.mark.parametrize(
    ("path", "away"), [("/", False), ("/scheduler", False), ("/navigation", True), ("/scraping", True)]
)
def test_the_type_is_not_asked_for_where_the_tab_decides(path: str, away: bool) -> None:
    view = View.parse(path, "?kind=scrape")
    content = more_content(view, FilterChoices())
    assert ("filter-away" in content[ids.FILTER_KIND_BOX]["className"]) == away
    assert active(view) == [] if away else [("scrapes only", View(path=path))]
    assert (content[ids.FILTER_MORE_LABEL]["children"] == "More filters") == away


def test_the_button_says_how_many_filters_it_hides() -> None:
    label = more_content(View.parse("/", ALL), FilterChoices())[ids.FILTER_MORE_LABEL]["children"]
    assert texts_of(label) == ["More filters", "4"]
    assert (
        more_content(View(q="x", sources=("a",)), FilterChoices())[ids.FILTER_MORE_LABEL]["children"] == "More filters"
    )


def test_what_is_chosen_can_be_chosen_though_no_row_has_it() -> None:
    content = more_content(View.parse("/", ALL), FilterChoices(("empty", "ok"), ("boom",), ("x=y",)))
    assert content[ids.FILTER_OUTCOMES]["data"] == ["blocked", "empty", "ok"]
    assert content[ids.FILTER_ERROR]["data"] == ["HTTP 503", "boom"]
    assert content[ids.FILTER_LABELS]["data"] == ["env=live", "env=test", "x=y"]


def test_the_popover_says_what_the_address_says() -> None:
    popover = more_filters(View.parse("/", ALL))
    assert find_id(popover, ids.FILTER_KIND).value == "scrape"
    assert find_id(popover, ids.FILTER_OUTCOMES).value == ["blocked", "empty"]
    assert find_id(popover, ids.FILTER_ERROR).value == "HTTP 503"
    assert find_id(popover, ids.FILTER_LABELS).value == ["env=live", "env=test"]
    assert len(set(ids_of(popover))) == len(ids_of(popover))
    for control in components_of(popover):
        if getattr(control, "id", None) in (ids.FILTER_OUTCOMES, ids.FILTER_ERROR, ids.FILTER_LABELS):
            assert control.label


def test_range_and_filters_are_said_in_one_line() -> None:
    assert described(View.parse("/", ALL)) == (
        "Last 6 hours · a, b · scrapes only · failed only · outcome blocked or empty · error “HTTP 503” · "
        "label env=live, env=test · URLs with “stocks” · compared with the same time a week ago"
    )
    assert described(View.parse("/navigation", "?kind=scrape")) == "Last 15 minutes"


@pytest.mark.parametrize(
    ("href", "why"),
    [
        ("/?outcome=odd", ""),
        ("/navigation?outcome=odd", "Only scrapes have an outcome."),
        ("/scheduler?label=a=b", "Scheduler runs have no type, outcome, label, URL or scraper’s run."),
        ("/scheduler?error=boom", ""),
    ],
)
def test_an_empty_tab_names_its_filters_and_how_to_clear_them(href: str, why: str) -> None:
    path, _, search = href.partition("?")
    view = View.parse(path, search)
    props = nothing_in_range(view, 1_795_300_325_000)
    texts = texts_of(props["children"])
    assert texts[0] == "Nothing matches these filters"
    assert texts[1] == active(view)[0][0]
    assert why in texts[2]
    assert "have" in texts[2] or not why
    links = (one.href for one in components_of(props["children"]) if getattr(one, "href", None))
    assert next(links) == path
