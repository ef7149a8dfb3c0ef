"""Short spans of the past say exactly what their detail rows say, without reading one of them from its table."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS
from db.columns import DetailColumns, Names
from db.engine import begin_writing
from db.models import Breakdown, MinuteRollup
from db.packed_rows import PackedRows
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.row_pack import ROWS, packed, unpacked
from db.store import Store
from tests.db.brute_force import Truth, check_overview, check_quantile, check_series, duration_ms
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.test_time_packs import FILTERS, Program, rows_of, statements

COLUMNS = ("created_at_ms", "source", "scrape", "duration_ms", "success", "items")
SPANS = (
    TimeRange(NOON_MS - 30 * HOUR_MS + 20_000, NOON_MS - 30 * HOUR_MS + 920_000, 10_000),
    TimeRange(NOON_MS - 8 * HOUR_MS - 570_000, NOON_MS - 7 * HOUR_MS - 570_000, 30_000),
    TimeRange(NOON_MS - 5 * HOUR_MS + 5_000, NOON_MS - 5 * HOUR_MS + 10_000, 5_000),
)

# As wide as minutes, which rollups know too.
MINUTES = (
    TimeRange(NOON_MS - 30 * HOUR_MS, NOON_MS - 30 * HOUR_MS + 17 * MINUTE_MS, MINUTE_MS),
    TimeRange(NOON_MS - 8 * HOUR_MS - 10 * MINUTE_MS, NOON_MS - 7 * HOUR_MS - 10 * MINUTE_MS, 2 * MINUTE_MS),
)


def some_metrics() -> list[Metric]:
    """Return metrics of the spans, of those before them and of a while on both sides."""
    rng, found = random.Random(6), list[Metric]()
    for span in SPANS:
        at_ms = span.before().start_ms - 2 * SLOT_MS
        while at_ms < span.end_ms + 2 * SLOT_MS:
            kind = rng.choice((navigation, scrape))
            found.append(kind(f"source{rng.randrange(3)}", at_ms, success=rng.random() < 0.8))
            at_ms += rng.randrange(40_000)
    return found


@pytest.fixture
def stored(store: Store) -> list[Metric]:
    metrics = some_metrics()
    store.send(batch(*metrics))
    return metrics


def check(program: Program, spans: tuple[TimeRange, ...] = SPANS) -> None:
    truth = Truth(program.stored)
    for span in spans:
        for filter in FILTERS:
            check_overview(program.queries.overview(span, filter), truth, span, filter)
            for kind in ("navigation", "scrape"):
                found = program.queries.duration_trend(span, filter, kind)
                check_series(found, span, truth.pages(span, filter, kind))


def values(rows: DetailColumns) -> list[tuple[object, ...]]:
    columns = [getattr(rows, name).tolist() for name in COLUMNS]
    columns[1] = [rows.source_names[code] for code in columns[1]]
    return list(zip(*columns, strict=True))


def packs(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).where(Breakdown.dimension == ROWS)) or 0


def asks_for_detail(asked: list[str]) -> bool:
    return any("FROM scraper_page_performance" in sql for sql in asked)


@given(seed=st.integers(0, 1 << 30), count=st.integers(0, 60), values_=st.lists(st.floats(0, 8.64e7), min_size=1))
def test_rows_come_back_from_their_bytes_exactly(seed: int, count: int, values_: list[float]) -> None:
    rng = np.random.default_rng(seed)
    metrics: list[Metric] = []
    for number in range(count):
        at_ms, source = NOON_MS + int(rng.integers(0, SLOT_MS)), f"s{rng.integers(0, 4)}"
        duration_ms, success = values_[number % len(values_)], bool(rng.random() < 0.5)
        if rng.random() < 0.5:
            metrics.append(navigation(source, at_ms, navigation_duration_ms=duration_ms, success=success))
        else:
            items = int(rng.integers(0, 1 << 31))
            metrics.append(
                scrape(source, at_ms, scrape_duration_ms=duration_ms, success=success, items_extracted=items)
            )
    names, other = Names(), Names()
    other.code("another source was met first")
    rows = rows_of(metrics, names)
    back = DetailColumns([unpacked(packed(rows, NOON_MS), NOON_MS, other)], other, other)
    assert values(back) == values(rows)


def test_bytes_of_something_else_are_refused() -> None:
    for nonsense in (b"", b"\x01\x01" + bytes(40)):
        with pytest.raises(ValueError, match="rebuild the rollups"):
            unpacked(nonsense, 0, Names())


def test_short_spans_of_the_past_are_exact(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    for span in SPANS:
        with engine.connect() as connection:  # a span of five minutes without a row has no pack: it is looked for
            starts = set(connection.scalars(select(Breakdown.start_ms).where(Breakdown.dimension == ROWS)))
        assert starts & set(range(span.start_ms // SLOT_MS * SLOT_MS, span.end_ms, SLOT_MS))
    check(program)


def test_no_row_of_the_table_is_read(engine: Engine, stored: list[Metric]) -> None:
    hour_ms = NOON_MS - 20 * HOUR_MS
    more = [navigation(f"s{number % 3}", hour_ms + number * 20_000) for number in range(540)]
    program = Program(engine, stored, roll=False)
    program.send(*more)
    program.rollups.run_once()
    asked = statements(engine)
    span = TimeRange(hour_ms + HOUR_MS + 30_000, hour_ms + 2 * HOUR_MS + 30_000, 30_000)
    check(program, (span,))
    assert not asks_for_detail(asked)
    # The hour; how many rows there are before it, all but the ends of these, and the first end: then known.
    assert sum("FROM scraper_breakdowns" in sql for sql in asked) == 4


def test_of_many_rows_before_a_range_only_those_at_the_ends_are_read(
    engine: Engine, stored: list[Metric], monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_ms = NOON_MS - 20 * HOUR_MS
    more = [navigation(f"s{number % 3}", begin_ms + number * 20_000, success=number % 7 > 0) for number in range(540)]
    program = Program(engine, stored)
    program.send(*more)
    program.rollups.run_once()
    read: list[tuple[int, int]] = []
    between = PackedRows.between
    monkeypatch.setattr(PackedRows, "between", lambda *args: [read.append(args[1:]), between(*args)][1])
    span = TimeRange(begin_ms + HOUR_MS + 30_000, begin_ms + 2 * HOUR_MS + 30_000, 30_000)
    check(program, (span,))
    before = span.before()
    ends = ((before.start_ms, begin_ms + SLOT_MS), (begin_ms + HOUR_MS, before.end_ms))
    assert set(read) == {*ends, (span.start_ms, span.end_ms)}
    program.send(navigation("late", begin_ms + 30 * MINUTE_MS, success=False))
    check(program, (span,))
    few = Program(engine, program.stored, exact_rows=540)
    read.clear()
    check(few, (span,))
    assert set(read) == {(before.start_ms, before.end_ms), (span.start_ms, span.end_ms)}


def test_minutes_of_the_past_are_counted_row_by_row(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    truth = Truth(program.stored)
    asked = statements(engine)
    check(program, MINUTES)
    for filter in FILTERS:
        series = program.queries.duration_trend(MINUTES[0], filter, "scrape")
        for bucket, start_ms in enumerate(series.bucket_ms.tolist()):
            own = truth.pages(TimeRange(start_ms, start_ms + MINUTE_MS, MINUTE_MS), filter, "scrape")
            if not own:
                continue
            check_quantile(float(series.p95_ms[bucket]), [duration_ms(page) for page in own], 0.95, exact=True)
    assert not asks_for_detail(asked)
    assert not any(f"FROM {MinuteRollup.__tablename__}" in sql for sql in asked)


def test_more_rows_than_are_kept_are_counted_from_their_minutes(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    span = MINUTES[0]
    rows = sum(span.start_ms - SLOT_MS <= metric.recorded_at_ms < span.end_ms + SLOT_MS for metric in stored)
    few, enough = (
        PackedRows(engine, program.recent, program.rollups, most_rows=most).all_between(span.start_ms, span.end_ms)
        for most in (rows // 3, rows)
    )
    assert few is None
    assert enough is not None
    assert values(enough) == values(program.queries._history._detail(span.start_ms, span.end_ms, Filter(), None))


def test_minutes_that_miss_a_pack_or_outlived_their_rows_are_counted_all_the_same(
    engine: Engine, stored: list[Metric]
) -> None:
    program = Program(engine, stored)
    program.send(navigation("late", MINUTES[0].start_ms + 12_345, success=False))
    check(program, MINUTES)  # the minute is told again, its pack isn't yet
    program.rollups.run_once()
    with begin_writing(engine) as connection:
        connection.execute(
            delete(Breakdown).where(Breakdown.dimension == ROWS, Breakdown.start_ms % (2 * SLOT_MS) == 0)
        )
    check(Program(engine, program.stored, roll=False), MINUTES)
    cleanup(engine, 1, now_ms=NOON_MS + 12 * HOUR_MS, rollups=program.rollups)
    check(Program(engine, program.stored), MINUTES)


def test_late_metric_shows_at_once_and_after_the_roll_up(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    check(program)
    program.send(navigation("late", SPANS[0].start_ms + 12_345, success=False))
    check(program)
    program.rollups.run_once()
    check(program)


@pytest.mark.parametrize("all_of_them", [True, False])
def test_packs_that_are_missing_are_read_from_the_table(
    engine: Engine, stored: list[Metric], all_of_them: bool
) -> None:
    program = Program(engine, stored)
    some = [] if all_of_them else [Breakdown.start_ms % (2 * SLOT_MS) == 0]
    with begin_writing(engine) as connection:
        connection.execute(delete(Breakdown).where(Breakdown.dimension == ROWS, *some))
    check(program)
    # And found to be missing by the next program, which makes them again.
    before = packs(engine)
    again = Program(engine, stored)
    assert packs(engine) > before
    check(again)


def test_packs_go_with_the_rows_that_they_hold(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    assert packs(engine)
    midnight_ms = NOON_MS // DAY_MS * DAY_MS
    cleanup(engine, 1, now_ms=NOON_MS, rollups=program.rollups)
    with engine.connect() as connection:
        first_ms = connection.scalar(select(func.min(Breakdown.start_ms)).where(Breakdown.dimension == ROWS))
    assert first_ms is not None
    assert first_ms >= midnight_ms - DAY_MS
    asked = packs(engine)
    Program(engine, [])  # nothing is missed, nothing made again
    assert packs(engine) == asked


@given(low=st.integers(0, 200), minutes=st.integers(1, 90), at=st.sampled_from((0, 1, 9_999, 30_000, 59_999)))
@settings(max_examples=40)
def test_any_span_is_what_memory_would_hold(engine: Engine, once: PackedRows, low: int, minutes: int, at: int) -> None:
    start_ms = NOON_MS - 10 * HOUR_MS + low * MINUTE_MS + at
    end_ms = start_ms + minutes * MINUTE_MS - at // 2
    own = [metric for metric in some_metrics() if start_ms <= metric.recorded_at_ms < end_ms]
    assert values(once.between(start_ms, end_ms)) == values(rows_of(own, Names()))
    narrow = once.between(start_ms, end_ms).matching(Filter(("source1",), "ok"), "scrape")
    assert len(narrow) == sum(
        metric.scraper_source == "source1" and metric.success and hasattr(metric, "items_extracted") for metric in own
    )


@pytest.fixture
def once(engine: Engine, stored: list[Metric]) -> PackedRows:
    """Packs of everything, few of which are kept."""
    program = Program(engine, stored)
    return PackedRows(engine, program.recent, program.rollups, most_rows=100)
