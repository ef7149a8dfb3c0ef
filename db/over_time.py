"""Groups by time: the buckets of a range, each kept for as long as none of its minutes changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from db.breakdown import Dimension, Groups, Texts, texts_of
from db.cells import MINUTE_MS
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups

Bounds = tuple[int, int]  # of a bucket, epoch ms
Ask = Callable[[Dimension, TimeRange, Filter, Kind | None], Groups]
Ahead = Callable[[Dimension, Sequence[Bounds], Filter, Kind | None], Mapping[Bounds, Groups]]

_MAX_QUESTIONS = 64
# Buckets that a question keeps beyond those of the range that was asked for last: live ranges move on.
_SPARE = 50


@dataclass(slots=True)
class _Known:
    """What was found for one question, and the rollups' version that it is true of."""

    version: int = 0
    buckets: dict[Bounds, Groups] = field(default_factory=dict)


class OverTime:
    """Asks bucket by bucket, and only for those that changed since.

    Args:
        ask: Returns the groups of a span.
        rollups: Says which minutes changed; None to keep nothing.
        ahead: Told which buckets are about to be asked for, one after the other; returns those that it has counted
            together already.
    """

    def __init__(self, ask: Ask, rollups: Rollups | None, *, ahead: Ahead | None = None) -> None:
        self._ask = ask
        self._ahead = ahead
        self._rollups = rollups
        self._lock = threading.Lock()  # protects _known and what it holds; not held while asking
        self._known: OrderedDict[tuple[Dimension, Filter, Kind | None, int], _Known] = OrderedDict()

    def of(
        self, dimension: Dimension, bounds: Sequence[Bounds], bucket_ms: int, filter: Filter, kind: Kind | None
    ) -> list[Groups]:
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
        new: dict[Bounds, Groups] = {}
        if self._ahead is not None and len(missing) > 1:
            new |= self._ahead(dimension, missing, filter, kind)
        for low, high in missing:
            if (low, high) not in new:
                new[low, high] = compact(self._ask(dimension, TimeRange(low, high, high - low), filter, kind))
        found |= new
        if self._rollups is not None:
            self._keep(key, version, new, bounds)
        return [found[bound] for bound in bounds]

    def _recall(
        self, key: tuple[Dimension, Filter, Kind | None, int], bounds: Sequence[Bounds]
    ) -> tuple[dict[Bounds, Groups], int]:
        if self._rollups is None:
            return {}, 0
        with self._lock:
            known = self._known.setdefault(key, _Known())
            self._known.move_to_end(key)
            while len(self._known) > _MAX_QUESTIONS:
                self._known.popitem(last=False)
            # Before asking: what changes meanwhile is dropped by the next one.
            known.version, changed = self._rollups.changes_since(known.version)
            if changed is None:
                known.buckets.clear()
            elif changed:
                gone = [b for b in known.buckets if any(b[0] - MINUTE_MS < minute < b[1] for minute in changed)]
                for bound in gone:
                    del known.buckets[bound]
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


def compact(groups: Groups) -> Groups:
    """Return groups with texts of their own, without what else the ones that they came with know.

    Args:
        groups: Few.
    """
    values = np.unique(groups.value)
    texts = texts_of(groups, values.tolist())
    own = np.empty(len(values), dtype=np.object_)
    own[:] = [texts[value] for value in values.tolist()]
    return replace(groups, texts=(Texts(values, own),))
