"""Mergeable distributions of durations: histograms on a logarithmic scale, exact to one percent of the value.

This is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
guarantees", VLDB 2019) with its bins laid out for numpy. The KLL sketches of the datasketches library were tried first:
they draw random numbers when they merge, so that the same question gave 3771 ms and 4904 ms as p99 a moment apart.
Here equal rows give equal bytes and equal answers in whatever order they are merged, 3,600 sketches merge in 4 ms (KLL:
10 ms, t-digest: 20 ms), and a minute of 100 durations takes about 460 bytes (KLL of floats: 430, t-digest: 1250).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from db.results import FloatArray, IntArray

RELATIVE_ERROR = 0.01  # a quantile differs from the exact one by at most one percent of the exact one
_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = float(np.log(_GAMMA))
_SMALLEST_MS = 0.001  # shorter durations count as zero: bin 0
_LARGEST_MS = 7 * 86_400_000
# Bin b > 0 holds the durations up to _SMALLEST_MS * gamma^(b-1) that are too long for the bin before.
BINS = int(np.ceil(np.log(_LARGEST_MS / _SMALLEST_MS) / _LOG_GAMMA)) + 2
# What a duration in each bin is taken for: the middle in the sense that both ends are equally wrong, float64[BINS].
BIN_VALUES_MS: FloatArray = np.concatenate(
    ([0.0], _SMALLEST_MS * np.exp(np.arange(BINS - 1) * _LOG_GAMMA) * 2 / (1 + _GAMMA))
)
# A sketch is a row of (bin, count) pairs; the first one isn't a bin but says how to read the others.
_PAIR: Any = np.dtype([("bin", "<u2"), ("count", "<u4")])
_MARK = 0xFFFF
_VERSION = 1
_HEADER = np.array([(_MARK, _VERSION)], dtype=_PAIR).tobytes()
_FOREIGN = f"not a duration sketch of version {_VERSION}; rebuild the rollups"

EMPTY = _HEADER


def bins_of(durations_ms: FloatArray) -> IntArray:
    """Return the bin of each duration.

    Args:
        durations_ms: float64[n], 0 to seven days.

    Returns:
        int64[n], each 0 to BINS - 1.
    """
    places = np.maximum(durations_ms, _SMALLEST_MS)
    # In place: of many durations, fresh memory for each step would cost as much as the logarithm.
    places /= _SMALLEST_MS
    np.log(places, out=places)
    places /= _LOG_GAMMA
    np.ceil(places, out=places)
    bins = places.astype(np.int64)
    bins += 1
    bins[durations_ms < _SMALLEST_MS] = 0
    return np.minimum(bins, BINS - 1, out=bins)


def build(durations_ms: FloatArray) -> bytes:
    """Return the sketch of some durations.

    Args:
        durations_ms: float64[n] in milliseconds; n may be 0.
    """
    return pack(np.bincount(bins_of(np.asarray(durations_ms, dtype=np.float64)), minlength=BINS))


def pack(histogram: IntArray) -> bytes:
    """Return the bytes of a histogram.

    Args:
        histogram: int64[BINS], durations in each bin.
    """
    used = np.flatnonzero(histogram)
    pairs = np.empty(len(used), dtype=_PAIR)
    pairs["bin"] = used
    pairs["count"] = histogram[used]
    return _HEADER + pairs.tobytes()


def merge(sketches: Sequence[bytes]) -> bytes:
    """Return the sketch of everything that some sketches hold.

    Args:
        sketches: Results of `build`, `pack` or `merge`.
    """
    return pack(histogram(sketches))


def histogram(sketches: Sequence[bytes]) -> IntArray:
    """Return how many durations fall in each bin, int64[BINS], over all sketches together."""
    _, bins, counts = unpack(sketches)
    return np.bincount(bins, weights=counts, minlength=BINS).astype(np.int64)


def unpack(sketches: Sequence[bytes]) -> tuple[IntArray, IntArray, IntArray]:
    """Return the contents of many sketches at once.

    Args:
        sketches: Results of `build`, `pack` or `merge`.

    Returns:
        (which, bin, count), each int64[pairs]: sketch number `which` holds `count` durations in `bin`.

    Raises:
        ValueError: Bytes that aren't a sketch of this version.
    """
    sizes = np.fromiter(map(len, sketches), dtype=np.int64, count=len(sketches))
    lengths, torn = np.divmod(sizes, _PAIR.itemsize)
    if torn.any() or not lengths.all():
        raise ValueError(_FOREIGN)
    pairs: npt.NDArray[Any] = np.frombuffer(b"".join(sketches), dtype=_PAIR)
    heads = np.cumsum(lengths) - lengths
    if (pairs["bin"][heads] != _MARK).any() or (pairs["count"][heads] != _VERSION).any():
        raise ValueError(_FOREIGN)
    body = np.ones(len(pairs), dtype=np.bool_)
    body[heads] = False
    which = np.repeat(np.arange(len(sketches)), lengths - 1)
    return which, pairs["bin"][body].astype(np.int64), pairs["count"][body].astype(np.int64)


def quantiles(sketch: bytes, ranks: Sequence[float]) -> FloatArray:
    """Return quantiles of a sketch.

    Args:
        sketch: A result of `build` or `merge`.
        ranks: Each 0..1.

    Returns:
        float64[len(ranks)] in milliseconds, NaN when the sketch is empty; see RELATIVE_ERROR.
    """
    row: FloatArray = quantiles_of(histogram([sketch])[np.newaxis, :], ranks)[0]
    return row


def quantiles_of(histograms: IntArray | FloatArray, ranks: Sequence[float], *, first_bin: int = 0) -> FloatArray:
    """Return quantiles of many histograms, interpolated between neighbouring values as numpy's `quantile` does.

    Args:
        histograms: Whole numbers, int64 or float64[n, bins]; all BINS of them, or a part that holds everything.
        ranks: Each 0..1.
        first_bin: Where that part begins.

    Returns:
        float64[n, len(ranks)] in milliseconds, NaN for an empty histogram.
    """
    result = np.full((len(histograms), len(ranks)), np.nan)
    width = histograms.shape[1]
    flat = histograms.ravel()
    used = np.flatnonzero(flat != 0)  # a third of the time that numbers themselves take
    upto = np.concatenate(([0], np.cumsum(flat[used])))
    # All rows at once: what lies before a row in the running total is where its own ranks begin.
    edges = upto[np.searchsorted(used, np.arange(len(histograms) + 1) * width)]
    totals = np.diff(edges)
    rows = np.flatnonzero(totals)
    place = (totals[rows, np.newaxis] - 1) * np.asarray(ranks)
    below = np.floor(place)
    before = edges[:-1][rows, np.newaxis]
    values_ms = BIN_VALUES_MS[first_bin : first_bin + width]
    low = values_ms[used[np.searchsorted(upto[1:], before + below, side="right")] % width]
    high = values_ms[used[np.searchsorted(upto[1:], before + np.ceil(place), side="right")] % width]
    result[rows] = low + (high - low) * (place - below)
    return result
