"""Sparklines as a shape that the stylesheet fills, or as a text: a picture each would cost the browser milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from db.results import FloatArray, IntArray, TimeRange

_MOST_POINTS: Final = 48
_FLOOR_PERCENT: Final = 96.0  # what is zero still shows as a thin line
_CEILING_PERCENT: Final = 4.0
_BLOCKS: Final = "▁▂▃▄▅▆▇█"  # the lowest stands for nothing at all
_LARGEST: Final = 1e15  # beyond any count or duration; keeps sums finite
_SMALLEST: Final = 1e-290  # what differs by less is the same; keeps quotients finite


def spark_props(
    values: IntArray | FloatArray, range: TimeRange, now_ms: int, *, from_zero: bool = True
) -> dict[str, Any]:
    """Return the live props of a sparkline: an area over the buckets that are over, so it moves once a bucket.

    Args:
        values: One per bucket, int64[n] or float64[n]; NaN where there was none.
        range: The n buckets.
        now_ms: The moment, epoch milliseconds.
        from_zero: Whether the area stands on zero; else on the smallest value, so that small dips show.
    """
    over = max(0, min(len(values), (now_ms - range.start_ms) // range.bucket_ms))
    known = np.asarray(values[:over], dtype=np.float64)
    known = np.clip(np.where(np.isfinite(known), known, np.nan), -_LARGEST, _LARGEST)
    points = thinned(known, range.start_ms // range.bucket_ms)
    known = points[np.isfinite(points)]
    if not known.size:
        return {"style": {"clipPath": "polygon(0 0)"}}
    low = 0.0 if from_zero else float(known.min())
    span = float(known.max()) - low
    share = (
        (points - low) / span
        if span > _SMALLEST
        else np.where(np.isfinite(points), 0.5 if known.max() else 0.0, np.nan)
    )
    return {"style": {"clipPath": polygon(share)}}


def spark_text(counts: Sequence[int]) -> str:
    """Write counts as a line of block characters: the lowest block for zero only, the highest for the largest.

    Args:
        counts: Not negative.

    >>> spark_text([0, 1, 50, 100])
    '▁▂▅█'
    """
    largest = max(counts, default=0)
    steps = len(_BLOCKS) - 2
    return "".join(_BLOCKS[0] if not number else _BLOCKS[1 + round(steps * number / largest)] for number in counts)


def share_text(parts: Sequence[int], wholes: Sequence[int]) -> str:
    """Write shares as a line of block characters: the highest block for all, the lowest for none, a dot for no data.

    Args:
        parts: Not negative, n of them.
        wholes: What each is a part of; not less.

    >>> share_text([0, 5, 10, 0], [10, 10, 10, 0])
    '▁▅█·'
    """
    steps = len(_BLOCKS) - 2
    return "".join(
        "·"
        if not whole
        else _BLOCKS[0]
        if not part
        else _BLOCKS[-1]
        if part >= whole
        else _BLOCKS[min(steps, 1 + int(steps * part / whole))]
        for part, whole in zip(parts, wholes, strict=True)
    )


def thinned(values: FloatArray, first: int) -> FloatArray:
    """Return means of neighbours, at most 48 values.

    Args:
        values: One per bucket, float64[n]; NaN is left out of a mean.
        first: Number of the first bucket since the epoch: the same buckets always share a mean, or the shape would
            tremble as the range moves on.
    """
    each = -(-len(values) // _MOST_POINTS)
    if each <= 1:
        return values
    padded = np.concatenate([np.full(first % each, np.nan), values])
    padded = np.concatenate([padded, np.full(-len(padded) % each, np.nan)]).reshape(-1, each)
    known = np.isfinite(padded)
    counts = known.sum(axis=1).astype(np.float64)
    counts[counts == 0] = np.nan
    return np.asarray(np.where(known, padded, 0.0).sum(axis=1) / counts, dtype=np.float64)


def polygon(share: FloatArray) -> str:
    """Walk along the tops, down to the ground at every gap, and close along the ground.

    Args:
        share: How high each bucket is, 0 to 1, float64[n]; NaN for a gap.
    """
    step = 100 / max(1, len(share))
    walk = ["0 100%"]
    for place, value in enumerate(share.tolist()):
        left, right = f"{place * step:.3g}%", f"{(place + 1) * step:.3g}%"
        top = "100%" if value != value else f"{_FLOOR_PERCENT - value * (_FLOOR_PERCENT - _CEILING_PERCENT):.3g}%"
        walk += [f"{left} {top}", f"{right} {top}"]
    return f"polygon({','.join(walk)},100% 100%)"
