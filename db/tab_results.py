"""Frozen answers that the Navigation and the Scraping tab draw besides those of `db.results`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from db.results import FloatArray, IntArray


class OkFailed(NamedTuple):
    """How many went well and how many didn't."""

    ok: int
    failed: int


class UsableSuccess(NamedTuple):
    """How many scrapes of a scraper went well by what was recorded, and how many were of use."""

    source: str
    scrapes: int
    successes: int  # as recorded: a page that answered may have been a challenge
    usable: int  # that went well and ended with the outcome ok, or told none

    @property
    def success_rate(self) -> float:
        """Successful share in percent 0..100."""
        return 100.0 * self.successes / self.scrapes

    @property
    def usable_rate(self) -> float:
        """Usable share in percent 0..100."""
        return 100.0 * self.usable / self.scrapes


@dataclass(frozen=True, slots=True, eq=False)
class WeekHours:
    """What a range adds up to by weekday (UTC, Monday first) and hour of the day: arrays [7, 24]."""

    counts: IntArray
    successes: IntArray
    mean_ms: FloatArray  # NaN where there was nothing
    p95_ms: FloatArray

    @property
    def success_rate(self) -> FloatArray:
        """Successful share in percent 0..100, float64[7, 24], NaN where there was nothing."""
        with_data = self.counts > 0
        rates: FloatArray = 100.0 * self.successes / self.counts.clip(min=1)
        rates[~with_data] = float("nan")
        return rates


@dataclass(frozen=True, slots=True)
class Attempts:
    """Navigations by how often they were tried again and by the status that they got."""

    retries: tuple[OkFailed, ...]  # by 0, 1, 2, and 3 retries or more
    statuses: Mapping[int | None, OkFailed]  # by HTTP status, rising; None (no answer, or not told) last


@dataclass(frozen=True, slots=True, eq=False)
class YieldSeries:
    """What scrapes brought home over time: arrays of equal length n, one number per bucket."""

    start_ms: IntArray  # where each bucket begins, epoch ms; the first and the last may be shorter than the others
    scrapes: IntArray
    items: IntArray
    ok: IntArray  # successful scrapes
    ok_without_items: IntArray  # those of them that brought nothing
    sized: IntArray  # scrapes whose data size is known
    data_size: IntArray  # bytes of these together


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeSeries:
    """How scrapes ended over time."""

    start_ms: IntArray  # as for `YieldSeries`
    end_ms: IntArray
    counts: Mapping[str, IntArray]  # outcome -> scrapes per bucket, int64[n]; most frequent first
