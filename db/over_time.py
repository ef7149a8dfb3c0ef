"""Groups by time: the buckets of a range, each kept for as long as none of its minutes changes."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from db.breakdown import Dimension, Groups
from db.cells import MINUTE_MS
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups
from db.timed_groups import Bounds, TimedGroups

Ask = Callable[[Dimension, Sequence[Bounds], Filter, Kind | None], Sequence[Groups]]

_MAX_QUESTIONS = 64
# Buckets that a question keeps beyond those of the range that was asked for last: live ranges move on.
_SPARE = 50


@dataclass(slots=True)
class _Known:
    """What was found for one question, and the rollups' version that it is true of."""

    version: int = 0
    buckets: dict[Bounds, Groups] = field(default_factory=dict)


class OverTime:
    """Asks for those buckets that changed since, all at once.

    Args:
        ask: Returns the groups of each of some buckets, which rise.
        rollups: Says which minutes changed; None to keep nothing.
    """

    def __init__(self, ask: Ask, rollups: Rollups | None) -> None:
        self._ask = ask
        self._rollups = rollups
        self._lock = threading.Lock()  # protects _known and what it holds; not held while asking
        self._known: LRUCache[tuple[Dimension, Filter, Kind | None, int], _Known] = LRUCache(_MAX_QUESTIONS)

    def of(
        self, dimension: Dimension, bounds: Sequence[Bounds], bucket_ms: int, filter: Filter, kind: Kind | None
    ) -> TimedGroups:
        """Return the groups of each bucket.

        Args:
            dimension: What by.
            bounds: The buckets, rising (see `cut`).
            bucket_ms: Length of a whole one.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        key = (dimension, filter, kind, bucket_ms)
        found, version = self._recall(key, bounds)
        missing = [bound for bound in bounds if bound not in found]
        if missing:
            new = dict(zip(missing, self._ask(dimension, missing, filter, kind), strict=True))
            found |= new
            if self._rollups is not None:
                self._keep(key, version, new, bounds)
        return TimedGroups.joined(bounds, [found[bound] for bound in bounds])

    def _recall(
        self, key: tuple[Dimension, Filter, Kind | None, int], bounds: Sequence[Bounds]
    ) -> tuple[dict[Bounds, Groups], int]:
        if self._rollups is None:
            return {}, 0
        with self._lock:
            known = self._known.setdefault(key, _Known())
            # Before asking: what changes meanwhile is dropped by the next one.
            known.version, changed = self._rollups.changes_since(known.version)
            if changed is None:
                known.buckets.clear()
            elif changed:
                minutes = sorted(changed)
                for low, high in list(known.buckets):
                    after = bisect_right(minutes, low - MINUTE_MS)
                    if after < len(minutes) and minutes[after] < high:
                        del known.buckets[low, high]
            return {bound: known.buckets[bound] for bound in bounds if bound in known.buckets}, known.version

    def _keep(
        self,
        key: tuple[Dimension, Filter, Kind | None, int],
        version: int,
        new: dict[Bounds, Groups],
        bounds: Sequence[Bounds],
    ) -> None:
        with self._lock:
            known = self._known.get(key)
            if known is None or known.version != version:
                return  # somebody else dropped what changed since: these may be older than that
            known.buckets |= new
            for bound in list(known.buckets)[: max(0, len(known.buckets) - len(bounds) - _SPARE)]:
                del known.buckets[bound]


def cut(span: TimeRange, bucket_ms: int) -> tuple[Bounds, ...]:
    """Cut a range at multiples of a bucket's length; the first and the last bucket may be shorter.

    Args:
        span: The range; its own buckets don't matter.
        bucket_ms: Length of a bucket.
    """
    first = span.start_ms // bucket_ms * bucket_ms
    return tuple(
        (max(low, span.start_ms), min(low + bucket_ms, span.end_ms)) for low in range(first, span.end_ms, bucket_ms)
    )
