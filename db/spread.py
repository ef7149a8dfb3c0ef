"""Shortest, longest and quantiles of groups of durations, from detail rows and from rollup sketches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from db import sketch
from db.cells import Cells
from db.results import FloatArray, IntArray

RANKS = (0.50, 0.95, 0.99)
_MANY: Final = 2_000  # durations of a group; with fewer, sorting is quicker than looking for places


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Shortest, longest and quantiles (RANKS) of the durations of n groups; NaN for an empty or unknown group."""

    min_ms: FloatArray  # [n]
    max_ms: FloatArray  # [n]
    quantiles_ms: FloatArray  # [n, 3]

    def followed_by(self, later: Spread) -> Spread:
        """Return these groups and then others."""
        return Spread(
            np.concatenate((self.min_ms, later.min_ms)),
            np.concatenate((self.max_ms, later.max_ms)),
            np.concatenate((self.quantiles_ms, later.quantiles_ms)),
        )


def spread(durations_ms: FloatArray, offsets: IntArray) -> Spread:
    """Return the exact spread of groups: group i is durations_ms[offsets[i]:offsets[i + 1]]."""
    found = durations_ms[offsets[0] : offsets[-1]].copy()
    starts = offsets - offsets[0]
    sizes = np.diff(starts)
    shape = len(sizes)
    used = np.flatnonzero(sizes)
    min_ms, max_ms, quantiles_ms = np.full(shape, np.nan), np.full(shape, np.nan), np.full((shape, len(RANKS)), np.nan)
    if not used.size:
        return Spread(min_ms, max_ms, quantiles_ms)
    first, last = starts[:-1][used], starts[1:][used] - 1
    min_ms[used], max_ms[used] = np.minimum.reduceat(found, first), np.maximum.reduceat(found, first)
    place = first[:, np.newaxis] + (last - first)[:, np.newaxis] * np.array(RANKS)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, last[:, np.newaxis])
    wanted = np.concatenate((below, above), axis=1) - first[:, np.newaxis]
    for low, high, places in zip(first.tolist(), last.tolist(), wanted, strict=True):
        if high - low > _MANY:  # only what is read has to stand where it would in order: a third of the time of sorting
            found[low : high + 1].partition(places)
        elif high > low:
            found[low : high + 1].sort()
    low_ms, high_ms = found[below], found[above]
    quantiles_ms[used] = low_ms + (high_ms - low_ms) * (place - below)
    return Spread(min_ms, max_ms, quantiles_ms)


def mixed_spread(
    durations_ms: FloatArray,
    bins: IntArray,
    offsets: IntArray,
    cells: Cells,
    group: IntArray,
    before: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> Spread:
    """Return the spread of groups that hold detail durations and rollup rows.

    Args:
        durations_ms: Detail durations, ordered by group.
        bins: Their bins in sketches (`sketch.bins_of`).
        offsets: Group i is durations_ms[offsets[i]:offsets[i + 1]].
        cells: Rollup rows.
        group: The group of each rollup row.
        before: What was counted before: durations in each bin float64[groups, BINS], shortest and longest.
    """
    exact = spread(durations_ms, offsets)
    groups = len(offsets) - 1
    used = np.unique(group) if before is None else np.arange(groups)
    if before is None:
        low_ms, high_ms = np.full(groups, np.inf), np.full(groups, -np.inf)
    else:
        low_ms, high_ms = before[1].copy(), before[2].copy()
    np.minimum.at(low_ms, group, cells.min_ms)
    np.maximum.at(high_ms, group, cells.max_ms)
    min_ms = np.fmin(exact.min_ms, np.where(np.isinf(low_ms), np.nan, low_ms))
    max_ms = np.fmax(exact.max_ms, np.where(np.isinf(high_ms), np.nan, high_ms))
    # What isn't known of a part isn't known of the group.
    min_ms[np.isneginf(low_ms)] = np.nan
    max_ms[np.isposinf(high_ms)] = np.nan
    row_place = np.searchsorted(used, group) * sketch.BINS
    histograms: FloatArray = np.bincount(  # type: ignore[assignment]
        row_place[cells.sketch_row] + cells.sketch_bin, weights=cells.sketch_count, minlength=len(used) * sketch.BINS
    ).reshape(len(used), sketch.BINS)
    if before is not None:
        histograms = histograms + before[0]
    for row, index in enumerate(used.tolist()):
        low, high = offsets[index], offsets[index + 1]
        if high > low:
            histograms[row] += np.bincount(bins[low:high], minlength=sketch.BINS)
    quantiles_ms = exact.quantiles_ms.copy()
    merged = sketch.quantiles_of(histograms, RANKS)
    # No quantile lies outside what was really measured, whatever its bin is taken for.
    quantiles_ms[used] = np.clip(merged, min_ms[used, np.newaxis], max_ms[used, np.newaxis])
    return Spread(min_ms, max_ms, quantiles_ms)


def mixed_whole(parts: Spread, counts: FloatArray) -> Spread:
    """Return the spread of everything as one group.

    Args:
        parts: Spread of groups that hold everything together; none is empty.
        counts: Durations in each bin of sketches, float64[BINS].
    """
    if np.isnan(parts.min_ms).any():  # not known
        return Spread(np.full(1, np.nan), np.full(1, np.nan), np.full((1, len(RANKS)), np.nan))
    min_ms, max_ms = np.min(parts.min_ms, keepdims=True), np.max(parts.max_ms, keepdims=True)
    quantiles_ms = sketch.quantiles_of(counts[np.newaxis, :], RANKS)
    return Spread(min_ms, max_ms, np.clip(quantiles_ms, min_ms, max_ms))


# More than this share of all in the first of many equal bins says little of how durations are spread.
_MOST_IN_FIRST: Final = 0.5
_FEWEST_DECADE_EDGES: Final = 5


def histogram(durations_ms: FloatArray, rolled: FloatArray | None, bins: int) -> tuple[FloatArray, IntArray]:
    """Return how durations are distributed, from 0 to about the 99th percentile.

    In bins of equal width; where most would fall into the first of them (durations over many decades), in bins that
    end at 1, 2 and 5 times a power of ten.

    Args:
        durations_ms: From detail rows.
        rolled: What rollup rows hold in each bin of their sketches, float64[BINS], None without any.
        bins: How many bins of equal width.

    Returns:
        (edges_ms float64[n + 1], counts int64[n]); n is `bins` where they are equal, and the last bin holds everything
        slower too.
    """
    values, weights = durations_ms, np.ones(len(durations_ms))
    if rolled is not None:
        used = np.flatnonzero(rolled)
        values = np.concatenate((values, sketch.BIN_VALUES_MS[used]))
        weights = np.concatenate((weights, rolled[used]))
    top_ms = 1.0
    if len(values):
        order = np.argsort(values)
        place = np.searchsorted(np.cumsum(weights[order]), 0.99 * weights.sum())
        top_ms = max(float(values[order][place]), top_ms)
    width_ms = _round_up(top_ms / bins)
    edges_ms = np.arange(bins + 1, dtype=np.float64) * width_ms
    at = np.minimum((values / width_ms).astype(np.int64), bins - 1)
    counts = np.bincount(at, weights=weights, minlength=bins).astype(np.int64)
    if counts[0] > _MOST_IN_FIRST * counts.sum():
        rising_ms = _decades(values, weights, top_ms)
        if len(rising_ms) >= _FEWEST_DECADE_EDGES:
            at = np.clip(np.searchsorted(rising_ms, values, side="right") - 1, 0, len(rising_ms) - 2)
            return rising_ms, np.bincount(at, weights=weights, minlength=len(rising_ms) - 1).astype(np.int64)
    return edges_ms, counts


def _decades(values: FloatArray, weights: FloatArray, top_ms: float) -> FloatArray:
    """Return edges at 1, 2 and 5 times powers of ten: the first bin, from 0, holds about the fastest percent."""
    above = np.flatnonzero(values > 0)
    if not above.size:
        return np.empty(0)
    above = above[np.argsort(values[above])]
    low_ms = float(values[above][np.searchsorted(np.cumsum(weights[above]), 0.01 * weights[above].sum())])
    powers = range(int(np.floor(np.log10(low_ms))), int(np.ceil(np.log10(top_ms))) + 1)
    steps = np.array([step * 10.0**power for power in powers for step in (1, 2, 5)])
    first = max(int(np.searchsorted(steps, low_ms, side="right")) - 1, 0)
    last = int(np.searchsorted(steps, top_ms * (1 - 1e-9)))
    return np.concatenate(([0.0], steps[first : last + 1]))


def _round_up(width_ms: float) -> float:
    """Return the next width that people can read: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width_ms))
    return float(next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width_ms * (1 - 1e-9)))
