"""The first page travels with the layout when the request says which it is, and is loaded by the router when not."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from charts import make_adapter
from components import ids
from components.shell import Shown, shell
from components.skeleton import skeleton
from db.errors import DatabaseUnavailable
from tests.pages.memory_queries import MemoryQueries
from tests.pages.tree import components_of
from tests.web.test_troubled_source import WellStore, fails
from web.first_page import FIRST, first_page
from web.router import PageSource, showing

server = Flask(__name__)


@pytest.fixture
def source() -> PageSource:
    return PageSource(MemoryQueries(), make_adapter("plotly"), WellStore(), database="sqlite:///x")  # type: ignore[arg-type]


def asked(source: PageSource, referrer: str | None) -> Shown | None:
    headers = {} if referrer is None else {"Referer": referrer}
    with server.test_request_context("/_dash-layout", base_url="http://board.test", headers=headers):
        return first_page(lambda path, search: showing(source, path, search), lambda: ("cnbc", "shop"))


def found(frame: Any, id: str) -> Any:
    return next(component for component in components_of(frame) if getattr(component, "id", None) == id)


def test_the_layout_holds_the_page_of_the_address_that_asks_for_it(source: PageSource) -> None:
    shown = asked(source, "http://board.test/navigation?from=now-6h&source=cnbc")
    assert shown is not None
    frame = shell("auto", shown)
    assert found(frame, ids.TITLE).children == "Navigation · Scrapeboard"
    assert found(frame, "navigation-body") is not None
    assert found(frame, "nav-navigation").active
    assert found(frame, ids.FILTER_SOURCES).value == ["cnbc"]
    assert found(frame, ids.FILTER_SOURCES).data == ["cnbc", "shop"]
    data = found(frame, ids.VIEW).data
    assert data[FIRST] == ["/navigation", "?from=now-6h&source=cnbc"]
    loaded = source.load("/navigation", "?from=now-6h&source=cnbc")
    assert data["href"] == loaded.view.href()
    # The browser itself says where it is: a wrong guess is put right by the router.
    assert getattr(found(frame, ids.URL), "pathname", None) is None


@pytest.mark.parametrize(
    "referrer", [None, "", "http://elsewhere.test/navigation", "http://board.test:8050/", "nonsense"]
)
def test_without_an_address_of_ours_the_layout_holds_outlines(source: PageSource, referrer: str | None) -> None:
    assert asked(source, referrer) is None
    frame = shell("auto", None)
    assert found(frame, ids.PAGE).children.className == skeleton().className
    assert getattr(found(frame, ids.VIEW), "data", None) is None


def test_a_page_that_needs_more_scripts_is_left_to_the_router(source: PageSource) -> None:
    assert asked(source, "http://board.test/events") is None
    assert asked(source, "http://board.test/events/?from=now-6h") is None


def test_a_page_that_can_not_be_shown_is_left_to_the_router(
    source: PageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source.queries, "overview", fails(ArithmeticError("out of numbers")))
    assert asked(source, "http://board.test/") is None


def test_an_unreachable_database_is_said_at_once(source: PageSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source.queries, "overview", fails(DatabaseUnavailable("sqlite:///x", "gone")))
    shown = asked(source, "http://board.test/")
    assert shown is not None
    assert shown.data is not None
    assert not shown.data["complete"]
    texts = [getattr(component, "children", "") for component in components_of(shown.page)]
    assert "The database can’t be reached" in texts
