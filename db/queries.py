"""Every question a page asks: answered from memory where it reaches, from rollups and detail rows where it doesn't."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from cachetools import LRUCache
from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from db.aggregate import aggregate, by_source, histogram_of, totals_of
from db.alert_board import AlertBoardQueries
from db.alert_queries import AlertQueries
from db.cells import DAY_MS, HOUR_MS
from db.clock import now_ms
from db.collector_queries import CollectorQueries
from db.days import daily_rows, date_of
from db.errors import unavailable_as_ours
from db.event_queries import EventQueries
from db.event_search import EventSearch
from db.events import newest_of
from db.export_queries import ExportQueries
from db.history import History, Rows
from db.job_history import JobHistory
from db.models import DailySummary, SchedulerMetric
from db.models import PagePerformance as Page
from db.names import known_sources
from db.recent import RecentDetail
from db.results import (
    DailyRow,
    ErrorGroup,
    Event,
    Filter,
    FilterChoices,
    FloatArray,
    IntArray,
    Kind,
    Overview,
    Series,
    SourceStats,
    TimeRange,
    Totals,
    UrlStats,
)
from db.rollups import Rollups
from db.scraper_queries import ScraperQueries
from db.spread import histogram
from db.tab_queries import TabQueries
from db.table_answers import TableAnswers
from db.vitals import VitalsQueries
from db.week_hours import WeekHoursHistory

_Answer = TypeVar("_Answer")
_EVERYTHING = Filter()
_MAX_REMEMBERED = 64
_KINDS: tuple[Kind, Kind] = ("navigation", "scrape")
_NAMES_FRESH_MS = 60_000
_MOST_CHOICES = 50


class Queries(
    TabQueries,
    ScraperQueries,
    ExportQueries,
    EventQueries,
    CollectorQueries,
    AlertQueries,
    AlertBoardQueries,
    VitalsQueries,
):
    """Reads for pages and API; every method raises DatabaseUnavailable when the database can't be asked.

    Answers are shared between callers that ask the same: treat their arrays as read-only.

    Args:
        engine: A migrated database.
        recent: Its newest rows, subscribed to the store.
        rollups: Its rollups, subscribed to the store after `recent`; without them, old ranges are counted from detail
            rows.
        jobs: Memory and rollups of scheduler runs; without them, these are counted from the runs in the database.
        exact_rows: Up to so many rows in memory are counted one by one (see `db.history`).
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(
        self,
        engine: Engine,
        recent: RecentDetail,
        *,
        rollups: Rollups | None = None,
        jobs: JobHistory | None = None,
        exact_rows: int = 10_000,
        clock_ms: Callable[[], int] = now_ms,
    ) -> None:
        super().__init__(engine, jobs)
        self._recent = recent
        self._rollups = rollups
        self._clock_ms = clock_ms
        self._exact_rows = exact_rows
        self._history = History(engine, recent, rollups, exact_rows=exact_rows)
        self._tables = TableAnswers(engine, recent, rollups, self._history, exact_rows=exact_rows)
        self._week_hours = WeekHoursHistory(self._history, rollups, exact_rows=exact_rows)
        self._event_search = EventSearch(engine, recent, rollups, self._history)
        self._lock = threading.Lock()  # protects _remembered, _past and _stored_names
        self._remembered: LRUCache[Hashable, tuple[object, object]] = LRUCache(_MAX_REMEMBERED)
        self._past: LRUCache[tuple[TimeRange, Filter], tuple[object, Totals]] = LRUCache(_MAX_REMEMBERED)
        self._stored_names: tuple[int, frozenset[str]] | None = None  # when they were read, and the names

    def warm(self, present_ms: int) -> None:
        """Read what pages over hours, days and weeks are going to ask for: the first viewer needn't wait for it.

        Args:
            present_ms: Where their ranges end, epoch ms.
        """
        with unavailable_as_ours(self._engine):
            self._recent.warm()
            self._history.warm(present_ms)
            self._tables.warm(present_ms)
            self._week_hours.warm(present_ms)
            if self._jobs is not None:
                self._jobs.warm(present_ms)

    def overview(self, range: TimeRange, filter: Filter = _EVERYTHING, than: TimeRange | None = None) -> Overview:
        """Return totals, those of an earlier range, series and every source of a range.

        Args:
            range: The range and its buckets.
            filter: Which rows.
            than: The earlier range; None for the one just before.
        """
        earlier = than or range.before()

        def answer() -> Overview:
            rows = self._rows(range, filter, moments=True)
            now = aggregate(range, rows.detail, rows.cells, rows.sealed)
            return Overview(
                range=range, current=now.totals(), previous=self._totals(earlier, filter), series=now.series(),
                sources=now.sources(), throughput=now.throughput(),
            )  # fmt: skip

        return self._once(("overview", range, filter, earlier), answer)

    def sources(self, range: TimeRange, filter: Filter = _EVERYTHING) -> tuple[SourceStats, ...]:
        """Return every source with at least one row in the range, by name.

        Args:
            range: The range and its buckets.
            filter: Which rows.
        """

        def answer() -> tuple[SourceStats, ...]:
            rows = self._rows(range, filter, moments=True)
            return aggregate(range, rows.detail, rows.cells, rows.sealed).sources()

        return self._once(("sources", range, filter), answer)

    def source_series(self, range: TimeRange, filter: Filter = _EVERYTHING) -> Mapping[str, Series]:
        """Return one series for each source (for comparisons of any metric), by name.

        Args:
            range: The range and its buckets.
            filter: Which rows.
        """

        def answer() -> Mapping[str, Series]:
            rows = self._rows(range, filter)
            return by_source(range, rows.detail, rows.cells, rows.sealed)

        return self._once(("source_series", range, filter), answer)

    def source_names(self) -> tuple[str, ...]:
        """Return every source that ever appeared, by name; new ones at once."""
        now = self._clock_ms()
        with self._lock:
            stored = self._stored_names
        if stored is None or not 0 <= now - stored[0] < _NAMES_FRESH_MS:
            with self._connect() as connection:
                stored = (now, known_sources(connection))
            with self._lock:
                self._stored_names = stored
        return tuple(sorted(stored[1].union(self._recent.sources.all())))

    def filter_choices(self, range: TimeRange | None = None) -> FilterChoices:
        """Return what filters can be set to: cheap, since breakdowns and memory know it.

        Args:
            range: Where outcomes and the most frequent kinds of errors are taken from; None for the last day. Labels
                are those that memory has seen.
        """
        if range is None:
            end_ms = (self._clock_ms() // HOUR_MS + 1) * HOUR_MS
            range = TimeRange(end_ms - DAY_MS - HOUR_MS, end_ms, HOUR_MS)

        def answer() -> FilterChoices:
            outcomes = list(self._tables.outcomes(range, _EVERYTHING))[:_MOST_CHOICES]
            errors = [group.error for group in self._tables.errors(range, _EVERYTHING, None) if group.error.strip()]
            return FilterChoices(
                tuple(sorted(outcomes)), tuple(sorted(errors[:_MOST_CHOICES])), self._recent.labels.all()
            )

        return self._once(("filter_choices", range), answer)

    def duration_trend(self, range: TimeRange, filter: Filter, kind: Kind) -> Series:
        """Return the series of navigations alone or of scrapes alone.

        Args:
            range: The range and its buckets.
            filter: Which rows.
            kind: Navigations or scrapes.
        """

        def answer() -> Series:
            rows = self._rows(range, filter, kind)
            return aggregate(range, rows.detail, rows.cells, rows.sealed).series()

        return self._once(("duration_trend", range, filter, kind), answer)

    def duration_histogram(
        self, range: TimeRange, filter: Filter, kind: Kind, bins: int = 40
    ) -> tuple[FloatArray, IntArray]:
        """Return how durations are distributed, from 0 to about the 99th percentile; see `db.spread.histogram`.

        Args:
            range: The range.
            filter: Which rows.
            kind: Navigations or scrapes.
            bins: How many bins of equal width, at least 1.

        Returns:
            (edges_ms float64[n + 1], counts int64[n]); the last bin holds everything slower too.
        """

        def answer() -> tuple[FloatArray, IntArray]:
            rows = self._rows(range, filter, kind)
            return histogram(rows.detail.duration_ms, histogram_of(rows.cells, rows.sealed), bins)

        return self._once(("duration_histogram", range, filter, kind, bins), answer)

    def errors_by_kind(self, range: TimeRange, filter: Filter, kind: Kind | None = None) -> tuple[ErrorGroup, ...]:
        """Return the failures grouped by kind of error (db.error_kinds), most frequent first.

        Args:
            range: The range.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.

        Returns:
            A group for each kind; "" stands for failures without a text.
        """

        def answer() -> tuple[ErrorGroup, ...]:
            return self._tables.errors(range, filter, kind)

        return self._once(("errors_by_kind", range, filter, kind), answer)

    def slowest_urls(self, range: TimeRange, filter: Filter, kind: Kind, limit: int = 20) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration, slowest first.

        Args:
            range: The range.
            filter: Which rows.
            kind: Navigations or scrapes.
            limit: How many at most.
        """

        def answer() -> tuple[UrlStats, ...]:
            return self._tables.urls(range, filter, kind, limit)

        return self._once(("slowest_urls", range, filter, kind, limit), answer)

    def outcomes(self, range: TimeRange, filter: Filter = _EVERYTHING) -> Mapping[str, int]:
        """Return scrapes per outcome, most frequent first; a scrape without one counts as "ok" or "failed".

        Args:
            range: The range.
            filter: Which rows.
        """

        def answer() -> Mapping[str, int]:
            return self._tables.outcomes(range, filter)

        return self._once(("outcomes", range, filter), answer)

    def events(self, range: TimeRange | None, filter: Filter = _EVERYTHING, limit: int = 100) -> tuple[Event, ...]:
        """Return the newest page metrics and scheduler runs together, newest first.

        Args:
            range: The range, None for all time.
            filter: Which rows; for scheduler runs see `scheduler_runs`.
            limit: How many at most.
        """
        start_ms, end_ms = (None, None) if range is None else (range.start_ms, range.end_ms)

        def answer() -> tuple[Event, ...]:
            with unavailable_as_ours(self._engine):
                return self._event_search.newest(start_ms, end_ms, filter, limit)

        # Without rollups nobody says that something was stored.
        followed = self._rollups is not None
        pages = self._once(("newest_pages", start_ms, end_ms, filter, limit), answer) if followed else answer()
        runs = () if filter.without_runs else self._newest_runs(start_ms, end_ms, filter, limit)
        return newest_of(pages, runs, limit)

    def daily(self, source: str | None, days: int) -> tuple[DailyRow, ...]:
        """Return the daily summaries of the last `days` UTC days including today, by date then source.

        Args:
            source: One source, None for all.
            days: How many days, at least 1.
        """
        today_ms = self._clock_ms() // DAY_MS * DAY_MS
        if self._rollups is None:  # nobody says that a summary was written
            return self._daily(source, days, today_ms)
        return self._once(("daily", source, days, today_ms), lambda: self._daily(source, days, today_ms))

    def _daily(self, source: str | None, days: int, today_ms: int) -> tuple[DailyRow, ...]:
        first_ms = today_ms - (days - 1) * DAY_MS
        # Every batch changes today (and tomorrow, where a clock is fast): it isn't written anew for each who asks.
        changing = [] if self._rollups is None else [today_ms, today_ms + DAY_MS]
        if self._rollups is not None:
            self._rollups.settle(first_ms, today_ms, days=True)
        columns = [getattr(DailySummary, name) for name in _DAILY_COLUMNS]
        statement = (
            select(*columns)
            .where(
                DailySummary.metric_date >= date_of(first_ms),
                DailySummary.metric_date.not_in([date_of(day_ms) for day_ms in changing]),
            )
            .order_by(DailySummary.metric_date, DailySummary.scraper_source)
        )
        if source is not None:
            statement = statement.where(DailySummary.scraper_source == source)
        with self._connect() as connection:
            rows = [DailyRow(*row) for row in connection.execute(statement)]
        filter = Filter() if source is None else Filter((source,))
        for day_ms in changing:
            if self._recent.may_have_since(day_ms):  # most clocks aren't fast
                rows += self._day(TimeRange(day_ms, day_ms + DAY_MS, DAY_MS), filter)
        return tuple(sorted(rows, key=lambda row: row.metric_date))

    def _day(self, day: TimeRange, filter: Filter) -> tuple[DailyRow, ...]:
        with unavailable_as_ours(self._engine):
            kinds = [self._history.rows(day, filter, kind, together=True) for kind in _KINDS]
        navigations, scrapes = (aggregate(day, rows.detail, rows.cells, rows.sealed).sources() for rows in kinds)
        return daily_rows(date_of(day.start_ms), navigations, scrapes)

    def last_recorded_ms(self) -> int | None:
        """Return when the newest metric was recorded, epoch ms, or None when there is none at all."""
        with self._connect() as connection:
            newest = [
                connection.scalar(select(func.max(Page.created_at))),
                connection.scalar(select(func.max(SchedulerMetric.created_at))),
            ]
        return max((moment for moment in newest if moment is not None), default=None)

    def _rows(self, span: TimeRange, filter: Filter, kind: Kind | None = None, *, moments: bool = False) -> Rows:
        with unavailable_as_ours(self._engine):
            return self._history.rows(span, filter, kind, moments=moments)

    def _totals(self, span: TimeRange, filter: Filter) -> Totals:
        with unavailable_as_ours(self._engine):
            rows = self._history.rows(span, filter, together=True)
        if rows.cells is None:
            return totals_of(rows.detail)
        span = TimeRange(span.start_ms, span.end_ms, span.end_ms - span.start_ms)
        if len(rows.detail):
            return aggregate(span, rows.detail, rows.cells).totals()
        # All of it is history: the same rollup rows, the same totals.
        with self._lock:
            known = self._past.get((span, filter))
        if known is None or known[0] is not rows.cells:
            known = (rows.cells, aggregate(span, rows.detail, rows.cells).totals())
            with self._lock:
                self._past[span, filter] = known
        return known[1]

    def _once(self, question: Hashable, answer: Callable[[], _Answer]) -> _Answer:
        """Return the answer that was given to this question, if nothing was stored since; else find it now."""
        # Read before answering: what is stored meanwhile makes the answer one to find again.
        state = (self._recent.version, -1 if self._rollups is None else self._rollups.version)
        with self._lock:
            remembered = self._remembered.get(question)
        if remembered is not None and remembered[0] == state:
            return remembered[1]  # type: ignore[return-value]
        found = answer()
        with self._lock:
            self._remembered[question] = (state, found)
        return found


_DAILY_COLUMNS = tuple({"source": "scraper_source"}.get(name, name) for name in DailyRow.__slots__)
