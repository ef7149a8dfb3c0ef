"""Old rows are found by their URLs in hours and days that are kept by these, exactly as their table would tell it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape
from db import url_layout, url_packing, url_rolling
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS
from db.columns import DetailColumns
from db.detail import PACKED, read_detail, with_error_kinds
from db.engine import begin_writing
from db.models import Breakdown
from db.rest_pack import REST
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.row_pack import ROWS
from db.store import Store
from db.url_layout import URL_REST, URL_ROWS, URLS
from db.url_pack import UrlIndex
from db.url_rolling import UrlSpan, stored_spans
from db.url_span import EVERYTHING, SpanRows
from tests.db.brute_force import Truth, check_overview, empty
from tests.db.packed_day import PackedDay, plain
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.test_filtered_rows import nasty_urls, pages
from tests.db.test_filters import filter_of
from tests.db.test_filters import parts as parts_of_filters
from tests.db.test_queries_against_brute_force import check_other_answers
from tests.db.test_time_packs import Program, statements

DAY_BEGIN_MS = NOON_MS // DAY_MS * DAY_MS
# From yesterday's morning into this morning's hours: a day, a quarter of one, and hours; the ends are inside of them.
SPAN = TimeRange(DAY_BEGIN_MS - 16 * HOUR_MS + 20_000, DAY_BEGIN_MS + 9 * HOUR_MS + 20_000, 20_000 * 75)
FILTERS = (
    Filter(url_contains="ITEMS/7"), Filter(("source1",), "failed", "?page=0"), Filter(url_contains="nowhere"),
    Filter(url_contains="items/1", error="boom <n>"), Filter(url_contains="?page=1", outcomes=("ok", "failed")),
    Filter(url="https://shop.example/items/7?page=1"), Filter(kind="scrape", url_contains="/1", run="run-0"),
    Filter(url_contains="page=2", labels=("env=live",)),
)  # fmt: skip


def some_metrics() -> list[Metric]:
    rng, found = random.Random(8), list[Metric]()
    at_ms = DAY_BEGIN_MS - 20 * HOUR_MS
    while at_ms < DAY_BEGIN_MS + 11 * HOUR_MS:
        success, page = rng.random() < 0.7, rng.randrange(20)
        changes: dict[str, Any] = {
            "url": f"https://shop.example/items/{page}?page={page % 3}", "success": success,
            "error": None if success else rng.choice((f"boom {at_ms}", "other", None)),
            "run_id": rng.choice((None, "run-0", "run-1")), "labels": rng.choice((None, {"env": "live"}, {"env": "x"})),
        }  # fmt: skip
        if rng.random() < 0.5:
            outcome, told = rng.choice((None, "ok", "blocked")), rng.choice((None, {"price": 3}))
            found.append(scrape(f"source{rng.randrange(3)}", at_ms, outcome=outcome, fields=told, **changes))
        else:
            found.append(navigation(f"source{rng.randrange(3)}", at_ms, retry_count=rng.randrange(5), **changes))
        at_ms += rng.randrange(20_000) if rng.random() < 0.9 else rng.randrange(2 * HOUR_MS)
    return found


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is looked for lies in some of several."""
    monkeypatch.setattr(url_layout, "BLOCK_ROWS", 8)


@pytest.fixture
def program(engine: Engine, store: Store) -> Program:
    metrics = some_metrics()
    store.send(batch(*metrics))
    return Program(engine, metrics)


def check(program: Program, filters: tuple[Filter, ...] = FILTERS[:2]) -> None:
    truth = Truth(program.stored)
    for filter in filters:
        check_overview(program.queries.overview(SPAN, filter), truth, SPAN, filter)
    check_other_answers(program.queries, truth, SPAN, filters[0])


def kept(engine: Engine) -> dict[UrlSpan, int]:
    """The spans that are kept by URL, and how many rows each has."""
    with engine.connect() as connection:
        return stored_spans(connection, 0, None)


def without_slots(engine: Engine) -> None:
    """Delete what else the rows could be found in, but for the table."""
    with begin_writing(engine) as connection:
        own = (Breakdown.dimension.in_((REST, ROWS)), Breakdown.length_ms == SLOT_MS)
        connection.execute(delete(Breakdown).where(*own))


def later(program: Program, minutes: int) -> None:
    clock = program.rollups.breakdowns.by_url
    now_ms = clock._clock_ms() + minutes * MINUTE_MS
    clock._clock_ms = lambda: now_ms


def by_url_of(metrics: list[PageNavigation | PageScrape], filter: Filter) -> tuple[DetailColumns, DetailColumns]:
    """What a filter lets through of a day that is packed by URL, and of the rows that it was packed of."""
    day = PackedDay(metrics)
    rows, names, outcomes, packs = day.rows, day.names, day.outcomes, day.packs
    index = UrlIndex(packs.once, day.start_ms)
    assert index.slots == {day.start_ms: len(rows)}
    places = index.rows_with(filter.url_contains.lower(), filter.url)
    some, others = ([kept[block] for block in places.blocks] for kept in (packs.rows, packs.rest))
    assert index.is_of([*some, *others])
    outcomes.code("another was met first")
    found = SpanRows(index, places, some, np.ones(DAY_MS // SLOT_MS, np.bool_), names, outcomes)
    assert found.add_rest(others)
    return DetailColumns([found.chunk(EVERYTHING)], names, outcomes), rows.matching(filter)


@given(
    pages, st.lists(nasty_urls, max_size=4), st.integers(0, 11), nasty_urls, st.sampled_from(["text", "url", "both"])
)
def test_what_comes_back_from_bytes_is_what_was_looked_for(
    metrics: list[PageNavigation | PageScrape], urls: list[str], place: int, text: str, how: str
) -> None:
    metrics = [replace(metric, url=urls[at % len(urls)] if urls else metric.url) for at, metric in enumerate(metrics)]
    filter = Filter(
        url_contains=text if how != "url" else "", url=metrics[place % len(metrics)].url if how != "text" else ""
    )
    if filter == Filter():
        return
    found, expected = by_url_of(metrics * 3, filter)
    assert plain(found) == plain(expected)


def test_bytes_of_something_else_are_refused() -> None:
    for nonsense in (b"", b"\x01\x02" + bytes(60)):
        with pytest.raises(ValueError, match="rebuild the rollups"):
            UrlIndex(nonsense, 0)


@settings(max_examples=10)
@given(
    st.lists(st.one_of(pages), min_size=1, max_size=3),
    st.lists(st.integers(-30 * 12, 11 * 12), min_size=1, max_size=12),
    st.integers(0, 11), parts_of_filters, st.tuples(st.integers(-31 * 60, 0), st.integers(1, 40 * 60)),
)  # fmt: skip
def test_whatever_is_late_is_found_among_the_others(
    engine: Engine,
    times: list[list[PageNavigation | PageScrape]],
    slots: list[int],
    place: int,
    parts: list[str],
    bounds: tuple[int, int],
) -> None:
    empty(engine)
    program = Program(engine, [])
    start_ms = DAY_BEGIN_MS + bounds[0] * MINUTE_MS + 1_234
    end_ms = min(start_ms + bounds[1] * MINUTE_MS, NOON_MS)
    for metrics in times:
        dated = [
            replace(metric, recorded_at_ms=DAY_BEGIN_MS + slots[at % len(slots)] * SLOT_MS + at * 7_000)
            for at, metric in enumerate(metrics)
        ]
        program.send(*dated)
        filter = filter_of(dated[place % len(dated)], list({*parts, "url_contains"}))
        settled = filter.within(None)
        for roll, minutes in ((False, 0), (True, 0), (True, 16)):  # the last one makes days anew
            if roll:
                later(program, minutes)
                program.rollups.run_once()
            if settled is None:
                continue
            filtered = program.queries._history.filtered
            assert filtered is not None
            with engine.connect() as connection:
                found = filtered.parts(connection, start_ms, end_ms, *settled)
                names = (program.recent.sources, program.recent.outcomes)
                rows = read_detail(
                    connection, start_ms, end_ms, *names, filter=settled[0], kind=settled[1], columns=PACKED
                )
                if found is not None:
                    own = [chunk for part in found for chunk in part.chunks]
                    wanted = DetailColumns([with_error_kinds(chunk) for chunk in rows.chunks], *names)
                    assert plain(DetailColumns(own, *names)) == plain(wanted)
                statistics = filtered.between(connection, start_ms, end_ms, *settled)
                if statistics is not None:
                    assert sorted(statistics.duration_ms.tolist()) == sorted(rows.duration_ms.tolist())
                    assert statistics.created_at_ms.tolist() == rows.created_at_ms.tolist()


def test_texts_in_urls_of_the_past_are_found_by_url_alone(engine: Engine, program: Program) -> None:
    begins = {(span.length_ms // HOUR_MS, (span.start_ms - DAY_BEGIN_MS) // HOUR_MS) for span in kept(engine)}
    assert begins == {(24, -24), (6, 0), (6, 6)}
    truth = Truth(program.stored)
    without_slots(engine)
    asked = statements(engine)
    for filter in FILTERS:
        check_overview(program.queries.overview(SPAN, filter), truth, SPAN, filter)
        assert program.queries.outcomes(SPAN, filter) == truth.outcomes(SPAN, filter)
    assert not [sql for sql in asked if "FROM scraper_page_performance" in sql]
    for filter in FILTERS:
        check_other_answers(program.queries, truth, SPAN, filter)


def test_what_memory_holds_is_counted_with_what_packs_hold(engine: Engine, store: Store) -> None:
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics, memory_rows=len(metrics) // 2)
    covered_ms = program.recent.covered_since_ms
    assert covered_ms is not None
    assert SPAN.start_ms < covered_ms < SPAN.end_ms
    truth = Truth(metrics)
    for filter in FILTERS:
        check_overview(program.queries.overview(SPAN, filter), truth, SPAN, filter)
    for filter in (FILTERS[1], FILTERS[3]):
        check_other_answers(program.queries, truth, SPAN, filter)
    program.send(navigation("new", SPAN.end_ms - 1, url="https://shop.example/items/7", success=False, error="boom 7"))
    check(program)


def test_hours_are_kept_by_url_until_what_they_are_part_of_is(engine: Engine, store: Store) -> None:
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics, roll=False)
    counts = Counter[int]()
    later(program, -37 * 60 + 1)
    for hours in (3, 4, 17):
        later(program, hours * 60)
        program.rollups.run_once()
        counts.update(span.length_ms // HOUR_MS for span in kept(engine))
    # From 4 o'clock on there is something: nothing; a quarter of the day and an hour; the day alone.
    assert counts == {6: 1, 1: 1, 24: 1}
    with engine.connect() as connection:
        kinds = connection.execute(
            select(Breakdown.dimension, Breakdown.length_ms).where(Breakdown.dimension.in_((URLS, URL_ROWS, URL_REST)))
        ).all()
    assert {tuple(kind) for kind in kinds} == {(name, DAY_MS) for name in (URLS, URL_ROWS, URL_REST)}
    check(program)


@pytest.mark.parametrize("roll", [False, True])
def test_late_metrics_show_at_once(engine: Engine, program: Program, roll: bool) -> None:
    check(program)
    late = {"url": "https://shop.example/items/70", "success": False, "error": "boom 1", "run_id": "run-1"}
    program.send(navigation("late", SPAN.start_ms + 12_345, **late), scrape("late", DAY_BEGIN_MS + 5 * HOUR_MS, **late))
    before = kept(engine)
    if roll:
        program.rollups.run_once()
        assert kept(engine) == before  # not at once: there may be more to come
    check(program)
    program.rollups.run_once()
    later(program, 16)
    program.rollups.run_once()
    day = UrlSpan(DAY_MS, DAY_BEGIN_MS - DAY_MS)
    assert kept(engine)[day] == before[day] + 1
    without_slots(engine)
    check(program)
    assert sum(kept(engine).values()) == sum(before.values()) + 2


def test_a_program_that_was_killed_makes_good_what_it_left(engine: Engine, program: Program) -> None:
    whole = kept(engine)
    killed = Program(engine, program.stored, roll=False)
    killed.send(navigation("late", SPAN.start_ms + HOUR_MS, url="https://shop.example/items/7"))
    with begin_writing(engine) as connection:
        own = (Breakdown.dimension == URLS, Breakdown.length_ms < DAY_MS)
        connection.execute(delete(Breakdown).where(*own))
    again = Program(engine, killed.stored, roll=False)
    check(again)
    again.rollups.run_once()
    check(again)
    later(again, 16)
    again.rollups.run_once()
    day = UrlSpan(DAY_MS, DAY_BEGIN_MS - DAY_MS)
    assert kept(engine) == {**whole, day: whole[day] + 1}


@pytest.mark.parametrize(("what", "most"), [("rows", 40), ("url bytes", 600)])
def test_what_has_too_many_rows_or_urls_is_kept_by_narrower_spans_or_not_at_all(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch, what: str, most: int
) -> None:
    if what == "rows":
        monkeypatch.setattr(url_rolling, "_MOST_ROWS", most)
    else:
        monkeypatch.setattr(url_packing, "_MOST_URL_BYTES", most)
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    lengths = Counter((span.length_ms // HOUR_MS, rows > 0) for span, rows in kept(engine).items())
    assert lengths[24, True] == 0
    assert lengths[24, False] == 1
    assert lengths[1, True] > 0
    check(program)
    before = kept(engine)
    monkeypatch.setattr(url_rolling, "Packing", None)  # whoever tried it again would fail
    Program(engine, program.stored).rollups.run_once()
    assert kept(engine) == before


@pytest.mark.parametrize("dimension", [URL_ROWS, URL_REST])
def test_blocks_that_arent_of_the_same_rows_are_not_used_and_made_anew(
    engine: Engine, program: Program, dimension: str
) -> None:
    # As if two programs had written them at once.
    with engine.connect() as connection:
        chosen = select(Breakdown.packed).where(Breakdown.dimension == dimension)
        before = sorted(connection.scalars(chosen))
    with begin_writing(engine) as connection:
        connection.execute(
            update(Breakdown).where(Breakdown.dimension == dimension).values(packed=b"12345678" + before[0][8:])
        )
    check(program)
    program.rollups.run_once()
    with engine.connect() as connection:
        assert sorted(connection.scalars(chosen)) == before


def test_rollups_that_are_rebuilt_are_so_by_url_too(engine: Engine, program: Program) -> None:
    before = kept(engine)
    with begin_writing(engine) as connection:
        own = (Breakdown.dimension == URL_ROWS, Breakdown.length_ms == DAY_MS)
        connection.execute(update(Breakdown).where(*own).values(packed=b"nonsense"))
    program.rollups.rebuild(DAY_BEGIN_MS - 10 * HOUR_MS, DAY_BEGIN_MS - 9 * HOUR_MS)
    assert len(kept(engine)) == len(before) - 1
    check(program)
    program.rollups.run_once()
    assert kept(engine) == before
    without_slots(engine)
    check(program)


def test_what_is_kept_by_url_goes_with_the_rows(engine: Engine, program: Program) -> None:
    cleanup(engine, 1, now_ms=NOON_MS + DAY_MS, rollups=program.rollups)
    assert {span.start_ms >= DAY_BEGIN_MS for span in kept(engine)} == {True}
    cleanup(engine, 1, now_ms=NOON_MS + 2 * DAY_MS, rollups=program.rollups)
    with engine.connect() as connection:  # the blocks too
        assert not connection.scalars(
            select(Breakdown.start_ms).where(Breakdown.dimension.in_((URLS, URL_ROWS, URL_REST)))
        ).all()
    found = Program(engine, []).queries.overview(SPAN, FILTERS[0]).current
    assert found.navigations + found.scrapes == 0


def test_questions_about_the_same_urls_share_one_look(engine: Engine, program: Program) -> None:
    program.queries.attempts(SPAN, FILTERS[0])
    asked = statements(engine)
    program.queries.overview(SPAN, FILTERS[0], SPAN)
    program.queries.overview(SPAN, replace(FILTERS[0], sources=("source1",), result="failed"), SPAN)
    program.queries.outcome_series(SPAN, FILTERS[0])
    program.queries.yields(SPAN, FILTERS[0])
    assert not [sql for sql in asked if URLS in sql or "FROM scraper_page_performance" in sql]


def test_memory_of_rows_by_url_is_bounded(program: Program) -> None:
    filtered = program.queries._history.filtered
    assert filtered is not None
    own = filtered._by_url._finds
    own._most = 500
    check(program, FILTERS)
    spans = [found for of_filter in own._filters.values() for found in of_filter.found.values()]
    assert own._size == sum(found.size + 100 for found in spans)
    assert own._size <= 500 or len(spans) == 1
