"""What is known of scheduler jobs over spans of time, as numpy columns: counted from runs, and added up.

The time between two starts can't be added up from what each hour knows of itself alone: the gap from the last start of
the hour before to its own first belongs to no hour. So a row keeps its first and last start, and adding up closes gaps.
An hour has the runs that ended in it: where one outlasts the next one's start, gaps at that border are approximate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db import sketch
from db.chunk import BoolArray, CodeArray, ObjectArray
from db.columns import Names
from db.results import FloatArray, IntArray
from db.run_columns import RunColumns

# A row holds eight histograms in one: bin = kind * BINS + the bin of db.sketch.
DURATIONS = 0  # and 1: of runs that failed, of those that went well
OWN_GAPS = 2  # to 4: between starts of a job for one scraper; of failed, ok and all runs
JOB_GAPS = 5  # to 7: the same between starts of a job for whatever scraper
KINDS = 8
WIDTH = KINDS * sketch.BINS
# A sketch reaches to seven days: enough for a duration, and in this unit for gaps of 19 years, to the millisecond.
GAP_UNIT_MS = 1000.0
ALL = 2  # beside 0 (failed) and 1 (ok) as a result
# Adds up in a table of all bins up to so many rows, by sorting beyond: 10,000 numbers a row.
_MOST_DENSE_ROWS = 256

# The runs of one result.
PART: Any = np.dtype(
    [
        ("runs", "<i8"), ("items", "<i8"), ("sum_ms", "<f8"), ("min_ms", "<f8"), ("max_ms", "<f8"), ("last_ms", "<i8"),
        ("last_id", "<i8"), ("first_start_ms", "<f8"), ("last_start_ms", "<f8"),
    ]
)  # fmt: skip
_EMPTY = np.array((0, 0, 0.0, np.inf, -np.inf, -1, -1, np.inf, -np.inf), dtype=PART)


@dataclass(frozen=True, slots=True, eq=False)
class JobCells:
    """One row for each span, job and scraper that has a run; n rows, p pairs."""

    names: Names
    span_ms: IntArray  # where each row's span begins, epoch ms
    name: CodeArray  # of the job
    source: CodeArray  # of the scraper, -1 without one
    parts: npt.NDArray[Any]  # PART[n, 2]: failed, ok
    last_error: ObjectArray  # of the last failed run, str or None
    pair_row: CodeArray  # int32[p], rising: which row
    pair_bin: CodeArray  # which of its WIDTH bins
    pair_count: CodeArray

    def __len__(self) -> int:
        return len(self.span_ms)

    @property
    def nbytes(self) -> int:
        """About how much memory the rows take."""
        return 1500 + len(self) * 250 + 12 * len(self.pair_row)

    def of_spans(self, start_ms: int, end_ms: int) -> JobCells:
        """Return the rows whose spans begin in [start_ms, end_ms); the rows must be in the order of spans."""
        low, high = np.searchsorted(self.span_ms, (start_ms, end_ms)).tolist()
        if (low, high) == (0, len(self)):
            return self
        first, last = np.searchsorted(self.pair_row, (low, high))
        rows, pairs = slice(low, high), slice(first, last)
        return JobCells(
            self.names, self.span_ms[rows], self.name[rows], self.source[rows], self.parts[rows], self.last_error[rows],
            self.pair_row[pairs] - np.int32(low), self.pair_bin[pairs], self.pair_count[pairs],
        )  # fmt: skip

    def chosen(self, mask: BoolArray) -> JobCells:
        """Return the rows that a mask picks, these themselves when it picks all."""
        if bool(mask.all()):
            return self
        place = (np.cumsum(mask) - 1).astype(np.int32)
        pairs = mask[self.pair_row]
        return JobCells(
            self.names, self.span_ms[mask], self.name[mask], self.source[mask], self.parts[mask], self.last_error[mask],
            place[self.pair_row[pairs]], self.pair_bin[pairs], self.pair_count[pairs],
        )  # fmt: skip


def no_cells(names: Names) -> JobCells:
    """Return no row at all."""
    return joined([], names)


def joined(parts: Sequence[JobCells], names: Names) -> JobCells:
    """Put rows behind each other.

    Args:
        parts: Rows of the same names.
        names: Their names.
    """
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part) for part in parts)])

    def column(name: str, dtype: Any) -> npt.NDArray[Any]:
        arrays = [getattr(part, name) for part in parts]
        return np.concatenate(arrays) if arrays else np.empty((0, 2) if name == "parts" else 0, dtype=dtype)

    rows = [part.pair_row + np.int32(first) for part, first in zip(parts, before.tolist(), strict=False)]
    return JobCells(
        names, column("span_ms", np.int64), column("name", np.int32), column("source", np.int32),
        column("parts", PART), column("last_error", np.object_),
        np.concatenate(rows) if rows else np.empty(0, dtype=np.int32),
        column("pair_bin", np.int32), column("pair_count", np.int32),
    )  # fmt: skip


def cells_of_runs(runs: RunColumns, span_ms: IntArray) -> JobCells:
    """Count out runs.

    Args:
        runs: All runs of some spans.
        span_ms: Where the span of each run begins, int64[len(runs)], rising.
    """
    if not len(runs):
        return no_cells(runs.names)
    success = runs.success.astype(np.int64)
    group, first = _grouped(span_ms, runs.name, runs.source)
    flat = group * 2 + success
    start_ms = runs.start_ms
    parts = np.full(2 * len(first), _EMPTY)
    parts["runs"] = np.bincount(flat, minlength=len(parts))
    parts["items"] = np.bincount(flat, weights=runs.items, minlength=len(parts)).astype(np.int64)
    parts["sum_ms"] = np.bincount(flat, weights=runs.duration_ms, minlength=len(parts))
    np.minimum.at(parts["min_ms"], flat, runs.duration_ms)
    np.maximum.at(parts["max_ms"], flat, runs.duration_ms)
    np.minimum.at(parts["first_start_ms"], flat, start_ms)
    np.maximum.at(parts["last_start_ms"], flat, start_ms)
    # By (created_at, id): the last one is written last.
    parts["last_ms"][flat] = runs.created_at_ms
    parts["last_id"][flat] = runs.id
    last_error = np.full(len(first), None, dtype=np.object_)
    last_error[group[~runs.success]] = runs.error[~runs.success]
    pairs = [group * WIDTH + (DURATIONS + success) * sketch.BINS + sketch.bins_of(runs.duration_ms)]
    job, _ = _grouped(span_ms, runs.name)
    for kind, same in ((OWN_GAPS, group), (JOB_GAPS, job)):
        for result in (success, np.full(len(runs), ALL)):
            key = same * 3 + result
            order = np.lexsort((start_ms, key))
            later = order[1:][key[order][1:] == key[order][:-1]]
            earlier = order[:-1][key[order][1:] == key[order][:-1]]
            gaps_ms = start_ms[later] - start_ms[earlier]
            pairs.append(
                group[later] * WIDTH + (kind + result[later]) * sketch.BINS + sketch.bins_of(gaps_ms / GAP_UNIT_MS)
            )
    places, counts = np.unique(np.concatenate(pairs), return_counts=True)
    return JobCells(
        runs.names, span_ms[first], runs.name[first], runs.source[first], parts.reshape(-1, 2), last_error,
        *_pairs(places, counts),
    )  # fmt: skip


def merged(cells: JobCells, span_ms: IntArray) -> JobCells:
    """Add up the rows of each job and scraper that fall into the same longer span.

    Args:
        cells: Rows, by span.
        span_ms: Where the longer span of each row begins, int64[n], rising.
    """
    if not len(cells):
        return cells
    group, first = _grouped(span_ms, cells.name, cells.source)
    groups, old = len(first), cells.parts
    parts = np.full((groups, 2), _EMPTY)
    last_error = np.full(groups, None, dtype=np.object_)
    for result in (0, 1):
        part, of_rows = parts[:, result], old[:, result]
        for name in ("runs", "items"):
            part[name] = np.bincount(group, weights=of_rows[name], minlength=groups).astype(np.int64)
        part["sum_ms"] = np.bincount(group, weights=of_rows["sum_ms"], minlength=groups)
        for name in ("min_ms", "first_start_ms"):
            np.minimum.at(part[name], group, of_rows[name])
        for name in ("max_ms", "last_start_ms"):
            np.maximum.at(part[name], group, of_rows[name])
        order = np.lexsort((of_rows["last_id"], of_rows["last_ms"]))
        part["last_ms"][group[order]] = of_rows["last_ms"][order]
        part["last_id"][group[order]] = of_rows["last_id"][order]
        if result == 0:
            last_error[group[order]] = cells.last_error[order]
    places = [group[cells.pair_row] * WIDTH + cells.pair_bin]
    counts = [cells.pair_count]
    places += _closed_gaps(cells, span_ms, group)
    counts += [np.ones(len(gaps), dtype=np.int64) for gaps in places[1:]]
    pairs = _added_up(np.concatenate(places), np.concatenate(counts), groups)
    return JobCells(cells.names, span_ms[first], cells.name[first], cells.source[first], parts, last_error, *pairs)


def starts_of(cells: JobCells, result: int) -> tuple[FloatArray, FloatArray]:
    """Return the first and the last start of each row, epoch ms, (inf, -inf) where there is none.

    Args:
        cells: Rows.
        result: 0 for failed, 1 for ok, or ALL.
    """
    first, last = cells.parts["first_start_ms"], cells.parts["last_start_ms"]
    if result == ALL:
        return first.min(axis=1), last.max(axis=1)
    return first[:, result], last[:, result]


def _closed_gaps(cells: JobCells, span_ms: IntArray, group: IntArray) -> list[IntArray]:
    """Return the places of the gaps between what lies in one row and in the next one of the same job."""
    found = []
    job_of_row, _ = _grouped(cells.span_ms, cells.name)  # one for each span and job
    for result in (0, 1, ALL):
        first, last = starts_of(cells, result)
        rows = np.flatnonzero(np.isfinite(first))
        found.append(
            _between(group[rows], cells.span_ms[rows], first[rows], last[rows], group[rows], OWN_GAPS + result)
        )
        if not len(rows):
            continue
        # All scrapers of a job together: one row in the place of several.
        job, one = np.unique(job_of_row[rows], return_index=True)
        place = np.searchsorted(job, job_of_row[rows])
        job_first, job_last = np.full(len(job), np.inf), np.full(len(job), -np.inf)
        np.minimum.at(job_first, place, first[rows])
        np.maximum.at(job_last, place, last[rows])
        longer, _ = _grouped(span_ms[rows[one]], cells.name[rows[one]])
        found.append(
            _between(longer, cells.span_ms[rows[one]], job_first, job_last, group[rows[one]], JOB_GAPS + result)
        )
    return found


def _between(
    key: IntArray, span_ms: IntArray, first_ms: FloatArray, last_ms: FloatArray, group: IntArray, kind: int
) -> IntArray:
    order = np.lexsort((span_ms, key))
    same = key[order][1:] == key[order][:-1]
    later, earlier = order[1:][same], order[:-1][same]
    # The spans are those in which runs ended: with long runs, a later one's first may have begun earlier.
    gaps_ms = np.abs(first_ms[later] - last_ms[earlier])
    places: IntArray = group[later] * WIDTH + kind * sketch.BINS + sketch.bins_of(gaps_ms / GAP_UNIT_MS)
    return places


def _added_up(places: IntArray, counts: IntArray, groups: int) -> tuple[CodeArray, CodeArray, CodeArray]:
    if groups <= _MOST_DENSE_ROWS:
        every = np.bincount(places, weights=counts, minlength=groups * WIDTH)
        used = np.flatnonzero(every)
        sums = every[used]
    else:
        used, which = np.unique(places, return_inverse=True)
        sums = np.bincount(which, weights=counts)
    return _pairs(used, sums)


def _pairs(places: IntArray, counts: IntArray | FloatArray) -> tuple[CodeArray, CodeArray, CodeArray]:
    row, bin = np.divmod(places, WIDTH)
    return row.astype(np.int32), bin.astype(np.int32), counts.astype(np.int32)


def _grouped(*columns: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Number equal rows alike, in their order: (number of each row, where each number comes first)."""
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), dtype=np.bool_)
    new[:1] = True
    for column in columns:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    group = np.empty(len(order), dtype=np.int64)
    group[order] = np.cumsum(new) - 1
    return group, order[new]
