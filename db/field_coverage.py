"""Field coverage: which share of a scraper's items had a field, now and before, from groups by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from db.breakdown import OTHERS, Groups, texts_of
from db.columns import Names
from db.item_fields import ALL_ITEMS
from db.timed_groups import TimedGroups


class FieldCoverage(NamedTuple):
    """One field of a scraper's items over a range, beside the same before."""

    source: str
    field: str
    items: int  # of scrapes that told of fields, those that didn't tell of this one too
    had: int  # of these
    items_before: int
    had_before: int
    starts_ms: tuple[int, ...]  # where each of n buckets begins; the first may be shorter than the others
    items_then: tuple[int, ...]  # in each of them
    had_then: tuple[int, ...]

    @property
    def coverage(self) -> float | None:
        """Share of the items that had the field, in percent 0..100; None without items."""
        return 100.0 * self.had / self.items if self.items else None

    @property
    def coverage_before(self) -> float | None:
        """The same before."""
        return 100.0 * self.had_before / self.items_before if self.items_before else None

    @property
    def fall(self) -> float | None:
        """By how many points the coverage fell, negative where it rose; None when one of both isn't known."""
        now, before = self.coverage, self.coverage_before
        return None if now is None or before is None else before - now

    @property
    def missing(self) -> int:
        """Items without the field."""
        return self.items - self.had


def field_coverage(timed: TimedGroups, before: Groups, names: Names) -> tuple[FieldCoverage, ...]:
    """Return every field of every scraper that told of fields in the range, the one that fell most first.

    A field that nobody names any more is told all the same: it went missing. Fields that can't be compared come after
    those that fell, the least covered first.

    Args:
        timed: The groups by field of n buckets.
        before: Those of the time before.
        names: What their source numbers stand for.
    """
    now, then = _sums(timed.groups, names), _sums(before, names)
    each = [_sums(part, names) for part in timed.parts()]
    starts_ms = tuple(low for low, _ in timed.bounds)
    found = []
    for source, field in sorted(now.keys() | then.keys()):
        items = now.get((source, ALL_ITEMS), 0)
        if field == ALL_ITEMS or not items:  # of a scraper without items nothing can be said
            continue
        found.append(
            FieldCoverage(
                source, field, items, now.get((source, field), 0), then.get((source, ALL_ITEMS), 0),
                then.get((source, field), 0), starts_ms, tuple(sums.get((source, ALL_ITEMS), 0) for sums in each),
                tuple(sums.get((source, field), 0) for sums in each),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=_badness))


def _badness(one: FieldCoverage) -> tuple[float, float, str, str]:
    return -(one.fall or 0.0), one.coverage or 0.0, one.source, one.field


def _sums(groups: Groups, names: Names) -> Mapping[tuple[str, str], int]:
    """Return the items of each source and field."""
    groups = groups.chosen(groups.value != np.uint64(OTHERS))
    texts = texts_of(groups, set(groups.value.tolist()))
    sums: dict[tuple[str, str], int] = {}
    for value, source, items in zip(groups.value.tolist(), groups.source.tolist(), groups.items.tolist(), strict=True):
        key = names[source], texts[value]
        sums[key] = sums.get(key, 0) + items
    return sums
