"""A text that all URLs of some sources have, and no others, is answered from what rollups know of these sources."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS
from db.filtered_rows import FilteredRows
from db.results import Filter, TimeRange
from db.url_pack import UrlIndex
from tests.db.brute_force import Truth, check_overview
from tests.db.filled import FilledDatabases
from tests.db.samples import NOON_MS, navigation, scrape
from tests.db.tab_truth import check_tabs
from tests.db.test_time_packs import Program

DAY_BEGIN_MS = NOON_MS // DAY_MS * DAY_MS
SPAN = TimeRange(DAY_BEGIN_MS - DAY_MS, DAY_BEGIN_MS + 12 * HOUR_MS, HOUR_MS)
PAST = TimeRange(DAY_BEGIN_MS - DAY_MS + 20 * MINUTE_MS, DAY_BEGIN_MS - 20 * MINUTE_MS, 10 * MINUTE_MS)
SITE = Filter(url_contains="SITE1.example")
FILTERS = (
    SITE, Filter(("source1",), url_contains="site1"), Filter(("source0",), url_contains="site1"),
    Filter(result="failed", url_contains="site1"), Filter(kind="scrape", url_contains="site1.example/"),
    Filter(url_contains="site1", outcomes=("ok", "blocked")), Filter(url_contains="/2"), Filter(url_contains="nowhere"),
    Filter(url_contains="example"),
)  # fmt: skip


def some_metrics() -> list[Metric]:
    rng = random.Random(3)
    found: list[Metric] = []
    for at_ms in range(SPAN.start_ms, SPAN.end_ms, 4 * MINUTE_MS):
        number = rng.randrange(4)
        # Two sources share a site, the others have one of their own.
        url = f"https://www.site{min(number, 2)}.example/{rng.randrange(5)}"
        success = rng.random() < 0.7
        changes = {"url": url, "success": success, "error": None if success else "boom"}
        if rng.random() < 0.5:
            found.append(scrape(f"source{number}", at_ms, outcome=rng.choice((None, "ok", "blocked")), **changes))
        else:
            found.append(navigation(f"source{number}", at_ms, **changes))
    return found


@pytest.fixture
def program(engine: Engine, filled: FilledDatabases) -> Program:
    return Program.filled(engine, filled, some_metrics())


def simpler(program: Program, filter: Filter, span: TimeRange = SPAN) -> Filter:
    return program.queries._history.simpler(span, filter)


def check(program: Program) -> None:
    truth = Truth(program.stored)
    for span in (SPAN, PAST):
        for filter in FILTERS:
            check_overview(program.queries.overview(span, filter), truth, span, filter)
            check_tabs(program.queries, truth, span, filter)


def test_whatever_is_asked_for_is_told_as_rows_are(program: Program) -> None:
    for span in (SPAN, PAST):
        assert simpler(program, SITE, span) == Filter(("source1",))
        assert simpler(program, Filter(url_contains="site2"), span) == Filter(("source2", "source3"))
    check(program)


def test_what_else_a_filter_asks_for_stays(program: Program) -> None:
    both = Filter(url_contains="site2.", result="failed", kind="scrape", outcomes=("blocked",))
    assert simpler(program, both) == replace(both, url_contains="", sources=("source2", "source3"))
    assert simpler(program, replace(both, sources=("source3", "source0"))).sources == ("source3",)
    for other in (Filter(("source0",), url_contains="site2"), Filter(url_contains="/2"), Filter(url="site2"), Filter()):
        assert simpler(program, other) == other


@pytest.mark.parametrize("at_ms", [SPAN.start_ms + 5 * HOUR_MS, SPAN.end_ms - 1])
@pytest.mark.parametrize("source", ["source0", "source1"])
def test_a_row_that_differs_shows_at_once_and_after_the_roll_up(program: Program, at_ms: int, source: str) -> None:
    check(program)
    # One source visits another's site.
    site = 1 if source == "source0" else 0
    program.send(navigation(source, at_ms, url=f"https://www.site{site}.example/2", navigation_duration_ms=77.0))
    for _ in range(2):
        assert simpler(program, SITE) == SITE
        check(program)
        program.rollups.run_once()


def test_a_text_that_some_rows_in_memory_lack_is_looked_for_nowhere_else(
    engine: Engine, filled: FilledDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program.filled(engine, filled, some_metrics(), memory_rows=100)
    program.send(navigation("source1", SPAN.end_ms - 1, url="https://elsewhere.example/"))
    looks: list[str] = []
    sources = FilteredRows.sources
    monkeypatch.setattr(FilteredRows, "sources", lambda *args: [looks.append("look"), sources(*args)][1])
    assert simpler(program, SITE) == SITE
    assert simpler(program, SITE, PAST) == SITE
    assert not looks
    program.send(navigation("source0", SPAN.end_ms - 1))
    assert simpler(program, SITE, PAST) == Filter(("source1",))  # asked anew, first of the past
    assert looks
    assert simpler(program, SITE) == SITE
    check(program)


def test_packs_of_an_earlier_version_say_nothing_of_sources(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UrlIndex, "sources_of", lambda *_: None)
    assert simpler(program, SITE) == SITE
    check(program)
