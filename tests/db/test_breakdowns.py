"""Breakdowns by URL, error and outcome equal the detail rows, however they are cut, kept, killed and corrected."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select
from sqlalchemy.engine import Engine

from collector.events import Metric, PageScrape
from db.breakdown import DIMENSIONS, OTHERS, Dimension, Groups, letting_through, merged, shortened, texts_of
from db.breakdown_pack import packed, unpacked
from db.breakdown_rolling import LENGTHS_MS
from db.breakdowns import Breakdowns, divided
from db.cells import DAY_MS, HOUR_MS, QUARTER_MS, SLOT_MS
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.engine import begin_writing, make_engine
from db.group_rows import groups_of
from db.labelled_sources import AnyLabels
from db.models import Breakdown
from db.models import PagePerformance as Page
from db.queries import Queries
from db.recent import RecentDetail
from db.rest_pack import REST
from db.results import Filter, Kind, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.row_pack import ROWS
from db.store import Store
from db.time_packs import TIME
from db.url_rolling import URL_KEPT
from tests.db.brute_force import Truth
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.servers import PrivateMariaDB

START_MS = NOON_MS - 60 * HOUR_MS


def some_metrics(count: int = 200, *, seed: int = 3) -> list[Metric]:
    """Make metrics over two and a half days, in two of every six hours, one in five failed."""
    rng = random.Random(seed)
    made: list[Metric] = []
    for number in range(count):
        burst, within_ms = divmod(number // 4 * 4 * (60 * HOUR_MS // count), 6 * HOUR_MS)
        ok = rng.random() < 0.8
        kind, fields = rng.choice(((navigation, {}), (scrape, {"fields": {"price": rng.randrange(6), "title": 5}})))
        made.append(
            kind(
                f"source{rng.randrange(3)}", START_MS + burst * 6 * HOUR_MS + within_ms // 3 + number % 4 * 20_000,
                url=f"https://shop.example/{rng.randrange(20)}", success=ok,
                error=None if ok else rng.choice((f"timeout after {rng.randrange(9000)} ms", "HTTP 503", None)),
                **fields,
            )
        )  # fmt: skip
    return made


def rows_of(metrics: list[Metric]) -> DetailColumns:
    sources, outcomes = Names(), Names()
    return DetailColumns([chunk_of_metrics(metrics, sources, outcomes)], sources, outcomes)  # type: ignore[arg-type]


def plain(groups: Groups, names: Names) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Return groups in a form that doesn't depend on their order."""
    texts = texts_of(groups, set(groups.value.tolist()))
    return {
        (texts[int(groups.value[n])], names[int(groups.source[n])], bool(groups.scrape[n]), bool(groups.success[n])): (
            int(groups.count[n]), int(groups.items[n]), int(groups.data_size[n]),
            pytest.approx(float(groups.sum_ms[n])), float(groups.max_ms[n]), int(groups.first_ms[n]),
            int(groups.last_ms[n]),
        )
        for n in range(len(groups))
    }  # fmt: skip


def kept(engine: Engine) -> dict[tuple[str, int, int], tuple[int, bytes]]:
    with engine.connect() as connection:
        columns = (Breakdown.dimension, Breakdown.length_ms, Breakdown.start_ms, Breakdown.row_count, Breakdown.packed)
        own = select(*columns).where(Breakdown.dimension.not_in(URL_KEPT))
        return {tuple(row[:3]): (row[3], row[4]) for row in connection.execute(own)}  # type: ignore[misc]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_parts_add_up_to_the_whole(dimension: str) -> None:
    rows = rows_of(some_metrics())
    middle_ms = NOON_MS - 20 * HOUR_MS
    parts = [groups_of(rows.between(*span), dimension) for span in ((0, middle_ms), (middle_ms, 1 << 60))]  # type: ignore[arg-type]
    whole = plain(groups_of(rows, dimension), rows.source_names)  # type: ignore[arg-type]
    assert plain(merged(parts), rows.source_names) == whole
    assert plain(merged([Groups.empty(), *parts]), rows.source_names) == whole


def test_bytes_of_something_else_are_refused() -> None:
    for nonsense in (b"", b"\x04\x00" + bytes(40)):
        with pytest.raises(ValueError, match="rebuild the rollups"):
            unpacked(nonsense, 0, Names())


def test_what_is_cut_off_is_neither_slow_nor_frequent_nor_failing_and_still_counted() -> None:
    metrics: list[Metric] = [
        navigation("a", NOON_MS + n, url=f"https://a/{n}", navigation_duration_ms=n) for n in range(8000)
    ]
    metrics += [navigation("a", NOON_MS + 9000, url="https://a/often", navigation_duration_ms=0) for _ in range(50)]
    metrics += [navigation("a", NOON_MS + 9000, url="https://a/bad", navigation_duration_ms=0, success=False)]
    metrics += [scrape("b", NOON_MS, url="https://a/other-stream", scrape_duration_ms=0)]
    rows = rows_of(metrics)
    groups = groups_of(rows, "url")
    short = shortened(groups, "url")
    names = texts_of(short, set(short.value.tolist()))
    found = {names[value] for value in short.value.tolist()}
    assert {"https://a/often", "https://a/bad", "https://a/7999", "https://a/7000", "https://a/other-stream"} <= found
    assert "https://a/3000" not in found
    assert len(short) < 3200
    assert (short.count.sum(), short.sum_ms.sum()) == (len(metrics), groups.sum_ms.sum())
    assert OTHERS in short.value
    again = unpacked(packed(short, NOON_MS, rows.source_names), NOON_MS, rows.source_names)
    assert plain(again, rows.source_names) == plain(short, rows.source_names)


def starts_of(length_ms: int) -> st.SearchStrategy[set[int]]:
    return st.sets(st.integers(0, 80 * HOUR_MS // length_ms).map(lambda number: number * length_ms))


@given(st.integers(0, 30 * HOUR_MS), st.integers(0, 50 * HOUR_MS), *map(starts_of, LENGTHS_MS))
def test_pieces_and_what_is_loose_cover_a_span_once(
    start_ms: int, duration_ms: int, slots: set[int], hours: set[int], quarters: set[int], days: set[int]
) -> None:
    end_ms = start_ms + duration_ms
    unsettled = dict(zip(LENGTHS_MS, (slots, hours, quarters, days), strict=True))
    pieces, loose = divided(start_ms, end_ms, unsettled)
    spans = sorted([(piece.start_ms, piece.start_ms + piece.length_ms) for piece in pieces] + loose)
    assert [low for low, _ in spans] == [start_ms, *(high for _, high in spans)][: len(spans)]
    assert not spans or spans[-1][1] == end_ms
    for length_ms, start in pieces:
        assert start not in unsettled[length_ms]
        assert not any(start <= slot < start + length_ms for slot in slots)
    whole = [slot for low, high in loose for slot in range(-(-low // SLOT_MS) * SLOT_MS, high - SLOT_MS + 1, SLOT_MS)]
    assert slots.issuperset(whole)


def test_days_hours_and_minutes_hold_what_their_rows_add_up_to(engine: Engine, store: Store) -> None:
    rollups = Rollups(engine)
    store.subscribe(rollups.mark)
    metrics = some_metrics()
    store.send(batch(*metrics[:150]))
    rollups.run_once()
    store.send(batch(*metrics[150:]))
    late = [
        navigation("late", START_MS + 5 * HOUR_MS, success=False, error="late 1"),
        scrape("late", START_MS + 30 * HOUR_MS, outcome="late"),
    ]
    store.send(batch(*late))
    rollups.run_once()
    rows, found = rows_of([*metrics, *late]), kept(engine)
    for (dimension, length_ms, start_ms), (row_count, pack) in found.items():
        own, names = rows.between(start_ms, start_ms + length_ms), Names()
        assert row_count == len(own) > 0
        if dimension in (TIME, ROWS, REST):  # see test_time_packs, test_packed_rows and test_filtered_rows
            continue
        expected = plain(groups_of(own, dimension), rows.source_names)  # type: ignore[arg-type]
        assert plain(unpacked(pack, start_ms, AnyLabels(names)), names) == expected
    for length_ms in LENGTHS_MS:
        starts = {metric.recorded_at_ms // length_ms * length_ms for metric in [*metrics, *late]}
        assert {start for _, length, start in found if length == length_ms} == starts


def test_a_span_is_written_when_it_is_over(engine: Engine, store: Store) -> None:
    now_ms = NOON_MS + 60_000
    rollups = Rollups(engine, clock_ms=lambda: now_ms)
    store.subscribe(rollups.mark)
    store.send(batch(navigation(at_ms=NOON_MS), navigation(at_ms=NOON_MS - HOUR_MS)))
    rollups.run_once()
    over = {(SLOT_MS, NOON_MS - HOUR_MS), (HOUR_MS, NOON_MS - HOUR_MS), (QUARTER_MS, NOON_MS - QUARTER_MS)}
    assert {key[1:] for key in kept(engine)} == over
    now_ms += SLOT_MS
    rollups.run_once()
    assert (SLOT_MS, NOON_MS) in {key[1:] for key in kept(engine)}
    assert (HOUR_MS, NOON_MS) not in {key[1:] for key in kept(engine)}
    now_ms += DAY_MS
    rollups.run_once()
    day_ms = NOON_MS // DAY_MS * DAY_MS
    assert {key[1:] for key in kept(engine)} >= {(HOUR_MS, NOON_MS), (QUARTER_MS, NOON_MS), (DAY_MS, day_ms)}


def test_what_a_killed_program_left_undone_is_found_by_the_next(engine: Engine, store: Store) -> None:
    rollups = Rollups(engine)
    store.subscribe(rollups.mark)
    store.send(batch(*some_metrics()))
    rollups.run_once()
    before = kept(engine)
    for length_ms in LENGTHS_MS:
        with begin_writing(engine) as connection:  # as if it was killed before these were written, or long ago
            connection.execute(delete(Breakdown).where(Breakdown.length_ms == length_ms, Breakdown.start_ms < NOON_MS))
        assert kept(engine) != before, length_ms
        Rollups(engine).run_once()
        assert kept(engine) == before, length_ms


def test_what_outlived_its_detail_is_left_as_it_was(engine: Engine, store: Store) -> None:
    store.send(batch(*some_metrics()))
    Rollups(engine).run_once()
    before = kept(engine)
    cleanup(engine, 1, now_ms=NOON_MS)
    with engine.connect() as connection:
        assert connection.scalar(select(func.min(Page.created_at))) > START_MS
    Rollups(engine).run_once()
    # The rows themselves go with their table's.
    since_ms = NOON_MS // DAY_MS * DAY_MS - DAY_MS
    assert kept(engine) == {
        key: pack for key, pack in before.items() if key[0] not in (ROWS, REST) or key[2] >= since_ms
    }


def test_retention_of_rollups_is_that_of_breakdowns(engine: Engine, store: Store) -> None:
    store.send(batch(*some_metrics()))
    Rollups(engine).run_once()
    cleanup(engine, 1, minute_days=1, hour_days=2, now_ms=NOON_MS)
    today_ms = NOON_MS // DAY_MS * DAY_MS
    oldest = {length: min(start for _, own, start in kept(engine) if own == length) for length in LENGTHS_MS}
    assert oldest == {SLOT_MS: today_ms - DAY_MS} | dict.fromkeys(LENGTHS_MS[1:], today_ms - 2 * DAY_MS)
    before = kept(engine)
    Rollups(engine).run_once()
    assert kept(engine) == before


def test_tables_of_any_range_read_no_detail_rows(engine: Engine) -> None:
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    store, rollups, recent = Store(engine), Rollups(engine, clock_ms=lambda: NOON_MS), RecentDetail(max_rows=40)
    recent.load(engine)
    for listener in (recent.append, rollups.mark):
        store.subscribe(listener)
    metrics = some_metrics()
    store.send(batch(*metrics))
    rollups.run_once()
    queries = Queries(engine, recent, rollups=rollups, exact_rows=0, clock_ms=lambda: NOON_MS)
    truth = Truth(metrics)
    filters = (Filter(), Filter(("source1",)), Filter(result="failed"), Filter(("source0", "source2"), "ok"))
    for hours, bucket_ms in ((6, SLOT_MS), (24, 2 * SLOT_MS), (60, 2 * HOUR_MS)):
        for end_ms in (NOON_MS, NOON_MS - 7 * SLOT_MS):
            span = TimeRange(end_ms - hours * HOUR_MS, end_ms, bucket_ms)
            for filter in filters:
                asked.clear()
                assert {group[:5] for group in queries.errors_by_kind(span, filter)} == truth.errors(span, filter, None)
                assert dict(queries.outcomes(span, filter)) == truth.outcomes(span, filter)
                found = queries.slowest_urls(span, filter, "scrape", 1000)
                # What an error said in full is looked up by its moment.
                read = [sql for sql in asked if Page.__tablename__ in sql]
                assert [sql for sql in read if f"{Page.__tablename__}.created_at IN" not in sql] == []
                pages = truth.pages(span, filter, "scrape")
                assert {(url.url, url.source): url.count for url in found} == Counter(
                    (page.url, page.scraper_source) for page in pages
                )
                assert sum(url.items for url in found) == sum(
                    page.items_extracted for page in pages if isinstance(page, PageScrape)
                )
                failures = sum(not page.success for page in pages)
                assert sum(url.errors for url in found) == failures


@dataclass(frozen=True)
class RolledUp:
    """A database of 3000 metrics that are added up, and what is remembered of it; nobody changes it."""

    engine: Engine
    recent: RecentDetail
    rollups: Rollups


def rolled_up(url: str) -> RolledUp:
    engine = make_engine(url=url)
    recent, rollups = RecentDetail(1), Rollups(engine, clock_ms=lambda: NOON_MS)
    Store(engine).send(batch(*some_metrics(3000)))
    rollups.run_once()
    recent.load(engine)
    return RolledUp(engine, recent, rollups)


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolledUp]:
    """One of each kind for all tests that only read it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('large') / 'large.db'}"
    else:
        server: PrivateMariaDB = request.getfixturevalue("mariadb")
        server.execute("CREATE DATABASE large_breakdowns")
        url = server.url("large_breakdowns")
    request.getfixturevalue(f"{request.param}_template").copy_to(url)
    made = rolled_up(url)
    yield made
    made.engine.dispose()
    if request.param == "mariadb":
        server.execute("DROP DATABASE large_breakdowns")


@pytest.mark.xdist_group("breakdowns-large")
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_edges_between_pieces_send_what_is_counted_and_nothing_else(large: RolledUp, dimension: Dimension) -> None:
    engine, recent, metrics = large.engine, large.recent, some_metrics(3000)
    breakdowns = Breakdowns(engine, recent, large.rollups)
    low, high = NOON_MS - 17 * HOUR_MS - 130_000, NOON_MS - 16 * HOUR_MS - 70_000
    own = rows_of([metric for metric in metrics if low <= metric.recorded_at_ms < high])
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    filters: tuple[tuple[Filter, Kind | None], ...] = (
        (Filter(), None), (Filter(), "navigation"), (Filter(("source1",)), "scrape"), (Filter(result="failed"), None),
        (Filter(result="ok"), "scrape"),
    )  # fmt: skip
    for filter, kind in filters:
        found = breakdowns.of(dimension, low, high, filter, kind)
        assert found is not None
        right = groups_of(own.matching(filter, kind), dimension)
        let_through = letting_through(found, filter, kind, recent.sources)
        narrowed = found if let_through is None else found.chosen(let_through)
        assert plain(narrowed, recent.sources) == plain(right, own.source_names)
    of_detail = [sql for sql in asked if "FROM scraper_page_performance" in sql]
    assert of_detail
    for column, needed_by in (("page_url", "url"), ("error", "error"), ("fields", "field"), ("outcome", "outcome")):
        read = [f"{Page.__tablename__}.{column}" in sql.partition("FROM")[0] for sql in of_detail]
        assert set(read) == {dimension == needed_by}


@pytest.mark.xdist_group("breakdowns-large")
def test_buckets_of_an_hour_are_read_in_one_piece(large: RolledUp) -> None:
    engine = large.engine
    queries = Queries(engine, large.recent, rollups=large.rollups, exact_rows=0, clock_ms=lambda: NOON_MS)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    start_ms = NOON_MS - 17 * HOUR_MS - 2 * SLOT_MS
    queries.outcome_series(TimeRange(start_ms, start_ms + HOUR_MS, SLOT_MS))
    assert sum("FROM scraper_breakdowns" in sql for sql in asked) == 1
    queries.outcome_series(TimeRange(start_ms + SLOT_MS, start_ms + HOUR_MS, SLOT_MS))
    assert sum("FROM scraper_breakdowns" in sql for sql in asked) == 1


def test_pages_with_a_text_in_their_url_are_found_without_detail_rows(engine: Engine) -> None:
    store, rollups, recent = Store(engine), Rollups(engine, clock_ms=lambda: NOON_MS), RecentDetail(max_rows=40)
    recent.load(engine)
    for listener in (recent.append, rollups.mark):
        store.subscribe(listener)
    metrics = some_metrics()
    store.send(batch(*metrics))
    rollups.run_once()
    queries = Queries(engine, recent, rollups=rollups, exact_rows=0, clock_ms=lambda: NOON_MS)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    span = TimeRange(NOON_MS - 48 * HOUR_MS, NOON_MS, 2 * HOUR_MS)
    for text in ("SHOP.example/1", "/7", "nowhere", "/1", "/2", "/3", "/4"):
        for filter in (Filter(url_contains=text), Filter(("source2",), "failed", text)):
            found = queries.slowest_urls(span, filter, "navigation", 1000)
            pages = Truth(metrics).pages(span, filter, "navigation")
            assert {(url.url, url.source): url.count for url in found} == Counter(
                (page.url, page.scraper_source) for page in pages
            )
    assert not [sql for sql in asked if Page.__tablename__ in sql]


def test_memory_of_pieces_is_bounded(engine: Engine, store: Store) -> None:
    recent, rollups = RecentDetail(max_rows=10), Rollups(engine)
    store.subscribe(rollups.mark)
    store.send(batch(*some_metrics()))
    recent.load(engine)
    rollups.run_once()
    breakdowns = Breakdowns(engine, recent, rollups, max_bytes=8_000)
    counts = []
    for start_ms in range(START_MS // HOUR_MS * HOUR_MS, NOON_MS - 2 * HOUR_MS, HOUR_MS):
        groups = breakdowns.of("url", start_ms, start_ms + 2 * HOUR_MS)
        assert groups is not None
        counts.append(int(groups.count.sum()))
        assert breakdowns._pieces.currsize <= 8_000
        assert breakdowns._pieces.currsize == sum(piece.size_bytes for piece in breakdowns._pieces.values())
    rows = rows_of(some_metrics())
    starts = np.arange(START_MS // HOUR_MS * HOUR_MS, NOON_MS - 2 * HOUR_MS, HOUR_MS)
    assert counts == [len(rows.between(int(start), int(start) + 2 * HOUR_MS)) for start in starts]
