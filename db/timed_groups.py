"""Groups of all buckets of a range in one: counted out in one pass over rows or pieces, cut apart by bucket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from db.breakdown import (
    COLUMNS,
    Dimension,
    Groups,
    Texts,
    added_up_by,
    joined,
    letting_through,
    objects,
    of_columns,
    texts_of,
)
from db.columns import DetailColumns, Names
from db.group_rows import bucketed_groups_of
from db.hashes import HashArray
from db.results import Filter, IntArray, Kind

Bounds = tuple[int, int]  # of a bucket, epoch ms


@dataclass(frozen=True, slots=True, eq=False)
class TimedGroups:
    """The groups of n buckets, those of one bucket together; a value may have several groups in a bucket."""

    bounds: tuple[Bounds, ...]  # [n], rising
    groups: Groups
    bucket: IntArray  # the bucket of each group, rising

    @property
    def starts_ms(self) -> IntArray:
        """Where each bucket begins, int64[n] in epoch ms."""
        return np.array([low for low, _ in self.bounds], dtype=np.int64)

    @property
    def ends_ms(self) -> IntArray:
        """Where each bucket ends, int64[n] in epoch ms."""
        return np.array([high for _, high in self.bounds], dtype=np.int64)

    def sums(self, values: IntArray, code: IntArray | None = None, codes: int = 1) -> IntArray:
        """Add numbers of the groups up by bucket, and by a code besides.

        Args:
            values: A number for each group.
            code: Another one from 0 to below `codes` for each; None for none.
            codes: How many codes there are.

        Returns:
            int64[codes, n].
        """
        place = self.bucket if code is None else code * len(self.bounds) + self.bucket
        found = np.bincount(place, weights=values, minlength=codes * len(self.bounds))
        return found.astype(np.int64).reshape(codes, len(self.bounds))

    def values(self) -> tuple[IntArray, HashArray]:
        """Return (the number of each group's value, these distinct values)."""
        codes, distinct = pd.factorize(self.groups.value)
        return codes.astype(np.int64, copy=False), distinct

    def narrowed(self, filter: Filter, kind: Kind | None, names: Names) -> TimedGroups:
        """Return the groups that a filter lets through, as `db.breakdown.letting_through` tells."""
        mask = letting_through(self.groups, filter, kind, names)
        return self if mask is None else TimedGroups(self.bounds, self.groups.chosen(mask), self.bucket[mask])

    def parts(self) -> list[Groups]:
        """Return the groups of each bucket; they share memory with these."""
        edges = np.searchsorted(self.bucket, np.arange(len(self.bounds) + 1)).tolist()
        columns = [getattr(self.groups, name) for name in COLUMNS]
        return [
            of_columns([column[low:high] for column in columns], self.groups.texts) for low, high in pairwise(edges)
        ]

    @classmethod
    def joined(cls, bounds: Sequence[Bounds], parts: Sequence[Groups]) -> TimedGroups:
        """Put the groups of each bucket together.

        Args:
            bounds: n buckets, rising.
            parts: The groups of each.
        """
        bucket = np.repeat(np.arange(len(bounds)), [len(part) for part in parts])
        return cls(tuple(bounds), joined(parts or [Groups.empty()]), bucket)


def counted(rows: DetailColumns, dimension: Dimension, bounds: Sequence[Bounds]) -> TimedGroups:
    """Count detail rows out by one of their values and by bucket.

    Args:
        rows: In time order, with the columns that the dimension needs.
        dimension: As for `db.breakdown.groups_of`.
        bounds: n buckets, rising, without a hole between them; other rows are left out.
    """
    times = rows.created_at_ms
    if len(rows) and (times[0] < bounds[0][0] or times[-1] >= bounds[-1][1]):
        rows = rows.between(bounds[0][0], bounds[-1][1])
    offsets = np.searchsorted(rows.created_at_ms, [*(low for low, _ in bounds), bounds[-1][1]])
    bucket = np.repeat(np.arange(len(bounds)), np.diff(offsets))
    return TimedGroups(tuple(bounds), *bucketed_groups_of(rows, dimension, bucket))


def summed(bounds: Sequence[Bounds], parts: Iterable[tuple[int | IntArray, Groups]]) -> TimedGroups:
    """Add groups up that belong into buckets.

    Args:
        bounds: n buckets, rising.
        parts: The bucket of some groups, or of each of them, and these groups; all of one dimension, with the same
            source numbers.
    """
    kept = [(place, groups) for place, groups in parts if len(groups)]
    if not kept:
        return TimedGroups(tuple(bounds), Groups.empty(), np.empty(0, dtype=np.int64))
    bucket = np.concatenate([np.broadcast_to(place, len(groups)) for place, groups in kept])
    groups = joined([groups for _, groups in kept])
    if len(bucket) > 1 and bool((bucket[1:] < bucket[:-1]).any()):
        order = np.argsort(bucket, kind="stable")
        groups, bucket = groups.chosen(order), bucket[order]
    return TimedGroups(tuple(bounds), *added_up_by(groups, bucket))


def with_own_texts(timed: TimedGroups) -> TimedGroups:
    """Return groups with texts of their own, without what else the ones that they came with know.

    Args:
        timed: Of few values.
    """
    known = texts_of(timed.groups, timed.values()[1].tolist())
    texts = Texts(np.fromiter(known, np.uint64, len(known)), objects(list(known.values())))
    return TimedGroups(timed.bounds, replace(timed.groups, texts=(texts,)), timed.bucket)
