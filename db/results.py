"""Frozen questions and answers of `db.queries`: what a page asks for and what it gets back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float64]
Kind = Literal["navigation", "scrape"]
EventKind = Literal["navigation", "scrape", "scheduler"]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open span of time [start_ms, end_ms) in epoch milliseconds UTC, cut into buckets of `bucket_ms`.

    The caller aligns start and end to the bucket, so that the same bucket always holds the same moments.
    """

    start_ms: int
    end_ms: int
    bucket_ms: int

    def before(self) -> TimeRange:
        """Return the range of the same length that ends where this one starts."""
        return self.earlier(self.end_ms - self.start_ms)

    def earlier(self, by_ms: int) -> TimeRange:
        """Return the range of the same length and buckets that lies `by_ms` milliseconds earlier."""
        return TimeRange(self.start_ms - by_ms, self.end_ms - by_ms, self.bucket_ms)

    @property
    def bucket_count(self) -> int:
        """Number of buckets, the last one possibly cut short by `end_ms`."""
        return max(0, -((self.start_ms - self.end_ms) // self.bucket_ms))

    def bucket_starts(self) -> IntArray:
        """Return the first moment of every bucket, int64[bucket_count] in epoch milliseconds."""
        return self.start_ms + np.arange(self.bucket_count, dtype=np.int64) * self.bucket_ms


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows count; whatever is empty or "all" lets everything through.

    Args:
        sources: Any of these.
        result: all, ok or failed.
        url_contains: A text in the URL, whatever the size of its letters.
        kind: all, navigation or scrape.
        outcomes: Scrapes with any of these; one that told none counts as "ok" or "failed".
        error: Failures with this kind of error (db.error_kinds).
        labels: `key=value` each: of those with the same key any, of every key one.
        url: This very URL.
        run: What this run of a scraper recorded, by the id that it told.
    """

    sources: tuple[str, ...] = ()
    result: str = "all"
    url_contains: str = ""
    kind: Literal["all", "navigation", "scrape"] = "all"
    outcomes: tuple[str, ...] = ()
    error: str = ""
    labels: tuple[str, ...] = ()
    url: str = ""
    run: str = ""

    def within(self, kind: Kind | None) -> tuple[Filter, Kind | None] | None:
        """Return what is left when the kind of metric is told apart, or None when no row can fulfil all of it.

        Args:
            kind: Navigations or scrapes only; None for both.

        Returns:
            (the filter without a kind, the kind that is asked for by either, None for both).
        """
        kinds = [asked for asked in (kind, None if self.kind == "all" else self.kind) if asked is not None]
        if self.outcomes:  # navigations have none
            kinds.append("scrape")
        if len(set(kinds)) > 1 or (self.error and self.result == "ok"):
            return None
        return (self if self.kind == "all" else replace(self, kind="all")), (kinds[0] if kinds else None)

    @property
    def without_runs(self) -> bool:
        """True when something is asked for that no scheduler run has: a type, an outcome, a label, a URL, a run."""
        return bool(self.kind != "all" or self.outcomes or self.labels or self.url_contains or self.url or self.run)

    @property
    def only_sources(self) -> bool:
        """True when nothing but the source is asked for."""
        return self == Filter(self.sources)

    @property
    def in_rollups(self) -> bool:
        """True when rollups can answer: they know sources, kinds and results only."""
        return not self.labels and self.in_packs

    @property
    def in_packs(self) -> bool:
        """True when packs of rollups can answer: they know labels too (db.labelled_sources)."""
        return not (self.url_contains or self.outcomes or self.error or self.url or self.run)


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """What a filter can be set to: the values that rows have, each in order and bounded in number."""

    outcomes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # kinds, as db.error_kinds writes them
    labels: tuple[str, ...] = ()  # "key=value"


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a range; durations are over navigations and scrapes together, None where there was no row."""

    navigations: int
    scrapes: int
    successes: int
    errors: int
    items: int
    active_sources: int
    mean_ms: float | None
    min_ms: float | None
    max_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None

    @property
    def count(self) -> int:
        """Navigations and scrapes together."""
        return self.navigations + self.scrapes

    @property
    def success_rate(self) -> float | None:
        """Successful share of all navigations and scrapes in percent 0..100, None without data."""
        return 100.0 * self.successes / self.count if self.count else None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One number per bucket: arrays of equal length n; counts are 0 and durations NaN where there was no row."""

    bucket_ms: IntArray  # the start of each bucket, epoch ms
    navigations: IntArray
    scrapes: IntArray
    successes: IntArray
    errors: IntArray
    items: IntArray
    active_sources: IntArray
    mean_ms: FloatArray
    p50_ms: FloatArray
    p95_ms: FloatArray
    p99_ms: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SourceStats:
    """One scraper over a range; `counts` is metrics per bucket, int64[n]."""

    source: str
    totals: Totals
    last_seen_ms: int
    last_ok_ms: int | None  # newest success inside the range, None when there was none
    items_per_min: float
    counts: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """Everything that the Overview tab draws, from one pass over the rows."""

    range: TimeRange
    current: Totals
    previous: Totals  # an earlier range of the same length
    series: Series
    sources: tuple[SourceStats, ...]  # by name
    throughput: Mapping[str, IntArray]  # source -> metrics per bucket, int64[n]


@dataclass(frozen=True, slots=True)
class Event:
    """One row of "last events"; `id` is "p:123" for a page metric and "s:45" for a scheduler run."""

    id: str
    kind: EventKind
    source: str  # the scheduler's name for runs
    url: str | None
    duration_ms: float
    items: int | None
    retry_count: int | None
    success: bool
    error: str | None
    status_code: int | None
    outcome: str | None
    recorded_at_ms: int


class Anchor(NamedTuple):
    """The newest ids of both detail tables when a list of events was opened."""

    page_id: int
    run_id: int


@dataclass(frozen=True, slots=True)
class EventList:
    """Which events a list holds: those of a range and a filter that were there when it was opened."""

    range: TimeRange
    filter: Filter
    anchor: Anchor


class EventPage(NamedTuple):
    """Some rows of a list of events, newest first, and how many the whole list has."""

    total: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class EventDetail:
    """An event with what tables don't show of it."""

    event: Event
    run_id: str | None
    labels: tuple[tuple[str, str], ...]
    data_size: int | None  # bytes
    scraper_source: str | None  # the scraper that a scheduler run was for
    fields: tuple[tuple[str, int], ...] = ()  # of a scrape's items: name, items that had it


@dataclass(frozen=True, slots=True)
class UrlHistory:
    """The newest events at one URL, newest first."""

    events: tuple[Event, ...]
    whole: bool  # False when older ones may exist that weren't looked for
    gap: bool  # True when rows between these and memory weren't looked at


class ErrorGroup(NamedTuple):
    """All failures of a range with the same kind of error ("" when the failure came without a text)."""

    error: str
    failures: int
    last_seen_ms: int
    first_seen_ms: int  # inside the range, like all of it
    sources: tuple[str, ...]  # which ones failed so, by name
    starts_ms: tuple[int, ...]  # where each of n buckets begins; the first may be shorter than the others
    counts: tuple[int, ...]  # failures in each of them
    sample: str | None  # what the newest of them said in full; None when its detail row isn't kept any more


@dataclass(frozen=True, slots=True)
class UrlStats:
    """One URL of one source over a range, for the tables of slow and bad pages."""

    url: str
    source: str
    count: int
    errors: int
    items: int
    mean_ms: float
    max_ms: float
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class SchedulerRunRow:
    """One execution of a scheduler job; it is recorded when it ends."""

    id: str  # "s:45"
    scheduler_name: str
    source: str | None
    duration_ms: float
    items: int
    success: bool
    error: str | None
    recorded_at_ms: int
    run_id: str | None

    @property
    def start_ms(self) -> int:
        """The moment the run began, epoch ms."""
        return self.recorded_at_ms - round(self.duration_ms)


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """One scheduler job over a range."""

    scheduler_name: str
    runs: int
    ok: int
    failed: int
    items: int
    mean_ms: float
    p95_ms: float
    max_ms: float
    last_run_ms: int
    last_success: bool
    last_error: str | None  # of the newest failed run in the range
    typical_interval_ms: float | None  # median time between starts; None with fewer than three runs


@dataclass(frozen=True, slots=True, eq=False)
class SchedulerSeries:
    """Scheduler runs per bucket: arrays of equal length n; counts are 0 and durations NaN where nothing ran."""

    bucket_ms: IntArray  # the start of each bucket, epoch ms
    runs: IntArray
    ok: IntArray
    failed: IntArray
    items: IntArray
    mean_ms: FloatArray
    p50_ms: FloatArray
    p95_ms: FloatArray
    p99_ms: FloatArray


@dataclass(frozen=True, slots=True)
class DailyRow:
    """One source on one UTC day, a row of `scraper_daily_summary`; durations are None where nothing was recorded."""

    source: str
    metric_date: dt.date
    total_navigations: int
    successful_navigations: int
    avg_navigation_duration_ms: float | None
    min_navigation_duration_ms: float | None
    max_navigation_duration_ms: float | None
    p50_navigation_duration_ms: float | None
    p95_navigation_duration_ms: float | None
    total_scrapes: int
    successful_scrapes: int
    avg_scrape_duration_ms: float | None
    min_scrape_duration_ms: float | None
    max_scrape_duration_ms: float | None
    p50_scrape_duration_ms: float | None
    p95_scrape_duration_ms: float | None
    total_items_extracted: int
