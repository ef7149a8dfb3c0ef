"""Groups of many buckets of time at once: rows are gone through one time, not bucket by bucket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from db.breakdown import Dimension, Groups, columns_for, groups_apart, groups_of, merged
from db.columns import DetailColumns
from db.over_time import Bounds

# Rows that are counted together: a turn of numpy for every few rows would cost more than the counting.
_ROWS_TOGETHER = 50_000


def columns_of_packs(dimension: Dimension) -> tuple[str, ...]:
    """Return the columns that rows of packs (db.filtered_rows) need to be counted out: of errors, these have the kinds.

    Args:
        dimension: What by.
    """
    return tuple({"error": "error_kind"}.get(name, name) for name in columns_for(dimension))


def groups_of_parts(parts: Iterable[DetailColumns], dimension: Dimension) -> Groups:
    """Count rows out that come some at a time.

    Args:
        parts: The rows.
        dimension: What by.
    """
    return merged([groups_of(rows, dimension) for rows in _together(parts)])


def groups_of_buckets(
    parts: Iterable[DetailColumns], dimension: Dimension, bounds: Sequence[Bounds]
) -> dict[Bounds, Groups]:
    """Count rows out bucket by bucket.

    Args:
        parts: Rows that lie in the buckets, some at a time; all in order of time.
        dimension: What by.
        bounds: The buckets, each beginning where the one before ends.

    Returns:
        The groups of every bucket.
    """
    found: list[list[Groups]] = [[] for _ in bounds]
    edges = [*(low for low, _ in bounds), bounds[-1][1]]
    for rows in _together(parts):
        bucket = np.repeat(np.arange(len(bounds)), np.diff(np.searchsorted(rows.created_at_ms, edges)))
        groups, own = groups_apart(rows, dimension, bucket)
        assert own is not None
        begins = np.searchsorted(own, np.arange(len(bounds) + 1)).tolist()
        for place, (begin, end) in enumerate(pairwise(begins)):
            if begin < end:
                found[place].append(groups.chosen(slice(begin, end)))
    return {bound: merged(some) for bound, some in zip(bounds, found, strict=True)}


def _together(parts: Iterable[DetailColumns]) -> Iterator[DetailColumns]:
    """Put rows together until they are many."""
    rows: DetailColumns | None = None
    for part in parts:
        rows = part if rows is None else rows.followed_by(part)
        if len(rows) >= _ROWS_TOGETHER:
            yield rows
            rows = None
    if rows is not None:
        yield rows
