"""What pages ask, on small data whose answers can be read off."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db.queries import Queries
from db.recent import RecentDetail
from db.results import DailyRow, ErrorGroup, Filter, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HOUR = TimeRange(NOON_MS, NOON_MS + HOUR_MS, MINUTE_MS)


class Board:
    """A store with everything that listens to it, as the app wires them."""

    def __init__(self, engine: Engine, max_rows: int = 1000) -> None:
        self.store = Store(engine)
        self.recent = RecentDetail(max_rows=max_rows)
        self.rollups = Rollups(engine)
        self.store.subscribe(self.recent.append)
        self.store.subscribe(self.rollups.mark)
        self.clock_ms = NOON_MS + HOUR_MS
        self.queries = Queries(engine, self.recent, rollups=self.rollups, clock_ms=lambda: self.clock_ms)


@pytest.fixture
def board(engine: Engine) -> Board:
    """A board on an empty database."""
    return Board(engine)


def test_empty_database_has_empty_answers(board: Board) -> None:
    queries, everything = board.queries, Filter()
    overview = queries.overview(HOUR)
    assert (overview.current.count, overview.current.success_rate, overview.current.p95_ms) == (0, None, None)
    assert overview.previous == overview.current
    assert len(overview.series.bucket_ms) == 60
    assert np.isnan(overview.series.mean_ms).all()
    assert (overview.sources, dict(overview.throughput)) == ((), {})
    assert queries.events(None) == queries.events(HOUR) == ()
    assert queries.source_names() == ()
    assert queries.errors_by_kind(HOUR, everything) == ()
    assert queries.slowest_urls(HOUR, everything, "navigation") == ()
    assert queries.outcomes(HOUR) == {}
    assert queries.scheduler_runs(HOUR) == ()
    assert queries.scheduler_summary(HOUR) == ()
    assert queries.daily(None, 7) == ()
    assert queries.last_recorded_ms() is None
    edges_ms, counts = queries.duration_histogram(HOUR, everything, "scrape", bins=5)
    assert (len(edges_ms), counts.tolist()) == (6, [0] * 5)


def test_what_was_just_stored_is_in_the_next_answer(board: Board) -> None:
    for number in range(1, 4):
        board.store.send(batch(navigation(at_ms=NOON_MS + number)))
        assert board.queries.overview(HOUR).current.navigations == number
        assert len(board.queries.events(HOUR)) == number


def test_same_question_is_answered_once_until_something_is_stored(board: Board) -> None:
    board.store.send(batch(navigation()))
    first = board.queries.overview(HOUR)
    assert board.queries.overview(HOUR) is first
    board.store.send(batch(run()))
    assert board.queries.overview(HOUR) is not first


def test_overview_compares_with_the_period_before(board: Board) -> None:
    board.store.send(batch(
        navigation(at_ms=NOON_MS - HOUR_MS), navigation(at_ms=NOON_MS - 1), navigation(at_ms=NOON_MS - HOUR_MS - 1),
        navigation(at_ms=NOON_MS),
    ))  # fmt: skip
    overview = board.queries.overview(HOUR)
    assert (overview.current.navigations, overview.previous.navigations) == (1, 2)


def test_overview_compares_with_any_earlier_range(board: Board) -> None:
    board.store.send(batch(
        navigation(at_ms=NOON_MS), navigation(at_ms=NOON_MS - 24 * HOUR_MS),
        navigation(at_ms=NOON_MS - 23 * HOUR_MS - 1), navigation(at_ms=NOON_MS - 23 * HOUR_MS),
    ))  # fmt: skip
    overview = board.queries.overview(HOUR, than=HOUR.earlier(24 * HOUR_MS))
    assert (overview.current.navigations, overview.previous.navigations) == (1, 2)
    assert board.queries.overview(HOUR).previous.navigations == 0


def test_unequal_last_bucket_is_counted(board: Board) -> None:
    span = TimeRange(NOON_MS, NOON_MS + 2500, 1000)
    board.store.send(batch(*(navigation(at_ms=NOON_MS + ms) for ms in (0, 2000, 2499, 2500))))
    series = board.queries.overview(span).series
    assert series.bucket_ms.tolist() == [NOON_MS, NOON_MS + 1000, NOON_MS + 2000]
    assert series.navigations.tolist() == [1, 0, 2]


def test_hour_in_which_memory_begins_is_counted_once(engine: Engine) -> None:
    board = Board(engine, max_rows=10)
    board.store.send(batch(*(navigation(at_ms=NOON_MS + minute * MINUTE_MS) for minute in range(60))))
    assert board.recent.covered_since_ms == NOON_MS + 49 * MINUTE_MS + 1
    day = TimeRange(NOON_MS - 12 * HOUR_MS, NOON_MS + 12 * HOUR_MS, HOUR_MS)
    overview = board.queries.overview(day)
    assert overview.current.navigations == 60
    assert overview.series.navigations.tolist() == [0] * 12 + [60] + [0] * 11


def test_range_that_ends_inside_a_minute_before_memory_begins_is_exact(engine: Engine) -> None:
    board = Board(engine, max_rows=5)
    board.store.send(batch(*(navigation(at_ms=NOON_MS + second * 1000) for second in range(600))))
    span = TimeRange(NOON_MS, NOON_MS + MINUTE_MS + 30_000, MINUTE_MS)
    assert board.queries.overview(span).series.navigations.tolist() == [60, 30]


def test_events_are_newest_first_of_all_kinds(board: Board) -> None:
    board.store.send(batch(
        navigation("a", NOON_MS, retry_count=1, status_code=404, success=False, error="not found"),
        run("nightly", NOON_MS + 1, scraper_source="a"),
        scrape("b", NOON_MS + 2, outcome="empty", items_extracted=0),
    ))  # fmt: skip
    events = board.queries.events(None)
    assert [(event.kind, event.source, event.id[:2]) for event in events] == [
        ("scrape", "b", "p:"), ("scheduler", "nightly", "s:"), ("navigation", "a", "p:"),
    ]  # fmt: skip
    assert (events[0].items, events[0].outcome, events[0].url) == (0, "empty", "https://b.example/page")
    assert (events[1].url, events[1].items, events[1].duration_ms) == (None, 7, 2000)
    assert (events[2].status_code, events[2].retry_count, events[2].error) == (404, 1, "not found")
    assert len({event.id for event in events}) == 3
    assert board.queries.events(None, limit=2) == events[:2]


def test_events_of_one_moment_come_in_the_order_of_their_storing_backwards(board: Board) -> None:
    board.store.send(batch(*(navigation(url=f"https://a/{number}") for number in range(5))))
    assert [event.url for event in board.queries.events(HOUR)] == [f"https://a/{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        (Filter(sources=("a",)), ["a", "nightly", "a"]),
        (Filter(sources=("nightly",)), ["nightly"]),
        (Filter(sources=("a", "b")), ["a", "b", "nightly", "a"]),
        (Filter(sources=("b", "nobody")), ["b"]),
        (Filter(result="failed"), ["b", "nightly"]),
        (Filter(sources=("a", "b"), result="ok"), ["a", "a"]),
        (Filter(url_contains="A.EXAMPLE"), ["a", "a"]),
        (Filter(url_contains="%"), []),
    ],
)
def test_events_obey_the_filter(board: Board, filter: Filter, found: list[str]) -> None:
    board.store.send(batch(
        navigation("a", NOON_MS), run("nightly", NOON_MS + 1, scraper_source="a", success=False),
        scrape("b", NOON_MS + 2, success=False), scrape("a", NOON_MS + 3),
    ))  # fmt: skip
    assert [event.source for event in board.queries.events(HOUR, filter)] == found


def test_events_of_very_many_sources_are_found(board: Board) -> None:
    board.store.send(batch(*(navigation(f"s{number}", NOON_MS + number) for number in range(40))))
    wanted = tuple(f"s{number}" for number in range(0, 40, 1) if number % 3)
    found = [event.source for event in board.queries.events(HOUR, Filter(sources=wanted))]
    assert found == list(reversed(wanted))


def test_scheduler_summary_counts_out_each_job(board: Board) -> None:
    board.store.send(batch(
        *(run("hourly", NOON_MS + n * 600_000, execution_duration_ms=1000 + n, items_processed=n) for n in range(4)),
        run("hourly", NOON_MS + 4 * 600_000, execution_duration_ms=9000, success=False, error="late"),
        run("rare", NOON_MS + 5), run("before", NOON_MS - 1),
    ))  # fmt: skip
    hourly, rare = board.queries.scheduler_summary(HOUR)
    assert (hourly.scheduler_name, hourly.runs, hourly.ok, hourly.failed, hourly.items) == ("hourly", 5, 4, 1, 13)
    assert (hourly.last_run_ms, hourly.last_success, hourly.last_error) == (NOON_MS + 2_400_000, False, "late")
    assert hourly.mean_ms == pytest.approx((1000 + 1001 + 1002 + 1003 + 9000) / 5)
    assert hourly.p95_ms == pytest.approx(np.quantile([1000, 1001, 1002, 1003, 9000], 0.95))
    assert hourly.typical_interval_ms == pytest.approx(599_999)
    assert (rare.typical_interval_ms, rare.last_error) == (None, None)


def test_scheduler_runs_are_newest_first_and_know_their_start(board: Board) -> None:
    board.store.send(batch(run(at_ms=NOON_MS), run("other", NOON_MS + 5000, success=False, error="x", run_id="r")))
    newest, oldest = board.queries.scheduler_runs(HOUR)
    assert (newest.scheduler_name, newest.success, newest.error, newest.run_id) == ("other", False, "x", "r")
    assert (newest.start_ms, oldest.start_ms) == (NOON_MS + 3000, NOON_MS - 2000)
    assert board.queries.scheduler_runs(HOUR, Filter(result="failed")) == (newest,)
    assert board.queries.scheduler_runs(HOUR, limit=1) == (newest,)


def test_daily_rows_are_right_the_moment_data_lands(board: Board) -> None:
    board.clock_ms = NOON_MS
    board.store.send(batch(navigation("a"), scrape("b", NOON_MS - DAY_MS), navigation("a", NOON_MS - 9 * DAY_MS)))
    rows = board.queries.daily(None, 2)
    assert [(row.metric_date, row.source) for row in rows] == [(dt.date(2024, 4, 30), "b"), (dt.date(2024, 5, 1), "a")]
    board.store.send(batch(navigation("a", success=False, navigation_duration_ms=50)))
    (today,) = board.queries.daily("a", 1)
    assert (today.total_navigations, today.successful_navigations, today.avg_navigation_duration_ms) == (2, 1, 100)
    assert (today.total_scrapes, today.avg_scrape_duration_ms, today.p95_scrape_duration_ms) == (0, None, None)
    assert len(board.queries.daily(None, 10)) == 3


def test_daily_rows_of_today_are_those_that_its_summary_will_have(board: Board) -> None:
    board.clock_ms = NOON_MS
    board.store.send(batch(
        *(
            (navigation, scrape)[number % 2](
                f"source{number % 3}", NOON_MS - number * 400_000, success=number % 7 > 0,
                **{("navigation_duration_ms", "scrape_duration_ms")[number % 2]: 10 + number * 13 % 970},
            )
            for number in range(300)
        ),
        navigation("fast clock", NOON_MS + 12 * 3_600_000), navigation("only here", NOON_MS),
    ))  # fmt: skip
    for source in (None, "source1"):
        found = board.queries.daily(source, 3)
        board.rollups.run_once()
        later = Queries(board.queries._engine, RecentDetail(), clock_ms=lambda: NOON_MS).daily(source, 3)
        assert len(found) == len(later) >= 2
        for row, summary in zip(found, later, strict=True):
            for name in DailyRow.__slots__:
                value, kept = getattr(row, name), getattr(summary, name)
                if "_ms" in name and kept is not None:
                    assert value == pytest.approx(kept, rel=0.0202 if name.startswith("p") else 1e-12)
                else:
                    assert value == kept


def test_daily_rows_that_another_program_wrote_show_without_rollups_too(engine: Engine, store: Store) -> None:
    queries = Queries(engine, RecentDetail(), clock_ms=lambda: NOON_MS)
    assert queries.daily(None, 1) == ()
    store.send(batch(navigation("a", NOON_MS)))
    Rollups(engine, clock_ms=lambda: NOON_MS).run_once()
    (today,) = queries.daily(None, 1)
    assert (today.source, today.total_navigations) == ("a", 1)


def test_daily_rows_of_today_write_nothing(board: Board, engine: Engine) -> None:
    board.clock_ms = NOON_MS
    board.store.send(batch(navigation("a"), navigation("a", NOON_MS - DAY_MS)))
    board.queries.daily(None, 3)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    board.store.send(batch(navigation("a", NOON_MS + 1)))
    asked.clear()
    (_, today) = board.queries.daily(None, 3)
    assert today.total_navigations == 2
    assert not [sql for sql in asked if sql.startswith(("INSERT", "REPLACE", "DELETE"))]


def test_source_names_are_all_that_ever_appeared(board: Board, engine: Engine) -> None:
    board.store.send(batch(*(navigation(name) for name in ("b", "a", "ä", "B")), run("no-source")))
    assert board.queries.source_names() == ("B", "a", "b", "ä")
    fresh = Queries(engine, RecentDetail(), clock_ms=lambda: NOON_MS)
    assert fresh.source_names() == ("B", "a", "b", "ä")


def test_last_recorded_is_the_newest_of_all_kinds(board: Board) -> None:
    board.store.send(batch(navigation(at_ms=NOON_MS + 5), navigation(at_ms=NOON_MS)))
    assert board.queries.last_recorded_ms() == NOON_MS + 5
    board.store.send(batch(run(at_ms=NOON_MS + 9)))
    assert board.queries.last_recorded_ms() == NOON_MS + 9


def test_errors_are_grouped_by_text_most_frequent_first(board: Board) -> None:
    board.store.send(batch(
        navigation(success=False, error="timeout"), navigation(at_ms=NOON_MS + 5, success=False, error="timeout"),
        scrape(success=False, error=None), scrape(success=True, error="only a warning"),
    ))  # fmt: skip
    timeouts, silent = board.queries.errors_by_kind(HOUR, Filter())
    first = tuple(int(start_ms == NOON_MS) for start_ms in timeouts.starts_ms)
    assert timeouts == ErrorGroup(
        "timeout", 2, NOON_MS + 5, NOON_MS, ("robinhood",), timeouts.starts_ms, tuple(2 * n for n in first), "timeout"
    )
    assert silent == ErrorGroup("", 1, NOON_MS, NOON_MS, ("robinhood",), timeouts.starts_ms, first, "")
    assert board.queries.errors_by_kind(HOUR, Filter(), "scrape") == (silent,)


def test_a_sample_is_the_newest_text_of_its_kind_and_outlives_memory_but_not_its_row(engine: Engine) -> None:
    store, recent = Store(engine), RecentDetail(max_rows=1)
    store.subscribe(recent.append)
    store.send(batch(
        navigation(at_ms=NOON_MS, success=False, error="timeout after 10 ms"),
        navigation("b", at_ms=NOON_MS + 1, success=False, error="timeout after 3000 ms"),
        navigation("b", at_ms=NOON_MS + 1, success=False, error="HTTP 503"),
        navigation(at_ms=NOON_MS + 2),
    ))  # fmt: skip
    groups = Queries(engine, recent).errors_by_kind(HOUR, Filter())
    assert {group.error: group.sample for group in groups} == {
        "timeout after <n> ms": "timeout after 3000 ms", "HTTP 503": "HTTP 503"
    }  # fmt: skip
    assert groups[0].sources == ("b", "robinhood")
    Rollups(engine).run_once()
    cleanup(engine, 1, now_ms=NOON_MS + 3 * DAY_MS)
    recent.load(engine)
    rollups = Rollups(engine)
    rollups.run_once()
    later = Queries(engine, recent, rollups=rollups).errors_by_kind(HOUR, Filter())
    assert [(group.error, group.failures, group.sample) for group in later] == [
        ("timeout after <n> ms", 2, None), ("HTTP 503", 1, None)
    ]  # fmt: skip


def test_outcomes_name_what_had_none(board: Board) -> None:
    board.store.send(batch(
        scrape(outcome="ok"), scrape(outcome=None), scrape(outcome=None, success=False), scrape(outcome="blocked"),
        navigation(success=False),
    ))  # fmt: skip
    assert list(board.queries.outcomes(HOUR).items()) == [("ok", 2), ("blocked", 1), ("failed", 1)]


def test_histogram_has_readable_edges_and_counts_everything(board: Board) -> None:
    board.store.send(batch(*(navigation(navigation_duration_ms=ms) for ms in [*range(0, 1000, 10), 90_000])))
    edges_ms, counts = board.queries.duration_histogram(HOUR, Filter(), "navigation", bins=10)
    assert edges_ms.tolist() == [float(edge) for edge in range(0, 1001, 100)]
    assert counts.tolist() == [10] * 9 + [11]


def test_histogram_over_many_decades_has_bins_that_grow(board: Board) -> None:
    durations_ms = [3] * 30 + [40] * 30 + [700] * 20 + [9_000] * 15 + [36_000] * 5
    board.store.send(batch(*(navigation(navigation_duration_ms=ms) for ms in durations_ms)))
    edges_ms, counts = board.queries.duration_histogram(HOUR, Filter(), "navigation", bins=40)
    assert edges_ms.tolist() == [0, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000]
    told = {int(low): int(count) for low, count in zip(edges_ms[:-1], counts, strict=True) if count}
    assert told == {2: 30, 20: 30, 500: 20, 5_000: 15, 20_000: 5}


def test_duration_trend_is_of_one_kind(board: Board) -> None:
    board.store.send(batch(navigation(navigation_duration_ms=10), scrape(scrape_duration_ms=99)))
    series = board.queries.duration_trend(HOUR, Filter(), "navigation")
    assert (series.navigations[0], series.scrapes[0], series.p50_ms[0], series.p99_ms[0]) == (1, 0, 10, 10)


def test_comparison_has_one_series_for_each_source(board: Board) -> None:
    board.store.send(batch(navigation("a"), navigation("a", NOON_MS + MINUTE_MS), scrape("b", NOON_MS)))
    series = board.queries.source_series(HOUR)
    assert {name: own.navigations[:2].tolist() for name, own in series.items()} == {"a": [1, 1], "b": [0, 0]}
