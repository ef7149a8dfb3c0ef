"""Chart infos of the Navigation and the Scraping tab: pure functions from the database's answers to what to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import numpy as np

from charts.info import FAILED_KEY, MUTED_KEY, OK_KEY, BarInfo, HeatmapInfo, Line, LineInfo
from components.infos import MOST_BARS, MOST_LINES, OTHERS
from components.numbers import count, duration, percent
from components.timerange import DAY_MS, MINUTE_MS
from db.field_coverage import FieldCoverage
from db.results import ErrorGroup, FloatArray, IntArray, TimeRange
from db.tab_results import Attempts, OkFailed, OutcomeSeries, WeekHours, YieldSeries

NO_TEXT: Final = "(no error text)"
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_RETRIES: Final = ("no retry", "1 retry", "2 retries", "3 or more")
_MOST_ERRORS: Final = 10

WeekMeasure = Literal["p95", "mean", "volume", "failures"]


def week(hours: WeekHours, measure: WeekMeasure, *, what: str) -> HeatmapInfo:
    """Draw a measure by weekday and hour of the day.

    Args:
        hours: The figures.
        measure: The 95th percentile or the mean of the duration, how many there were, or the share of failures.
        what: Whose, for instance "Navigation".
    """
    counts = np.where(hours.counts > 0, hours.counts, np.nan)
    values, measured, unit, title = {
        "p95": (hours.p95_ms, "95th percentile of the duration", "ms", "p95"),
        "mean": (hours.mean_ms, "Mean duration", "ms", "mean"),
        "volume": (counts, "How many", "", "count"),
        "failures": (100.0 - hours.success_rate, "Share of failures", "%", "failed"),
    }[measure]
    told_by: Callable[[float], str] = {"ms": duration, "%": percent, "": lambda value: count(int(value))}[unit]
    said = "no data"
    if np.isfinite(values).any():
        day, hour = np.unravel_index(int(np.nanargmax(values)), values.shape)
        highest = float(values[day, hour])
        said = f"highest is {told_by(highest)} on {_WEEKDAYS[int(day)]}s at {int(hour):02d}:00"
    return HeatmapInfo(
        title=f"{what} {measure} by weekday and hour",
        description=f"{measured} by weekday and hour of the day (UTC): {said}.",
        x_labels=tuple(f"{hour:02d}" for hour in range(24)),
        y_labels=tuple(day[:3] for day in _WEEKDAYS),
        values=values,
        unit=unit,
        value_title=title,
    )


def week_note(range: TimeRange) -> str:
    """Say what cells of a heatmap by weekday and hour stand for in a range.

    Args:
        range: The range.
    """
    length_ms = range.end_ms - range.start_ms
    if length_ms < DAY_MS:
        return "UTC; the range is shorter than a day: only its own hours are filled"
    if length_ms < 7 * DAY_MS:
        return "UTC; the range is shorter than a week: only its own days are filled"
    return "UTC; what happened at the same hour of the week counts together"


def retries(attempts: Attempts) -> BarInfo:
    """Draw how often navigations were tried again, and whether they went well in the end.

    Args:
        attempts: The counts.
    """
    again = sum(sum(pair) for pair in attempts.retries[1:])
    total = sum(sum(pair) for pair in attempts.retries)
    share = f", {percent(100 * again / total)}" if total else ""
    return BarInfo(
        title="Retries",
        description=f"Navigations by number of retries: {count(again)} of {count(total)}{share} were tried again.",
        categories=_RETRIES if total else (),
        groups=_ok_failed(attempts.retries if total else ()),
        colour_keys=(OK_KEY, FAILED_KEY),
        stacked=True,
        horizontal=True,
        value_title="navigations",
    )


def statuses(attempts: Attempts) -> BarInfo:
    """Draw which HTTP statuses navigations got, most frequent first; at most twenty.

    Args:
        attempts: The counts.
    """
    pairs = sorted(attempts.statuses.items(), key=lambda pair: (-sum(pair[1]), pair[0] is None, pair[0] or 0))
    shown = pairs[:MOST_BARS]
    names = tuple("no status" if status is None else str(status) for status, _ in shown)
    said = ", ".join(f"{count(sum(pair))} {name}" for name, (_, pair) in zip(names[:5], shown[:5], strict=True))
    cut = f" (top {len(shown)} of {len(pairs)})" if len(shown) < len(pairs) else ""
    return BarInfo(
        title=f"Status codes{cut}",
        description=f"Navigations by HTTP status: {said or 'no data'}.",
        categories=names,
        groups=_ok_failed([pair for _, pair in shown]),
        colour_keys=(OK_KEY, FAILED_KEY),
        stacked=True,
        horizontal=True,
        value_title="navigations",
    )


def errors(groups: Sequence[ErrorGroup]) -> BarInfo:
    """Draw how often each kind of error happened, most frequent first; at most ten.

    Args:
        groups: Most frequent first.
    """
    shown = groups[:_MOST_ERRORS]
    total = sum(group.failures for group in groups)
    said = f"most of {count(total)} are “{shown[0].error or NO_TEXT}”" if shown else "none"
    cut = f" (top {len(shown)} of {len(groups)})" if len(shown) < len(groups) else ""
    return BarInfo(
        title=f"Errors by kind{cut}",
        description=f"Failures by kind of error: {said}.",
        categories=tuple(group.error or NO_TEXT for group in shown),
        values=tuple(group.failures for group in shown),
        horizontal=True,
        colour_keys=(FAILED_KEY,) * len(shown),
        value_title="failures",
    )


def items_over_time(items: Mapping[str, IntArray], range: TimeRange, *, now_ms: int) -> LineInfo:
    """Draw the items that each source extracted per minute, stacked; beyond eight sources the smallest share an area.

    Args:
        items: Source -> items per bucket, int64[n].
        range: The n buckets.
        now_ms: The moment, epoch milliseconds; a rate of a bucket that isn't over yet would look like a fall.
    """
    total = sum(int(counts.sum()) for counts in items.values())
    starts_ms = range.bucket_starts()
    minutes = _minutes(starts_ms, np.minimum(starts_ms + range.bucket_ms, range.end_ms), now_ms)
    return LineInfo(
        title="Items extracted",
        description=f"Items extracted per minute by source: {count(total)} in all from {len(items)} sources.",
        x_ms=range.bucket_starts(),
        lines=_areas(items, minutes),
        y_title="items",
        y_unit="/min",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=True,
    )


def outcomes_over_time(series: OutcomeSeries, range: TimeRange, *, now_ms: int) -> LineInfo:
    """Draw how many scrapes per minute ended how, stacked; beyond eight outcomes the rarest share an area.

    Args:
        series: The counts.
        range: The range.
        now_ms: As for `items_over_time`.
    """
    minutes = _minutes(series.start_ms, series.end_ms, now_ms)
    total = sum(int(counts.sum()) for counts in series.counts.values())
    ok = int(series.counts["ok"].sum()) if "ok" in series.counts else 0
    said = f"{count(ok)} of {count(total)} ended ok" if total else "no data"
    return LineInfo(
        title="Outcomes over time",
        description=f"Scrapes per minute by how they ended: {said}.",
        x_ms=series.start_ms,
        lines=_areas(series.counts, minutes, key="outcome:", first="ok"),
        y_title="scrapes",
        y_unit="/min",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=True,
    )


def items_per_scrape(series: YieldSeries, range: TimeRange) -> LineInfo:
    """Draw how many items a scrape brought home, and the mean of the whole range.

    Args:
        series: The counts.
        range: The range.
    """
    scrapes, items = int(series.scrapes.sum()), int(series.items.sum())
    mean = items / scrapes if scrapes else float("nan")
    said = f"{mean:,.1f} on average" if scrapes else "no data"
    return LineInfo(
        title="Items per scrape",
        description=f"Items that a scrape brought home over time: {said}.",
        x_ms=series.start_ms,
        lines=(
            Line("items per scrape", _ratio(series.items, series.scrapes), colour_key="series:mean"),
            Line("mean of the range", np.full(len(series.start_ms), mean), colour_key=MUTED_KEY, dash=True),
        ),
        y_title="items per scrape",
        x_range_ms=(range.start_ms, range.end_ms),
    )


def empty_handed(series: YieldSeries, range: TimeRange) -> LineInfo:
    """Draw the share of scrapes that went well and brought nothing: what a changed page often looks like first.

    Args:
        series: The counts.
        range: The range.
    """
    ok, nothing = int(series.ok.sum()), int(series.ok_without_items.sum())
    said = f"{count(nothing)} of {count(ok)}, {percent(100 * nothing / ok)}" if ok else "no data"
    share = 100 * _ratio(series.ok_without_items, series.ok)
    return LineInfo(
        title="Ok without items",
        description=f"Share of successful scrapes that brought no items: {said}.",
        x_ms=series.start_ms,
        lines=(Line("ok without items", share, colour_key="outcome:blocked"),),
        y_title="of ok scrapes",
        y_unit="%",
        x_range_ms=(range.start_ms, range.end_ms),
    )


def data_size(series: YieldSeries, range: TimeRange) -> LineInfo:
    """Draw the mean size of what scrapes read, of those that tell it.

    Args:
        series: The counts.
        range: The range.
    """
    sized, total = int(series.sized.sum()), int(series.scrapes.sum())
    said = f"{count(sized)} of {count(total)} scrapes told it" if total else "no data"
    mean = Line("bytes per scrape", _ratio(series.data_size, series.sized), colour_key="series:mean")
    return LineInfo(
        title="Data size",
        description=f"Mean bytes per scrape over time: {said}.",
        x_ms=series.start_ms,
        # Not a line of gaps: who never tells a size is to see that there is none.
        lines=(mean,) if sized else (),
        y_title="bytes per scrape",
        y_unit="B",
        x_range_ms=(range.start_ms, range.end_ms),
    )


def coverage_over_time(fields: Sequence[FieldCoverage], range: TimeRange) -> LineInfo:
    """Draw which share of the items had a field over time, of the eight fields that fell most.

    Args:
        fields: All there are, what fell most first.
        range: The range.
    """
    shown = fields[:MOST_LINES]
    sources = {one.source for one in shown}
    cut = f" (top {len(shown)} of {count(len(fields))})" if len(shown) < len(fields) else ""
    worst = fields[0] if fields else None
    said = "no scrape told of fields"
    if worst is not None:
        before = "" if worst.coverage_before is None else f" after {percent(worst.coverage_before)} before"
        said = f"{worst.field} of {worst.source} is at {percent(worst.coverage)}{before}"
    return LineInfo(
        title=f"Field coverage{cut}",
        description=f"Share of items with a usable value by field over time: {said}.",
        x_ms=np.array(fields[0].starts_ms if fields else (), dtype=np.int64),
        lines=tuple(
            Line(
                one.field if len(sources) == 1 else f"{one.field} · {one.source}",
                100 * _ratio(np.array(one.had_then, dtype=np.int64), np.array(one.items_then, dtype=np.int64)),
                colour_key=f"field:{one.source}:{one.field}",
            )
            for one in shown
        ),
        y_title="of items",
        y_unit="%",
        x_range_ms=(range.start_ms, range.end_ms),
        y_range=(0, 100),
    )


def _ok_failed(pairs: Sequence[OkFailed]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return ("ok", tuple(pair.ok for pair in pairs)), ("failed", tuple(pair.failed for pair in pairs))


def _minutes(start_ms: IntArray, end_ms: IntArray, now_ms: int) -> FloatArray:
    """Return how long buckets are, NaN for those that aren't over."""
    return np.asarray(np.where(end_ms <= now_ms, (end_ms - start_ms) / MINUTE_MS, np.nan), dtype=np.float64)


def _ratio(part: IntArray, whole: IntArray) -> FloatArray:
    divisor = whole.astype(np.float64)
    divisor[divisor == 0] = np.nan
    return np.asarray(part / divisor, dtype=np.float64)


def _areas(
    parts: Mapping[str, IntArray], minutes: FloatArray, *, key: str = "", first: str | None = None
) -> tuple[Line, ...]:
    """Return counts as rates per minute, the largest by name and all others together, which come last."""
    order = sorted(parts, key=lambda name: (-int(parts[name].sum()), name))
    shown = order if len(order) <= MOST_LINES else order[: MOST_LINES - 1]
    lines = [
        Line(name, np.asarray(parts[name] / minutes, dtype=np.float64), colour_key=f"{key}{name}" if key else None)
        for name in sorted(shown, key=lambda name: (name != first, name))
    ]
    if len(shown) < len(order):
        rest = sum((parts[name] for name in order[len(shown) :]), np.zeros(len(minutes), dtype=np.int64))
        lines.append(Line(OTHERS, np.asarray(rest / minutes, dtype=np.float64), colour_key=MUTED_KEY))
    return tuple(lines)
