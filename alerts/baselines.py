"""What is usual at this hour: medians over the last days, asked of the hour rollups once an hour and remembered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from cachetools import LRUCache

from alerts.look import parts_between
from alerts.parts import ADDITIVE, QUANTILES
from alerts.rules import Baseline, Rule
from db.alert_queries import AlertQueries
from db.cells import DAY_MS, HOUR_MS
from db.columns import BoolArray
from db.results import FloatArray, Kind

# With fewer days than these nothing is called usual.
_FEWEST_DAYS: Final = 3
_MAX_REMEMBERED: Final = 400
_LONGEST_SILENCE_MS: Final = DAY_MS


class Baselines:
    """Remembers what is usual; used by one thread.

    Args:
        queries: Who is asked.
    """

    def __init__(self, queries: AlertQueries) -> None:
        self._queries = queries
        self._remembered: LRUCache[Hashable, FloatArray] = LRUCache(_MAX_REMEMBERED)

    def usual(self, rule: Rule, baseline: Baseline, now_ms: int, kind: Kind | None, size: int) -> FloatArray:
        """Return the usual value of a rule's measure by source, float64[size]; NaN where too little is known.

        The hour that counts is the one in which the middle of the window lies.

        Args:
            rule: By source or fleet.
            baseline: The rule's.
            now_ms: The moment, epoch ms.
            kind: Navigations or scrapes only; None for both.
            size: How many sources there are by now.
        """
        hours = hours_before(now_ms - int(rule.window_s * 500), baseline)
        least = rule.min_samples if rule.what in ADDITIVE else 1
        found = self._once(
            ("usual", rule.what, rule.field, kind, hours, least), lambda: self._median(rule, kind, hours, least)
        )
        scale = rule.window_s / 3600 if rule.what in ("error_count", "items") else 1.0
        return _padded(found, size, np.nan) * scale

    def usual_together(
        self, rule: Rule, baseline: Baseline, now_ms: int, kind: Kind | None, chosen: BoolArray
    ) -> FloatArray:
        """Return the usual value of a rule's measure over several sources together, float64[1].

        Args:
            rule: By fleet.
            baseline: As for `usual`.
            now_ms: As for `usual`.
            kind: As for `usual`.
            chosen: Which sources, bool[n].
        """
        hours = hours_before(now_ms - int(rule.window_s * 500), baseline)

        def find() -> FloatArray:
            days = [self._hour(rule, kind, hour_ms, chosen) for hour_ms in hours]
            known = [value for value in days if np.isfinite(value)]
            return np.array([np.median(known) if len(known) >= min(_FEWEST_DAYS, len(hours)) else np.nan])

        found = self._once(("together", rule.what, rule.field, kind, hours, chosen.tobytes()), find)
        return found * (rule.window_s / 3600 if rule.what in ("error_count", "items") else 1.0)

    def expected(self, baseline: Baseline, kind: Kind | None, since_ms: FloatArray, now_ms: int) -> FloatArray:
        """Return how many metrics were to be expected of each source since a moment, float64[n].

        Args:
            baseline: Over which days.
            kind: Navigations or scrapes only; None for both.
            since_ms: Since when, epoch ms by source, [n]; at most the last day is looked at.
            now_ms: The moment, epoch ms.
        """
        due = np.zeros(len(since_ms))
        if not len(since_ms):
            return due
        since_ms = np.maximum(since_ms, now_ms - _LONGEST_SILENCE_MS)
        for hour_ms in range(int(since_ms.min()) // HOUR_MS * HOUR_MS, now_ms, HOUR_MS):
            passed_ms = np.clip(min(now_ms, hour_ms + HOUR_MS) - np.maximum(since_ms, hour_ms), 0, HOUR_MS)
            hours = hours_before(hour_ms, baseline)
            counts = self._once(("counts", kind, hours), partial(self._counts, kind, hours))
            due += _padded(counts, len(since_ms), 0.0) * passed_ms / HOUR_MS
        return due

    def _hour(self, rule: Rule, kind: Kind | None, hour_ms: int, chosen: BoolArray) -> float:
        what, size = rule.what, len(chosen)
        if what in QUANTILES:
            sums = self._queries.alert_sums(hour_ms, hour_ms + HOUR_MS, kind)
            return float(sums.first(size).together(chosen).quantile_ms(QUANTILES[what])[0])
        parts = parts_between(self._queries, what, hour_ms, hour_ms + HOUR_MS, kind, field=rule.field)
        return float(parts.first(size).together(chosen).values(what, HOUR_MS / 1000)[0])

    def _median(self, rule: Rule, kind: Kind | None, hours: tuple[int, ...], least: int) -> FloatArray:
        what, size = rule.what, len(self._queries.alert_sources())
        days = np.full((len(hours), size), np.nan)
        for row, hour_ms in zip(days, hours, strict=True):
            if what in QUANTILES:
                sums = self._queries.alert_sums(hour_ms, hour_ms + HOUR_MS, kind)
                values, samples = sums.quantile_ms(QUANTILES[what]), sums.count
            else:
                parts = parts_between(self._queries, what, hour_ms, hour_ms + HOUR_MS, kind, field=rule.field)
                values, samples = parts.values(what, HOUR_MS / 1000), parts.samples
            few = min(len(values), size)
            row[:few] = np.where(samples >= least, values, np.nan)[:few]
        known = np.isfinite(days).sum(axis=0) >= min(_FEWEST_DAYS, len(hours))
        return np.where(known, _nanmedian(days), np.nan)

    def _counts(self, kind: Kind | None, hours: tuple[int, ...]) -> FloatArray:
        size = len(self._queries.alert_sources())
        days, there = np.zeros((len(hours), size)), np.zeros((len(hours), size), dtype=np.bool_)
        for place, hour_ms in enumerate(hours):
            counts = self._queries.alert_sums(hour_ms, hour_ms + HOUR_MS, kind).count[:size]
            days[place, : len(counts)] = counts
            day_ms = hour_ms // DAY_MS * DAY_MS
            whole = self._once(("day", kind, day_ms), partial(self._day, kind, day_ms))
            there[place] = _padded(whole, size, 0.0) > 0
        # Before it ever came, nothing could be expected of a source; and the nearer days come first.
        since_then = np.flip(np.logical_or.accumulate(np.flip(there, axis=0), axis=0), axis=0)
        return np.nan_to_num(_nanmedian(np.where(since_then, days, np.nan)))

    def _day(self, kind: Kind | None, day_ms: int) -> FloatArray:
        return self._queries.alert_sums(day_ms, day_ms + DAY_MS, kind).count.astype(np.float64)

    def _once(self, question: Hashable, find: Callable[[], FloatArray]) -> FloatArray:
        known = self._remembered.get(question)
        if known is None:
            known = self._remembered[question] = find()
        return known


def hours_before(moment_ms: int, baseline: Baseline) -> tuple[int, ...]:
    """Return the same hour of the days before, by the clock on the wall, nearest first.

    Args:
        moment_ms: A moment in the hour, epoch ms.
        baseline: Which days, in which time zone.

    Returns:
        Where each hour begins, epoch ms: full hours UTC.
    """
    local = dt.datetime.fromtimestamp(moment_ms / 1000, ZoneInfo(baseline.timezone))
    step = 7 if baseline.same_weekday else 1
    count = max(1, baseline.days // step)
    return tuple(
        int((local - dt.timedelta(days=step * back)).timestamp() * 1000) // HOUR_MS * HOUR_MS
        for back in range(1, count + 1)
    )


def _padded(values: FloatArray, size: int, filler: float) -> FloatArray:
    """Return values for sources that came since they were found, too."""
    if len(values) >= size:
        return values[:size]
    return np.concatenate((values, np.full(size - len(values), filler)))


def _nanmedian(days: FloatArray) -> FloatArray:
    median = np.full(days.shape[1], np.nan)
    some = np.isfinite(days).any(axis=0)  # numpy warns of columns without a number
    median[some] = np.nanmedian(days[:, some], axis=0)
    return median
