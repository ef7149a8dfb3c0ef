"""The difference between two contents, applied as a browser applies it, is the new content."""

from __future__ import annotations

from typing import Any

import orjson
from dash import html
from hypothesis import given
from hypothesis import strategies as st

from live.diff import PATCH_KEY, digests, normalise, patch_props
from tests.live.patching import apply_patch

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=30,
)
props = st.dictionaries(st.sampled_from(["children", "figure", "data"]), json_values, min_size=1)


def shown_after(old: dict[str, Any], sent: dict[str, Any]) -> dict[str, Any]:
    return {**old, **{name: apply_patch(old.get(name), value) for name, value in sent.items()}}


@given(props, props)
def test_applying_the_difference_gives_the_new_props(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert shown_after(old, patch_props(old, new)) == {**old, **new}


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=30), st.lists(st.integers(-9, 9), max_size=20))
def test_rows_that_come_at_the_top_or_the_end_are_applied_right(rows: list[int], new: list[int]) -> None:
    for after in ((new + rows)[:30], (rows + new)[-30:], rows + new):
        old = {"data": {"rows": rows}}
        assert shown_after(old, patch_props(old, {"data": {"rows": after}})) == {"data": {"rows": after}}


def test_equal_props_send_nothing() -> None:
    assert patch_props({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == {}


def test_one_changed_value_in_a_big_list_sends_one_operation() -> None:
    old = {"figure": {"data": [{"y": list(range(500))}]}}
    new = {"figure": {"data": [{"y": [*range(499), -1]}]}}
    sent = patch_props(old, new)["figure"]
    assert sent == {
        PATCH_KEY: PATCH_KEY,
        "operations": [{"operation": "Assign", "location": ["data", 0, "y", 499], "params": {"value": -1}}],
    }


def test_a_new_row_on_top_of_a_full_table_costs_two_operations() -> None:
    rows = [["10:32:01", f"source {n}", "ok"] for n in range(100)]
    new = [["10:32:02", "robinhood", "ok"], *rows[:-1]]
    operations = patch_props({"data": {"body": rows}}, {"data": {"body": new}})["data"]["operations"]
    assert [operation["operation"] for operation in operations] == ["Delete", "Prepend"]


def test_a_prop_is_sent_whole_when_that_is_shorter() -> None:
    assert patch_props({"children": [1, 2, 3]}, {"children": [4, 5, 6]}) == {"children": [4, 5, 6]}


def test_components_are_compared_as_the_browser_holds_them() -> None:
    content = normalise({"a": {"children": html.B("x", id="b")}})
    assert content["a"]["children"]["props"] == {"children": "x", "id": "b"}
    assert digests(content) == digests(orjson.loads(orjson.dumps(content)))
    assert digests(content) != digests(normalise({"a": {"children": html.B("y", id="b")}}))
