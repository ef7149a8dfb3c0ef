"""Rollup rows of a range counted out once, for as long as none of them changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from db import sketch
from db.cells import Cells
from db.results import FloatArray, IntArray
from db.spread import RANKS, Spread

_MOST_PLACES = 1 << 21  # of histograms that are made at once: 16 MB


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """The first n buckets of a range by source number (C of them), from rollup rows alone."""

    cells: Cells
    codes: IntArray  # [C], rising
    navigations: IntArray  # [C, n], like the next four
    scrapes: IntArray
    successes: IntArray
    items: IntArray
    sum_ms: FloatArray
    last_seen_ms: IntArray  # [C], -1 without a row
    last_ok_ms: IntArray
    min_ms: FloatArray  # [C], infinite where nothing is known, as in the rows
    max_ms: FloatArray
    histograms: FloatArray  # [C, BINS]
    buckets: Spread  # n groups
    _by_source: list[FloatArray] = field(default_factory=list)  # what `quantiles_by_source` found

    @classmethod
    def of(cls, cells: Cells, start_ms: int, bucket_ms: int, buckets: int) -> Sealed:
        """Count rollup rows out.

        Args:
            cells: Rows inside the buckets.
            start_ms: Where the first bucket begins, epoch ms.
            bucket_ms: Length of a bucket.
            buckets: How many (n).
        """
        codes, source = np.unique(cells.source, return_inverse=True)
        bucket = (cells.start_ms - start_ms) // bucket_ms
        size = len(codes)
        place = source * buckets + bucket

        def counted(values: npt.NDArray[Any]) -> FloatArray:
            sums = np.bincount(place, weights=values, minlength=size * buckets)
            return sums.reshape(size, buckets).astype(np.float64, copy=False)

        last_seen_ms, last_ok_ms = np.full(size, -1, dtype=np.int64), np.full(size, -1, dtype=np.int64)
        np.maximum.at(last_seen_ms, source, cells.last_seen_ms)
        np.maximum.at(last_ok_ms, source, cells.last_ok_ms)
        min_ms, max_ms = _extremes(source, size, cells)
        return cls(
            cells=cells,
            codes=codes,
            navigations=counted(cells.navigations).astype(np.int64),
            scrapes=counted(cells.scrapes).astype(np.int64),
            successes=counted(cells.successes).astype(np.int64),
            items=counted(cells.items).astype(np.int64),
            sum_ms=counted(cells.sum_ms),
            last_seen_ms=last_seen_ms,
            last_ok_ms=last_ok_ms,
            min_ms=min_ms,
            max_ms=max_ms,
            histograms=_histograms(source, size, cells),
            buckets=_spread(bucket, buckets, cells),
        )

    @property
    def count(self) -> int:
        """Number of buckets (n)."""
        return len(self.buckets.min_ms)

    def quantiles_by_source(self, start_ms: int, bucket_ms: int) -> FloatArray:
        """Return the quantiles (RANKS) of each source in each bucket, float64[C, n, 3]; NaN where it has none.

        Args:
            start_ms: As for `of`.
            bucket_ms: As for `of`.
        """
        if not self._by_source:
            buckets = self.count
            group = np.searchsorted(self.codes, self.cells.source) * buckets
            group += (self.cells.start_ms - start_ms) // bucket_ms
            spread = _spread(group, len(self.codes) * buckets, self.cells)
            self._by_source.append(spread.quantiles_ms.reshape(len(self.codes), buckets, len(RANKS)))
        return self._by_source[0]


def _extremes(group: IntArray, groups: int, cells: Cells) -> tuple[FloatArray, FloatArray]:
    min_ms, max_ms = np.full(groups, np.inf), np.full(groups, -np.inf)
    np.minimum.at(min_ms, group, cells.min_ms)
    np.maximum.at(max_ms, group, cells.max_ms)
    return min_ms, max_ms


def _histograms(group: IntArray, groups: int, cells: Cells) -> FloatArray:
    place = (group * sketch.BINS)[cells.sketch_row] + cells.sketch_bin
    found = np.bincount(place, weights=cells.sketch_count, minlength=groups * sketch.BINS)
    return found.reshape(groups, sketch.BINS).astype(np.float64, copy=False)


def _spread(group: IntArray, groups: int, cells: Cells) -> Spread:
    min_ms, max_ms = _extremes(group, groups, cells)
    min_ms[np.isinf(min_ms)] = np.nan
    max_ms[np.isinf(max_ms)] = np.nan
    quantiles_ms = _quantiles(group, groups, cells)
    return Spread(min_ms, max_ms, np.clip(quantiles_ms, min_ms[:, np.newaxis], max_ms[:, np.newaxis]))


def _quantiles(group: IntArray, groups: int, cells: Cells) -> FloatArray:
    """Return RANKS of each group, float64[groups, 3], from histograms of those bins that occur at all."""
    bins = cells.sketch_bin
    first_bin = int(bins.min()) if len(bins) else 0
    width = int(bins.max()) - first_bin + 1 if len(bins) else 1
    place = (group * width)[cells.sketch_row] + (bins - first_bin)
    counts = cells.sketch_count
    most = max(1, _MOST_PLACES // width)
    quantiles_ms = np.empty((groups, len(RANKS)))
    for low in range(0, groups, most):  # all at once where there are few, as mostly
        high = min(low + most, groups)
        own, weights = place, counts
        if high - low < groups:
            picked = np.flatnonzero((place >= low * width) & (place < high * width))
            own, weights = place[picked] - low * width, counts[picked]
        histograms = np.bincount(own, weights=weights, minlength=(high - low) * width).reshape(high - low, width)
        quantiles_ms[low:high] = sketch.quantiles_of(histograms, RANKS, first_bin=first_bin)
    return quantiles_ms
