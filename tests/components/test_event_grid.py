"""The grid of events: which list it names, and what a browser may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from components.event_grid import MOST_ROWS, asked_rows, grid_id, grid_rows, list_of
from components.view import View
from db.results import Anchor, Event, EventList, TimeRange

SPAN = TimeRange(1_795_348_800_000, 1_795_352_400_000, 60_000)
VIEW = View.parse("/events", "?from=now-1h&source=a%26b&result=failed&q=%3Cscript%3E")


def test_the_id_of_a_grid_says_all_of_its_list() -> None:
    view, events = list_of(grid_id(VIEW, SPAN, Anchor(7, 8)))
    assert view == VIEW
    assert events == EventList(SPAN, VIEW.filter, Anchor(7, 8))


@pytest.mark.parametrize(
    "id",
    [
        None, 7, "x", [], {}, {"href": "/events"}, {"href": 1, "list": "1-2-1-0-0"}, {"href": "/events", "list": 5},
        *({"href": "/events", "list": text} for text in (
            "", "1-2-3", "1-2-3-4-5-6", "a-b-c-d-e", "5-1-1-0-0", "0-100-0-0-0", "0-999999999999999999-1-0-0",
            "0-1000000-1-0-0", "-1-2-3-4-5", "1-2-1-0-99999999999999999999", "١-2-1-0-0",
        )),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_id_of_a_grid_is_refused(id: Any) -> None:
    with pytest.raises(ValueError, match=r"grid|anchor"):
        list_of(id)


@pytest.mark.parametrize(
    ("request_", "rows"),
    [
        ({"startRow": 100, "endRow": 200, "sortModel": []}, (100, 100)),
        ({"startRow": 0, "endRow": 10**12}, (0, MOST_ROWS)),
        ({"startRow": -50, "endRow": 50}, (0, 50)),
        ({"startRow": 10**30, "endRow": 10**30 + 5}, (1 << 31, MOST_ROWS)),
        ({"startRow": 200, "endRow": 100}, (200, 0)),
        *((request, (0, 0)) for request in (None, 7, "x", [], {}, {"startRow": "1", "endRow": "2"},
          {"startRow": 1.5, "endRow": 2}, {"startRow": True, "endRow": 5}, {"startRow": 1}, {"endRow": [1]})),
    ],
    ids=str,
)  # fmt: skip
def test_whatever_a_request_asks_for_is_bounded(request_: Any, rows: tuple[int, int]) -> None:
    assert asked_rows(request_) == rows


def test_a_row_is_plain_texts() -> None:
    event = Event("p:5", "scrape", "cnbc", "javascript:alert(1)", 1234.5, 0, None, False, "a\nb", None, "blocked", 1)
    assert grid_rows([event]) == [
        {
            "id": "p:5", "time": "01 Jan 1970 00:00:00.001", "source": "cnbc", "kind": "scrape", "status": "✕ blocked",
            "duration": "1.23\xa0s", "items": "0", "page": "javascript:alert(1)", "error": "a b",
        }
    ]  # fmt: skip
