"""What a filter lets through of the past is found in packs, exactly as its table would tell it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import Engine

from collector.events import Metric, PageNavigation, PageScrape
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS
from db.chunk import Chunk
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.detail import with_error_kinds
from db.engine import begin_writing
from db.error_kinds import kind_of_error
from db.models import Breakdown
from db.rest_pack import REST, RestPack, packed
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.row_pack import ROWS
from db.store import Store
from db.url_rolling import URL_KEPT
from tests.db.brute_force import Truth, check_overview
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.test_filters import filter_of
from tests.db.test_filters import parts as parts_of_filters
from tests.db.test_queries_against_brute_force import check_other_answers, navigations, scrapes
from tests.db.test_time_packs import Program, statements

COLUMNS = (
    "retry_count", "data_size", "status_code", "url", "labels", "fields", "run_id", "url_hash", "error_hash",
)  # fmt: skip
START_MS = NOON_MS - 30 * HOUR_MS
# With edges inside five minutes, with and without a whole piece in between.
SPANS = (
    TimeRange(START_MS + 20_000, START_MS + HOUR_MS + 20_000, 20_000),
    TimeRange(START_MS + 17 * MINUTE_MS, START_MS + 32 * MINUTE_MS, MINUTE_MS),
)
FILTERS = (
    Filter(url_contains="ITEMS/7"), Filter(("source1",), "failed", "?page"), Filter(url_contains="nowhere"),
    Filter(error="boom <n>"), Filter(outcomes=("ok", "failed")), Filter(labels=("env=live",)), Filter(run="run-1"),
    Filter(url="https://shop.example/items/7?page=1"), Filter(kind="scrape", url_contains="shop", run="run-0"),
)  # fmt: skip
pages = st.lists(st.one_of(navigations, scrapes), min_size=1, max_size=12)
nasty_urls = st.text(st.sampled_from(["a", "A", "/", "\\", "n", "\n", "İ", "Σ", "ß", "🦊"]), max_size=6)


def some_metrics() -> list[Metric]:
    rng, found = random.Random(8), list[Metric]()
    at_ms = START_MS - 70 * MINUTE_MS
    while at_ms < START_MS + 70 * MINUTE_MS:
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
        at_ms += rng.randrange(60_000)
    return found


@pytest.fixture
def program(engine: Engine, store: Store) -> Program:
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    # What is kept by URL is looked at in test_url_rows: here everything is found in packs of five minutes.
    with begin_writing(engine) as connection:
        connection.execute(delete(Breakdown).where(Breakdown.dimension.in_(URL_KEPT)))
    return program


def check(program: Program, filters: tuple[Filter, ...] = FILTERS[:3]) -> None:
    truth = Truth(program.stored)
    for filter in filters:
        check_overview(program.queries.overview(SPANS[0], filter), truth, SPANS[0], filter)
        check_overview(program.queries.overview(SPANS[1], filter), truth, SPANS[1], filter)
    check_other_answers(program.queries, truth, SPANS[1], filters[0])


def rows_of(metrics: list[Any]) -> tuple[DetailColumns, Names]:
    names = Names()
    return DetailColumns([chunk_of_metrics(metrics, Names(), names)], Names(), names), names


def unpacked(rows: DetailColumns, filter: Filter) -> list[tuple[object, ...]] | None:
    rest = RestPack(packed(rows, b"its rows"))
    mask = rest.matching(filter)
    if mask is None:
        return None
    outcomes = Names()
    outcomes.code("another was met first")
    columns = rest.columns(mask.nonzero()[0], outcomes)
    chunk = Chunk(columns, len(columns["url"]))
    outcome = [None if code < 0 else outcomes[code] for code in columns["outcome"].tolist()]
    return list(zip(outcome, *(chunk.column(name).tolist() for name in COLUMNS), strict=True))


@given(pages, st.lists(nasty_urls, max_size=4), st.integers(0, 11), parts_of_filters)
def test_what_comes_back_from_bytes_is_what_a_filter_lets_through(
    metrics: list[PageNavigation | PageScrape], urls: list[str], place: int, parts: list[str]
) -> None:
    metrics = [replace(metric, url=urls[at % len(urls)] if urls else metric.url) for at, metric in enumerate(metrics)]
    whole = filter_of(metrics[place % len(metrics)], parts)
    # What these bytes know of, but for outcomes: that navigations have none they don't.
    filter = replace(whole, sources=(), kind="all", result="all", outcomes=())
    rows, outcomes = rows_of(metrics)
    chunk = with_error_kinds(rows.matching(filter).chunks[0]) if len(rows.matching(filter)) else Chunk({}, 0)
    own = [None if code < 0 else outcomes[code] for code in chunk.column("outcome").tolist()] if chunk.size else []
    expected = list(zip(own, *(chunk.column(name).tolist() for name in COLUMNS), strict=True)) if chunk.size else None
    assert unpacked(rows, filter) == expected


def test_bytes_of_something_else_are_refused() -> None:
    for nonsense in (b"", b"\x01\x02" + bytes(40)):
        with pytest.raises(ValueError, match="rebuild the rollups"):
            RestPack(nonsense)


def test_any_filter_of_the_past_is_answered_as_rows_are(program: Program) -> None:
    truth = Truth(program.stored)
    for filter in FILTERS:
        check_other_answers(program.queries, truth, SPANS[0], filter)


def test_any_filter_of_the_past_is_answered_without_reading_its_table(engine: Engine, program: Program) -> None:
    asked = statements(engine)
    truth = Truth(program.stored)
    again = Program(engine, program.stored, roll=False)
    again.rollups.run_once()
    asked.clear()
    for filter in FILTERS:
        check_overview(again.queries.overview(SPANS[0], filter), truth, SPANS[0], filter)
        assert again.queries.outcomes(SPANS[0], filter) == truth.outcomes(SPANS[0], filter)
        again.queries.slowest_urls(SPANS[0], filter, "navigation")
        again.queries.attempts(SPANS[0], filter)
    assert not [sql for sql in asked if "FROM scraper_page_performance" in sql]


def test_questions_about_the_same_rows_share_one_look_through_the_packs(engine: Engine, program: Program) -> None:
    asked = statements(engine)
    program.queries.overview(SPANS[0], FILTERS[0])
    packs = [sql for sql in asked if "FROM scraper_breakdowns" in sql]
    # Of each hour what is by URL, which packs there are (both also for whether the text stands for sources), what was
    # searched, the rows of it.
    assert len(packs) == 12
    asked.clear()
    program.queries.source_series(replace(SPANS[0], bucket_ms=60_000), FILTERS[0])
    program.queries.duration_trend(SPANS[0], FILTERS[0], "scrape")
    program.queries.overview(SPANS[0], replace(FILTERS[0], sources=("source1",), result="failed"))
    program.queries.attempts(SPANS[0], FILTERS[0])
    program.queries.outcome_series(SPANS[0], FILTERS[0])
    assert not [sql for sql in asked if "FROM scraper_" in sql]


def test_both_ends_of_a_range_are_looked_through_together(engine: Engine, program: Program) -> None:
    asked = statements(engine)
    truth = Truth(program.stored)
    assert program.queries.outcomes(SPANS[1], Filter()) == truth.outcomes(SPANS[1], Filter())
    # The pieces between them, which packs there are at both ends, what else is told of their rows, the rows.
    assert len([sql for sql in asked if "FROM scraper_breakdowns" in sql]) == 4


def test_late_metrics_show_at_once_and_after_the_roll_up(program: Program) -> None:
    check(program, FILTERS[:1])
    late = {"url": "https://shop.example/items/70", "success": False, "error": "boom 1", "run_id": "run-1"}
    program.send(navigation("late", SPANS[0].start_ms + 12_345, **late), scrape("late", SPANS[1].end_ms - 1, **late))
    check(program)
    program.rollups.run_once()
    check(program)


@pytest.mark.parametrize("dimension", [REST, ROWS])
@pytest.mark.parametrize("every", [1, 2])
def test_packs_from_before_there_were_these_are_made_good_by_the_table_and_then_anew(
    engine: Engine, program: Program, dimension: str, every: int
) -> None:
    with begin_writing(engine) as connection:
        own = (Breakdown.dimension == dimension, Breakdown.start_ms % (every * SLOT_MS) == 0)
        connection.execute(delete(Breakdown).where(*own))
    check(program, FILTERS[:1])
    asked = statements(engine)
    again = Program(engine, program.stored)
    asked.clear()
    again.queries.overview(SPANS[0], FILTERS[0])
    assert not [sql for sql in asked if "FROM scraper_page_performance" in sql]


def test_a_pack_that_isnt_of_the_same_rows_is_not_used(engine: Engine, program: Program) -> None:
    # As if it was read between two roll-ups: the rows are those of one, the rest is of the other.
    other, _ = rows_of([navigation(url="https://shop.example/items/7")])
    pack = packed(other, b"other rows")
    with begin_writing(engine) as connection:
        connection.execute(update(Breakdown).where(Breakdown.dimension == REST).values(packed=pack))
    check(program, FILTERS[:1])


def test_packs_go_with_the_rows_that_they_are_of(engine: Engine, program: Program) -> None:
    cleanup(engine, 1, now_ms=NOON_MS + 2 * DAY_MS, rollups=program.rollups)
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).where(Breakdown.dimension == REST)) == 0
    found = Program(engine, []).queries.overview(SPANS[0], FILTERS[0]).current
    assert found.navigations + found.scrapes == 0


def test_the_newest_events_of_the_past_are_looked_for_in_packs(engine: Engine, program: Program) -> None:
    truth = Truth(program.stored)
    for span in SPANS:
        for filter in FILTERS:
            own = sorted((page.recorded_at_ms for page in truth.pages(span, filter)), reverse=True)
            for limit in (1, 5, 1_000):
                found = program.queries.events(span, filter, limit)
                assert [event.recorded_at_ms for event in found] == own[:limit]
    asked = statements(engine)
    program.queries.events(SPANS[0], FILTERS[0], 6)  # nobody has asked for as many
    searched = [sql for sql in asked if "FROM scraper_page_performance" in sql]
    assert len(searched) == 1
    assert "created_at IN" in searched[0]
    assert kind_of_error("boom 12") == FILTERS[3].error
