"""Memory holds the newest rows, whole from a known moment on, and a snapshot never changes."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from db.recent import RecentDetail
from db.retention import cleanup
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

DAY_MS = 86_400_000


def times(recent: RecentDetail) -> list[int]:
    return recent.columns().created_at_ms.tolist()


def test_columns_carry_every_field() -> None:
    recent = RecentDetail()
    recent.append([
        navigation("a", NOON_MS, retry_count=2, success=False, error="boom", status_code=503),
        run(),
        scrape("b", NOON_MS + 1, outcome="blocked", data_size=2**40, items_extracted=9),
    ])  # fmt: skip
    columns = recent.columns()
    assert columns.created_at_ms.tolist() == [NOON_MS, NOON_MS + 1]
    assert [columns.source_names[code] for code in columns.source] == ["a", "b"]
    assert columns.scrape.tolist() == [False, True]
    assert columns.duration_ms.tolist() == [150, 40.5]
    assert columns.success.tolist() == [False, True]
    assert columns.items.tolist() == [0, 9]
    assert columns.retry_count.tolist() == [2, 0]
    assert columns.data_size.tolist() == [-1, 2**40]
    assert columns.status_code.tolist() == [503, -1]
    assert columns.outcome.tolist() == [-1, 0]
    assert columns.outcome_names.all() == ("blocked",)
    assert columns.url.tolist() == ["https://a.example/page", "https://b.example/page"]
    assert columns.error.tolist() == ["boom", None]


@settings(deadline=None)  # time is the machine's matter
@given(
    st.lists(st.lists(st.integers(0, 50), max_size=30), max_size=12),
    st.sampled_from([1, 7, 33, 64, 100, 1000]),
)
def test_newest_rows_are_kept_in_order_and_complete_from_the_horizon_on(parts: list[list[int]], max_rows: int) -> None:
    recent = RecentDetail(max_rows=max_rows)
    everything: list[int] = []
    for part in parts:
        recent.append([navigation(at_ms=at_ms) for at_ms in part])
        everything += part
        since_ms = recent.covered_since_ms
        assert len(recent) <= max_rows
        assert times(recent) == sorted(at_ms for at_ms in everything if since_ms is None or at_ms >= since_ms)


@settings(deadline=None)  # time is the machine's matter
@given(st.lists(st.tuples(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.booleans()), max_size=12))
def test_who_reads_between_batches_changes_nothing(parts: list[tuple[list[int], bool]]) -> None:
    read, unread = RecentDetail(max_rows=256), RecentDetail(max_rows=256)
    everything: list[tuple[int, str]] = []
    for number, (times, look) in enumerate(parts):
        metrics = [navigation(url=f"{number}-{place}", at_ms=at_ms) for place, at_ms in enumerate(times)]
        everything += [(metric.recorded_at_ms, metric.url) for metric in metrics]
        for memory in (read, unread):
            memory.append(metrics)
        if look:
            assert len(read.columns()) == len(everything)
    wanted = sorted(everything, key=lambda row: row[0])  # of one moment, in the order of their arrival
    for memory in (read, unread):
        columns = memory.columns()
        assert list(zip(columns.created_at_ms.tolist(), columns.url.tolist(), strict=True)) == wanted


def test_rows_older_than_the_horizon_are_left_out_but_change_the_version() -> None:
    recent = RecentDetail(max_rows=2)
    recent.append([navigation(at_ms=NOON_MS + second) for second in range(3)])
    assert recent.covered_since_ms == NOON_MS + 1
    version = recent.version
    recent.append([navigation(at_ms=NOON_MS)])
    assert times(recent) == [NOON_MS + 1, NOON_MS + 2]
    assert recent.version > version


def test_snapshot_stays_as_it_was_whatever_arrives_later() -> None:
    recent = RecentDetail(max_rows=200)
    rng = random.Random(7)
    snapshots = []
    for _ in range(60):
        recent.append(
            [navigation(at_ms=NOON_MS + rng.randrange(1000), url=f"https://a/{rng.random()}") for _ in range(9)]
        )
        columns = recent.columns()
        snapshots.append((columns, recent.columns().created_at_ms.copy(), recent.columns().url.copy()))
    for columns, created_at_ms, url in snapshots:
        assert np.array_equal(columns.created_at_ms, created_at_ms)
        assert np.array_equal(columns.url, url)


def test_rows_that_it_does_not_hold_may_be_there() -> None:
    recent = RecentDetail(max_rows=2)
    assert not recent.may_have_since(NOON_MS)
    recent.append([navigation("a", NOON_MS), navigation("a", NOON_MS + 1)])
    assert recent.may_have_since(NOON_MS + 1)
    assert not recent.may_have_since(NOON_MS + 2)
    recent.append([navigation("a", NOON_MS - 1)])  # two are kept: before them there may be others
    assert recent.covered_since_ms is not None
    assert recent.may_have_since(NOON_MS - 5)
    assert not recent.may_have_since(NOON_MS + 2)


def test_range_is_half_open() -> None:
    recent = RecentDetail()
    recent.append([navigation(at_ms=NOON_MS + second) for second in range(5)])
    assert recent.columns(NOON_MS + 1, NOON_MS + 3).created_at_ms.tolist() == [NOON_MS + 1, NOON_MS + 2]


def test_loaded_memory_equals_one_that_saw_everything(engine: Engine) -> None:
    store, watched = Store(engine), RecentDetail()
    store.subscribe(watched.append)
    rng = random.Random(3)
    for number in range(20):
        store.send(batch(
            navigation("a", NOON_MS + rng.randrange(50), error=f"e{number}", success=False),
            scrape("b", NOON_MS + rng.randrange(50), outcome=rng.choice([None, "ok", "empty"])),
            run(),
        ))  # fmt: skip
    loaded = RecentDetail()
    assert loaded.load(engine) == 40
    assert loaded.covered_since_ms is None

    def content(recent: RecentDetail) -> list[tuple[object, ...]]:
        columns = recent.columns()
        names, outcomes = columns.source_names, columns.outcome_names
        return sorted(zip(
            columns.created_at_ms.tolist(), [names[code] for code in columns.source], columns.duration_ms.tolist(),
            [outcomes[code] if code >= 0 else "" for code in columns.outcome], columns.success.tolist(),
            columns.items.tolist(), columns.retry_count.tolist(), columns.data_size.tolist(),
            columns.status_code.tolist(), columns.url.tolist(), [error or "" for error in columns.error], strict=True,
        ))  # fmt: skip

    assert content(loaded) == content(watched)


@pytest.mark.parametrize(("max_rows", "kept", "since"), [(4, 4, 2), (3, 2, 4), (2, 2, 4), (1, 0, 5), (6, 6, None)])
def test_load_takes_whole_milliseconds(engine: Engine, max_rows: int, kept: int, since: int | None) -> None:
    Store(engine).send(batch(*(navigation(at_ms=at_ms) for at_ms in (1, 1, 3, 3, 4, 4))))
    recent = RecentDetail(max_rows=max_rows)
    assert (recent.load(engine), recent.covered_since_ms) == (kept, since)


def test_memory_after_retention_does_not_claim_to_hold_everything(engine: Engine) -> None:
    Store(engine).send(batch(navigation(at_ms=NOON_MS - 5 * DAY_MS), navigation(at_ms=NOON_MS)))
    cleanup(engine, 2, now_ms=NOON_MS)
    recent = RecentDetail()
    recent.load(engine)
    assert times(recent) == [NOON_MS]
    assert recent.covered_since_ms == NOON_MS // DAY_MS * DAY_MS - 2 * DAY_MS


def test_forgetting_moves_the_horizon() -> None:
    recent = RecentDetail(max_rows=100)
    recent.append([navigation(at_ms=NOON_MS + second) for second in range(50)])
    recent.forget_before(NOON_MS + 47)
    assert times(recent) == [NOON_MS + 47, NOON_MS + 48, NOON_MS + 49]
    assert (recent.covered_since_ms, len(recent)) == (NOON_MS + 47, 3)


def test_memory_goes_with_the_rows_that_retention_deletes(store: Store, engine: Engine) -> None:
    recent = RecentDetail()
    store.subscribe(recent.append)
    store.send(batch(navigation(at_ms=NOON_MS - 2 * DAY_MS), navigation(at_ms=NOON_MS)))
    recent.follow_retention(engine)  # nothing was deleted yet
    assert (len(recent), recent.covered_since_ms) == (2, None)
    cleanup(engine, 1, now_ms=NOON_MS)
    recent.follow_retention(engine)
    assert times(recent) == [NOON_MS]
    started_later = RecentDetail()
    started_later.load(engine)
    assert recent.covered_since_ms == started_later.covered_since_ms


def test_readers_beside_a_writer_always_see_whole_rows_in_order() -> None:
    recent = RecentDetail(max_rows=5000)
    done = threading.Event()
    problems: list[str] = []

    def read() -> None:
        while not done.is_set():
            columns = recent.columns()
            moments = columns.created_at_ms
            if (np.diff(moments) < 0).any():
                problems.append("out of order")
            if not np.array_equal(columns.duration_ms, (moments - NOON_MS).astype(float)):
                problems.append("a row of two rows")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    rng = random.Random(1)
    for step in range(400):
        offsets = [step * 10 + rng.randrange(200) for _ in range(20)]
        recent.append([navigation(at_ms=NOON_MS + offset, navigation_duration_ms=offset) for offset in offsets])
    done.set()
    for reader in readers:
        reader.join()
    assert problems == []


def test_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RecentDetail(max_rows=0)
