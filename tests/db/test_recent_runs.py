"""The newest scheduler runs in memory: in order, bounded, and never taken for more than they are."""

from __future__ import annotations

import random

import pytest
from sqlalchemy.engine import Engine

from db.events import newest_runs
from db.follow import Follower
from db.recent_runs import RecentRuns
from db.results import Filter
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run


def followed(store: Store, max_runs: int = 1000) -> RecentRuns:
    """A memory that hears of everything the store stores."""
    runs = RecentRuns(max_runs)
    store.subscribe_runs(runs.append)
    return runs


def times(runs: RecentRuns) -> list[int]:
    found = runs.newest(None, None, Filter(), 10_000)
    columns = runs.columns(runs.covered_since_ms or 0, 1 << 60) if found is None else found
    assert columns is not None
    return [at_ms - NOON_MS for at_ms in columns.created_at_ms.tolist()]


def test_memory_has_what_the_database_has_with_its_ids(store: Store, engine: Engine) -> None:
    runs = followed(store)
    store.send(batch(run("a", NOON_MS + 5), navigation(), run("b", NOON_MS, error="x", success=False, run_id="r")))
    store.send(batch(run("a", NOON_MS + 5, scraper_source="s"), run("c", NOON_MS + 9, items_processed=0)))
    fresh = RecentRuns()
    assert fresh.load(engine) == len(runs) == 4
    with engine.connect() as connection:
        stored = newest_runs(connection, None, None, Filter(), 10)
    for memory in (runs, fresh):
        found = memory.newest(None, None, Filter(), 10)
        assert found is not None
        assert found.rows() == stored


def test_runs_keep_their_ids_when_another_of_their_batch_is_refused(store: Store, engine: Engine) -> None:
    runs = followed(store)
    bad = run("bad", execution_duration_ms=float("nan"))
    delivery = store.send(batch(run("a"), bad, navigation(), run("b", NOON_MS + 1)))
    assert (delivery.accepted, len(runs)) == (3, 2)
    with engine.connect() as connection:
        stored = newest_runs(connection, None, None, Filter(), 10)
    found = runs.newest(None, None, Filter(), 10)
    assert found is not None
    assert found.rows() == stored


def test_late_runs_are_put_where_they_belong_however_they_come(store: Store, engine: Engine) -> None:
    runs = followed(store, 200)  # chunks of twelve
    rng = random.Random(3)
    offsets = [rng.randrange(60) for _ in range(190)]
    for first in range(0, 190, 10):
        store.send(batch(*(run(at_ms=NOON_MS + offset) for offset in offsets[first : first + 10])))
    assert times(runs) == sorted(offsets)
    with engine.connect() as connection:
        stored = newest_runs(connection, None, None, Filter(), 1000)
    found = runs.newest(None, None, Filter(), 1000)
    assert found is not None
    assert found.rows() == stored


def test_runs_that_another_process_stored_come_with_their_ids(store: Store, engine: Engine) -> None:
    runs = followed(store)
    follower = Follower(engine, store)
    with engine.connect() as connection:
        follower.begin(connection)
    Store(engine).send(batch(navigation(), run("theirs"), run("theirs", NOON_MS + 1)))
    assert follower.poll() == 3
    with engine.connect() as connection:
        stored = newest_runs(connection, None, None, Filter(), 10)
    found = runs.newest(None, None, Filter(), 10)
    assert found is not None
    assert found.rows() == stored


def test_memory_is_bounded_and_says_where_it_begins(store: Store, engine: Engine) -> None:
    runs = followed(store, 10)
    store.send(batch(*(run(at_ms=NOON_MS + number) for number in range(25))))
    assert len(runs) == 10
    assert runs.covered_since_ms == NOON_MS + 15
    store.send(batch(run(at_ms=NOON_MS + 3)))
    assert len(runs) == 10
    assert runs.columns(NOON_MS + 14, NOON_MS + 25) is None
    assert runs.count(NOON_MS + 14, NOON_MS + 25) is None
    assert runs.count(NOON_MS + 15, NOON_MS + 20) == 5
    fresh = RecentRuns(10)
    assert fresh.load(engine) == 10
    assert fresh.covered_since_ms == NOON_MS + 15


def test_rows_of_the_moment_at_which_memory_begins_are_left_out_whole(store: Store, engine: Engine) -> None:
    store.send(batch(*(run(at_ms=NOON_MS + number // 4) for number in range(12))))
    runs = RecentRuns(6)
    assert runs.load(engine) == 4
    assert runs.covered_since_ms == NOON_MS + 2


def test_newest_are_given_only_when_no_newer_one_can_be_missing(store: Store) -> None:
    runs = followed(store, 10)
    store.send(batch(*(run("ab"[number % 2], NOON_MS + number) for number in range(20))))
    every = Filter()
    newest = runs.newest(None, None, every, 10)
    assert newest is not None
    assert len(newest) == 10
    assert runs.newest(None, None, every, 11) is None
    assert runs.newest(NOON_MS, None, every, 11) is None
    assert runs.newest(NOON_MS + 10, None, every, 11) is not None
    assert runs.newest(NOON_MS, NOON_MS + 5, every, 1) is None
    ours = runs.newest(None, None, Filter(("a",)), 5)
    assert ours is not None
    assert [at_ms - NOON_MS for at_ms in ours.created_at_ms.tolist()] == [10, 12, 14, 16, 18]
    assert runs.newest(None, None, Filter(("a",)), 6) is None


def test_what_retention_deleted_is_forgotten(store: Store, engine: Engine) -> None:
    day_ms = 86_400_000
    runs = followed(store)
    store.send(batch(run(at_ms=NOON_MS - 2 * day_ms), run(at_ms=NOON_MS)))
    runs.follow_retention(engine)
    assert (len(runs), runs.covered_since_ms) == (2, None)
    store.cleanup_old_metrics(1)
    runs.follow_retention(engine)
    midnight_ms = NOON_MS - NOON_MS % day_ms
    assert (times(runs), runs.covered_since_ms) == ([0], midnight_ms - day_ms)
    fresh = RecentRuns()
    fresh.load(engine)
    assert (times(fresh), fresh.covered_since_ms) == ([0], midnight_ms - day_ms)


def test_memory_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_runs"):
        RecentRuns(0)
