"""Rows of tables lead to what they are about: with the page's range, and nothing that a browser could slip in."""

from __future__ import annotations

from typing import Any

import pytest
from dash import html

from components.content import Content
from components.row_leads import ROW, lead_href, lead_of, lead_text, led, rows_content
from components.tables import Column, table_props
from components.trouble import table_part
from components.view import View

DATA = {"leads": ["/events/p%3A1", "/events?run=r1"]}
PAGE = View.parse("/scrapers", "?from=now-6h&result=failed&metric=mean&live=0")


def test_a_row_keeps_the_pages_range_and_adds_what_it_is_about() -> None:
    event = lead_text("/events/p%3A1")
    assert lead_href(event, PAGE) == "/events/p%3A1?from=now-6h&result=failed&live=0"
    run = lead_text("/events", sources=("cn bc",), run="night 1")
    assert lead_href(run, PAGE) == "/events?from=now-6h&source=cn%20bc&result=failed&run=night%201&live=0"
    page = lead_text("/events", sources=("a",), kind="scrape", url="https://a.test/?q=1&x=%20")
    view = View.parse(*lead_href(page, PAGE).split("?", 1))
    assert (view.url, view.kind, view.sources) == ("https://a.test/?q=1&x=%20", "scrape", ("a",))


def test_what_a_browser_tells_is_read_with_care() -> None:
    assert lead_of(DATA, 1) == "/events?run=r1"
    for data, row in ((DATA, 2), (DATA, -1), (DATA, "0"), (DATA, None), (None, 0), ([], 0), ({"leads": "x"}, 0)):
        assert lead_of(data, row) == ""
    assert lead_of({"leads": [{"x": 1}]}, 0) == ""


@pytest.mark.parametrize(
    "lead", ["https://evil.test/x", "//evil.test/x", "javascript:alert(1)", "\\\\evil.test", "/a\n/b"]
)
def test_a_row_never_leads_out_of_the_board(lead: str) -> None:
    path = lead_href(lead, PAGE).partition("?")[0]
    assert path.startswith("/")
    assert not path.startswith("//")
    assert "\n" not in path


def buttons(content: Content, id: str) -> list[Any]:
    found: list[Any] = content[f"{id}-rows"]["children"]
    return found


def test_each_row_has_a_button_that_says_which_it_is() -> None:
    props = table_props([Column("Run")], [["r1"], ["r2"]], ["/events?run=r1", "/events?run=r2"])
    content = rows_content("runs", props)
    assert [button.id for button in buttons(content, "runs")] == [
        {"type": ROW, "table": "runs", "row": row} for row in (0, 1)
    ]
    assert getattr(buttons(content, "runs")[1], "aria-label") == "Open row 2"
    assert props["data"]["leads"] == ["/events?run=r1", "/events?run=r2"]
    box = led("runs", html.Table(), content)
    assert [getattr(part, "id", None) for part in box.children] == [None, "runs-rows", "runs-lead"]
    assert len(box.children[1].children) == 2


def test_a_table_that_leads_nowhere_has_no_buttons() -> None:
    assert rows_content("plain", table_props([Column("Run")], [["r1"]])) == {}
    assert set(table_part("plain", lambda: table_props([Column("Run")], [["r1"]]))) == {"plain"}


def test_rows_that_move_leave_their_buttons_alone() -> None:
    first = table_part("runs", lambda: table_props([Column("Run")], [["r1"]], ["/events?run=r1"]))
    later = table_part("runs", lambda: table_props([Column("Run")], [["r2"]], ["/events?run=r2"]))
    assert first["runs"] != later["runs"]
    assert [button.to_plotly_json() for button in buttons(first, "runs")] == [
        button.to_plotly_json() for button in buttons(later, "runs")
    ]
