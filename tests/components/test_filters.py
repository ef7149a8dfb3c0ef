"""The filter bar: one touched control changes one thing of the address, and the address sets the controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from dash import no_update

from components import ids
from components.controls import Answer, Controls, answer, custom_errors
from components.filters import _controls, filter_content, filters, outputs
from components.view import View
from db.results import FilterChoices
from tests.pages.tree import components_of, find_id, ids_of

NOW_MS = 1_795_343_525_678  # 2026-11-22 10:32:05.678 UTC
SAID = Controls("now-15m", "now-15m", "now")
CHOICES = FilterChoices(("blocked", "ok"), ("HTTP 503",), ("env=live",))


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
        (ids.FILTER_KIND, {"kind": "scrape"}, "/?kind=scrape"),
        (ids.FILTER_OUTCOMES, {"outcomes": ("ok", "blocked")}, "/?outcome=blocked&outcome=ok"),
        (ids.FILTER_ERROR, {"error": "timeout after <n> ms"}, "/?error=timeout%20after%20%3Cn%3E%20ms"),
        (ids.FILTER_LABELS, {"labels": ("env=live", "a=b=c")}, "/?label=a%3Db%3Dc&label=env%3Dlive"),
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


def test_a_label_that_is_none_is_told_at_its_field_and_the_others_count() -> None:
    told = after(ids.FILTER_LABELS, labels=("env=live", "banana"))
    assert told.view.href() == "/?label=env%3Dlive"
    assert told.view.problems == ()
    assert told.labels_error == "“banana” is no label: write key=value."


# What the bar says besides the values of its controls.
ALWAYS = (
    "source_names", "outcome_names", "error_names", "label_names", "kind_class", "more", "chips", "chips_class",
    "problems", "problems_class",
)  # fmt: skip


def sent(view: View, told: Answer, touched: str, said: Controls = SAID) -> dict[str, Any]:
    values = outputs(view, told, touched, said, ["a"], CHOICES if touched == ids.URL else None)
    return {name: value for name, value in values.items() if value not in (no_update, None) and name not in ALWAYS}


def test_a_new_address_sets_the_controls_that_say_something_else() -> None:
    view = View.parse("/", "?from=now-2h&source=cnbc&result=failed&q=x&live=0")
    assert sent(view, Answer(view), ids.URL) == {
        "range": "custom", "from_": "now-2h", "sources": ["cnbc"], "result": "failed", "q": "x", "live": False,
        "range_label": "now-2h to now",
    }  # fmt: skip


def test_the_search_field_is_left_alone_while_one_types_in_it() -> None:
    said = replace(SAID, q="abc")
    told = answer(View(), ids.FILTER_Q, said, NOW_MS)
    assert sent(View(), told, ids.FILTER_Q, said) == {
        "search": "?q=abc", "range_label": "Last 15 minutes"
    }  # fmt: skip


def test_a_chosen_range_closes_the_picker_and_fills_its_fields() -> None:
    said = replace(SAID, range="now-6h")
    shown = sent(View(), answer(View(), ids.FILTER_RANGE, said, NOW_MS), ids.FILTER_RANGE, said)
    assert shown["search"] == "?from=now-6h"
    assert shown["from_"] == "now-6h"
    assert shown["range_label"] == "Last 6 hours"
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


def test_the_other_filters_follow_the_address_too() -> None:
    view = View.parse("/", "?kind=scrape&outcome=blocked&outcome=odd&error=HTTP%20503&label=env=test")
    assert sent(view, Answer(view), ids.URL) == {
        "kind": "scrape", "outcomes": ["blocked", "odd"], "error": "HTTP 503", "labels": ["env=test"],
        "range_label": "Last 15 minutes",
    }  # fmt: skip
    values = outputs(view, Answer(view), ids.URL, SAID, ["a"], CHOICES)
    assert values["outcome_names"] == ["blocked", "odd", "ok"]
    assert values["error_names"] == ["HTTP 503"]
    assert values["label_names"] == ["env=live", "env=test"]


def test_what_can_be_chosen_is_left_alone_while_one_types() -> None:
    values = outputs(View(), after(ids.FILTER_Q, q="x"), ids.FILTER_Q, replace(SAID, q="x"), [], None)
    assert [values[name] for name in ("outcome_names", "error_names", "label_names")] == [no_update] * 3


def test_what_is_wrong_with_an_address_is_told_in_the_bar() -> None:
    view = View.parse("/", "?kind=banana&label=x&outcome=<script>alert(1)</script>")
    values = outputs(view, Answer(view), ids.URL, SAID, [], CHOICES)
    assert "“banana” is no type" in values["problems"]
    assert "“x” is no label" in values["problems"]
    assert "An outcome has at most 20 characters" in values["problems"]
    assert values["problems_class"] == "banner banner-warn"
    assert values["search"] is no_update
    fine = outputs(View(), Answer(View()), ids.URL, SAID, [], CHOICES)
    assert (fine["problems"], fine["problems_class"]) == ("", "banner banner-away")


def test_a_cleared_control_says_nothing() -> None:
    said = {"range": None, "from_": None, "to": "now", "sources": None, "outcomes": ["ok"], "error": None, "live": True}
    assert _controls(said) == Controls(to="now", outcomes=("ok",))
