"""Long ranges are drawn from rollups in memory, which follow every change and stay within their bounds."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sqlalchemy import event, update
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.engine import begin_writing
from db.models import HourlyRollup, MinuteRollup
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_rollups import RecentRollups
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from tests.db.brute_force import Truth, check_overview, check_quantile, check_series, duration_ms
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.tab_truth import check_week

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
SPANS = (
    TimeRange(NOON_MS - 6 * HOUR_MS, NOON_MS, 5 * MINUTE_MS),
    TimeRange(NOON_MS - DAY_MS, NOON_MS, 10 * MINUTE_MS),
    TimeRange(NOON_MS - 4 * DAY_MS, NOON_MS, 2 * HOUR_MS),
)

FILTERS = (
    Filter(), Filter(("source1",)), Filter(result="failed"), Filter(result="ok"), Filter(("source1", "new"), "failed"),
)  # fmt: skip


class Program:
    """A store with a day and a half of metrics, of which memory holds the newest few."""

    def __init__(self, engine: Engine, max_rows: int = 300) -> None:
        rng = random.Random(4)
        self.store, self.rollups = Store(engine), Rollups(engine)
        self.recent = RecentDetail(max_rows=max_rows)
        self.recent.load(engine)
        self.queries = Queries(engine, self.recent, rollups=self.rollups, exact_rows=50, clock_ms=lambda: NOON_MS)
        for listener in (self.recent.append, self.rollups.mark):
            self.store.subscribe(listener)
        self.stored: list[Metric] = []
        self.send(*(
            rng.choice((navigation, scrape))(
                f"source{rng.randrange(3)}", NOON_MS - 36 * HOUR_MS + number * 36 * 3600, success=rng.random() < 0.8
            )
            for number in range(1000)
        ))  # fmt: skip

    def send(self, *metrics: Metric) -> None:
        self.store.send(batch(*metrics))
        self.stored += metrics

    def check(self, *filters: Filter) -> None:
        truth = Truth(self.stored)
        for span in SPANS:
            for filter in filters or FILTERS:
                check_overview(self.queries.overview(span, filter), truth, span, filter)
                for kind in ("navigation", "scrape"):
                    found = self.queries.duration_trend(span, filter, kind)
                    check_series(found, span, truth.pages(span, filter, kind))


@pytest.fixture
def program(engine: Engine) -> Program:
    return Program(engine)


def test_a_late_metric_corrects_what_was_added_up_before(program: Program) -> None:
    program.check()
    for age_ms in (90_000, 5 * HOUR_MS, 30 * HOUR_MS, 70 * HOUR_MS):
        program.send(navigation("source1", NOON_MS - age_ms, navigation_duration_ms=9_999), scrape("new", NOON_MS - 1))
        program.check()


def test_live_updates_of_long_ranges_ask_the_database_nothing(program: Program, engine: Engine) -> None:
    program.check()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for number in range(20):
        program.send(navigation("source1", NOON_MS - 20_000 + number * 1000))
        asked.clear()
        for span in SPANS:
            for filter in FILTERS:
                program.queries.overview(span, filter)
                program.queries.source_series(span, filter)
                program.queries.duration_histogram(span, filter, "navigation")
        assert asked == []
    program.check()


def test_warmed_ranges_ask_the_database_nothing(program: Program, engine: Engine) -> None:
    program.queries.warm(NOON_MS)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for length_ms, bucket_ms in (
        (6 * HOUR_MS, 5 * MINUTE_MS), (DAY_MS, 10 * MINUTE_MS), (6 * DAY_MS, 2 * HOUR_MS), (30 * DAY_MS, 6 * HOUR_MS),
    ):  # fmt: skip
        end_ms = (NOON_MS // bucket_ms + 1) * bucket_ms  # as pages end a range that ends now
        for filter in FILTERS:
            program.queries.overview(TimeRange(end_ms - length_ms, end_ms, bucket_ms), filter)
    assert asked == []


def test_the_hours_of_the_week_are_counted_out_before_anybody_asks(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.queries.warm(NOON_MS)
    truth, midnight_ms = Truth(program.stored), NOON_MS // DAY_MS * DAY_MS
    monkeypatch.setattr(RecentRollups, "hours", lambda *_: pytest.fail("counted only now"))
    for days in (1, 7, 28):
        span = TimeRange(midnight_ms - days * DAY_MS, NOON_MS, HOUR_MS)
        check_week(program.queries, truth.pages(span, Filter(), "navigation"), span, Filter(), "navigation")


@pytest.mark.parametrize("max_rows", [1, 300])
def test_no_filter_of_results_reads_detail_rows_from_the_database(engine: Engine, max_rows: int) -> None:
    program = Program(engine, max_rows)
    program.send(*(navigation("source1", NOON_MS - number, success=number % 2 > 0) for number in range(1, 7)))
    program.rollups.run_once()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    program.check(*(Filter(sources, result) for result in ("ok", "failed") for sources in ((), ("source1",))))
    assert asked
    assert [statement for statement in asked if "scraper_page_performance" in statement] == []


def test_tables_of_long_ranges_ask_the_database_for_the_old_part_once(program: Program, engine: Engine) -> None:
    truth, span = Truth(program.stored), SPANS[1]

    def check() -> None:
        errors = program.queries.errors_by_kind(span, Filter())
        assert {group[:5] for group in errors} == truth.errors(span, Filter(), None)
        assert dict(program.queries.outcomes(span)) == truth.outcomes(span, Filter())

    check()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    for number in range(5):
        program.send(scrape("source1", NOON_MS - 20_000 + number, success=False, error="new", outcome="blocked"))
        asked.clear()
        check()
        assert asked == []
    program.send(scrape("source1", NOON_MS - 23 * HOUR_MS, success=False, error="late", outcome="blocked"))
    check()
    assert asked


def test_little_memory_gives_the_same_answers(program: Program, engine: Engine) -> None:
    small = RecentRollups(engine, program.recent, program.rollups, max_bytes=20_000)
    program.queries._history._pyramid = small
    program.check()
    program.send(navigation("source1", NOON_MS - 3 * HOUR_MS))
    program.check()
    assert small._minutes.currsize <= 10_000 or len(small._minutes) == 1
    assert small._buckets.currsize <= 10_000 or len(small._buckets) == 1


def test_bytes_are_counted_right(program: Program) -> None:
    program.check()
    program.send(*(navigation("source1", NOON_MS - hours * HOUR_MS) for hours in range(0, 40, 3)))
    program.check()
    pyramid = program.queries._history._pyramid
    assert pyramid is not None
    assert pyramid._minutes.currsize == sum(cells.size_bytes for cells in pyramid._minutes.values())
    assert pyramid._buckets.currsize == sum(cells.size_bytes for cells in pyramid._buckets.values())


def test_restart_finds_the_same_numbers_in_the_database(program: Program, engine: Engine) -> None:
    program.rollups.run_once()
    stored = program.stored
    again = Program.__new__(Program)
    again.store, again.rollups, again.stored = Store(engine), Rollups(engine), stored
    again.recent = RecentDetail(max_rows=100)
    again.recent.load(engine)
    again.queries = Queries(engine, again.recent, rollups=again.rollups, exact_rows=0, clock_ms=lambda: NOON_MS)
    again.check()


def test_long_ranges_survive_the_deletion_of_detail_and_minutes(program: Program, engine: Engine) -> None:
    program.check()
    cleanup(engine, 1, now_ms=NOON_MS, minute_days=1)
    program.recent.forget_before(NOON_MS // DAY_MS * DAY_MS - DAY_MS)
    truth, span = Truth(program.stored), SPANS[2]
    for filter in FILTERS:
        check_overview(program.queries.overview(span, filter), truth, span, filter)


def test_rollups_from_before_results_were_kept_apart_count_right_and_guess_no_duration(
    program: Program, engine: Engine
) -> None:
    program.rollups.run_once()
    cleanup(engine, 1, now_ms=NOON_MS + DAY_MS, minute_days=1)  # leaves detail of the last of two days
    names = [name for name in MinuteRollup.__table__.columns.keys() if "_ok_" in name or "failed_" in name]  # noqa: SIM118
    with begin_writing(engine) as connection:
        for table in (MinuteRollup, HourlyRollup):
            connection.execute(update(table).values(dict.fromkeys([*names, "last_failure_at"])))
    recent, span = RecentDetail(max_rows=10), SPANS[2]
    recent.load(engine)
    queries = Queries(engine, recent, rollups=Rollups(engine), exact_rows=0, clock_ms=lambda: NOON_MS)
    truth = Truth(program.stored)
    check_overview(queries.overview(span), truth, span, Filter())
    for result in ("ok", "failed"):
        filter = Filter(result=result)
        found, pages = queries.overview(span, filter), truth.pages(span, filter)
        assert found.current.count == len(pages) > 0
        assert (found.current.successes, found.current.errors) == (
            (len(pages), 0) if result == "ok" else (0, len(pages))
        )
        assert (found.current.mean_ms, found.current.min_ms, found.current.p95_ms, found.current.max_ms) == (None,) * 4
        assert found.series.errors.sum() == found.current.errors
        for index, start_ms in enumerate(found.series.bucket_ms.tolist()):
            values = [
                duration_ms(page) for page in pages if start_ms <= page.recorded_at_ms < start_ms + span.bucket_ms
            ]  # fmt: skip
            quantiles = [found.series.p50_ms[index], found.series.p99_ms[index]]
            if np.isnan(found.series.mean_ms[index]):
                assert np.isnan(quantiles).all()
            else:  # nothing failed in its hours, or everything did
                assert found.series.mean_ms[index] == pytest.approx(np.mean(values))
                check_quantile(quantiles[0], values, 0.5)
        for stats in found.sources:
            own = [page for page in pages if page.scraper_source == stats.source]
            assert stats.totals.count == len(own)
            newest_ms = max(page.recorded_at_ms for page in own)
            assert newest_ms - span.bucket_ms <= stats.last_seen_ms <= newest_ms
            assert stats.last_ok_ms == (newest_ms if result == "ok" else None)
    assert [count for count in queries.overview(span, Filter(result="ok")).series.errors if count] == []
