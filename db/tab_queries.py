"""What the Navigation and the Scraping tab ask: the part of `db.queries.Queries` that is about these."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from sqlalchemy.engine import Engine

from db.errors import unavailable_as_ours
from db.field_coverage import FieldCoverage, field_coverage
from db.history import Rows
from db.recent import RecentDetail
from db.results import Filter, IntArray, Kind, TimeRange, UrlStats
from db.tab_results import Attempts, OutcomeSeries, UsableSuccess, WeekHours, YieldSeries
from db.tab_shapes import attempts_of, items_of, outcome_series_of, usable_of, yields_of
from db.table_answers import TableAnswers, spark_ms
from db.week_hours import WeekHoursHistory

_Answer = TypeVar("_Answer")
_EVERYTHING = Filter()


class TabQueries:
    """Reads about how navigations and scrapes go; every method raises DatabaseUnavailable when that can't be asked.

    A part of `db.queries.Queries`, which brings what is only named here.
    """

    _engine: Engine
    _recent: RecentDetail
    _tables: TableAnswers
    _week_hours: WeekHoursHistory

    def week_hours(self, range: TimeRange, filter: Filter, kind: Kind) -> WeekHours:
        """Return counts, successes and durations by weekday and hour of the day (UTC).

        Args:
            range: The range; of one longer than 400 days, the last 400.
            filter: Which rows.
            kind: Navigations or scrapes.
        """

        def answer() -> WeekHours:
            with unavailable_as_ours(self._engine):
                return self._week_hours.of(range, filter, kind)

        return self._once(("week_hours", range, filter, kind), answer)

    def attempts(self, range: TimeRange, filter: Filter = _EVERYTHING) -> Attempts:
        """Return navigations by how often they were tried again and by the status that they got.

        Args:
            range: The range; of what lost its detail rows before this was counted, nothing is known.
            filter: Which rows.
        """

        def answer() -> Attempts:
            return attempts_of(self._tables.groups("attempt", range, filter, "navigation"))

        return self._once(("attempts", range, filter), answer)

    def yields(self, range: TimeRange, filter: Filter = _EVERYTHING) -> YieldSeries:
        """Return what scrapes brought home over time.

        Args:
            range: The range and its buckets; what memory doesn't hold is told by five minutes at the finest. Of what
                lost its detail rows before this was counted, nothing is known.
            filter: Which rows.
        """

        def answer() -> YieldSeries:
            return yields_of(self._tables.over_time("yield", range, range.bucket_ms, filter, "scrape"))

        return self._once(("yields", range, filter), answer)

    def outcome_series(self, range: TimeRange, filter: Filter = _EVERYTHING) -> OutcomeSeries:
        """Return how scrapes ended over time; one without an outcome counts as "ok" or "failed".

        Args:
            range: The range and its buckets; what memory doesn't hold is told by five minutes at the finest.
            filter: Which rows.
        """

        def answer() -> OutcomeSeries:
            return outcome_series_of(self._tables.over_time("outcome", range, range.bucket_ms, filter, "scrape"))

        return self._once(("outcome_series", range, filter), answer)

    def usable_success(self, range: TimeRange, filter: Filter = _EVERYTHING) -> tuple[UsableSuccess, ...]:
        """Return how many scrapes of each scraper were of use, by name: a challenge that answers 200 isn't.

        Args:
            range: The range.
            filter: Which rows.
        """

        def answer() -> tuple[UsableSuccess, ...]:
            return usable_of(self._tables.groups("outcome", range, filter, "scrape"), self._recent.sources)

        return self._once(("usable_success", range, filter), answer)

    def field_coverage(
        self, range: TimeRange, filter: Filter = _EVERYTHING, than: TimeRange | None = None
    ) -> tuple[FieldCoverage, ...]:
        """Return which share of each scraper's items had each field, the one that fell most first.

        Args:
            range: The range; its counts over time are cut as those of errors are.
            filter: Which rows.
            than: What to compare with; None for the range just before.
        """
        earlier = than or range.before()

        def answer() -> tuple[FieldCoverage, ...]:
            timed = self._tables.over_time("field", range, spark_ms(range), filter, "scrape")
            before = self._tables.groups("field", earlier, filter, "scrape")
            return field_coverage(timed, before, self._recent.sources)

        return self._once(("field_coverage", range, filter, earlier), answer)

    def items_by_source(self, range: TimeRange, filter: Filter = _EVERYTHING) -> Mapping[str, IntArray]:
        """Return the items that each source extracted per bucket, int64[n] by name; who extracted none is left out.

        Args:
            range: The range and its n buckets.
            filter: Which rows.
        """

        def answer() -> Mapping[str, IntArray]:
            return items_of(range, self._rows(range, filter, "scrape"))

        return self._once(("items_by_source", range, filter), answer)

    def worst_urls(self, range: TimeRange, filter: Filter, kind: Kind, limit: int = 20) -> tuple[UrlStats, ...]:
        """Return the URLs that fail most, each failure weighed by the share of failures; then the slowest ones.

        Args:
            range: The range.
            filter: Which rows.
            kind: Navigations or scrapes.
            limit: How many at most.
        """

        def answer() -> tuple[UrlStats, ...]:
            return self._tables.urls(range, filter, kind, limit, "worst")

        return self._once(("worst_urls", range, filter, kind, limit), answer)

    @abstractmethod
    def _rows(self, span: TimeRange, filter: Filter, kind: Kind | None = None) -> Rows:
        """Return what a range is counted from."""

    @abstractmethod
    def _once(self, question: Hashable, answer: Callable[[], _Answer]) -> _Answer:
        """Return the answer of this state of the data, found at most once."""
