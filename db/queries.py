"""Every question a page asks: answered from memory where it reaches, from rollups and detail rows where it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sqlalchemy.engine import Engine

from db.results import (
    DailyRow,
    ErrorGroup,
    Event,
    Filter,
    FloatArray,
    IntArray,
    Kind,
    Overview,
    SchedulerRunRow,
    SchedulerStats,
    Series,
    SourceStats,
    TimeRange,
    UrlStats,
)

if TYPE_CHECKING:
    from db.recent import RecentDetail
    from db.rollups import Rollups


class Queries:
    """Reads for pages and API; every method raises DatabaseUnavailable when the database can't be asked."""

    def __init__(
        self, engine: Engine, recent: RecentDetail, *, rollups: Rollups | None = None, clock_ms: Callable[[], int]
    ) -> None: ...

    def overview(self, range: TimeRange, filter: Filter = Filter()) -> Overview:
        """Return totals, the period before, series and every source of a range."""
        raise NotImplementedError

    def sources(self, range: TimeRange, filter: Filter = Filter()) -> tuple[SourceStats, ...]:
        """Return every source with at least one row in the range, by name."""
        raise NotImplementedError

    def source_series(self, range: TimeRange, filter: Filter = Filter()) -> Mapping[str, Series]:
        """Return one series per source (for comparisons of any metric), by name."""
        raise NotImplementedError

    def source_names(self) -> tuple[str, ...]:
        """Return every source that is known, by name."""
        raise NotImplementedError

    def duration_trend(self, range: TimeRange, filter: Filter, kind: Kind) -> Series:
        """Return the series of navigations alone or of scrapes alone."""
        raise NotImplementedError

    def duration_histogram(
        self, range: TimeRange, filter: Filter, kind: Kind, bins: int = 40
    ) -> tuple[FloatArray, IntArray]:
        """Return (edges_ms float64[bins + 1], counts int64[bins]); the last bin holds everything slower too."""
        raise NotImplementedError

    def errors_by_kind(self, range: TimeRange, filter: Filter, kind: Kind | None = None) -> tuple[ErrorGroup, ...]:
        """Return the failures grouped by error text, most frequent first."""
        raise NotImplementedError

    def slowest_urls(self, range: TimeRange, filter: Filter, kind: Kind, limit: int = 20) -> tuple[UrlStats, ...]:
        """Return the URLs with the highest mean duration, slowest first."""
        raise NotImplementedError

    def outcomes(self, range: TimeRange, filter: Filter = Filter()) -> Mapping[str, int]:
        """Return scrapes per outcome; a scrape without one counts as "ok" or "failed"."""
        raise NotImplementedError

    def events(self, range: TimeRange | None, filter: Filter = Filter(), limit: int = 100) -> tuple[Event, ...]:
        """Return the newest page metrics and scheduler runs together, newest first."""
        raise NotImplementedError

    def scheduler_runs(
        self, range: TimeRange, filter: Filter = Filter(), limit: int = 500
    ) -> tuple[SchedulerRunRow, ...]:
        """Return the newest scheduler runs of the range, newest first."""
        raise NotImplementedError

    def scheduler_summary(self, range: TimeRange, filter: Filter = Filter()) -> tuple[SchedulerStats, ...]:
        """Return one row per scheduler job that ran in the range, by name."""
        raise NotImplementedError

    def daily(self, source: str | None, days: int) -> tuple[DailyRow, ...]:
        """Return the daily summaries of the last `days` UTC days including today, by date then source."""
        raise NotImplementedError

    def last_recorded_ms(self) -> int | None:
        """Return when the newest metric was recorded, epoch ms, or None when there is none at all."""
        raise NotImplementedError
