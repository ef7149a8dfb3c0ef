"""The filter bar: one touched control changes one thing of the address, and the address sets the controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dash import no_update

from components import ids
from components.filters import Answer, Controls, _outputs, answer, custom_errors, filter_content, filters
from components.view import View
from tests.pages.tree import components_of, find_id, ids_of

NOW_MS = 1_795_343_525_678  # 2026-11-22 10:32:05.678 UTC
SAID = Controls("now-15m", "now-15m", "now", (), "all", "", True)


def after(touched: str, view: View = View(), **controls: Any) -> Answer:
    return answer(view, touched, replace(SAID, **controls), NOW_MS)


@pytest.mark.parametrize(
    ("touched", "controls", "href"),
    [
        (ids.FILTER_RANGE, {"range": "now-6h"}, "/?from=now-6h"),
        (ids.FILTER_APPLY, {"from_": "now-2h", "to": "now-1h"}, "/?from=now-2h&to=now-1h"),
        (ids.FILTER_FROM, {"from_": " now/d "}, "/?from=now/d"),
        (ids.FILTER_TO, {"from_": "2026-11-22", "to": "2026-11-22T10:30"}, "/?from=2026-11-22&to=2026-11-22T10:30"),
        (ids.FILTER_APPLY, {"from_": "", "to": ""}, "/"),
        (ids.FILTER_SOURCES, {"sources": ("z", "a")}, "/?source=a&source=z"),
        (ids.FILTER_RESULT, {"result": "failed"}, "/?result=failed"),
        (ids.FILTER_Q, {"q": " stocks "}, "/?q=stocks"),
        (ids.FILTER_Q, {"q": "\ud800x\x00"}, "/?q=%3Fx"),
        (ids.FILTER_LIVE, {"live": False}, "/?live=0"),
        (ids.FILTER_RANGE, {"range": "custom"}, "/"),
        ("something-else", {"q": "x"}, "/"),
    ],
)  # fmt: skip
def test_a_touched_control_changes_its_part_of_the_address(touched: str, controls: dict[str, Any], href: str) -> None:
    told = after(touched, **controls)
    assert told.view.href() == href
    assert (told.from_error, told.to_error) == ("", "")


def test_the_other_controls_may_lag_behind_and_are_left_alone() -> None:
    view = View.parse("/scraping", "?from=now-6h&source=cnbc&q=a&live=0")
    assert after(ids.FILTER_RESULT, view, result="ok").view == replace(view, result="ok")


@pytest.mark.parametrize(
    ("from_", "to", "from_says", "to_says"),
    [
        ("banana", "now", "“banana” is no time", ""),
        ("now-1h", "banana", "", "“banana” is no time"),
        ("now", "now-1h", "", "ends before it starts"),
        ("2010-01-01", "now", "", "longer than ten years"),
        ("x", "y", "“x” is no time", "“y” is no time"),
    ],
)
def test_a_wrong_custom_range_keeps_the_view_and_is_told_at_its_field(
    from_: str, to: str, from_says: str, to_says: str
) -> None:
    told = after(ids.FILTER_APPLY, View(from_="now-6h"), from_=from_, to=to)
    assert told.view == View(from_="now-6h")
    assert from_says in told.from_error
    assert to_says in told.to_error
    assert bool(told.from_error) == bool(from_says)
    assert bool(told.to_error) == bool(to_says)
    assert custom_errors(from_, to, NOW_MS) == (told.from_error, told.to_error)


OUTPUTS = (
    "search", "range", "from_", "to", "from_error", "to_error", "sources", "names", "result", "q", "live", "label",
    "opened",
)  # fmt: skip


def sent(view: View, told: Answer, touched: str, said: Controls = SAID) -> dict[str, Any]:
    values = dict(zip(OUTPUTS, _outputs(view, told, touched, said, ["a"]), strict=True))
    return {name: value for name, value in values.items() if value is not no_update}


def test_a_new_address_sets_the_controls_that_say_something_else() -> None:
    view = View.parse("/", "?from=now-2h&source=cnbc&result=failed&q=x&live=0")
    assert sent(view, Answer(view), ids.URL) == {
        "range": "custom", "from_": "now-2h", "from_error": None, "to_error": None, "sources": ["cnbc"], "names": ["a"],
        "result": "failed", "q": "x", "live": False, "label": "now-2h to now",
    }  # fmt: skip


def test_the_search_field_is_left_alone_while_one_types_in_it() -> None:
    said = replace(SAID, q="abc")
    told = answer(View(), ids.FILTER_Q, said, NOW_MS)
    assert sent(View(), told, ids.FILTER_Q, said) == {
        "search": "?q=abc", "from_error": None, "to_error": None, "names": ["a"], "label": "Last 15 minutes"
    }  # fmt: skip


def test_a_chosen_range_closes_the_picker_and_fills_its_fields() -> None:
    said = replace(SAID, range="now-6h")
    shown = sent(View(), answer(View(), ids.FILTER_RANGE, said, NOW_MS), ids.FILTER_RANGE, said)
    assert shown["search"] == "?from=now-6h"
    assert shown["from_"] == "now-6h"
    assert shown["label"] == "Last 6 hours"
    assert shown["opened"] is False


def test_choosing_custom_keeps_the_picker_open_to_write() -> None:
    said = replace(SAID, range="custom")
    shown = sent(View(), answer(View(), ids.FILTER_RANGE, said, NOW_MS), ids.FILTER_RANGE, said)
    assert not {"search", "range", "opened"} & set(shown)


def test_a_wrong_custom_range_stays_as_written_beside_its_error() -> None:
    said = replace(SAID, from_="banana")
    shown = sent(View(), answer(View(), ids.FILTER_APPLY, said, NOW_MS), ids.FILTER_APPLY, said)
    assert "banana" in shown["from_error"]
    assert not {"search", "from_", "to", "opened"} & set(shown)


def test_the_bar_says_what_the_address_says() -> None:
    bar = filters(View.parse("/", "?from=now-6h&source=gone&result=ok&q=x&live=0"), ["cnbc"])
    assert find_id(bar, ids.FILTER_RANGE).value == "now-6h"
    assert find_id(bar, ids.FILTER_SOURCES).value == ["gone"]
    assert find_id(bar, ids.FILTER_SOURCES).data == ["cnbc", "gone"]
    assert find_id(bar, ids.FILTER_RESULT).value == "ok"
    assert find_id(bar, ids.FILTER_Q).value == "x"
    assert find_id(bar, ids.FILTER_LIVE).checked is False
    assert find_id(bar, ids.FILTER_RANGE_LABEL).children == "Last 6 hours"
    assert len(set(ids_of(bar))) == len(ids_of(bar))


def test_every_control_has_a_name_for_screen_readers() -> None:
    for control in components_of(filters(View(), [])):
        if getattr(control, "id", None) in (ids.FILTER_SOURCES, ids.FILTER_RESULT, ids.FILTER_Q, ids.FILTER_RANGE):
            assert getattr(control, "aria-label")


def test_new_sources_are_offered_by_one_prop() -> None:
    assert filter_content(["b", "a", "b"], View()) == {ids.FILTER_SOURCES: {"data": ["a", "b"]}}
