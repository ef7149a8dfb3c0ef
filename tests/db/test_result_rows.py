"""Rows that didn't go well are found by how they ended, in spans that are over, and are those of the plain table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.engine import Engine

from collector.events import PageNavigation, PageScrape
from db import url_layout, url_packing
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.columns import DetailColumns
from db.engine import begin_writing
from db.models import Breakdown
from db.rest_pack import ended_as
from db.result_pack import RESULT_REST, RESULT_ROWS, RESULTS, ResultIndex, ResultPacking, asks_for_bad
from db.results import Filter
from db.store import Store
from db.url_layout import BLOCK_ROWS, URLS
from db.url_rolling import UrlSpan, stored_spans
from db.url_span import EVERYTHING, ResultRows
from tests.db.brute_force import Truth, check_overview
from tests.db.packed_day import PackedDay, plain
from tests.db.samples import batch, navigation, scrape
from tests.db.test_filtered_rows import pages
from tests.db.test_filters import filter_of
from tests.db.test_filters import parts as parts_of_filters
from tests.db.test_queries_against_brute_force import check_other_answers
from tests.db.test_time_packs import Program, statements
from tests.db.test_url_rows import DAY_BEGIN_MS, SPAN, later, some_metrics, without_slots

FILTERS = (
    Filter(outcomes=("blocked",)), Filter(error="boom <n>"), Filter(("source1",), outcomes=("failed", "blocked")),
    Filter(url_contains="ITEMS/7", error="other"), Filter(outcomes=("nobody told it",)),
    Filter(kind="navigation", error="boom <n>", labels=("env=live",)), Filter(outcomes=("blocked",), result="ok"),
    Filter(url="https://shop.example/items/7?page=1", error="boom <n>", run="run-0"),
)  # fmt: skip


@pytest.fixture
def program(engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(url_layout, "BLOCK_ROWS", 8)  # so that what is looked for lies in some of several
    metrics = some_metrics()
    store.send(batch(*metrics))
    return Program(engine, metrics)


def by_result(engine: Engine) -> dict[UrlSpan, int]:
    with engine.connect() as connection:
        return stored_spans(connection, 0, None, RESULTS)


def check(program: Program, filters: tuple[Filter, ...] = FILTERS[:2]) -> None:
    truth = Truth(program.stored)
    for filter in filters:
        check_overview(program.queries.overview(SPAN, filter), truth, SPAN, filter)
        assert program.queries.outcomes(SPAN, filter) == truth.outcomes(SPAN, filter)


@given(pages, st.integers(0, 11), parts_of_filters)
def test_what_comes_back_from_bytes_is_what_was_looked_for(
    metrics: list[PageNavigation | PageScrape], place: int, parts: list[str]
) -> None:
    filter = filter_of(metrics[place % len(metrics)], parts)
    if not asks_for_bad(filter):
        filter = Filter(outcomes=("blocked", "failed"))
    day = PackedDay(metrics * 3, ResultPacking)
    rows, names, outcomes, packs = day.rows, day.names, day.outcomes, day.packs
    index = ResultIndex(packs.once, day.start_ms)
    assert index.slots == {day.start_ms: len(rows)}
    assert index.size == len(rows)
    found = index.rows_ended(ended_as(filter))
    some, others = ([kept[block] for block in found.blocks] for kept in (packs.rows, packs.rest))
    assert index.is_of([*some, *others])
    outcomes.code("another was met first")
    span = ResultRows(index, found, some, np.ones(DAY_MS // SLOT_MS, np.bool_), names, outcomes)
    without_rest = span.chunk(("outcome", "status_code")) if span.size else None
    assert span.add_rest(others)
    chunk = span.chunk(EVERYTHING)
    assert without_rest is None or without_rest.arrays["outcome"].tolist() == chunk.arrays["outcome"].tolist()
    assert plain(DetailColumns([chunk], names, outcomes).matching(filter)) == plain(rows.matching(filter))


def test_outcomes_and_errors_of_the_past_are_found_by_result_alone(engine: Engine, program: Program) -> None:
    begins = {(span.length_ms // HOUR_MS, (span.start_ms - DAY_BEGIN_MS) // HOUR_MS) for span in by_result(engine)}
    assert begins == {(24, -24), (6, 0), (6, 6)}
    without_slots(engine)
    asked = statements(engine)
    truth = Truth(program.stored)
    for filter in FILTERS:
        check_overview(program.queries.overview(SPAN, filter), truth, SPAN, filter)
        assert not [sql for sql in asked if "FROM scraper_page_performance" in sql], filter
    for filter in FILTERS:
        check_other_answers(program.queries, truth, SPAN, filter)


def test_few_rows_are_kept_twice(engine: Engine, store: Store) -> None:
    at_ms = DAY_BEGIN_MS - 20 * HOUR_MS
    good = [navigation("s", at_ms + n, url=f"https://x.example/{n}") for n in range(3 * BLOCK_ROWS)]
    store.send(batch(*good, scrape("s", at_ms, outcome="empty"), scrape("s", at_ms, outcome="ok")))
    Program(engine, [])
    with engine.connect() as connection:
        kinds = select(Breakdown.dimension, func.count()).group_by(Breakdown.dimension)
        counts = {name: count for name, count in connection.execute(kinds)}  # noqa: C416 - rows are no pairs
    assert (counts[RESULTS], counts[RESULT_ROWS], counts[RESULT_REST]) == (1, 1, 1)
    assert counts["urls.rows"] == 4


def test_where_all_went_well_nothing_is_found(engine: Engine, store: Store) -> None:
    metrics = [scrape("s", DAY_BEGIN_MS - n * HOUR_MS, outcome="ok") for n in range(1, 20)]
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    assert by_result(engine)
    without_slots(engine)
    check(program, FILTERS)


def test_what_an_earlier_version_kept_by_url_alone_is_made_anew(engine: Engine, program: Program) -> None:
    before = by_result(engine)
    with begin_writing(engine) as connection:
        connection.execute(delete(Breakdown).where(Breakdown.dimension.in_((RESULTS, RESULT_ROWS, RESULT_REST))))
    again = Program(engine, program.stored, roll=False)
    check(again)
    again.rollups.run_once()
    assert by_result(engine) == before
    without_slots(engine)
    check(again)


def test_late_failures_show_at_once(engine: Engine, program: Program) -> None:
    check(program)
    before = by_result(engine)
    program.send(
        navigation("late", SPAN.start_ms + 12_345, success=False, error="boom 12"),
        scrape("late", DAY_BEGIN_MS + 5 * HOUR_MS, outcome="blocked", success=False),
    )
    check(program)
    program.rollups.run_once()
    later(program, 16)
    program.rollups.run_once()
    day = UrlSpan(DAY_MS, DAY_BEGIN_MS - DAY_MS)
    assert by_result(engine)[day] == before[day] + 1
    without_slots(engine)
    check(program)


def test_a_crawl_of_ever_new_pages_is_kept_by_result_all_the_same(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_packing, "_MOST_URL_BYTES", 1_000)
    at_ms = DAY_BEGIN_MS - 20 * HOUR_MS
    metrics = [navigation("s", at_ms + n * 15_000, url=f"https://x.example/{n}") for n in range(100)]
    metrics += [navigation("s", at_ms, url="https://x.example/bad", success=False, error=f"boom {n}") for n in range(9)]
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    day = UrlSpan(DAY_MS, DAY_BEGIN_MS - DAY_MS)
    with engine.connect() as connection:
        assert stored_spans(connection, 0, None, URLS)[day] == -109
    assert by_result(engine)[day] == 109
    without_slots(engine)
    asked = statements(engine)
    check_overview(program.queries.overview(SPAN, FILTERS[1]), Truth(metrics), SPAN, FILTERS[1])
    assert not [sql for sql in asked if "FROM scraper_page_performance" in sql]
    check(program)
