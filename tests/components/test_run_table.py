"""The tables of runs: how a run stands, and what it brought against what was expected."""

from __future__ import annotations

from typing import Any

from components.run_table import FLEET_RUN_COLUMNS, SCRAPER_RUN_COLUMNS, run_props
from db.run_states import RunState
from db.scraper_runs import ScraperRun
from db.told_runs import RunLine, run_lines
from tests.db.samples import NOON_MS, told

SPAN_MS = 3_600_000
ADDED_UP = ScraperRun("run-1", NOON_MS, NOON_MS + 90_000, 6, 4, 40, 9)


def rows(*runs: RunLine, columns: Any = FLEET_RUN_COLUMNS) -> list[list[str]]:
    body: list[list[str]] = run_props(runs, columns, span_ms=SPAN_MS)["data"]["body"]
    return body


def line(**changes: Any) -> RunLine:
    (found,) = run_lines((), (RunState(told(**changes), NOON_MS),), 10)
    return found


def test_run_says_its_state_and_how_much_of_what_was_expected_is_there() -> None:
    (row,) = rows(line(error="why\nnot", state="failed"))
    assert row == [
        "nightly · run-1", "robinhood", "", "", "✕ failed", "11:59:00", "12:00:00", "1\u00a0min", "10",
        "100 (10.0\u00a0%)", "why not",
    ]  # fmt: skip


def test_states_have_their_moods() -> None:
    found = rows(
        line(), line(state="ok", items_extracted=95), line(state="ok"), line(state="killed"), line(state="lost")
    )
    assert [row[2:5] for row in found] == [
        ["▶ running", "", ""], ["✓ ok", "", ""], ["", "▼ ok, short", ""], ["", "", "■ killed"], ["", "", "◌ lost"],
    ]  # fmt: skip


def test_run_that_nobody_told_of_is_shown_from_its_metrics_alone() -> None:
    (row,) = rows(*run_lines((ADDED_UP,), (), 10), columns=SCRAPER_RUN_COLUMNS)
    assert row == [
        "run-1", "–", "", "", "12:00:00", "12:01:30", "1\u00a0min 30\u00a0s", "6", "4", "40", "–", "90.0\u00a0%", "1",
    ]  # fmt: skip


def test_what_was_told_and_what_was_recorded_are_one_run() -> None:
    states = (RunState(told(name="run"), NOON_MS), RunState(told("other", NOON_MS + 200_000), NOON_MS))
    other, run = run_lines((ADDED_UP,), states, 10)
    assert (other.run_id, other.count, other.success_rate) == ("other", 0, None)
    assert (run.started_ms, run.ended_ms, run.items, run.state) == (NOON_MS - 60_000, NOON_MS + 90_000, 40, "running")
    assert rows(run)[0][0] == "run-1"  # its name is in its id
    assert run_lines((ADDED_UP,), states, 1) == (other,)


def test_times_of_two_days_are_told_apart() -> None:
    (row,) = rows(line(started_at_ms=NOON_MS - 86_400_000))
    assert row[5:7] == ["30 Apr 12:00:00", "01 May 12:00:00"]
