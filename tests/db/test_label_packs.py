"""Pages that ask for labels are answered from packs that tell labels apart, and say what the rows say all the same."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete
from sqlalchemy.engine import Engine

from collector.events import Metric
from db import breakdown_rolling
from db.breakdown import DIMENSIONS
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS
from db.columns import DetailColumns
from db.engine import begin_writing
from db.models import Breakdown, MinuteRollup
from db.models import PagePerformance as Page
from db.results import Filter, Kind, TimeRange
from db.retention import cleanup
from db.store import Store
from db.time_packs import TIME
from tests.db.brute_force import Truth, check_overview
from tests.db.filled import FilledDatabases
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.db.tab_truth import check_tabs, check_week, check_worst
from tests.db.test_queries_against_brute_force import check_other_answers
from tests.db.test_time_packs import Program

START_MS = NOON_MS - 60 * HOUR_MS
SPANS = (
    TimeRange(NOON_MS - 30 * HOUR_MS + SLOT_MS, NOON_MS - 24 * HOUR_MS + SLOT_MS, SLOT_MS),
    TimeRange(NOON_MS - 34 * HOUR_MS - 2 * SLOT_MS, NOON_MS - 10 * HOUR_MS - 2 * SLOT_MS, 2 * SLOT_MS),
    TimeRange(NOON_MS - 54 * HOUR_MS, NOON_MS, 6 * HOUR_MS),
)
# Of these five minutes at the ends lie inside in part only.
UNEVEN = (
    TimeRange(NOON_MS - 30 * HOUR_MS - 17 * MINUTE_MS, NOON_MS - 29 * HOUR_MS - 17 * MINUTE_MS, MINUTE_MS),
    TimeRange(NOON_MS - 30 * HOUR_MS + 17 * MINUTE_MS, NOON_MS - 30 * HOUR_MS + 32 * MINUTE_MS, 10_000),
    TimeRange(NOON_MS - 30 * HOUR_MS + 13 * MINUTE_MS, NOON_MS - 30 * HOUR_MS + 14 * MINUTE_MS, 10_000),
    TimeRange(NOON_MS - 8 * HOUR_MS - MINUTE_MS, NOON_MS + MINUTE_MS, 3 * MINUTE_MS),
)
# What packs tell by themselves...
OF_PACKS = (
    Filter(labels=("env=live",)), Filter(labels=("env=test", "env=live"), result="failed"),
    Filter(("source1", "late"), labels=("env=live", "team=a")), Filter(labels=("env=none",)),
    Filter(kind="scrape", labels=("team=a",)),
)  # fmt: skip
# ...and what has to be looked for in rows besides.
OF_ROWS = (
    Filter(labels=("env=live",), outcomes=("blocked",)), Filter(labels=("env=live",), error="boom <n>"),
    Filter(labels=("env=live",), url_contains="page/1"), Filter(labels=("team=a",), run="r1"),
)  # fmt: skip
LABELS = ({"env": "live"}, {"env": "live", "team": "a"}, {"env": "test", "team": "a"}, None)


def some_metrics() -> list[Metric]:
    """Rows of a source with the same labels always, of one with others each time, and of one without."""
    rng = random.Random(7)

    def one(source: int, at_ms: int) -> Metric:
        ok = rng.random() < 0.7
        labels = (LABELS[0], rng.choice(LABELS), None)[source]
        rest = {"success": ok, "labels": labels, "url": f"https://a.example/page/{rng.randrange(4)}"}
        rest |= {"error": None if ok else rng.choice(("boom 1", "boom 2", "bang")), "run_id": rng.choice(("r1", "r2"))}
        if rng.random() < 0.5:
            return navigation(f"source{source}", at_ms, status_code=rng.choice((200, 503)), **rest)
        return scrape(f"source{source}", at_ms, outcome=rng.choice((None, "blocked", "empty")), **rest)

    return [
        one(rng.randrange(3), START_MS + hour * HOUR_MS + n * 144_000) for hour in range(0, 60, 3) for n in range(25)
    ]


def check(program: Program, filters: tuple[Filter, ...], spans: tuple[TimeRange, ...] = SPANS) -> None:
    truth = Truth(program.stored)
    for span in spans:
        for filter in filters:
            check_overview(program.queries.overview(span, filter), truth, span, filter)
            check_tabs(program.queries, truth, span, filter)


def check_without_rows(program: Program, filters: tuple[Filter, ...], spans: tuple[TimeRange, ...] = SPANS) -> None:
    """The same, but for the texts of errors: these are in rows alone."""
    truth, queries = Truth(program.stored), program.queries
    kinds: tuple[Kind, ...] = ("navigation", "scrape")
    for span in spans:
        for filter in filters:
            check_overview(queries.overview(span, filter), truth, span, filter)
            for kind in kinds:
                check_week(queries, truth.pages(span, filter, kind), span, filter, kind)
                check_worst(queries, truth.pages(span, filter, kind), span, filter, kind)
                assert {group[:5] for group in queries.errors_by_kind(span, filter, kind)} == truth.errors(
                    span, filter, kind
                )
            assert queries.outcomes(span, filter) == truth.outcomes(span, filter)


def without_rows(engine: Engine) -> None:
    """Leave nothing behind that knows single rows, nor rollups that don't know labels."""
    kept = (*DIMENSIONS, TIME)
    with begin_writing(engine) as connection:
        connection.execute(delete(Page))
        connection.execute(delete(MinuteRollup))
        connection.execute(delete(Breakdown).where(Breakdown.dimension.not_in(kept)))


@pytest.fixture
def program(engine: Engine, filled: FilledDatabases) -> Program:
    return Program.filled(engine, filled, some_metrics())


def test_labels_are_answered_without_a_single_row(engine: Engine, program: Program) -> None:
    without_rows(engine)
    check_without_rows(program, OF_PACKS)


@pytest.mark.parametrize("memory_rows", [1, 60, 200])
def test_ranges_that_begin_inside_five_minutes_have_every_row_once(
    engine: Engine, filled: FilledDatabases, memory_rows: int
) -> None:
    program = Program.filled(engine, filled, some_metrics(), memory_rows=memory_rows)
    check(program, OF_PACKS, UNEVEN)
    program.send(navigation("source1", NOON_MS - 8 * HOUR_MS + 1, labels={"env": "live"}))
    check(program, OF_PACKS[:2], UNEVEN)


def test_a_tick_after_a_batch_tells_its_labels(program: Program) -> None:
    for number in range(3):
        check(program, OF_PACKS[:2], SPANS[-1:])
        at_ms = NOON_MS - 7 * SLOT_MS + number * SLOT_MS
        program.send(
            navigation("source1", at_ms, labels={"env": "live"}),
            scrape("late", at_ms + 1, labels={"env": "live", "team": "a"}, success=False),
            scrape("late", START_MS + 7 * HOUR_MS + number, labels={"env": "test"}),
        )
        if number:
            program.rollups.run_once()
    check(program, OF_PACKS)


def test_labels_and_what_only_rows_tell_besides(program: Program) -> None:
    truth = Truth(program.stored)
    for filter in (*OF_ROWS, *OF_PACKS[:2]):
        check_overview(program.queries.overview(SPANS[-1], filter), truth, SPANS[-1], filter)
        check_other_answers(program.queries, truth, SPANS[-1], filter)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_of_a_source_with_too_many_labels_rows_are_looked_through(
    engine: Engine, store: Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown_rolling, "_MOST_LABELS", dict.fromkeys(breakdown_rolling.LENGTHS_MS, most))
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    check(program, (*OF_PACKS[1:3], Filter(("source1",), "failed")), SPANS[-1:])
    without_rows(engine)
    check_without_rows(program, (Filter(("source0",), labels=("env=live",)),) if most else (), SPANS[-1:])


def of_an_earlier_version(rows: DetailColumns, _most: int) -> DetailColumns:
    return rows


@pytest.fixture
def half_known(engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program whose older packs are from before labels were told apart."""
    metrics = some_metrics()
    border_ms = START_MS + 33 * HOUR_MS + HOUR_MS // 2
    before = [metric for metric in metrics if metric.recorded_at_ms < border_ms]
    store.send(batch(*before))
    with monkeypatch.context() as patched:
        patched.setattr(breakdown_rolling, "by_labels", of_an_earlier_version)
        Program(engine, before)
    program = Program(engine, before)
    program.send(*metrics[len(before) :])
    program.rollups.run_once()
    return program


def test_packs_of_an_earlier_version_are_added_to_and_leave_labels_to_the_rows(half_known: Program) -> None:
    check(half_known, (*OF_PACKS[:3], Filter(), Filter(("source1",), "ok")))


def test_labels_outlive_the_rows(engine: Engine, program: Program) -> None:
    cleanup(engine, 1, now_ms=NOON_MS, rollups=program.rollups)
    program.recent.forget_before(NOON_MS - HOUR_MS)
    check_without_rows(program, OF_PACKS[:3], SPANS[-1:])


def test_where_only_rows_know_labels_and_these_are_gone_what_is_left_is_told(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown_rolling, "by_labels", of_an_earlier_version)
    metrics = some_metrics()
    store.send(batch(*metrics))
    program = Program(engine, metrics)
    cleanup(engine, 1, now_ms=NOON_MS, rollups=program.rollups)
    since_ms = (NOON_MS // DAY_MS - 1) * DAY_MS
    program.stored = [metric for metric in metrics if metric.recorded_at_ms >= since_ms]
    truth, span, filter = Truth(program.stored), SPANS[-1], OF_PACKS[0]
    check_overview(program.queries.overview(span, filter), truth, span, filter)
    assert program.queries.outcomes(span, filter) == truth.outcomes(span, filter)


def test_newest_events_with_a_label_are_looked_for_where_there_are_some(program: Program) -> None:
    program.send(navigation("rare", NOON_MS - 40 * HOUR_MS, labels={"env": "rare"}, url="https://a.example/rare"))
    program.rollups.run_once()
    span = TimeRange(NOON_MS - 58 * HOUR_MS, NOON_MS - HOUR_MS, HOUR_MS)
    for labels in (("env=rare",), ("env=test",), ("env=none",), ("env=rare", "team=a")):
        filter = Filter(labels=labels)
        wanted = sorted(page.recorded_at_ms for page in Truth(program.stored).pages(span, filter))[-20:]
        found = program.queries.events(span, filter, 20)
        assert [event.recorded_at_ms for event in reversed(found)] == wanted, labels
