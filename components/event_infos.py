"""Chart infos of the pages of events: when they happened, and how long one URL took."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charts.info import FAILED_KEY, OK_KEY, Line, LineInfo
from components.numbers import count, duration
from components.timerange import MINUTE_MS
from db.results import Event, Series, TimeRange


def events_over_time(series: Series, range: TimeRange, now_ms: int) -> LineInfo:
    """Draw how many navigations and scrapes went well and failed per minute, stacked.

    Args:
        series: The counts.
        range: The range.
        now_ms: The moment, epoch milliseconds; a rate of a bucket that isn't over yet would look like a fall.
    """
    per_minute = MINUTE_MS / range.bucket_ms
    over = range.bucket_starts() + range.bucket_ms <= now_ms
    ok, failed = int(series.successes.sum()), int(series.errors.sum())
    # Under a filter for one of both, the other's line would lie on its edge.
    shown = [
        Line(name, np.where(over, values * per_minute, np.nan), colour_key=key)
        for name, values, key in (("failed", series.errors, FAILED_KEY), ("ok", series.successes, OK_KEY))
        if values.any()
    ]
    return LineInfo(
        title="When",
        description=f"Navigations and scrapes per minute: {count(ok)} went well, {count(failed)} failed.",
        x_ms=range.bucket_starts(),
        lines=tuple(shown),
        y_title="events",
        y_unit="/min",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=True,
    )


def url_durations(events: Sequence[Event]) -> LineInfo:
    """Draw how long a URL's navigations and scrapes took, one line for each.

    Args:
        events: The URL's events, newest first.
    """
    ordered = sorted(events, key=lambda event: event.recorded_at_ms)
    moments = sorted({event.recorded_at_ms for event in ordered})
    place = {moment_ms: index for index, moment_ms in enumerate(moments)}
    lines = []
    for kind in ("navigation", "scrape"):
        values = np.full(len(moments), np.nan)
        for event in ordered:
            if event.kind == kind:
                values[place[event.recorded_at_ms]] = event.duration_ms
        if np.isfinite(values).any():
            lines.append(Line(kind, _joined(values), colour_key=f"series:{kind}s"))
    slowest = max((event.duration_ms for event in events), default=None)
    return LineInfo(
        title="Duration at this URL",
        description=f"How long the last {count(len(events))} events at this URL took; the slowest {duration(slowest)}.",
        x_ms=np.array(moments, dtype=np.int64),
        lines=tuple(lines),
        y_title="duration",
        y_unit="ms",
    )


def _joined(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Bridge the moments at which the other kind was measured: they are no gaps in this one."""
    known = np.flatnonzero(np.isfinite(values))
    inside = np.arange(known[0], known[-1] + 1)
    bridged = values.copy()
    bridged[inside] = np.interp(inside, known, values[known])
    return bridged
