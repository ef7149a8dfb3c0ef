"""What a range adds up to: from memory and breakdowns, in SQL where a filter asks for something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from functools import partial
from typing import TypeVar

import numpy as np
from cachetools import LRUCache
from sqlalchemy.engine import Connection, Engine

from db.breakdown import Dimension, Groups, counts, letting_through, merged
from db.breakdowns import Breakdowns
from db.bucket_groups import BucketGroups
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.error_groups import ErrorSamples, error_groups
from db.errors import NotAddedUpYet, unavailable_as_ours
from db.group_rows import groups_of
from db.history import History
from db.leading_urls import Part, UrlOrder, leading
from db.old_groups import groups_by_sql
from db.over_time import OverTime, cut
from db.pack_groups import columns_of_packs, groups_of_parts
from db.recent import RecentDetail
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats
from db.rollups import Rollups
from db.scraper_runs import ScraperRun, joined_runs, runs_by_sql, runs_of
from db.state import DETAIL_SINCE_MS, read_state
from db.tables import outcomes_of, urls_of
from db.timed_groups import TimedGroups

_Answer = TypeVar("_Answer")
_MAX_REMEMBERED = 16
# Ranges that one click chooses, and the buckets that pages cut them into.
_WARM = (
    (3 * SLOT_MS, 30_000), (HOUR_MS, 60_000), (6 * HOUR_MS, 2 * SLOT_MS),
    (DAY_MS, HOUR_MS // 2), (7 * DAY_MS, 6 * HOUR_MS), (30 * DAY_MS, 12 * HOUR_MS),
)  # fmt: skip
# Of an hour's and of a day's ends.
_MOST_APART = 48
_OVER_TIME: tuple[Dimension, ...] = ("outcome", "yield")
_KINDS: tuple[Kind, ...] = ("navigation", "scrape")
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
        self._breakdowns = None if rollups is None else Breakdowns(engine, recent, rollups, history.filtered)
        self._buckets = BucketGroups(
            engine, recent, history, self._breakdowns, partial(self.groups, keep=False), exact_rows=exact_rows
        )
        self._over_time = OverTime(self._buckets.of, rollups)
        self._samples = ErrorSamples(engine, recent)
        self._lock = threading.Lock()  # protects _old_answers
        self._old_answers: LRUCache[Hashable, tuple[int, object]] = LRUCache(_MAX_REMEMBERED)

    def errors(self, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
        """Return the failures by kind of error."""
        timed = self.over_time("error", span, spark_ms(span), filter, kind)
        return error_groups(timed, self._recent.sources, self._samples)

    def urls(
        self, span: TimeRange, filter: Filter, kind: Kind, limit: int, order: UrlOrder = "slowest"
    ) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration, or those that fail most."""
        parts = self._parts("url", span, filter, kind, apart=True)
        return urls_of(leading(parts, limit, order), self._recent.sources, limit, order)

    def outcomes(self, span: TimeRange, filter: Filter) -> Mapping[str, int]:
        """Return scrapes per outcome."""
        return outcomes_of(self.groups("outcome", span, filter, "scrape"))

    def over_time(
        self, dimension: Dimension, span: TimeRange, bucket_ms: int, filter: Filter, kind: Kind | None
    ) -> TimedGroups:
        """Return what each bucket of a range adds up to.

        Args:
            dimension: What by.
            span: The range.
            bucket_ms: Length of a bucket; what memory doesn't hold is cut into five minutes at the finest.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        if bucket_ms < SLOT_MS and self._history.in_memory(span) is None:
            bucket_ms = SLOT_MS
        bounds = cut(span, bucket_ms)
        filter = self._simpler(span, filter)
        if dimension == "url" or not counts(dimension, filter):
            return self._over_time.of(dimension, bounds, bucket_ms, filter, kind)
        # Groups know all that is asked for: whoever wants some of them shares what was counted for all.
        known = Filter(filter.sources, labels=filter.labels) if filter.labels else Filter()
        timed = self._over_time.of(dimension, bounds, bucket_ms, known, None)
        return timed.narrowed(filter, kind, self._recent.sources)

    def runs(self, span: TimeRange, filter: Filter, limit: int) -> tuple[ScraperRun, ...]:
        """Return what each run of the scrapers did."""
        rows = self._history.in_memory(span)
        if rows is not None:
            return runs_of(rows.matching(filter), limit)
        old, rows = self._history.split(span, filter)
        before = self._once_old(("runs", old, filter), old, partial(runs_by_sql, span=old, filter=filter))
        # One that is among the newest here may have begun there.
        return joined_runs([before, runs_of(rows, len(rows))], limit)

    def with_items(self, span: TimeRange, filter: Filter) -> int | None:
        """Return how many scrapes brought items, None where memory doesn't reach."""
        rows = self._history.in_memory(span)
        return None if rows is None else int(np.count_nonzero(rows.matching(filter, "scrape").items))

    def warm(self, present_ms: int) -> None:
        """Read what the last day, week and month are counted from.

        Args:
            present_ms: Epoch ms.
        """
        if self._breakdowns is None:
            return
        self._breakdowns.warm(present_ms)
        self._samples.warm()
        covered_ms = self._recent.covered_since_ms
        if covered_ms is not None:  # who looks at the past first needn't wait for what that has to prepare
            before_ms = covered_ms // HOUR_MS * HOUR_MS - SLOT_MS
            self._breakdowns.parts("outcome", before_ms, before_ms + 1, Filter(), None)
        for length_ms, bucket_ms in _WARM:
            end_ms = (present_ms // bucket_ms + 1) * bucket_ms
            span = TimeRange(end_ms - length_ms, end_ms, bucket_ms)
            with suppress(NotAddedUpYet):  # much has just changed: the next time, then
                for dimension in _OVER_TIME:
                    self.over_time(dimension, span, bucket_ms, Filter(), "scrape")
                self.over_time("field", span, spark_ms(span), Filter(), "scrape")
                for kind in _KINDS:
                    self.errors(span, Filter(), kind)

    def groups(
        self,
        dimension: Dimension,
        span: TimeRange,
        filter: Filter,
        kind: Kind | None,
        *,
        keep: bool = True,
    ) -> Groups:
        """Return what a range adds up to.

        Args:
            dimension: What by.
            span: The range; its buckets don't matter.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
            keep: Remember sums of old spans; who keeps the answer needn't have them kept twice.

        Raises:
            NotAddedUpYet: Its rows are deleted already, and the sums that stay are still being checked.
        """
        parts = self._parts(dimension, span, filter, kind, keep=keep)
        return merged([groups if mask is None else groups.chosen(mask) for groups, mask in parts])

    def _parts(
        self,
        dimension: Dimension,
        span: TimeRange,
        filter: Filter,
        kind: Kind | None,
        *,
        keep: bool = True,
        apart: bool = False,
    ) -> list[Part]:
        """Return what `groups` returns, still to be added up; `apart`: even what is asked for again and again."""
        settled = self._simpler(span, filter).within(kind)
        if settled is None:
            return []
        filter, kind = settled
        rows = self._history.in_memory(span)
        counted = self._breakdowns is not None and counts(dimension, filter)
        if rows is not None and (not counted or len(rows) <= self._exact_rows):
            return [(groups_of(rows.matching(filter, kind), dimension), None)]
        if filter.url_contains or filter.url:
            found = self._found_by_url(dimension, span, filter, kind) if counted else None
            if found is not None:
                return [(found, None)]
        if self._breakdowns is not None and counted:
            with unavailable_as_ours(self._engine):
                parts = self._breakdowns.parts(
                    dimension, span.start_ms, span.end_ms, filter, kind, keep=keep, apart=apart
                )
            if parts is not None:
                names = self._recent.sources
                return [(groups, letting_through(groups, filter, kind, names)) for groups in parts]
        if rows is not None:
            return [(groups_of(rows.matching(filter, kind), dimension), None)]
        old, rows = self._history.split(span, filter, kind)
        ask = partial(self._old_groups, dimension=dimension, span=old, filter=filter, kind=kind)
        if counted and not filter.labels:  # what is left of these is told as what there was
            ask = partial(_of_kept_rows, ask, old)
        before = self._once_old((dimension, old, filter, kind), old, ask)
        return [(before, None), (groups_of(rows, dimension), None)]

    def _simpler(self, span: TimeRange, filter: Filter) -> Filter:
        with unavailable_as_ours(self._engine):
            return self._history.simpler(span, filter)

    def _found_by_url(self, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None) -> Groups | None:
        """Return the groups of the few rows that a text in URLs lets through; None where they aren't found at once.

        Groups by URL can tell them too, but all texts of all their pieces have to be looked through for that.
        """
        filtered = self._history.filtered
        old, rows = self._history.split(span, filter, kind)
        if filtered is None or len(rows) > self._exact_rows:
            return None
        if old.start_ms >= old.end_ms:
            return groups_of(rows, dimension)

        def ask(connection: Connection) -> Groups | None:
            if old.start_ms < read_state(connection).get(DETAIL_SINCE_MS, 0):
                return None
            columns = columns_of_packs(dimension)
            parts = filtered.parts(
                connection, old.start_ms, old.end_ms, filter, kind,
                columns=columns, most_apart=_MOST_APART, in_order=False,
            )  # fmt: skip
            return None if parts is None else groups_of_parts(parts, dimension)

        before = self._once_old(("by url", dimension, old, filter, kind), old, ask)
        return None if before is None else merged([before, groups_of(rows, dimension)])

    def _old_groups(
        self, connection: Connection, *, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None
    ) -> Groups:
        """Return the groups of a span that memory doesn't hold: from packs, in SQL where too much isn't packed."""
        filtered = self._history.filtered
        parts = None
        if filtered is not None:
            columns = columns_of_packs(dimension)
            parts = filtered.parts(
                connection, span.start_ms, span.end_ms, filter, kind, columns=columns, in_order=False
            )
        if parts is not None:
            return groups_of_parts(parts, dimension)
        return groups_by_sql(connection, dimension, span, filter, kind, self._recent.sources)

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
        return found


def _of_kept_rows(ask: Callable[[Connection], Groups], old: TimeRange, connection: Connection) -> Groups:
    """Ask the rows of a span, unless some of them are deleted: what is left of them would look like all there was."""
    since_ms = read_state(connection).get(DETAIL_SINCE_MS, 0)
    if old.start_ms < min(since_ms, old.end_ms):
        raise NotAddedUpYet(since_ms)
    return ask(connection)


def spark_ms(span: TimeRange) -> int:
    """Return the length of the buckets in which failures of one kind are counted over a range.

    Args:
        span: The range.
    """
    length_ms = span.end_ms - span.start_ms
    return next((size_ms for size_ms in _COUNTED_MS if length_ms <= _MOST_COUNTS * size_ms), _COUNTED_MS[-1])
