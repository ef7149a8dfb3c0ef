"""Which URLs come first: ranked by a few columns of their groups, so that all others are read for these alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from db.breakdown import COLUMNS, OTHERS, Groups, joined, numbered
from db.chunk import BoolArray
from db.results import FloatArray, IntArray

UrlOrder = Literal["slowest", "worst"]
# Groups of a span of time, and which of them count (bool); None for all of them.
Part = tuple[Groups, BoolArray | None]


def leading(parts: Sequence[Part], limit: int, order: UrlOrder) -> Groups:
    """Return all groups of those URLs that come first, equals of the last one too; there may be some more.

    Args:
        parts: Groups by URL: a URL may have some in each.
        limit: How many URLs; one at least.
        order: As for `db.tables.urls_of`.

    Returns:
        Not added up; without what was cut off (OTHERS).
    """
    chosen = [(groups, _places(groups, mask)) for groups, mask in parts]
    group, size = numbered(_column(chosen, "value"), _column(chosen, "source"))

    def sums(values: Any) -> FloatArray:
        found: FloatArray = np.bincount(group, weights=values, minlength=size).astype(np.float64, copy=False)
        return found

    count = _column(chosen, "count")
    failures = np.zeros(size) if order == "slowest" else sums(count * ~_column(chosen, "success"))
    first = first_of(sums(count), sums(_column(chosen, "sum_ms")), failures, limit)
    comes_first = np.zeros(size, dtype=np.bool_)
    comes_first[first] = True
    rows = np.flatnonzero(comes_first[group])
    ends = np.cumsum([0, *(len(places) for _, places in chosen)])
    cuts = np.searchsorted(rows, ends).tolist()
    found = [
        groups.chosen(places[rows[low:high] - begin])
        for (groups, places), (low, high), begin in zip(chosen, pairwise(cuts), ends.tolist(), strict=False)
        if low < high
    ]
    return joined(found or [Groups.empty()])


def first_of(counts: FloatArray, sums_ms: FloatArray, failures: FloatArray, limit: int) -> IntArray:
    """Return which URLs come first, equals of the last one too: their texts decide among those.

    Args:
        counts: Of each URL, float64[n].
        sums_ms: Its durations together.
        failures: How many of them failed; all 0 where that is not what they are told apart by.
        limit: How many; one at least.

    Returns:
        int64, rising.
    """
    limit = max(1, limit)
    if len(counts) <= limit:
        return np.arange(len(counts))
    means_ms, badness = sums_ms / np.maximum(counts, 1), failures * failures / np.maximum(counts, 1)
    worst = np.partition(badness, len(badness) - limit)[len(badness) - limit]
    worse, equal = badness > worst, badness == worst
    left = limit - int(np.count_nonzero(worse))
    means_of_equal = means_ms[equal]
    last_ms = np.partition(means_of_equal, len(means_of_equal) - left)[len(means_of_equal) - left]
    return np.flatnonzero(worse | (equal & (means_ms >= last_ms)))


def _places(groups: Groups, mask: BoolArray | None) -> IntArray:
    known = groups.value != OTHERS
    return np.flatnonzero(known if mask is None else known & mask)


def _column(chosen: Sequence[tuple[Groups, IntArray]], name: str) -> Any:
    assert name in COLUMNS
    columns = [getattr(groups, name)[places] for groups, places in chosen]
    return np.concatenate(columns) if columns else getattr(Groups.empty(), name)
