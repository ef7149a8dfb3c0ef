"""What a browser says of which charts it sees is taken for what it is, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest

from components.sight import SEEN, UNSEEN, sight_id
from live.sight import Glance
from web.sight import glances


def test_the_last_event_of_each_layer_says_what_is_seen() -> None:
    told = [
        {"id": sight_id("one"), "property": "event", "value": {"animationName": SEEN, "timeStamp": 12.5}},
        {"id": sight_id("two"), "property": "event", "value": {"animationName": UNSEEN, "timeStamp": 13}},
        {"id": sight_id("three"), "property": "event"},
    ]
    assert glances(told) == {"one": Glance(12.5, seen=True), "two": Glance(13, seen=False)}


@pytest.mark.parametrize(
    "event",
    [
        None,
        "seen",
        [],
        {"animationName": "spin", "timeStamp": 1},
        {"animationName": UNSEEN},
        {"animationName": UNSEEN, "timeStamp": "1"},
        {"animationName": UNSEEN, "timeStamp": float("nan")},
        {"animationName": [UNSEEN], "timeStamp": 1},
    ],
)
def test_what_makes_no_sense_hides_no_chart(event: Any) -> None:
    assert glances([{"id": sight_id("one"), "value": event}]) == {}


def test_a_layer_of_no_chart_hides_none() -> None:
    assert glances([{"id": {"type": "sight", "chart": 7}, "value": {"animationName": UNSEEN, "timeStamp": 1}}]) == {}
