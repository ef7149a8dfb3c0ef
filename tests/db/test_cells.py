"""Rows are picked, cut out and put together with their own sketches, and those alone."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import cells_pack
from db.cells import Cells
from db.cells_pack import packed, unpacked
from db.columns import Names
from db.distinct import distinct_numbers
from db.labelled_sources import OTHER
from db.runs import run_places

Row = tuple[int, tuple[tuple[int, int], ...]]  # a number that all of its columns have, and its sketch's (bin, count)

ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 9)), max_size=4).map(tuple)),
    max_size=12,
)


def cells_of(rows: list[Row]) -> Cells:
    numbers = [number for number, _ in rows]
    pairs = [(place, *pair) for place, (_, sketch) in enumerate(rows) for pair in sketch]
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    sketches: dict[str, Any] = {
        "sketch_row": columns[0].astype(np.int32),
        "sketch_bin": columns[1].astype(np.int16),
        "sketch_count": columns[2].astype(np.float32),
    }
    names = [field.name for field in fields(Cells) if field.name not in sketches]
    return Cells(**sketches | {name: np.array(numbers, dtype=np.int64) for name in names})


def rows_of(cells: Cells) -> list[Row]:
    assert (np.diff(cells.sketch_row) >= 0).all()
    pairs = list(zip(cells.sketch_bin.tolist(), cells.sketch_count.astype(int).tolist(), strict=True))
    own = cells.sketch_row.tolist()
    return [
        (number, tuple(pair for pair, row in zip(pairs, own, strict=True) if row == place))
        for place, number in enumerate(cells.source.tolist())
    ]


@given(rows=ROWS, data=st.data())
def test_picked_rows_keep_their_sketches(rows: list[Row], data: st.DataObject) -> None:
    mask = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    found = rows_of(cells_of(rows).chosen(np.array(mask, dtype=np.bool_)))
    assert found == [row for row, own in zip(rows, mask, strict=True) if own]


class SomeSources:
    """Leaves some sources out."""

    def __init__(self, others: set[str]) -> None:
        self.others = others

    def code(self, name: str) -> int:
        return OTHER if name in self.others else int(name) - 20


NEAR = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 300))).map(sorted).map(tuple)
FAR = st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300))).map(tuple)


@pytest.mark.parametrize("as_they_are", [False, True], ids=("few", "many"))
@given(rows=st.lists(st.tuples(st.integers(0, 9), st.one_of(NEAR, FAR))), others=st.sets(st.integers(0, 9)))
def test_rows_of_other_sources_arent_even_unpacked(as_they_are: bool, rows: list[Row], others: set[int]) -> None:
    names = Names()
    for number in range(10):
        names.code(str(number))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells_pack, "_MANY", 0 if as_they_are else 1_000_000)
        pack = packed(cells_of(rows), 0, names)
    found = unpacked(pack, 0, SomeSources({str(number) for number in others}))
    assert rows_of(found) == [(number - 20, sketch) for number, sketch in rows if number not in others]
    assert found.start_ms.tolist() == found.scrapes.tolist() == [row[0] for row in rows if row[0] not in others]
    assert len(found) == len(found.max_ms)


@given(runs=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 5))))
def test_runs_of_places_follow_each_other(runs: list[tuple[int, int]]) -> None:
    begins, lengths = np.array(runs, dtype=np.int64).reshape(-1, 2).T
    assert run_places(begins, lengths).tolist() == [begin + n for begin, length in runs for n in range(length)]


@given(rows=ROWS, low=st.integers(0, 12), length=st.integers(0, 12))
def test_rows_are_cut_out_with_their_sketches(rows: list[Row], low: int, length: int) -> None:
    low = min(low, len(rows))
    high = min(low + length, len(rows))
    assert rows_of(cells_of(rows).part(low, high)) == rows[low:high]


@given(parts=st.lists(ROWS, max_size=4))
def test_rows_are_put_together_with_their_sketches(parts: list[list[Row]]) -> None:
    assert rows_of(Cells.joined([cells_of(rows) for rows in parts])) == [row for rows in parts for row in rows]


@pytest.mark.parametrize("kind", [None, "navigation", "scrape"])
@pytest.mark.parametrize("sources", [None, [0, 2]])
def test_rows_of_some_kind_and_source_are_picked_at_once(kind: str | None, sources: list[int] | None) -> None:
    counts = np.array([[0, 1, 0], [1, 0, 2], [2, 5, 0], [2, 0, 3]])  # source, navigations, scrapes
    cells = cells_of([(int(source), ((int(source), 1),)) for source in counts[:, 0]])
    columns = {field.name: getattr(cells, field.name) for field in fields(Cells)}
    columns |= {"navigations": counts[:, 1], "scrapes": counts[:, 2], "successes": counts[:, 1] + counts[:, 2]}
    found = Cells(**columns).only(kind, "ok", sources)  # type: ignore[arg-type]
    wanted = [
        row.tolist()
        for row in counts
        if (sources is None or row[0] in sources) and (kind is None or row[1 if kind == "navigation" else 2] > 0)
    ]
    assert np.column_stack((found.source, found.navigations, found.scrapes)).tolist() == wanted
    assert found.sketch_bin.tolist() == [row[0] for row in wanted]


@given(numbers=st.lists(st.one_of(st.integers(-20, 20), st.integers(-(1 << 40), 1 << 40)), max_size=30))
def test_distinct_numbers_are_those_that_sorting_finds(numbers: list[int]) -> None:
    used, which = distinct_numbers(np.array(numbers, dtype=np.int64))
    assert used.tolist() == sorted(set(numbers))
    assert used[which].tolist() == numbers
