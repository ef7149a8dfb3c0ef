"""What alert rules ask: the part of `db.queries.Queries` that measures windows of time up to now."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator

from db.alert_sums import Sums, sums_by_source
from db.breakdown import Dimension, Groups
from db.cells import HOUR_MS, MINUTE_MS
from db.columns import DetailColumns, Names
from db.detail import read_detail
from db.errors import unavailable_as_ours
from db.history import History
from db.recent import RecentDetail
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups
from db.scheduler_queries import SchedulerQueries
from db.table_answers import TableAnswers
from db.told_runs import RunLine

_EVERYTHING = Filter()


class AlertQueries(SchedulerQueries):
    """Reads for alert rules; every method raises DatabaseUnavailable when the database can't be asked.

    A part of `db.queries.Queries`, which brings what is only named here.
    """

    _recent: RecentDetail
    _history: History
    _tables: TableAnswers
    _rollups: Rollups | None
    _exact_rows: int

    def alert_sources(self) -> Names:
        """Return the names that the numbers of sources stand for; it grows, and no number changes its meaning."""
        return self._recent.sources

    def alert_version(self) -> int:
        """Return a number that grows with every batch of metrics."""
        return self._recent.version

    def alert_sums(self, start_ms: int, end_ms: int, kind: Kind | None) -> Sums:
        """Return what a window adds up to, by the numbers of the sources.

        Where there are more rows than are counted one by one, it is counted from rollups: then the window begins at the
        full minute before.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms, exclusive.
            kind: Navigations or scrapes only; None for both.
        """
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        if (covered_ms is not None and covered_ms > start_ms) or len(rows) > self._exact_rows:
            start_ms = start_ms // MINUTE_MS * MINUTE_MS
        whole = start_ms % HOUR_MS == end_ms % HOUR_MS == 0 and start_ms < end_ms
        span = TimeRange(start_ms, end_ms, HOUR_MS if whole else MINUTE_MS)
        with unavailable_as_ours(self._engine):
            return sums_by_source(self._history.rows(span, _EVERYTHING, kind, together=True, moments=True))

    def alert_groups(self, dimension: Dimension, start_ms: int, end_ms: int, kind: Kind | None) -> Groups:
        """Return what a window adds up to by one dimension, for each source.

        Args:
            dimension: What by.
            start_ms: Epoch ms.
            end_ms: Epoch ms, exclusive.
            kind: Navigations or scrapes only; None for both.
        """
        return self._tables.groups(dimension, TimeRange(start_ms, end_ms, MINUTE_MS), _EVERYTHING, kind)

    def alert_groups_over_time(self, dimension: Dimension, range: TimeRange, kind: Kind | None) -> Iterator[Groups]:
        """Return what each bucket of a range adds up to by one dimension, for each source.

        Args:
            dimension: What by.
            range: The range; its buckets are five minutes at least.
            kind: Navigations or scrapes only; None for both.
        """
        yield from self._tables.over_time(dimension, range, range.bucket_ms, _EVERYTHING, kind).parts()

    def alert_rows(self, start_ms: int, end_ms: int) -> tuple[DetailColumns, int | None]:
        """Return the rows of a window that memory holds.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms, exclusive.

        Returns:
            (the rows, since when memory holds every one, epoch ms; None when it holds all there are).
        """
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        return rows, covered_ms

    def alert_old_rows(
        self, start_ms: int, end_ms: int, columns: tuple[str, ...], limit: int
    ) -> tuple[DetailColumns, int]:
        """Return the first rows of a span from the database, whether memory holds them or not.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms, exclusive.
            columns: Which columns, the time first.
            limit: About how many rows at most: those of one millisecond are never torn apart.

        Returns:
            (the rows, up to when they are all there, epoch ms: `end_ms` when none are left).
        """
        recent = self._recent
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            rows = read_detail(
                connection, start_ms, end_ms, recent.sources, recent.outcomes, columns=columns, limit=limit
            )
            if len(rows) < limit:
                return rows, end_ms
            last_ms = int(rows.created_at_ms[-1])
            whole = rows.between(start_ms, last_ms)
            if len(whole):
                return whole, last_ms
            # All of one moment, and there may be more of it.
            upto_ms = last_ms + 1
            return read_detail(connection, start_ms, upto_ms, recent.sources, recent.outcomes, columns=columns), upto_ms

    def alert_changes(self, version: int) -> tuple[int, Collection[int] | None]:
        """Return which minutes may have changed after a version was read: see `db.changes.Changes.since`.

        Args:
            version: An earlier first part of such an answer; 0 for the beginning.
        """
        return (version, None) if self._rollups is None else self._rollups.changes_since(version)

    @abstractmethod
    def told_runs(self, range: TimeRange, filter: Filter = _EVERYTHING, limit: int = 100) -> tuple[RunLine, ...]:
        """Return the runs that somebody told of; see `db.scraper_queries.ScraperQueries.told_runs`."""
