"""The live pill and the database banner: what is sent, and that the stylesheet keeps its side of the bargain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.status import beat_props, database_banner, live_pill, paused_state, pill_props
from components.view import View

CSS = (Path(__file__).parents[2] / "assets" / "pill.css").read_text(encoding="utf-8")


def test_heartbeats_take_turns_and_send_nothing_but_a_class() -> None:
    assert beat_props(2) == {"className": "pill beat-a"}
    assert beat_props(3) == {"className": "pill beat-b"}


def test_while_the_fleet_is_quiet_a_living_pill_says_so_and_still_beats() -> None:
    assert beat_props(2, 1_700_000_000_000) == {"className": "pill beat-a stale"}
    assert pill_props("live", 1_700_000_000_000) == {"className": "pill beat-a stale"}
    assert pill_props("paused", 1_700_000_000_000) == {"className": "pill paused"}


def test_a_pause_says_whether_people_or_a_fixed_range_made_it() -> None:
    assert paused_state(View(live=False)) == "paused"
    assert paused_state(View(from_="2026-11-01", to="2026-11-02")) == "fixed"


@pytest.mark.parametrize(
    ("state", "class_name"),
    [
        ("connecting", "pill connecting"),
        ("paused", "pill paused"),
        ("fixed", "pill paused fixed"),
        ("polling", "pill polling"),
        ("crowded", "pill crowded"),
        ("live", "pill beat-a"),
    ],
)
def test_a_state_is_a_class(state: str, class_name: str) -> None:
    assert pill_props(state) == {"className": class_name}  # type: ignore[arg-type]
    assert live_pill(state)["className"] == class_name  # type: ignore[arg-type]


def test_every_word_is_in_the_pill_and_the_stylesheet_shows_it_in_its_state() -> None:
    words = live_pill("live", 1_700_000_000_000)["children"][1].children
    assert [word.children for word in words] == [
        "Live", "Reconnecting…", "Connecting…", "Paused", "Paused: fixed range", "Polling",
        "Polling: too many views", "Stale since 22:13 UTC",
    ]  # fmt: skip
    for state in ("connecting", "fixed", "polling", "crowded", "stale"):
        assert f".pill.{state} .word-{state}" in CSS
    assert ".pill.paused:not(.fixed) .word-paused" in CSS
    for turn in "ab":
        assert f".pill.beat-{turn}:not(.stale) .word-live" in CSS
        assert f".pill.beat-{turn} .word-stale" in CSS
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
