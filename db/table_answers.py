"""The tables of a range: from memory and breakdowns; from detail rows in SQL where a filter asks for something else."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial

from sqlalchemy.engine import Connection, Engine

from db.breakdown import Dimension, Groups, counts, groups_of, merged, narrowed
from db.breakdowns import Breakdowns
from db.errors import unavailable_as_ours
from db.history import History
from db.old_groups import groups_by_sql
from db.recent import RecentDetail
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats
from db.rollups import Rollups
from db.tables import errors_of, outcomes_of, urls_of

_MAX_REMEMBERED = 16


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
        self._lock = threading.Lock()  # protects _old_answers
        self._old_answers: OrderedDict[Hashable, tuple[int, Groups]] = OrderedDict()

    def errors(self, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
        """Return the failures by kind of error."""
        return errors_of(self._groups("error", span, filter, kind))

    def urls(self, span: TimeRange, filter: Filter, kind: Kind, limit: int) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration."""
        return urls_of(self._groups("url", span, filter, kind), self._recent.sources, limit)

    def outcomes(self, span: TimeRange, filter: Filter) -> Mapping[str, int]:
        """Return scrapes per outcome."""
        return outcomes_of(self._groups("outcome", span, filter, "scrape"))

    def warm(self, present_ms: int) -> None:
        """Read what the last day, week and month are counted from.

        Args:
            present_ms: Epoch ms.
        """
        if self._breakdowns is not None:
            self._breakdowns.warm(present_ms)

    def _groups(self, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None) -> Groups:
        """Return what a range adds up to by a dimension."""
        settled = filter.within(kind)
        if settled is None:
            return Groups.empty()
        filter, kind = settled
        rows = self._history.in_memory(span)
        counted = self._breakdowns is not None and counts(dimension, filter)
        if rows is not None and (not counted or len(rows) <= self._exact_rows):
            return groups_of(rows.matching(filter, kind), dimension)
        if self._breakdowns is not None and counted:
            with unavailable_as_ours(self._engine):
                groups = self._breakdowns.of(dimension, span.start_ms, span.end_ms)
            if groups is not None:
                return narrowed(groups, filter, kind, self._recent.sources)
        if rows is not None:
            return groups_of(rows.matching(filter, kind), dimension)
        old, rows = self._history.split(span, filter, kind)
        ask = partial(
            groups_by_sql, dimension=dimension, span=old, filter=filter, kind=kind, sources=self._recent.sources
        )
        before = self._once_old((dimension, old, filter, kind), old, ask)
        return merged([before, groups_of(rows, dimension)])

    def _once_old(self, question: Hashable, old: TimeRange, ask: Callable[[Connection], Groups]) -> Groups:
        """Return what the database said of an old span, if none of its minutes changed since; else ask it now."""
        version = -1 if self._rollups is None else self._rollups.version
        with self._lock:
            known = self._old_answers.get(question)
        rollups = self._rollups
        if rollups and known and not rollups.changed_since(known[0], old.start_ms, old.end_ms):
            return known[1]
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            found = ask(connection)
        with self._lock:
            self._old_answers[question] = (version, found)
            self._old_answers.move_to_end(question)
            while len(self._old_answers) > _MAX_REMEMBERED:
                self._old_answers.popitem(last=False)
        return found
