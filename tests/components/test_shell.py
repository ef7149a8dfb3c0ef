"""The frame: everything that others address is there once, and links keep what was chosen."""

from __future__ import annotations

from dash import dcc

from components import ids
from components.empty import FIRST_LINES, around
from components.nav import TABS, nav
from components.shell import shell
from components.view import View
from tests.pages.tree import components_of, find_id, ids_of


def test_every_id_that_others_address_is_in_the_frame_once() -> None:
    there = ids_of(shell())
    wanted = {value for name, value in vars(ids).items() if name.isupper()}
    assert wanted <= set(there)
    assert len(there) == len(set(there))


def test_the_location_loads_pages_without_reloading() -> None:
    url = find_id(shell(), ids.URL)
    assert isinstance(url, dcc.Location)
    assert url.refresh == "callback-nav"


def test_the_six_tabs_keep_range_and_filters() -> None:
    links = [
        link for link in components_of(nav(View.parse("/scraping", "?from=now-6h&live=0"))) if hasattr(link, "href")
    ]
    assert [link.label for link in links] == [tab.title for tab in TABS]
    assert [link.href for link in links] == [f"{tab.path}?from=now-6h&live=0" for tab in TABS]


def test_the_open_tab_is_marked_also_for_screen_readers() -> None:
    def marked(path: str) -> list[str]:
        links = [link for link in components_of(nav(View(path))) if getattr(link, "active", False)]
        assert all(getattr(link, "aria-current") == "page" for link in links)
        return [link.label for link in links]

    assert marked("/") == ["Overview"]
    assert marked("/scrapers") == marked("/scrapers/cnbc") == ["Scrapers"]
    assert marked("/nope") == []


def test_the_first_lines_are_five_lines_of_python() -> None:
    compile(FIRST_LINES, "first lines", "exec")
    assert len(FIRST_LINES.splitlines()) == 5


def test_jumping_to_a_moment_shows_the_hour_that_ends_with_it() -> None:
    moment_ms = 1_795_343_525_678
    range = around(View(q="x"), moment_ms).time_range(moment_ms + 10**9)
    assert range.start_ms <= moment_ms < range.end_ms
    assert around(View(q="x"), moment_ms).q == "x"
