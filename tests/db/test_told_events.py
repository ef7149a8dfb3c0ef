"""The newest events are those of the table after every batch, though only what came since is read."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

import db.event_search
from db.events import newest_pages
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Event, Filter
from db.rollups import Rollups
from db.store import Store
from db.told_events import ToldEvents
from tests.db.brute_force import empty
from tests.db.samples import NOON_MS, batch, navigation, scrape

EVERYTHING = Filter()


class Table:
    """Events by moment, newest first, that may lack what memory knows already."""

    def __init__(self, *times_ms: int) -> None:
        self.times_ms = list(times_ms)
        self.read_rows = 0

    def read(self, moments: Collection[int], most: int) -> Sequence[Event]:
        own = [
            Event(f"p:{id}", "scrape", "s", "https://s.example/", 1.0, 1, None, True, None, None, "ok", at_ms)
            for id, at_ms in enumerate(self.times_ms)
            if at_ms in moments
        ]
        found = sorted(own, key=lambda event: (-event.recorded_at_ms, -int(event.id[2:])))[:most]
        self.read_rows += len(found)
        return found

    def newest(self, told: ToldEvents, limit: int, memory: Sequence[int] | None = None) -> list[str] | None:
        times_ms = np.array(sorted(self.times_ms if memory is None else memory), dtype=np.int64)
        found = told.newest(times_ms, EVERYTHING, limit, self.read)
        return None if found is None else [event.id for event in found]


def test_only_what_came_since_is_read() -> None:
    table, told = Table(*range(10)), ToldEvents()
    assert table.newest(told, 5) == ["p:9", "p:8", "p:7", "p:6", "p:5"]
    table.times_ms += [10, 11]
    table.read_rows = 0
    assert table.newest(told, 5) == ["p:11", "p:10", "p:9", "p:8", "p:7"]
    assert table.read_rows == 2
    assert table.newest(told, 5) == ["p:11", "p:10", "p:9", "p:8", "p:7"]
    assert table.read_rows == 2


def test_what_comes_later_to_a_moment_that_was_told_is_read() -> None:
    table, told = Table(1, 2, 3, 4), ToldEvents()
    assert table.newest(told, 3) == ["p:3", "p:2", "p:1"]
    table.times_ms.append(3)
    assert table.newest(told, 3) == ["p:3", "p:4", "p:2"]


def test_a_moment_of_too_many_rows_is_left_to_who_asks() -> None:
    table, told = Table(*[7] * 7), ToldEvents()
    assert table.newest(told, 3) is None
    assert table.read_rows == 0
    assert Table(*[7] * 6).newest(told, 3) == ["p:5", "p:4", "p:3"]


def test_what_a_replica_lacks_is_not_told_as_all_there_is() -> None:
    table, told = Table(1, 2), ToldEvents()
    assert table.newest(told, 3, [1, 2, 3]) is None
    table.times_ms.append(3)
    assert table.newest(told, 3) == ["p:2", "p:1", "p:0"]


def test_a_moment_of_which_the_table_has_more_than_memory_is_read_until_memory_has_it_too() -> None:
    table, told = Table(1, 2, 2), ToldEvents()
    for read_rows in (3, 5):  # moment 2 again
        assert table.newest(told, 2, [1, 2]) == ["p:2", "p:1"]
        assert table.read_rows == read_rows
    assert table.newest(told, 2) == ["p:2", "p:1"]
    assert table.read_rows == 5


@settings(max_examples=30)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.booleans()), max_size=8), max_size=8
    ),
    limit=st.sampled_from([1, 2, 5, 50]),
    memory_rows=st.sampled_from([250_000, 64]),  # in one run, or in many of two rows each
)
def test_after_every_batch_they_are_those_of_the_table(
    engine: Engine, batches: list[list[tuple[int, str, bool]]], limit: int, memory_rows: int
) -> None:
    empty(engine)
    store, recent, rollups = Store(engine, clock_ms=lambda: NOON_MS), RecentDetail(memory_rows), Rollups(engine)
    store.subscribe(recent.append)
    store.subscribe(rollups.mark)
    queries = Queries(engine, recent, rollups=rollups, clock_ms=lambda: NOON_MS)
    filters = (EVERYTHING, Filter(("a",)), Filter(("a", "b"), "failed"), Filter(url_contains="/1"))
    for rows in batches:
        store.send(
            batch(*(
                (navigation, scrape)[at_ms % 2](source, NOON_MS + at_ms, success=success, url=f"https://x.example/{at_ms}")
                for at_ms, source, success in rows
            ))
        )  # fmt: skip
        for filter in filters:
            with engine.connect() as connection:
                right = newest_pages(connection, None, None, filter, limit)
            assert queries.events(None, filter, limit) == right


def test_a_live_list_reads_a_batch_and_not_all_that_it_shows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    store, recent, rollups = Store(engine, clock_ms=lambda: NOON_MS), RecentDetail(), Rollups(engine)
    store.subscribe(recent.append)
    store.subscribe(rollups.mark)
    queries = Queries(engine, recent, rollups=rollups, clock_ms=lambda: NOON_MS)
    store.send(batch(*(navigation(at_ms=NOON_MS + number) for number in range(300))))
    read: list[int] = []

    def counted(*words: object, **more: object) -> tuple[Event, ...]:
        found = newest_pages(*words, **more)  # type: ignore[arg-type]
        read.append(len(found))
        return found

    monkeypatch.setattr(db.event_search, "newest_pages", counted)
    assert len(queries.events(None, EVERYTHING, 100)) == 100
    assert read == [100]
    store.send(batch(*(navigation(at_ms=NOON_MS + 300 + number) for number in range(3))))
    newest = queries.events(None, EVERYTHING, 100)
    assert read == [100, 3]
    assert [event.recorded_at_ms - NOON_MS for event in newest] == list(range(302, 202, -1))
