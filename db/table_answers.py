"""What a range holds by URL, error and outcome: from memory and breakdowns, in SQL where these can't tell."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine

from db.breakdown import Dimension, Groups, groups_of, merged, narrowed
from db.breakdown_sql import groups_by_sql
from db.breakdowns import Breakdowns
from db.cells import SLOT_MS
from db.error_groups import ErrorSamples, error_groups
from db.errors import unavailable_as_ours
from db.history import History
from db.over_time import Bounds, OverTime, cut
from db.recent import RecentDetail
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats
from db.rollups import Rollups
from db.tables import UrlOrder, joined_outcomes, outcomes_by_sql, outcomes_of, urls_by_sql, urls_of

_Answer = TypeVar("_Answer")
_MAX_REMEMBERED = 64
# A line of counts in a table cell has room for so many.
_MOST_COUNTS = 24
_COUNTED_MS = tuple(
    size * 60_000
    for size in (1, 2, 5, 10, 30, 60, 120, 360, 720, 1440, 2 * 1440, 5 * 1440, 10 * 1440, 30 * 1440, 180 * 1440)
)


class TableAnswers:
    """Failures by kind, URLs by duration and outcomes; see `db.queries.Queries` for what each returns.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Its rollups, None to count what memory doesn't hold in SQL always.
        history: Where memory begins and ends.
        exact_rows: Up to so many rows in memory are counted one by one.
    """

    def __init__(
        self, engine: Engine, recent: RecentDetail, rollups: Rollups | None, history: History, *, exact_rows: int
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._history = history
        self._exact_rows = exact_rows
        self._breakdowns = None if rollups is None else Breakdowns(engine, recent, rollups)
        self._over_time = OverTime(partial(self.groups, keep=False), rollups)
        self._samples = ErrorSamples(engine, recent)
        self._lock = threading.Lock()  # protects _old_answers
        self._old_answers: OrderedDict[Hashable, tuple[int, object]] = OrderedDict()

    def errors(self, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
        """Return the failures by kind of error."""
        bounds, parts = self.over_time("error", span, spark_ms(span), filter, kind)
        return error_groups(bounds, parts, self._recent.sources, self._samples)

    def urls(
        self, span: TimeRange, filter: Filter, kind: Kind, limit: int, order: UrlOrder = "slowest"
    ) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration, or those that fail most."""
        groups = self._groups("url", span, filter, kind)
        if groups is not None:
            return urls_of(groups, self._recent.sources, limit, order)
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return urls_by_sql(connection, span, filter, kind, limit, order)

    def outcomes(self, span: TimeRange, filter: Filter) -> Mapping[str, int]:
        """Return scrapes per outcome."""
        groups = self._groups("outcome", span, filter, "scrape")
        if groups is not None:
            return outcomes_of(groups)
        old, rows = self._history.split(span, filter, "scrape")
        ask = partial(outcomes_by_sql, span=old, filter=filter)
        before = self._once_old(("outcomes", old, filter), old, ask)
        return joined_outcomes([before, outcomes_of(groups_of(rows, "outcome"))])

    def groups(
        self, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None, *, keep: bool = True
    ) -> Groups:
        """Return what a range adds up to.

        Args:
            dimension: What by.
            span: The range; its buckets don't matter.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
            keep: Remember sums of old spans; who keeps the answer needn't have them kept twice.
        """
        groups = self._groups(dimension, span, filter, kind, keep=keep)
        if groups is not None:
            return groups
        rows, covered_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        border_ms = span.start_ms if covered_ms is None else max(span.start_ms, min(covered_ms, span.end_ms))
        parts = [groups_of(rows.matching(filter, kind), dimension)]
        if border_ms > span.start_ms:
            old = TimeRange(span.start_ms, border_ms, span.bucket_ms)
            ask = partial(
                groups_by_sql, dimension=dimension, start_ms=old.start_ms, end_ms=old.end_ms, filter=filter, kind=kind,
                names=self._recent.sources,
            )  # fmt: skip
            parts.insert(0, self._once_old((dimension, old, filter, kind), old, ask))
        return merged(parts)

    def over_time(
        self, dimension: Dimension, span: TimeRange, bucket_ms: int, filter: Filter, kind: Kind | None
    ) -> tuple[tuple[Bounds, ...], list[Groups]]:
        """Return what each bucket of a range adds up to.

        Args:
            dimension: What by.
            span: The range.
            bucket_ms: Length of a bucket; what memory doesn't hold is cut into five minutes at the finest.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.

        Returns:
            (from and to of each bucket in epoch ms, its groups).
        """
        if bucket_ms < SLOT_MS and self._history.in_memory(span) is None:
            bucket_ms = SLOT_MS
        bounds = cut(span, bucket_ms)
        return bounds, self._over_time.of(dimension, bounds, bucket_ms, filter, kind)

    def warm(self, present_ms: int) -> None:
        """Read what the last day, week and month are counted from.

        Args:
            present_ms: Epoch ms.
        """
        if self._breakdowns is not None:
            self._breakdowns.warm(present_ms)

    def _groups(
        self, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None, *, keep: bool = True
    ) -> Groups | None:
        """Return what a range adds up to by a dimension; None where only the database can tell."""
        rows = self._history.in_memory(span)
        # Errors and outcomes aren't counted by URL.
        counted = self._breakdowns is not None and (dimension == "url" or not filter.url_contains)
        if rows is not None and (not counted or len(rows) <= self._exact_rows):
            return groups_of(rows.matching(filter, kind), dimension)
        if self._breakdowns is None or not counted:
            return None
        with unavailable_as_ours(self._engine):
            groups = self._breakdowns.of(dimension, span.start_ms, span.end_ms, keep=keep)
        if groups is None:
            return None if rows is None else groups_of(rows.matching(filter, kind), dimension)
        return narrowed(groups, filter, kind, self._recent.sources)

    def _once_old(self, question: Hashable, old: TimeRange, ask: Callable[[Connection], _Answer]) -> _Answer:
        """Return what the database said of an old span, if none of its minutes changed since; else ask it now."""
        version = -1 if self._rollups is None else self._rollups.version
        with self._lock:
            known = self._old_answers.get(question)
        rollups = self._rollups
        if rollups and known and not rollups.changed_since(known[0], old.start_ms, old.end_ms):
            return known[1]  # type: ignore[return-value]
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            found = ask(connection)
        with self._lock:
            self._old_answers[question] = (version, found)
            self._old_answers.move_to_end(question)
            while len(self._old_answers) > _MAX_REMEMBERED:
                self._old_answers.popitem(last=False)
        return found


def spark_ms(span: TimeRange) -> int:
    """Return the length of the buckets in which failures of one kind are counted over a range.

    Args:
        span: The range.
    """
    length_ms = span.end_ms - span.start_ms
    return next((size_ms for size_ms in _COUNTED_MS if length_ms <= _MOST_COUNTS * size_ms), _COUNTED_MS[-1])
