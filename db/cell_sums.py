"""Rollup rows computed in memory: minutes from detail rows, wider ones from narrower ones. Pure functions."""

from __future__ import annotations

import numpy as np

from db import sketch
from db.cells import MINUTE_MS, Cells
from db.chunk import BoolArray
from db.columns import DetailColumns
from db.distinct import distinct_numbers
from db.results import FloatArray, IntArray

# Up to so many bins are counted in an array of all of them (in bytes eight times as much), and up to so many for each
# that is counted: to sort them would take longer.
_DENSE = 1 << 20
_DENSE_PER_ENTRY = 4


def minute_cells(rows: DetailColumns, step_ms: int = MINUTE_MS) -> Cells:
    """Compute what `read_cells` would read of the minutes of some detail rows.

    Args:
        rows: All detail rows of some whole steps, in time order.
        step_ms: Length of what each row stands for, a minute or another.

    Returns:
        The rows, by time, with rising `sketch_row`.
    """
    names = max(1, len(rows.source_names))
    place = rows.created_at_ms // step_ms * names + rows.source
    keys, group = distinct_numbers((place << 2) | (rows.scrape.astype(np.int64) << 1) | rows.success)
    size = len(keys)
    counts = np.bincount(group, minlength=size)
    scrape, ok = keys & 2 > 0, keys & 1 > 0
    last_seen_ms = np.zeros(size, dtype=np.int64)
    last_seen_ms[group] = rows.created_at_ms  # in time order: the newest is written last
    min_ms, max_ms = _extremes(group, rows.duration_ms, rows.duration_ms, size)
    sketch_row, sketch_bin, sketch_count = _sketches(group, sketch.bins_of(rows.duration_ms), None, size)
    return Cells(
        start_ms=(keys >> 2) // names * step_ms,
        source=(keys >> 2) % names,
        navigations=np.where(scrape, 0, counts),
        scrapes=np.where(scrape, counts, 0),
        successes=np.where(ok, counts, 0),
        items=_sums(group, rows.items, size),
        last_seen_ms=last_seen_ms,
        seen_since_ms=last_seen_ms,
        last_ok_ms=np.where(ok, last_seen_ms, -1),
        sum_ms=np.bincount(group, weights=rows.duration_ms, minlength=size).astype(np.float64, copy=False),
        min_ms=min_ms,
        max_ms=max_ms,
        sketch_row=sketch_row,
        sketch_bin=sketch_bin,
        sketch_count=sketch_count,
    )


def merged(cells: Cells, start_ms: int | IntArray, *, together: bool = False) -> Cells:
    """Add rows up to one for each source, kind and result.

    Args:
        cells: Rollup rows of any moments.
        start_ms: Where the result begins, epoch ms; or where what each row goes into begins, int64[r] and rising.
        together: Up to one for each source: fewer rows, of which nobody can tell kinds and results any more.

    Returns:
        The rows, by start and then by number of the source, with rising `sketch_row`.
    """
    starts, part = np.unique(start_ms, return_inverse=True)
    sources = int(cells.source.max()) + 1 if len(cells) else 1
    key = (part * sources + cells.source) << 3
    if not together:
        key = key | ((cells.scrapes > 0).astype(np.int64) << 2) | cells.results()
    keys, group = distinct_numbers(key)
    size = len(keys)
    last_seen_ms, seen_since_ms, last_ok_ms = (np.full(size, -1, dtype=np.int64) for _ in range(3))
    np.maximum.at(last_seen_ms, group, cells.last_seen_ms)
    np.maximum.at(seen_since_ms, group, cells.seen_since_ms)
    np.maximum.at(last_ok_ms, group, cells.last_ok_ms)
    min_ms, max_ms = _extremes(group, cells.min_ms, cells.max_ms, size)
    sketch_row, sketch_bin, sketch_count = _sketches(
        group[cells.sketch_row], cells.sketch_bin, cells.sketch_count, size
    )
    return Cells(
        start_ms=starts[(keys >> 3) // sources],
        source=(keys >> 3) % sources,
        navigations=_sums(group, cells.navigations, size),
        scrapes=_sums(group, cells.scrapes, size),
        successes=_sums(group, cells.successes, size),
        items=_sums(group, cells.items, size),
        last_seen_ms=last_seen_ms,
        seen_since_ms=seen_since_ms,
        last_ok_ms=last_ok_ms,
        sum_ms=np.bincount(group, weights=cells.sum_ms, minlength=size).astype(np.float64, copy=False),
        min_ms=min_ms,
        max_ms=max_ms,
        sketch_row=sketch_row,
        sketch_bin=sketch_bin,
        sketch_count=sketch_count,
    )


def _extremes(group: IntArray, low_ms: FloatArray, high_ms: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    min_ms, max_ms = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(min_ms, group, low_ms)
    np.maximum.at(max_ms, group, high_ms)
    return min_ms, max_ms


def _sums(group: IntArray, values: IntArray | BoolArray, size: int) -> IntArray:
    return np.bincount(group, weights=values, minlength=size).astype(np.int64)


def _sketches(
    row: IntArray, bins: IntArray, counts: FloatArray | None, size: int
) -> tuple[IntArray, IntArray, FloatArray]:
    first_bin = int(bins.min()) if len(bins) else 0
    width = int(bins.max()) - first_bin + 1 if len(bins) else 1  # mostly a small part of all bins
    place = row * width + (bins - first_bin)
    if size * width <= max(_DENSE, _DENSE_PER_ENTRY * len(place)):
        dense = np.bincount(place, weights=counts, minlength=size * width)
        used = np.flatnonzero(dense != 0)  # a third of the time that numbers themselves take
        found = dense[used]
    elif counts is None:  # many rows of few durations each: nearly all of their bins are empty
        used, found = np.unique(place, return_counts=True)
    else:
        used, where = np.unique(place, return_inverse=True)
        found = np.bincount(where, weights=counts, minlength=len(used))
    # 16 and 32 bits: there may be millions of these in memory.
    return (
        (used // width).astype(np.int32),
        (used % width + first_bin).astype(np.int16),
        found.astype(np.float32 if found.size == 0 or found.max() < 1 << 24 else np.float64),
    )
