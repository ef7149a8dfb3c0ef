"""Page metrics and scheduler runs are put together by time, whichever of them are many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.events import newest_of, run_event
from db.results import Event, SchedulerRunRow

TIMES = st.lists(st.integers(0, 12), max_size=8).map(lambda times: sorted(times, reverse=True))


def page_at(at_ms: int, number: int) -> Event:
    return Event(f"p:{number}", "scrape", "s", "https://s.example/", 1.0, 1, None, True, None, None, "ok", at_ms)


def run_at(at_ms: int, number: int) -> SchedulerRunRow:
    return SchedulerRunRow(f"s:{number}", "nightly", None, 1.0, 1, True, None, at_ms, None)


@given(pages=TIMES, runs=TIMES, limit=st.integers(0, 10))
def test_they_come_by_time_and_pages_before_runs_of_the_same_moment(
    pages: list[int], runs: list[int], limit: int
) -> None:
    own = [page_at(at_ms, number) for number, at_ms in enumerate(pages)]
    others = [run_at(at_ms, number) for number, at_ms in enumerate(runs)]
    every = sorted([*own, *map(run_event, others)], key=lambda event: -event.recorded_at_ms)
    assert newest_of(own, others, limit) == tuple(every[:limit])


def test_runs_before_the_oldest_page_that_is_shown_are_not_made_events(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr("db.events.run_event", lambda run: [made.append(run.id), run_event(run)][1])
    pages = [page_at(at_ms, at_ms) for at_ms in (9, 8, 7)]
    found = newest_of(pages, [run_at(8, 1), run_at(6, 2), run_at(5, 3)], 3)
    assert [event.id for event in found] == ["p:9", "p:8", "s:1"]
    assert made == ["s:1"]
