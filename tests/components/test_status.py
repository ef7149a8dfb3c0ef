"""The live pill and the database banner: what is sent, and that the stylesheet keeps its side of the bargain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.status import beat_props, database_banner, live_pill, pill_props

CSS = (Path(__file__).parents[2] / "assets" / "pill.css").read_text(encoding="utf-8")


def test_heartbeats_take_turns_and_send_nothing_but_a_class() -> None:
    assert beat_props(2) == {"className": "pill beat-a"}
    assert beat_props(3) == {"className": "pill beat-b"}


@pytest.mark.parametrize(
    ("state", "class_name"),
    [
        ("connecting", "pill connecting"),
        ("paused", "pill paused"),
        ("polling", "pill polling"),
        ("live", "pill beat-a"),
    ],
)
def test_a_state_is_a_class(state: str, class_name: str) -> None:
    assert pill_props(state) == {"className": class_name}  # type: ignore[arg-type]
    assert live_pill(state)["className"] == class_name  # type: ignore[arg-type]


def test_every_word_is_in_the_pill_and_the_stylesheet_shows_it_in_its_state() -> None:
    words = live_pill()["children"][1].children
    assert [word.children for word in words] == ["Live", "Reconnecting…", "Connecting…", "Paused", "Polling"]
    for state in ("connecting", "paused", "polling"):
        assert f".pill.{state} .word-{state}" in CSS
    for turn in "ab":
        assert f".pill.beat-{turn} .word-live" in CSS
        assert f".pill.beat-{turn} .word-reconnecting" in CSS


def test_the_two_turns_are_the_same_animations_under_two_names() -> None:
    def frames(name: str) -> str:
        found = re.search(rf"@keyframes {name} (\{{.*?\n\}})", CSS, re.DOTALL)
        assert found is not None
        return found[1]

    for kind in ("dim", "hide", "show"):
        assert frames(f"pill-{kind}-a") == frames(f"pill-{kind}-b")
        assert CSS.count(f"animation: pill-{kind}-a 100ms linear 12s forwards") == 1
        assert CSS.count(f"animation: pill-{kind}-b 100ms linear 12s forwards") == 1


def test_the_banner_says_since_when_the_database_is_away() -> None:
    told = database_banner(1_700_000_000_000)
    assert told["children"] == "Database unreachable since 22:13 UTC: new metrics wait, nothing is lost."
    told = database_banner(None, 1_700_000_000_000)
    assert told["children"] == "Database full or read-only since 22:13 UTC: new metrics wait, nothing is lost."
    assert "banner-away" not in told["className"]


def test_the_banner_is_away_while_all_is_well() -> None:
    assert database_banner(None) == {"className": "banner banner-away", "children": ""}
