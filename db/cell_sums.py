"""Rollup rows computed in memory: minutes from detail rows, wider ones from narrower ones. Pure functions."""

from __future__ import annotations

import numpy as np

from db import sketch
from db.cells import MINUTE_MS, Cells
from db.columns import BoolArray, DetailColumns
from db.results import Filter, FloatArray, IntArray, Kind


def minute_cells(rows: DetailColumns, kind: Kind) -> Cells:
    """Compute what `read_cells` would read of the minutes of some detail rows.

    Args:
        rows: All detail rows of some whole minutes, in time order.
        kind: Navigations or scrapes.

    Returns:
        The rows, by time, with rising `sketch_row`.
    """
    rows = rows.matching(Filter(), kind)
    names = max(1, len(rows.source_names))
    keys, group = np.unique(rows.created_at_ms // MINUTE_MS * names + rows.source, return_inverse=True)
    size = len(keys)
    counts = np.bincount(group, minlength=size)
    none = np.zeros(size, dtype=np.int64)
    last_seen_ms, last_ok_ms = none.copy(), np.full(size, -1, dtype=np.int64)
    last_seen_ms[group] = rows.created_at_ms  # in time order: the newest is written last
    last_ok_ms[group[rows.success]] = rows.created_at_ms[rows.success]
    min_ms, max_ms = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(min_ms, group, rows.duration_ms)
    np.maximum.at(max_ms, group, rows.duration_ms)
    sketch_row, sketch_bin, sketch_count = _sketches(group, sketch.bins_of(rows.duration_ms), None, size)
    return Cells(
        start_ms=keys // names * MINUTE_MS,
        source=keys % names,
        navigations=counts if kind == "navigation" else none,
        scrapes=counts if kind == "scrape" else none,
        successes=_sums(group, rows.success, size),
        items=_sums(group, rows.items, size),
        last_seen_ms=last_seen_ms,
        last_ok_ms=last_ok_ms,
        sum_ms=np.bincount(group, weights=rows.duration_ms, minlength=size).astype(np.float64, copy=False),
        min_ms=min_ms,
        max_ms=max_ms,
        sketch_row=sketch_row,
        sketch_bin=sketch_bin,
        sketch_count=sketch_count,
    )


def merged(cells: Cells, start_ms: int) -> Cells:
    """Add rows up to one for each source.

    Args:
        cells: Rollup rows of any moments.
        start_ms: Where the result begins, epoch ms.

    Returns:
        The rows, by number of the source, with rising `sketch_row`.
    """
    codes, group = np.unique(cells.source, return_inverse=True)
    size = len(codes)
    last_seen_ms, last_ok_ms = np.full(size, -1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
    np.maximum.at(last_seen_ms, group, cells.last_seen_ms)
    np.maximum.at(last_ok_ms, group, cells.last_ok_ms)
    min_ms, max_ms = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(min_ms, group, cells.min_ms)
    np.maximum.at(max_ms, group, cells.max_ms)
    sketch_row, sketch_bin, sketch_count = _sketches(
        group[cells.sketch_row], cells.sketch_bin, cells.sketch_count, size
    )
    return Cells(
        start_ms=np.full(size, start_ms, dtype=np.int64),
        source=codes,
        navigations=_sums(group, cells.navigations, size),
        scrapes=_sums(group, cells.scrapes, size),
        successes=_sums(group, cells.successes, size),
        items=_sums(group, cells.items, size),
        last_seen_ms=last_seen_ms,
        last_ok_ms=last_ok_ms,
        sum_ms=np.bincount(group, weights=cells.sum_ms, minlength=size).astype(np.float64, copy=False),
        min_ms=min_ms,
        max_ms=max_ms,
        sketch_row=sketch_row,
        sketch_bin=sketch_bin,
        sketch_count=sketch_count,
    )


def _sums(group: IntArray, values: IntArray | BoolArray, size: int) -> IntArray:
    return np.bincount(group, weights=values, minlength=size).astype(np.int64)


def _sketches(
    row: IntArray, bins: IntArray, counts: FloatArray | None, size: int
) -> tuple[IntArray, IntArray, FloatArray]:
    dense = np.bincount(row * sketch.BINS + bins, weights=counts, minlength=size * sketch.BINS)
    used = np.flatnonzero(dense)
    # 16 and 32 bits: there may be millions of these in memory.
    return (
        (used // sketch.BINS).astype(np.int32),
        (used % sketch.BINS).astype(np.int16),
        dense[used].astype(np.float32 if dense.size == 0 or dense.max() < 1 << 24 else np.float64),
    )
