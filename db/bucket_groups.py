"""What the buckets of a range add up to: found in one pass where rows or pieces allow it, one after the other else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from sqlalchemy.engine import Engine

from db.breakdown import Dimension, Groups, counts
from db.breakdowns import Breakdowns
from db.cells import SLOT_MS
from db.errors import unavailable_as_ours
from db.history import History
from db.pack_groups import columns_of_packs, together
from db.recent import RecentDetail
from db.results import Filter, Kind, TimeRange
from db.timed_groups import Bounds, TimedGroups, counted, summed, with_own_texts

AskOne = Callable[[Dimension, TimeRange, Filter, Kind | None], Groups]
# Of many rows few are failures: those are counted one by one as long as nothing has to be read for it.
_FAILURES_OF_ROWS = 10


class BucketGroups:
    """Counts buckets out.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        history: Where memory begins and ends.
        breakdowns: What rows added up to; None without rollups.
        ask: Returns the groups of one bucket, where there is no quicker way.
        exact_rows: Up to so many rows in memory are counted one by one.
    """

    def __init__(
        self,
        engine: Engine,
        recent: RecentDetail,
        history: History,
        breakdowns: Breakdowns | None,
        ask: AskOne,
        *,
        exact_rows: int,
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._history = history
        self._breakdowns = breakdowns
        self._ask = ask
        self._exact_rows = exact_rows

    def of(self, dimension: Dimension, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None) -> list[Groups]:
        """Return the groups of each bucket.

        Args:
            dimension: What by.
            bounds: The buckets, rising.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        settled = filter.within(kind)
        if settled is None:
            return [Groups.empty() for _ in bounds]
        found: list[Groups] = []
        for some in _without_holes(bounds):
            timed = self._at_once(dimension, some, *settled)
            if timed is None:
                timed = self._one_by_one(dimension, some, *settled)
            found += with_own_texts(timed).parts()
        return found

    def _at_once(
        self, dimension: Dimension, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None
    ) -> TimedGroups | None:
        """Return the groups of buckets without a hole between them; None when they have to be asked for one by one."""
        span = TimeRange(bounds[0][0], bounds[-1][1], bounds[-1][1] - bounds[0][0])
        rows = self._history.in_memory(span)
        breakdowns = self._breakdowns if counts(dimension, filter) else None
        if rows is not None:
            most_rows = self._exact_rows * (_FAILURES_OF_ROWS if dimension == "error" else 1)
            finer = max(high - low for low, high in bounds) < SLOT_MS
            if breakdowns is None or finer or len(rows) <= most_rows:
                return counted(rows.matching(filter, kind), dimension, bounds)
        if breakdowns is None:
            return self._found(dimension, span, bounds, filter, kind)
        if filter.url_contains or filter.url:
            return None
        with unavailable_as_ours(self._engine):
            timed = breakdowns.of_buckets(dimension, bounds, filter, kind)
        if timed is not None:
            return timed.narrowed(filter, kind, self._recent.sources)
        if filter.labels:
            return self._found(dimension, span, bounds, filter, kind)
        return None if rows is None else counted(rows.matching(filter, kind), dimension, bounds)

    def _found(
        self, dimension: Dimension, span: TimeRange, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None
    ) -> TimedGroups | None:
        """Return the groups of rows that a filter lets through, which no piece can tell: from packs and from memory."""
        filtered = self._history.filtered
        if filtered is None:
            return None
        rows, covered_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        rows = rows.matching(filter, kind)
        if covered_ms is None or covered_ms <= span.start_ms:
            return counted(rows, dimension, bounds)
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            columns = columns_of_packs(dimension)
            end_ms = min(covered_ms, span.end_ms)
            parts = filtered.parts(connection, span.start_ms, end_ms, filter, kind, columns=columns)
            if parts is None:
                return None
            found = [counted(part, dimension, bounds) for part in together(parts)]
        found.append(counted(rows, dimension, bounds))
        return summed(bounds, [(timed.bucket, timed.groups) for timed in found])

    def _one_by_one(
        self, dimension: Dimension, bounds: Sequence[Bounds], filter: Filter, kind: Kind | None
    ) -> TimedGroups:
        if len(bounds) > 1:
            self._read_ahead(dimension, bounds, filter)
        parts = [self._ask(dimension, TimeRange(low, high, high - low), filter, kind) for low, high in bounds]
        return TimedGroups.joined(bounds, parts)

    def _read_ahead(self, dimension: Dimension, bounds: Sequence[Bounds], filter: Filter) -> None:
        """Read what the groups of some buckets are added up from in one piece."""
        covered_ms = self._recent.covered_since_ms
        if self._breakdowns is None or covered_ms is None or not counts(dimension, filter):
            return
        bounds = [bound for bound in bounds if bound[0] < covered_ms]
        with unavailable_as_ours(self._engine):
            self._breakdowns.read_ahead(dimension, bounds, filter.labels)


def _without_holes(bounds: Sequence[Bounds]) -> Iterator[Sequence[Bounds]]:
    """Cut buckets into runs of those that follow each other."""
    low = 0
    for place in range(1, len(bounds) + 1):
        if place == len(bounds) or bounds[place][0] != bounds[place - 1][1]:
            yield bounds[low:place]
            low = place
