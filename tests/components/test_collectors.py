"""The section about collectors: every process with its state, and what all of them lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.collectors import COLLECTOR_COLUMNS, MOST_COLLECTORS, collector_numbers, collector_section
from components.view import View
from db.collectors import CollectorLine, line_of
from db.errors import DatabaseUnavailable
from tests.db.samples import NOON_MS, report
from tests.pages.tree import components_of

GOOD = line_of(report(pending=0, dropped={}, spool_bytes=0), NOON_MS, "http")


def content(*lines: CollectorLine, now_ms: int = NOON_MS + 1_000) -> dict[str, Any]:
    return collector_numbers(lambda _: lines, now_ms, reachable=True)


def cells(line: CollectorLine, now_ms: int = NOON_MS + 1_000) -> dict[str, str]:
    (row,) = content(line, now_ms=now_ms)["system-collectors"]["data"]["body"]
    states = [cell for cell in row[1:4] if cell]
    titles = [column.title for column in COLLECTOR_COLUMNS]
    return dict(zip(titles, [row[0], *states, *row[4:]], strict=True))


def test_collector_says_how_it_is() -> None:
    said = cells(GOOD)
    assert said["Collector"] == "nightly.py"
    assert (said["State"], said["Host"], said["Process"], said["Version"]) == ("✓ here", "büro", "77", "1.0")
    assert (said["Last report (UTC)"], said["Last flush (UTC)"], said["Behind"]) == ("12:00:00", "11:59:58", "–")
    assert (said["Recorded"], said["Delivered"], said["Waiting"], said["Dropped"]) == ("100", "90", "0", "0")
    assert (said["Spool"], said["Clock"], said["Last error"]) == ("–", "✓", "")


def test_state_tells_the_worst() -> None:
    late = line_of(report(dropped={}, last_flush_at_ms=NOON_MS - 11_000), NOON_MS, "http")
    assert cells(late)["State"] == "◷ behind"
    lossy = line_of(report(dropped={"invalid": 1, "queue_full": 1_200}), NOON_MS, "http")
    assert (cells(lossy)["State"], cells(lossy)["Dropped"]) == ("▼ drops", "1,200 queue_full, 1 invalid")
    assert cells(lossy, NOON_MS + 90_001)["State"] == "◌ away"


def test_clock_is_shown_when_it_is_off_by_more_than_two_seconds() -> None:
    for skew_ms, said in ((1_999, "✓"), (-2_001, "2.00\u00a0s fast"), (7_200_000, "2\u00a0h slow")):
        assert cells(replace(GOOD, skew_ms=skew_ms))["Clock"] == said


def test_figures_are_those_of_all_and_the_silent_come_last() -> None:
    away = replace(GOOD, collector_id="c0", heard_ms=NOON_MS - 600_000, dropped={"queue_full": 4}, corrected=5)
    found = content(away, GOOD)
    assert found["system-collectors-here"]["children"] == "1"
    assert found["system-collectors-away"]["children"] == "1"
    assert found["system-collectors-dropped"]["children"] == "4"
    assert found["system-collectors-dropped-change"]["children"] == "4 queue_full"
    assert found["system-collectors-corrected"]["children"] == "5"
    assert found["system-collectors-delivered"]["children"] == "180"
    body = found["system-collectors"]["data"]["body"]
    assert [[cell for cell in row[1:4] if cell] for row in body] == [["✓ here"], ["◌ away"]]


def test_database_that_is_away_is_said_and_not_asked() -> None:
    def ask(_now_ms: int) -> tuple[CollectorLine, ...]:
        raise DatabaseUnavailable("sqlite", "it is away")

    assert "it is away" in collector_numbers(ask, NOON_MS, reachable=True)["system-collectors-note"]["children"]
    said = collector_numbers(ask, NOON_MS, reachable=False)["system-collectors-note"]["children"]
    assert said.startswith("The database doesn’t answer")


def test_hundreds_of_collectors_are_cut_with_a_word_and_every_id_is_on_the_page() -> None:
    found = content(*(replace(GOOD, collector_id=f"c{n}") for n in range(MOST_COLLECTORS + 50)))
    assert len(found["system-collectors"]["data"]["body"]) == MOST_COLLECTORS
    assert found["system-collectors-more"]["children"].startswith("and 50 more collectors")
    placed = {getattr(one, "id", None) for one in components_of(collector_section(found, View()))}
    assert set(found) <= placed
