"""Trouble: one part that fails is told in its place, noted, and nothing else notices."""

from __future__ import annotations

import logging

import pytest

from charts import make_adapter
from charts.info import BarInfo, ChartInfo
from components.chart_card import chart_card, chart_content
from components.trouble import Troubles, has_rows, noting, reason_of, table_part
from components.view import View
from db.errors import DatabaseUnavailable
from tests.pages.tree import find_id


def broken() -> ChartInfo:
    raise ZeroDivisionError("division by zero\nand more that nobody should read")


def unavailable() -> ChartInfo:
    raise DatabaseUnavailable("sqlite:///x", "gone")


@pytest.mark.parametrize("name", ["plotly", "altair"])
def test_a_chart_that_fails_says_so_in_its_place_and_keeps_its_shape(name: str) -> None:
    adapter = make_adapter(name)
    good = chart_content("tab-x", adapter, lambda: BarInfo("X", "x.", ("a",), (1,)))
    with noting(lambda *_: None):
        bad = chart_content("tab-x", adapter, broken)
    assert {id: sorted(props) for id, props in bad.items()} == {id: sorted(props) for id, props in good.items()}
    assert good["tab-x-note"]["className"].endswith("chart-note-away")
    note = find_id(chart_card("tab-x", View(), bad), "tab-x-note")
    assert note.className == "chart-note chart-note-bad"
    assert [part.children for part in note.children] == [
        "✕ This chart couldn’t be drawn",
        "ZeroDivisionError: division by zero The rest of the page goes on.",
    ]


def test_a_chart_without_values_says_so_instead_of_an_empty_axis() -> None:
    content = chart_content("tab-x", make_adapter("plotly"), BarInfo("X", "x.", ("a",), (None,)))
    assert content["tab-x-note"]["className"] == "chart-note"
    assert content["tab-x-note"]["children"][0].children == "No data in this range"


def test_a_table_that_fails_is_one_line() -> None:
    with noting(lambda *_: None):
        content = table_part("tab-rows", lambda: {"data": {"body": [[1 / 0]]}})
    (row,) = content["tab-rows"]["data"]["body"]
    assert row == ["✕ This table couldn’t be computed. ZeroDivisionError: division by zero"]
    assert has_rows(content)
    assert not has_rows(table_part("tab-rows", lambda: {"data": {"head": ["a"], "body": []}}))


def test_an_unreachable_database_is_nobody_s_trouble_alone() -> None:
    with pytest.raises(DatabaseUnavailable):
        chart_content("tab-x", make_adapter("plotly"), unavailable)


def test_troubles_are_counted_each_time_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    with caplog.at_level(logging.ERROR), noting(troubles.note):
        for _ in range(3):
            chart_content("tab-x", make_adapter("plotly"), broken)
    assert troubles.stats() == {"partsFailed": 3, "failedParts": {"tab-x": 3}}
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "tab-x" in record.getMessage()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (ValueError("a\nb"), "ValueError: a"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 999), "ValueError: " + "x" * 127 + "…"),
    ],
)
def test_a_reason_is_one_short_line(trouble: Exception, said: str) -> None:
    assert reason_of(trouble) == said
