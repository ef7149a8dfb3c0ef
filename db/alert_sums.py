"""What a window of time adds up to by source, or by any other grouping of its rows. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db import sketch
from db.columns import DetailColumns
from db.history import Rows
from db.results import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Columns over n groups; a group without a metric has zeros.

    Args:
        count: Metrics, int64[n].
        successes: How many of them went well, int64[n].
        items: Items extracted, int64[n].
        sum_ms: How long they took together, float64[n]; NaN where that isn't known.
        last_ms: When the newest was recorded, epoch ms, int64[n]; -1 without one.
        durations: (group, bin, count) of their durations as `db.sketch` has them.
    """

    count: IntArray
    successes: IntArray
    items: IntArray
    sum_ms: FloatArray
    last_ms: IntArray
    durations: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.count)

    def first(self, size: int) -> Sums:
        """Return the first groups.

        Args:
            size: How many.
        """
        if len(self) == size:
            return self
        kept = self.durations[0] < size
        return Sums(
            self.count[:size], self.successes[:size], self.items[:size], self.sum_ms[:size], self.last_ms[:size],
            (self.durations[0][kept], self.durations[1][kept], self.durations[2][kept]),
        )  # fmt: skip

    def quantile_ms(self, rank: float) -> FloatArray:
        """Return a quantile of the durations of each group, float64[n]; NaN without any.

        Args:
            rank: 0..1.
        """
        group, bins, counts = self.durations
        place = group.astype(np.int64) * sketch.BINS + bins
        histograms = np.bincount(place, weights=counts, minlength=len(self) * sketch.BINS)
        quantile: FloatArray = sketch.quantiles_of(histograms.reshape(len(self), sketch.BINS), [rank])[:, 0]
        return quantile

    def together(self, chosen: npt.NDArray[np.bool_]) -> Sums:
        """Return some groups added up to one.

        Args:
            chosen: Which, bool[n].
        """
        group, bins, counts = self.durations
        kept = chosen[group]

        def summed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            total: npt.NDArray[Any] = values[chosen].sum(keepdims=True)
            return total

        return Sums(
            count=summed(self.count),
            successes=summed(self.successes),
            items=summed(self.items),
            sum_ms=summed(self.sum_ms),
            last_ms=np.array([self.last_ms[chosen].max(initial=-1)], dtype=np.int64),
            durations=(np.zeros(int(kept.sum()), dtype=np.int64), bins[kept], counts[kept]),
        )


def sums_by_source(rows: Rows) -> Sums:
    """Add up what a range is counted from, by the numbers of the sources.

    Args:
        rows: Detail rows and rollup rows; no buckets that are counted out.
    """
    size = len(rows.detail.source_names)
    own = sums_by(rows.detail, rows.detail.source, size)
    cells = rows.cells
    if cells is None or not len(cells):
        return own
    last_ms = own.last_ms.copy()
    np.maximum.at(last_ms, cells.source, cells.last_seen_ms)

    def added(mine: npt.NDArray[Any], theirs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        total: npt.NDArray[Any] = mine + np.bincount(cells.source, weights=theirs, minlength=size).astype(mine.dtype)
        return total

    return Sums(
        count=added(own.count, cells.navigations + cells.scrapes),
        successes=added(own.successes, cells.successes),
        items=added(own.items, cells.items),
        sum_ms=added(own.sum_ms, cells.sum_ms),
        last_ms=last_ms,
        durations=(
            np.concatenate((own.durations[0], cells.source[cells.sketch_row])),
            np.concatenate((own.durations[1], cells.sketch_bin)),
            np.concatenate((own.durations[2], cells.sketch_count)),
        ),
    )


def sums_by(rows: DetailColumns, group: npt.NDArray[Any], size: int) -> Sums:
    """Add detail rows up by any numbers.

    Args:
        rows: In time order.
        group: The number of each row's group, 0 to size - 1; of those that don't count, -1.
        size: How many groups there are.
    """
    columns: tuple[npt.NDArray[Any], ...] = (rows.created_at_ms, rows.success, rows.items, rows.duration_ms)
    if len(group) and group.min() < 0:
        counted = group >= 0
        group, columns = group[counted], tuple(column[counted] for column in columns)
    created_at_ms, success, items, duration_ms = columns
    last_ms = np.full(size, -1, dtype=np.int64)
    last_ms[group] = created_at_ms  # in time order: the newest is written last
    return Sums(
        count=np.bincount(group, minlength=size).astype(np.int64, copy=False),
        successes=np.bincount(group, weights=success, minlength=size).astype(np.int64),
        items=np.bincount(group, weights=items, minlength=size).astype(np.int64),
        sum_ms=np.bincount(group, weights=duration_ms, minlength=size).astype(np.float64, copy=False),
        last_ms=last_ms,
        durations=(group, sketch.bins_of(duration_ms), np.ones(len(group))),
    )
