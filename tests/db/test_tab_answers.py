"""What the Navigation and the Scraping tab are told: right from packs alone, asked again only where it changed."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, event, select
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.breakdown import Groups
from db.breakdown_rolling import BreakdownRoller
from db.bucket_groups import BucketGroups
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import NotAddedUpYet
from db.models import Breakdown
from db.models import PagePerformance as Page
from db.over_time import OverTime, cut
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, Kind, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from db.timed_groups import Bounds
from tests.db.brute_force import Truth
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.tab_truth import check_tabs

LATER = ("attempt", "yield", "field")
FILTERS = (Filter(), Filter(("source1",)), Filter(result="failed"), Filter(("source0", "source2"), "ok"))


def some_metrics(count: int = 350, *, hours: int = 24 * 9, seed: int = 4, together: int = 10) -> list[Metric]:
    """Make metrics of more than a week that ends at noon, in whole milliseconds; so many of them in ten minutes."""
    rng = random.Random(seed)
    made: list[Metric] = []
    first_ms, apart_ms = NOON_MS - hours * HOUR_MS - 8 * SLOT_MS, hours * HOUR_MS * together // count
    for number in range(count):
        at_ms = first_ms + (number // together + 1) * apart_ms + number % together * 70_001
        ok, source, url = rng.random() < 0.8, f"source{rng.randrange(3)}", f"https://shop.example/{rng.randrange(9)}"
        error = None if ok else rng.choice((f"timeout after {rng.randrange(9000)} ms", "HTTP 503", None))
        if rng.random() < 0.5:
            made.append(
                navigation(
                    source, at_ms, url=url, success=ok, error=error, retry_count=rng.randrange(6),
                    navigation_duration_ms=rng.randrange(1, 5000), status_code=rng.choice((None, 200, 404, 503)),
                )
            )  # fmt: skip
        else:
            items = rng.choice((0, 3, 20))
            fields = rng.choice((None, {"title": items}, {"price": rng.randrange(items + 1), "title": items}))
            made.append(
                scrape(
                    source, at_ms, url=url, success=ok, error=error, items_extracted=items, fields=fields,
                    data_size=rng.choice((None, 0, 70_000)), scrape_duration_ms=rng.randrange(1, 900),
                    outcome=rng.choice((None, "ok", "blocked")),
                )
            )  # fmt: skip
    return made


class Program:
    """What remembers little, beside a store."""

    def __init__(self, engine: Engine) -> None:
        self.store, self.recent = Store(engine), RecentDetail(max_rows=30)
        self.rollups = Rollups(engine, clock_ms=lambda: NOON_MS)
        self.recent.load(engine)
        self.store.subscribe(self.recent.append)
        self.store.subscribe(self.rollups.mark)
        self.queries = Queries(engine, self.recent, rollups=self.rollups, exact_rows=0, clock_ms=lambda: NOON_MS)


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """The statements that the database was asked since it was last cleared."""
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    return asked


def spans() -> list[TimeRange]:
    """The ranges of pages, at full hours and not, near and far."""
    found = []
    for hours, bucket_ms in ((6, SLOT_MS), (24, 6 * SLOT_MS), (7 * 24, 6 * HOUR_MS), (9 * 24, 12 * HOUR_MS)):
        for end_ms in (NOON_MS, NOON_MS - 7 * bucket_ms):
            found.append(TimeRange(end_ms - hours * HOUR_MS, end_ms, bucket_ms))
    return found


def test_answers_from_packs_are_those_of_the_rows_and_read_none_of_them(engine: Engine, statements: list[str]) -> None:
    program, metrics = Program(engine), some_metrics()
    program.store.send(batch(*metrics))
    program.rollups.run_once()
    for span in spans():
        for filter in FILTERS:
            statements.clear()
            check_tabs(program.queries, Truth(metrics), span, filter)
            read = [sql for sql in statements if Page.__tablename__ in sql]
            assert [sql for sql in read if f"{Page.__tablename__}.created_at IN" not in sql] == []


def test_answers_follow_what_lands_late_and_now(engine: Engine) -> None:
    program, metrics = Program(engine), some_metrics()
    program.store.send(batch(*metrics))
    program.rollups.run_once()
    late_ms = NOON_MS - 3 * DAY_MS - 5 * HOUR_MS
    lands: list[Metric] = [
        navigation("source1", late_ms, retry_count=2, status_code=500, success=False, error="late"),
        scrape("source1", late_ms + 60_000, items_extracted=77, data_size=5, outcome="late"),
        scrape("new", NOON_MS - 1, items_extracted=0, outcome=None),
        navigation("new", NOON_MS - 2, success=False, error="timeout after 1 ms"),
    ]
    for number, metric in enumerate(lands):
        for span in spans()[2:]:
            check_tabs(program.queries, Truth(metrics), span, Filter())
        metrics.append(metric)
        program.store.send(batch(metric))
        if number == 2:
            program.rollups.run_once()
        for span in spans()[2:]:
            check_tabs(program.queries, Truth(metrics), span, Filter())


def test_a_database_from_before_is_counted_out_as_far_as_its_rows_reach_and_then_left_alone(
    engine: Engine, statements: list[str]
) -> None:
    store = Store(engine)
    store.send(batch(*some_metrics(60, together=2)))
    Rollups(engine).run_once()
    cleanup(engine, 2, now_ms=NOON_MS)  # detail rows from the start of the day before yesterday
    since_ms = NOON_MS // DAY_MS * DAY_MS - 2 * DAY_MS
    with engine.connect() as connection:
        kept = select(Breakdown.dimension, Breakdown.length_ms, Breakdown.start_ms, Breakdown.row_count)
        before = set(map(tuple, connection.execute(kept)))
    with begin_writing(engine) as connection:
        connection.execute(delete(Breakdown).where(Breakdown.dimension.in_(LATER)))
    Rollups(engine).run_once()
    with engine.connect() as connection:
        after = set(map(tuple, connection.execute(kept)))
    assert {row for row in after if row[0] not in LATER} == {row for row in before if row[0] not in LATER}
    assert {row for row in after if row[0] in LATER} == {
        row for row in before if row[0] in LATER and row[2] >= since_ms
    }
    statements.clear()
    BreakdownRoller(engine, clock_ms=now_ms).run_once()
    assert [sql for sql in statements if not sql.startswith("SELECT") and sql != "BEGIN"] == []


def test_totals_whose_rows_are_gone_are_told_once_they_are_checked_and_never_in_part(engine: Engine) -> None:
    metrics = some_metrics()
    first = Program(engine)
    first.store.send(batch(*metrics))
    first.rollups.run_once()
    cleanup(engine, 2, now_ms=NOON_MS)  # detail rows from the start of the day before yesterday
    again = Program(engine)  # memory holds the newest rows, and some of a moment that it doesn't hold all of
    for span in spans()[2:]:
        truth = Truth(metrics).outcomes(span, Filter())
        if span.start_ms < NOON_MS // DAY_MS * DAY_MS - 2 * DAY_MS:
            with pytest.raises(NotAddedUpYet, match="still being added up; try again in a minute"):
                again.queries.outcomes(span)
        else:
            assert again.queries.outcomes(span) == truth
    again.rollups.run_once()
    for span in spans()[2:]:
        assert again.queries.outcomes(span) == Truth(metrics).outcomes(span, Filter())


def test_only_buckets_that_changed_are_asked_again(engine: Engine) -> None:
    rollups = Rollups(engine)
    asked: list[tuple[int, int]] = []

    def ask(dimension: object, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None) -> list[Groups]:
        asked.extend(bounds)
        return [Groups.empty() for _ in bounds]

    over_time = OverTime(ask, rollups)
    bounds = cut(TimeRange(NOON_MS - HOUR_MS + 7, NOON_MS, 1), SLOT_MS)
    assert len(bounds) == 12
    assert bounds[0] == (NOON_MS - HOUR_MS + 7, NOON_MS - HOUR_MS + SLOT_MS)
    over_time.of("error", bounds, SLOT_MS, Filter(), None)
    assert asked == list(bounds)
    over_time.of("error", bounds, SLOT_MS, Filter(), None)
    assert asked == list(bounds)
    rollups.mark([navigation(at_ms=NOON_MS - 1), scrape(at_ms=NOON_MS - 2 * SLOT_MS)])
    asked.clear()
    over_time.of("error", bounds, SLOT_MS, Filter(), None)
    assert asked == [bounds[-2], bounds[-1]]
    over_time.of("error", bounds, SLOT_MS, Filter(), "scrape")
    assert asked[2:] == list(bounds)


def test_what_changes_while_a_bucket_is_asked_is_asked_again(engine: Engine) -> None:
    rollups = Rollups(engine)
    asked: list[int] = []

    def ask(dimension: object, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None) -> list[Groups]:
        asked.append(bounds[0][0])
        if len(asked) == 1:
            rollups.mark([navigation(at_ms=bounds[0][0])])
        return [Groups.empty() for _ in bounds]

    over_time = OverTime(ask, rollups)
    for _ in range(3):
        over_time.of("error", ((NOON_MS, NOON_MS + SLOT_MS),), SLOT_MS, Filter(), None)
    assert asked == [NOON_MS, NOON_MS]


def test_filters_by_source_or_result_share_what_was_counted_for_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = some_metrics()
    asked: list[object] = []
    count = BucketGroups.of
    monkeypatch.setattr(BucketGroups, "of", lambda self, *args: [asked.append(args), count(self, *args)][1])
    program = Program(engine)
    program.store.send(batch(*metrics))
    program.rollups.run_once()
    span = spans()[2]
    for filter in FILTERS:
        found = program.queries.yields(span, filter)
        right = Truth(metrics)
        assert int(found.scrapes.sum()) == sum(right.outcomes(span, filter).values())
        assert program.queries.outcome_series(span, filter).counts.keys() == right.outcomes(span, filter).keys()
    assert len(asked) == 2
