"""Hours and days that are read in one piece say what their detail rows say, however old, late or half deleted."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from sqlalchemy import delete, event, func, select
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.cell_sums import merged, minute_cells
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, Cells
from db.cells_pack import packed, unpacked
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.engine import begin_writing
from db.labelled_sources import AnyLabels
from db.models import Breakdown, HourlyRollup, MinuteRollup
from db.models import PagePerformance as Page
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.retention import cleanup
from db.rollups import Rollups
from db.store import Store
from db.time_packs import STEP_MS, TIME, read_packs
from tests.db.brute_force import Truth, check_overview, check_series
from tests.db.filled import FilledDatabases
from tests.db.samples import NOON_MS, batch, navigation, scrape

START_MS = NOON_MS - 60 * HOUR_MS
FULL_HOURS = range(0, 60, 3)  # to add up an hour costs the same for many rows as for few
SPANS = (
    TimeRange(NOON_MS - 30 * HOUR_MS + SLOT_MS, NOON_MS - 24 * HOUR_MS + SLOT_MS, SLOT_MS),
    TimeRange(NOON_MS - 34 * HOUR_MS - 2 * SLOT_MS, NOON_MS - 10 * HOUR_MS - 2 * SLOT_MS, 2 * SLOT_MS),
    TimeRange(NOON_MS - 4 * HOUR_MS, NOON_MS - 2 * HOUR_MS, MINUTE_MS),
    TimeRange(NOON_MS - 52 * HOUR_MS, NOON_MS - 2 * HOUR_MS, 2 * HOUR_MS),
)
FILTERS = (Filter(), Filter(("source1",)), Filter(result="failed"), Filter(("source1", "late"), "ok"))


def some_metrics(hours: Iterable[int] = FULL_HOURS) -> list[Metric]:
    rng = random.Random(5)
    return [
        rng.choice((navigation, scrape))(
            f"source{rng.randrange(3)}", START_MS + hour * HOUR_MS + n * 144_000, success=rng.random() < 0.8
        )
        for hour in hours
        for n in range(25)
    ]


def rows_of(metrics: list[Metric], names: Names) -> DetailColumns:
    return DetailColumns([chunk_of_metrics(metrics, names, names)], names, names)  # type: ignore[arg-type]


def plain(cells: Cells, names: Names) -> list[tuple[object, ...]]:
    """Return rows in an order and with sources that don't depend on how they were made."""
    ends = np.searchsorted(cells.sketch_row, np.arange(len(cells) + 1))
    return sorted(
        (
            int(cells.start_ms[n]), names[int(cells.source[n])], int(cells.navigations[n]), int(cells.scrapes[n]),
            int(cells.successes[n]), int(cells.items[n]), int(cells.last_seen_ms[n]), int(cells.last_ok_ms[n]),
            round(float(cells.sum_ms[n]), 6), float(cells.min_ms[n]), float(cells.max_ms[n]),
            tuple(cells.sketch_bin[ends[n] : ends[n + 1]].tolist()),
            tuple(cells.sketch_count[ends[n] : ends[n + 1]].tolist()),
        )
        for n in range(len(cells))
    )  # fmt: skip


class Program:
    """A program that began when everything was stored, and whose memory holds next to nothing of it."""

    def __init__(
        self,
        engine: Engine,
        stored: Iterable[Metric],
        *,
        roll: bool = True,
        memory_rows: int = 1,
        exact_rows: int = 0,
    ) -> None:
        self.engine, self.stored = engine, list(stored)
        self.store, self.rollups = Store(engine), Rollups(engine, clock_ms=lambda: NOON_MS + HOUR_MS)
        self.recent = RecentDetail(max_rows=memory_rows)
        self.recent.load(engine)
        self.queries = Queries(
            engine, self.recent, rollups=self.rollups, exact_rows=exact_rows, clock_ms=lambda: NOON_MS
        )
        for listener in (self.recent.append, self.rollups.mark):
            self.store.subscribe(listener)
        if roll:
            self.rollups.run_once()

    @classmethod
    def filled(
        cls, engine: Engine, filled: FilledDatabases, metrics: Sequence[Metric], *, memory_rows: int = 1
    ) -> Program:
        """Return a program on an empty database that gets metrics and is rolled up."""

        def make() -> None:
            Store(engine, clock_ms=lambda: NOON_MS).send(batch(*metrics))
            cls(engine, metrics)

        filled.fill(engine, metrics, make)
        return cls(engine, metrics, memory_rows=memory_rows)

    def send(self, *metrics: Metric) -> None:
        self.store.send(batch(*metrics))
        self.stored += metrics

    def check(self) -> None:
        truth = Truth(self.stored)
        for span in SPANS:
            for filter in FILTERS:
                check_overview(self.queries.overview(span, filter), truth, span, filter)
                for source, series in self.queries.source_series(span, filter).items():
                    if not filter.sources or source in filter.sources:
                        own = Filter((source,), filter.result)
                        check_series(series, span, truth.pages(span, own))
                for kind in ("navigation", "scrape"):
                    found = self.queries.duration_trend(span, filter, kind)
                    check_series(found, span, truth.pages(span, filter, kind))


@pytest.fixture
def stored(engine: Engine, filled: FilledDatabases) -> list[Metric]:
    """What is in the database, rolled up."""
    return Program.filled(engine, filled, some_metrics()).stored


def statements(engine: Engine) -> list[str]:
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    return asked


def packs(engine: Engine, length_ms: int) -> dict[int, tuple[int, bytes]]:
    columns = (Breakdown.start_ms, Breakdown.row_count, Breakdown.packed)
    chosen = select(*columns).where(Breakdown.dimension == TIME, Breakdown.length_ms == length_ms)
    with engine.connect() as connection:
        return {start: (count, pack) for start, count, pack in connection.execute(chosen)}


def test_rows_come_back_from_their_bytes() -> None:
    names, other = Names(), Names()
    other.code("another source was met first")
    cells = minute_cells(rows_of(some_metrics(), names))
    assert len(cells) > 100
    for some in (cells, cells.chosen(cells.successes > 0), Cells.empty()):
        assert plain(unpacked(packed(some, START_MS, names), START_MS, other), other) == plain(some, names)


def test_what_is_not_known_comes_back_as_not_known() -> None:
    names = Names()
    mixed = minute_cells(rows_of([navigation("a", NOON_MS), navigation("a", NOON_MS + 1, success=False)], names))
    for name, value in (("sum_ms", np.nan), ("min_ms", -np.inf), ("max_ms", np.inf)):
        getattr(mixed, name)[0] = value
    mixed.sketch_count[0] = 3_000_000_000
    back = unpacked(packed(mixed, NOON_MS, names), NOON_MS, names)
    for name in ("sum_ms", "min_ms", "max_ms", "sketch_count", "last_ok_ms"):
        np.testing.assert_array_equal(getattr(back, name), getattr(mixed, name))


def test_bytes_of_something_else_are_refused() -> None:
    for nonsense in (b"", b"\x01\x00" + bytes(40)):
        with pytest.raises(ValueError, match="rebuild the rollups"):
            unpacked(nonsense, 0, Names())


@pytest.mark.parametrize("length_ms", [SLOT_MS, HOUR_MS])
def test_buckets_added_up_together_are_those_added_up_alone(length_ms: int) -> None:
    names = Names()
    cells = minute_cells(rows_of(some_metrics(), names))
    starts = cells.start_ms // length_ms * length_ms
    alone = [merged(cells.chosen(starts == start), start) for start in np.unique(starts).tolist()]
    together = merged(cells, starts)
    assert (np.diff(together.start_ms) >= 0).all()
    assert plain(together, names) == plain(Cells.joined(alone), names)


def test_packs_hold_what_the_detail_rows_add_up_to(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    program.send(navigation("late", START_MS + 5 * HOUR_MS, success=False), scrape("late", START_MS + 30 * HOUR_MS))
    program.rollups.run_once()
    names = Names()
    rows = rows_of(program.stored, names)
    for length_ms, step_ms in STEP_MS.items():
        found = packs(engine, length_ms)
        assert found
        with engine.connect() as connection:
            cells = read_packs(connection, length_ms, sorted(found), AnyLabels(names))
        for start_ms, (count, _) in found.items():
            own = rows.between(start_ms, start_ms + length_ms)
            assert count == len(own)
            assert plain(cells[start_ms], names) == plain(minute_cells(own, step_ms), names)


def test_old_ranges_are_read_in_few_pieces_and_say_what_the_rows_say(engine: Engine, filled: FilledDatabases) -> None:
    stored = some_metrics(range(60))  # an hour without rows has no pack
    program = Program.filled(engine, filled, stored)
    asked = statements(engine)
    truth = Truth(stored)
    for span in SPANS[:2]:
        for filter in FILTERS:
            check_overview(program.queries.overview(span, filter), truth, span, filter)
    assert [sql for sql in asked if Breakdown.__tablename__ in sql]
    assert not [sql for sql in asked if Page.__tablename__ in sql or MinuteRollup.__tablename__ in sql]
    program.check()


@pytest.mark.parametrize("roll", [False, True])
def test_a_late_row_is_seen_at_once(engine: Engine, stored: list[Metric], roll: bool) -> None:
    program = Program(engine, stored)
    program.check()
    for hours in (26, 12, 50):
        program.send(
            navigation("late", NOON_MS - hours * HOUR_MS + 1, navigation_duration_ms=7_777),
            scrape("source1", NOON_MS - hours * HOUR_MS + 70_000, success=False),
        )
        if roll:
            program.rollups.run_once()
        program.check()


def test_a_program_that_was_killed_leaves_no_stale_pack(engine: Engine, stored: list[Metric]) -> None:
    Program(engine, stored)
    killed = Program(engine, stored, roll=False)
    killed.send(navigation("late", NOON_MS - 26 * HOUR_MS), scrape("late", NOON_MS - 12 * HOUR_MS, success=False))
    again = Program(engine, killed.stored, roll=False)
    again.check()  # before anything was verified
    again.rollups.run_once()
    again.check()


@pytest.mark.parametrize("days", [0, 1])
def test_hours_from_before_packs_were_kept_get_theirs(engine: Engine, stored: list[Metric], days: int) -> None:
    Program(engine, stored)
    before = packs(engine, HOUR_MS)
    if days:  # the detail rows of the first days are gone
        cleanup(engine, days, now_ms=NOON_MS)
        with engine.connect() as connection:
            assert connection.scalar(select(func.min(Page.created_at))) > START_MS
    with begin_writing(engine) as connection:
        connection.execute(delete(Breakdown).where(Breakdown.dimension == TIME))
    program = Program(engine, stored, roll=False)
    program.check()
    program.rollups.run_once()
    after = packs(engine, HOUR_MS)
    assert after.keys() == before.keys()
    names = Names()
    for start_ms, (count, pack) in after.items():
        assert count == before[start_ms][0]
        old = unpacked(before[start_ms][1], start_ms, AnyLabels(names))
        assert plain(unpacked(pack, start_ms, AnyLabels(names)), names) == plain(old, names)
    assert len(packs(engine, DAY_MS)) == 2  # the third one is not over
    asked = statements(engine)
    Program(engine, stored, roll=False).rollups.breakdowns.run_once()
    assert not [sql for sql in asked if sql.startswith("DELETE")]
    Program(engine, stored).check()


def test_hours_whose_minutes_were_deleted_stand_for_their_first_minute(engine: Engine, stored: list[Metric]) -> None:
    running = Program(engine, stored)
    cleanup(engine, 1, minute_days=1, hour_days=2, now_ms=NOON_MS)
    since_ms = NOON_MS // DAY_MS * DAY_MS - DAY_MS
    assert min(packs(engine, SLOT_MS)) == min(packs(engine, HOUR_MS)) == since_ms
    assert min(packs(engine, DAY_MS)) == since_ms - DAY_MS
    for program in (running, Program(engine, stored)):
        program.rollups.run_once()
        truth, span = Truth(stored), TimeRange(since_ms - 20 * HOUR_MS, NOON_MS, 2 * HOUR_MS)
        for filter in FILTERS:
            found, pages = program.queries.overview(span, filter), truth.pages(span, filter)
            assert found.current.count == len(pages)
            check_series(found.series, span, pages)
        narrow = TimeRange(since_ms - 2 * HOUR_MS, since_ms, SLOT_MS)
        with engine.connect() as connection:
            hours = connection.execute(
                select(
                    HourlyRollup.hour_start_ms, func.sum(HourlyRollup.total_navigations + HourlyRollup.total_scrapes)
                )
                .where(HourlyRollup.hour_start_ms >= narrow.start_ms, HourlyRollup.hour_start_ms < narrow.end_ms)
                .group_by(HourlyRollup.hour_start_ms)
            ).all()
        series = program.queries.overview(narrow).series
        counts = dict(zip(series.bucket_ms.tolist(), (series.navigations + series.scrapes).tolist(), strict=True))
        assert {start: count for start, count in counts.items() if count} == {start: int(n) for start, n in hours}


def test_memory_of_packs_is_bounded(engine: Engine, stored: list[Metric]) -> None:
    program = Program(engine, stored)
    pyramid = program.queries._history._pyramid
    assert pyramid is not None
    pyramid._packs.max_bytes = 20_000
    program.check()
    assert pyramid._packs.currsize == sum(cells.size_bytes for cells in pyramid._packs.values())
    assert 0 < pyramid._packs.currsize <= 20_000
