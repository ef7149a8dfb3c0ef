"""The tables of a range: from memory and breakdowns; from detail rows in SQL where a text in the URL is looked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
from sqlalchemy.engine import Connection, Engine

from db.breakdown import Dimension, Groups, groups_of, narrowed
from db.breakdowns import Breakdowns
from db.errors import unavailable_as_ours
from db.history import History
from db.recent import RecentDetail
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats
from db.rollups import Rollups
from db.scraper_runs import ScraperRun, joined_runs, runs_by_sql, runs_of
from db.tables import (
    errors_by_sql,
    errors_of,
    joined_errors,
    joined_outcomes,
    outcomes_by_sql,
    outcomes_of,
    urls_by_sql,
    urls_of,
)

_Answer = TypeVar("_Answer")
_MAX_REMEMBERED = 64


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
        self._old_answers: OrderedDict[Hashable, tuple[int, object]] = OrderedDict()

    def errors(self, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
        """Return the failures by kind of error."""
        groups = self._groups("error", span, filter, kind)
        if groups is not None:
            return errors_of(groups)
        old, rows = self._history.split(span, filter, kind)
        ask = partial(errors_by_sql, span=old, filter=filter, kind=kind)
        before = self._once_old(("errors", old, filter, kind), old, ask)
        return joined_errors([before, errors_of(groups_of(rows, "error"))])

    def urls(self, span: TimeRange, filter: Filter, kind: Kind, limit: int) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration."""
        groups = self._groups("url", span, filter, kind)
        if groups is not None:
            return urls_of(groups, self._recent.sources, limit)
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return urls_by_sql(connection, span, filter, kind, limit)

    def outcomes(self, span: TimeRange, filter: Filter) -> Mapping[str, int]:
        """Return scrapes per outcome."""
        groups = self._groups("outcome", span, filter, "scrape")
        if groups is not None:
            return outcomes_of(groups)
        old, rows = self._history.split(span, filter, "scrape")
        ask = partial(outcomes_by_sql, span=old, filter=filter)
        before = self._once_old(("outcomes", old, filter), old, ask)
        return joined_outcomes([before, outcomes_of(groups_of(rows, "outcome"))])

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
        if self._breakdowns is not None:
            self._breakdowns.warm(present_ms)

    def _groups(self, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None) -> Groups | None:
        """Return what a range adds up to by a dimension; None where only the database can tell."""
        rows = self._history.in_memory(span)
        # Errors and outcomes aren't counted by URL.
        counted = self._breakdowns is not None and (dimension == "url" or not filter.url_contains)
        if rows is not None and (not counted or len(rows) <= self._exact_rows):
            return groups_of(rows.matching(filter, kind), dimension)
        if self._breakdowns is None or not counted:
            return None
        with unavailable_as_ours(self._engine):
            groups = self._breakdowns.of(dimension, span.start_ms, span.end_ms)
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
