"""Columns come back from blocks of rows as they were, those of packs that an earlier version wrote too."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import url_layout
from db.cells import DAY_MS, SLOT_MS
from db.columns import DetailColumns
from db.rest_pack import ended_as
from db.result_pack import ResultIndex, ResultPacking
from db.results import Filter
from db.row_blocks import RowBlocks, in_blocks
from db.url_pack import Found, UrlIndex
from db.url_packing import UrlPacks
from db.url_span import EVERYTHING, ResultRows, SpanRows
from tests.db.old_url_packs import BY_RESULT, BY_URL
from tests.db.packed_day import PackedDay, plain
from tests.db.test_url_rows import some_metrics

_MOST = (1, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000, 0xFFFF_FFFF, 1 << 40)
numbers = st.one_of(
    *(st.lists(st.integers(0, most), min_size=20, max_size=20) for most in _MOST),
    st.lists(st.integers(-5, 1 << 40), min_size=20, max_size=20),
    st.lists(st.floats(0, 1e9), min_size=20, max_size=20),
)


@given(st.lists(numbers, min_size=1, max_size=4), st.integers(1, 25), st.sets(st.integers(0, 19)), st.booleans())
def test_numbers_of_any_size_come_back(
    values: list[list[Any]], block_rows: int, wanted: set[int], all_of_some: bool
) -> None:
    columns = {str(place): np.array(own) for place, own in enumerate(values)}
    columns["hashes"] = np.array([17, (1 << 64) - 1] * 10, dtype=np.uint64)
    types, matrix = in_blocks(columns, block_rows)
    blocks = [b"123" + block.tobytes() for block in matrix]
    where: npt.NDArray[np.int64] | slice = np.array(sorted(wanted), dtype=np.int64)
    if all_of_some:
        where = slice(min(wanted, default=0), max(wanted, default=-1) + 1)
    names = list(columns)[::2]
    found = RowBlocks(blocks, types, block_rows, 3, in_planes=False).columns(names, where)
    assert {name: own.tolist() for name, own in found.items()} == {
        name: columns[name][where].tolist() for name in names
    }


def test_a_number_takes_no_more_bytes_than_the_biggest_one_needs() -> None:
    columns = {str(most): np.array([0, most]) for most in (200, 60_000, 16_000_000, 4_000_000_000)}
    assert in_blocks(columns, 2)[1].shape == (1, 2 * (1 + 2 + 3 + 4))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url_layout, "BLOCK_ROWS", 8)


@pytest.mark.parametrize("packs", BY_URL, ids=("in planes", "told together"))
def test_what_an_earlier_version_packed_by_url_is_read(packs: UrlPacks) -> None:
    day = PackedDay(some_metrics()[:30])
    index = UrlIndex(packs.once, day.start_ms)
    found = index.rows_with("/1", "")
    assert packs.once[:2] != day.packs.once[:2]
    of_now = UrlIndex(day.packs.once, day.start_ms)
    assert not span_rows(SpanRows, of_now, of_now.rows_with("/1", ""), day.packs, day).lacks_rest(("outcome",))
    assert span_rows(SpanRows, index, found, packs, day).lacks_rest(("outcome",))
    assert not span_rows(SpanRows, index, found, packs, day).lacks_rest(("items",))
    assert plain(rows_of(SpanRows, index, found, packs, day)) == plain(day.rows.matching(Filter(url_contains="/1")))


@pytest.mark.parametrize("packs", BY_RESULT, ids=("in planes", "told together"))
def test_what_an_earlier_version_packed_by_result_is_read(packs: UrlPacks) -> None:
    day = PackedDay(some_metrics()[:30], ResultPacking)
    filter = Filter(outcomes=("failed", "blocked"))
    index = ResultIndex(packs.once, day.start_ms)
    found = index.rows_ended(ended_as(filter))
    assert packs.once[:2] != day.packs.once[:2]
    assert not span_rows(ResultRows, index, found, packs, day).lacks_rest(("outcome",))
    rows = rows_of(ResultRows, index, found, packs, day).matching(filter)  # which is about scrapes
    assert plain(rows) == plain(day.rows.matching(filter)) != plain(DetailColumns([], day.names, day.outcomes))


def span_rows(kind: type[SpanRows], index: UrlIndex, found: Found, packs: UrlPacks, day: PackedDay) -> SpanRows:
    """The rows, without the rest of them."""
    some = [packs.rows[block] for block in found.blocks]
    assert index.is_of(some)
    return kind(index, found, some, np.ones(DAY_MS // SLOT_MS, np.bool_), day.names, day.outcomes)


def rows_of(kind: type[SpanRows], index: UrlIndex, found: Found, packs: UrlPacks, day: PackedDay) -> DetailColumns:
    rows = span_rows(kind, index, found, packs, day)
    assert rows.add_rest([packs.rest[block] for block in found.blocks])
    return DetailColumns([rows.chunk(EVERYTHING)], day.names, day.outcomes)
