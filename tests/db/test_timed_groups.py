"""Buckets that are counted out together hold what each of them adds up to, and what is shared is narrowed rightly."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from backports import zstd

from db.breakdown import DIMENSIONS, Dimension, Groups
from db.breakdown_pack import PackedTexts, packed, unpacked_all
from db.cells import HOUR_MS
from db.columns import DetailColumns, Names
from db.group_rows import groups_of
from db.over_time import cut
from db.results import Filter, Kind, TimeRange
from db.timed_groups import TimedGroups, counted, summed, with_own_texts
from tests.db.samples import NOON_MS
from tests.db.test_breakdowns import START_MS, plain, rows_of, some_metrics

# The first bucket is short, and rows lie before and behind them all.
BOUNDS = cut(TimeRange(START_MS + 5 * HOUR_MS + 7, NOON_MS - HOUR_MS, 1), 3 * HOUR_MS)


def found(timed: TimedGroups, names: Names) -> list[object]:
    return [plain(part, names) for part in timed.parts()]


def expected(rows: DetailColumns, dimension: Dimension) -> list[object]:
    return [plain(groups_of(rows.between(*bound), dimension), rows.source_names) for bound in BOUNDS]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_buckets_counted_in_one_pass_are_those_counted_one_by_one(dimension: Dimension) -> None:
    rows = rows_of(some_metrics())
    assert len(BOUNDS) > 5
    timed = counted(rows, dimension, BOUNDS)
    assert found(timed, rows.source_names) == expected(rows, dimension)
    assert np.all(np.diff(timed.bucket) >= 0)
    again = with_own_texts(TimedGroups.joined(BOUNDS, timed.parts()))
    assert found(again, rows.source_names) == expected(rows, dimension)
    assert len(again.groups.texts) == 1


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_pieces_in_any_order_add_up_to_their_buckets(dimension: Dimension) -> None:
    rows = rows_of(some_metrics())
    middle_ms = NOON_MS - 20 * HOUR_MS
    halves = [counted(rows.between(*span), dimension, BOUNDS) for span in ((middle_ms, 1 << 60), (0, middle_ms))]
    timed = summed(BOUNDS, [(half.bucket, half.groups) for half in halves])
    assert found(timed, rows.source_names) == expected(rows, dimension)
    each = [(place, groups_of(rows.between(*bound), dimension)) for place, bound in enumerate(BOUNDS)]
    assert found(summed(BOUNDS, each), rows.source_names) == expected(rows, dimension)


def test_no_rows_and_no_pieces_are_empty_buckets() -> None:
    for timed in (counted(rows_of([]), "yield", BOUNDS), summed(BOUNDS, []), summed(BOUNDS, [(0, Groups.empty())])):
        assert [len(part) for part in timed.parts()] == [0] * len(BOUNDS)
        assert timed.sums(timed.groups.count).tolist() == [[0] * len(BOUNDS)]
    assert plain(with_own_texts(counted(rows_of([]), "error", BOUNDS)).groups, Names()) == {}


@pytest.mark.parametrize("filter", [Filter(("source1",)), Filter(result="failed"), Filter(outcomes=("ok",)), Filter()])
@pytest.mark.parametrize("kind", ["scrape", "navigation"])
def test_narrowed_buckets_hold_what_a_filter_lets_through(filter: Filter, kind: Kind) -> None:
    rows = rows_of(some_metrics())
    timed = counted(rows, "outcome", BOUNDS).narrowed(filter, kind, rows.source_names)
    right = counted(rows.matching(filter, kind), "outcome", BOUNDS)
    assert found(timed, rows.source_names) == found(right, rows.source_names)
    sums = timed.sums(timed.groups.count)[0]
    assert sums.tolist() == [int(part.count.sum()) for part in right.parts()]


def test_picked_rows_are_those_of_the_mask_in_any_column_and_can_stand_alone() -> None:
    rows = rows_of(some_metrics())
    filter = Filter(("source1",))
    picked = rows.matching(filter)
    mask = np.array([rows.source_names[code] == "source1" for code in rows.source])
    assert 0 < len(picked) == np.count_nonzero(mask) < len(rows)
    for own in (picked, picked.apart()):
        for name in ("created_at_ms", "duration_ms", "url", "url_hash", "fields", "run_id"):
            assert getattr(own, name).tolist() == getattr(rows, name)[mask].tolist()
        span = (START_MS + 9 * HOUR_MS, NOON_MS - 5 * HOUR_MS)
        assert own.between(*span).url.tolist() == rows.between(*span).matching(filter).url.tolist()
        assert own.matching(Filter(url_contains="A")).url.tolist() == [url for url in own.url if "a" in url.lower()]


def test_packs_that_are_unpacked_together_are_those_unpacked_alone() -> None:
    rows = rows_of(some_metrics())
    parts = [groups_of(rows.between(*bound), "url") for bound in BOUNDS]
    packs = [(low, packed(part, low, rows.source_names)) for (low, _), part in zip(BOUNDS, parts, strict=True)]
    names = Names()
    names.code("another source was met first")
    back = unpacked_all([packs[0], (NOON_MS, packed(Groups.empty(), NOON_MS, Names())), *packs[1:]], names)
    assert len(back.pop(1)) == 0
    assert [plain(part, names) for part in back] == [plain(part, rows.source_names) for part in parts]
    assert unpacked_all([], names) == []


def test_texts_of_values_that_were_packed_in_any_order_are_found() -> None:
    value = np.array([9, 2, 0, 9, 5], dtype=np.uint64)  # as an earlier version packed them; 0 has no text
    texts = [b"two", b"five", b"nine"]
    raw = struct.pack("<III", *map(len, texts)) + b"".join(texts)
    for order in (value, np.sort(value)):
        own = PackedTexts(order, zstd.compress(raw))
        assert own.find({0, 1, 2, 7, 9, 11}) == {2: "two", 9: "nine"}
        assert own.find({4}) == {}
        assert sorted(own.holding("i").tolist()) == [5, 9]


def test_texts_that_were_asked_for_are_not_unpacked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    value = np.arange(1, 301, dtype=np.uint64)
    texts = [f"https://example.org/{number}".encode() for number in value.tolist()]
    own = PackedTexts(value, zstd.compress(struct.pack("<300I", *map(len, texts)) + b"".join(texts)))
    every = {number: f"https://example.org/{number}" for number in value.tolist()}
    assert own.find({3, 7, 999}) == {3: every[3], 7: every[7]}
    unpack = PackedTexts._texts
    monkeypatch.setattr(PackedTexts, "_texts", lambda *_: pytest.fail("unpacked"))
    assert own.find({7, 999}) == {7: every[7]}
    monkeypatch.setattr(PackedTexts, "_texts", unpack)
    assert own.find({7, 8, 999}) == {7: every[7], 8: every[8]}
    assert own.find(set(range(400))) == every  # many of them aren't kept
    for number in range(1, 300):
        assert own.find({number, number + 1}) == {number: every[number], number + 1: every[number + 1]}
    assert len(own.told) <= 100
