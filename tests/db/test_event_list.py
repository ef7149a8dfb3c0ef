"""Lists of events: every row once, in order, wherever one jumps to and whatever comes in meanwhile."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import delete
from sqlalchemy.engine import Engine

import db.event_list
from db.engine import begin_writing
from db.event_keys import key_statements, newer_statements, rows_statement, slot_statements
from db.event_list import EventsChanged, anchor_of
from db.events import page_columns
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.models import PagePerformance as Page
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.results import Anchor, Event, EventList, Filter, TimeRange
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape
from tests.db.test_query_plans import FILTERS, LAST_MS, full, full_scans

__all__ = ["full"]  # the fixture

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
RANGE = TimeRange(NOON_MS, NOON_MS + 4 * HOUR_MS, 5 * MINUTE_MS)


class Board:
    """A database with a fleet in it; memory holds only the newest rows, so that most counts come from rollups."""

    def __init__(self, engine: Engine, memory_rows: int = 300) -> None:
        self.engine = engine
        self.store = Store(engine)
        self.recent = RecentDetail(max_rows=memory_rows)
        self.rollups, self.jobs, self.runs = Rollups(engine), JobRollups(engine), RecentRuns()
        self.store.subscribe_runs(self.runs.append)
        for listener in (self.recent.append, self.rollups.mark, self.jobs.mark):
            self.store.subscribe(listener)
        history = JobHistory(engine, self.runs, self.jobs)
        self.queries = Queries(engine, self.recent, rollups=self.rollups, jobs=history, exact_rows=100)

    def fill(self, rows: int = 1200) -> None:
        dice = random.Random(1)
        metrics = []
        for number in range(rows):
            # Some moments are shared: the order among equals must hold too.
            at_ms = NOON_MS + dice.randrange(4 * HOUR_MS // 5000) * 5000
            make = (navigation, scrape)[number % 2]
            metrics.append(
                make(f"source{number % 3}", at_ms, success=number % 7 > 0, url=f"https://x.example/{number}")
            )
            if number % 20 == 0:
                metrics.append(run(f"job{number % 2}", at_ms, scraper_source="source1"))
        dice.shuffle(metrics)
        for first in range(0, len(metrics), 200):
            self.store.send(batch(*metrics[first : first + 200]))
        self.rollups.run_once()
        self.jobs.run_once()


@pytest.fixture
def board(engine: Engine) -> Board:
    """A board with four hours of events."""
    made = Board(engine)
    made.fill()
    return made


@pytest.fixture(params=[1_000, 25], ids=["whole buckets", "cut buckets"])
def most_keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.event_list, "_MOST_KEYS", request.param)


def everything(queries: Queries, events: EventList, step: int = 100) -> list[Event]:
    """Read a list from its first row to its last."""
    total = queries.events_page(events, 0, step).total
    return [event for first in range(0, total, step) for event in queries.events_page(events, first, step).events]


LISTED = (
    Filter(),
    Filter(sources=("source1",)),
    Filter(sources=("source1", "source2"), result="failed"),
    Filter(url_contains="/1"),
    Filter(sources=("job1",)),
    Filter(sources=("nobody",)),
    Filter(kind="scrape"),
    Filter(error="timeout", result="failed"),
    Filter(error="row <n> has no price"),
    Filter(labels=("proxy=eu",)),
    Filter(outcomes=("blocked", "ok")),
)


@pytest.mark.usefixtures("most_keys")
def test_page_by_page_a_list_is_what_one_read_of_all_finds(board: Board) -> None:
    for filter in LISTED:  # in one test: to fill a board costs more than to read it
        wanted = list(board.queries.events(RANGE, filter, 10_000))
        events = board.queries.open_events(RANGE, filter)
        assert everything(board.queries, events) == wanted, filter
        assert everything(board.queries, events, 37) == wanted, filter
        assert board.queries.events_page(events, 0, 1).total == len(wanted), filter


@pytest.mark.usefixtures("most_keys")
def test_any_row_can_be_jumped_to_first(board: Board) -> None:
    wanted = list(board.queries.events(RANGE, Filter(), 10_000))
    for first in (len(wanted) - 5, 700, 3, len(wanted), len(wanted) + 1000):
        fresh = Queries(board.engine, board.recent, rollups=board.rollups, exact_rows=100)
        page = fresh.events_page(board.queries.open_events(RANGE), first, 50)
        assert list(page.events) == wanted[first : first + 50]
        assert page.total == len(wanted)


@pytest.mark.usefixtures("most_keys")
def test_what_comes_in_while_a_list_is_read_moves_none_of_its_rows(board: Board) -> None:
    wanted = list(board.queries.events(RANGE, Filter(), 10_000))
    events = board.queries.open_events(RANGE)
    seen = list(board.queries.events_page(events, 0, 100).events)
    for first in range(100, len(wanted), 100):
        # Late rows, rows of this very moment, and runs, all over the range.
        board.store.send(batch(
            navigation("late", NOON_MS + first * 1000), scrape("new", RANGE.end_ms - 1), run("job0", NOON_MS + first),
        ))  # fmt: skip
        if first == 500:
            board.rollups.run_once()
        seen += board.queries.events_page(events, first, 100).events
    assert seen == wanted
    assert board.queries.newer_events(events) == 3 * len(range(100, len(wanted), 100))
    assert board.queries.newer_events(board.queries.open_events(RANGE)) == 0


@pytest.mark.usefixtures("most_keys")
def test_a_list_that_was_open_before_a_restart_is_read_on(board: Board) -> None:
    wanted = list(board.queries.events(RANGE, Filter(), 10_000))
    events = board.queries.open_events(RANGE)
    board.store.send(batch(*(navigation("late", NOON_MS + n * 60_000) for n in range(200)), run("job1", NOON_MS + 9)))
    board.rollups.run_once()
    again = Board(board.engine)
    again.recent.load(board.engine)
    again.runs.load(board.engine)
    assert everything(again.queries, events) == wanted


def test_a_list_whose_rows_were_deleted_asks_to_be_opened_anew(board: Board) -> None:
    events = board.queries.open_events(RANGE)
    total = board.queries.events_page(events, 0, 50).total
    assert board.queries.events_page(events, total - 50, 50).events
    with begin_writing(board.engine) as connection:
        connection.execute(delete(Page).where(Page.created_at < NOON_MS + 2 * HOUR_MS))
    with pytest.raises(EventsChanged):
        everything(board.queries, events)


def test_an_empty_range_has_an_empty_list(board: Board) -> None:
    nowhere = TimeRange(NOON_MS - HOUR_MS, NOON_MS - 30 * MINUTE_MS, MINUTE_MS)
    assert board.queries.events_page(board.queries.open_events(nowhere), 0, 100) == (0, ())


@pytest.mark.parametrize("value", [None, 1, "x", [1], [1, 2, 3], ["1", 2], [-1, 0], [1 << 64, 0], [1.5, 2]])
def test_what_is_no_anchor_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="two ids"):
        anchor_of(value)
    assert anchor_of([3, 4]) == Anchor(3, 4)


def test_pages_of_a_list_walk_indexes(full: Engine) -> None:
    for filter in FILTERS:
        events = EventList(TimeRange(NOON_MS, LAST_MS, HOUR_MS), filter, Anchor(19_000, 4_000))
        narrow = (LAST_MS - 900_000, LAST_MS - 600_000)
        for statement in (
            *key_statements(events, *narrow), *slot_statements(events, *narrow, 5_000), *newer_statements(events, 100),
            rows_statement(Page, page_columns(), range(19_000, 19_100), (LAST_MS - 100_000, LAST_MS)),
        ):  # fmt: skip
            assert full_scans(full, statement) == []
