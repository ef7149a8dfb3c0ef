"""Chart infos that several pages draw: pure functions from the database's answers to what to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np

from charts.info import MUTED_KEY, OK_KEY, BarInfo, HistogramInfo, Line, LineInfo, PieInfo
from components.numbers import count, duration, percent
from components.timerange import MINUTE_MS
from db.results import (
    FloatArray,
    IntArray,
    Series,
    SourceStats,
    TimeRange,
    Totals,
)
from db.tab_results import UsableSuccess

MOST_LINES: Final = 8
MOST_BARS: Final = 20
OTHERS: Final = "all others"
_DECADES_APART: Final = 30.0
_TREND: Final = (("mean", "mean_ms"), ("p50", "p50_ms"), ("p95", "p95_ms"), ("p99", "p99_ms"))

Metric = Literal["p95 duration", "mean duration", "success rate", "volume", "items", "errors"]


def throughput(throughput: Mapping[str, IntArray], range: TimeRange, now_ms: int) -> LineInfo:
    """Draw how many metrics each source sent per minute, stacked; beyond eight sources the smallest share a line.

    Args:
        throughput: Source -> metrics per bucket, int64[n].
        range: The range.
        now_ms: The moment, epoch milliseconds; a rate of a bucket that isn't over yet would look like a fall.
    """
    total = int(sum(int(counts.sum()) for counts in throughput.values()))
    return LineInfo(
        title="Throughput",
        description=f"Metrics per minute by source: {count(total)} in all from {len(throughput)} sources.",
        x_ms=range.bucket_starts(),
        lines=_stacked(throughput, range, now_ms),
        y_title="metrics",
        y_unit="/min",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=True,
    )


def success_rates(sources: Sequence[SourceStats]) -> BarInfo:
    """Draw the success rate of each source, the worst first; at most twenty.

    Args:
        sources: Their figures over the range.
    """
    worst = sorted(sources, key=lambda stats: (_rate(stats.totals), stats.source))[:MOST_BARS]
    said = f"{worst[0].source} is lowest with {percent(_rate(worst[0].totals))}" if worst else "no data"
    cut = f" (lowest {len(worst)} of {count(len(sources))})" if len(worst) < len(sources) else ""
    return BarInfo(
        title=f"Success rate by source{cut}",
        description=f"Share of successful navigations and scrapes in percent: {said}.",
        # The first category is at the top of a horizontal chart.
        categories=tuple(stats.source for stats in worst),
        values=tuple(_rate(stats.totals) for stats in worst),
        unit="%",
        y_range=(0, 100),
        horizontal=True,
        colour_keys=tuple(stats.source for stats in worst),
        value_title="success rate",
    )


def duration_trend(series: Series, range: TimeRange, *, what: str) -> LineInfo:
    """Draw mean, p50, p95 and p99 of a duration over time.

    Args:
        series: The durations.
        range: The range.
        what: Whose duration, for instance "Navigation".
    """
    lines = tuple(Line(name, getattr(series, field), colour_key=f"series:{name}") for name, field in _TREND)
    return LineInfo(
        title=f"{what} duration",
        description=f"Mean, median, 95th and 99th percentile of the {what.lower()} duration over time; "
        f"the highest p95 is {duration(_highest(series.p95_ms))}.",
        x_ms=range.bucket_starts(),
        lines=lines,
        y_title="duration",
        y_unit="ms",
        x_range_ms=(range.start_ms, range.end_ms),
    )


def comparison(
    series: Mapping[str, Series], sources: Sequence[SourceStats], range: TimeRange, metric: Metric, *, now_ms: int
) -> LineInfo:
    """Draw one metric of the eight busiest sources as a line each.

    Args:
        series: Source -> its series.
        sources: The sources' totals; decide which are the busiest.
        range: The range.
        metric: Which metric.
        now_ms: The moment, epoch milliseconds; a rate of a bucket that isn't over yet would look like a fall.
    """
    busiest = sorted(sources, key=lambda stats: (-stats.totals.count, stats.source))[:MOST_LINES]
    names = sorted(stats.source for stats in busiest if stats.source in series)
    cut = f" (busiest {len(names)} of {count(len(sources))})" if len(names) < len(sources) else ""
    is_duration = metric in ("p95 duration", "mean duration")
    unit = "ms" if is_duration else "%" if metric == "success rate" else "/min"
    values = [_metric(series[name], range, metric, now_ms) for name in names]
    return LineInfo(
        title=f"{metric[0].upper() if metric != 'p95 duration' else 'p'}{metric[1:]} by source{cut}",
        description=f"The {metric} of each source over time: {', '.join(names) or 'no data'}.",
        x_ms=range.bucket_starts(),
        lines=tuple(Line(name, line) for name, line in zip(names, values, strict=True)),
        y_title=metric,
        y_unit=unit,
        x_range_ms=(range.start_ms, range.end_ms),
        y_range=(0, 100) if metric == "success rate" else None,
        y_log=is_duration and spans_decades(np.array(values)),
    )


def failures(series: Mapping[str, Series], range: TimeRange, now_ms: int) -> LineInfo:
    """Draw the failed navigations and scrapes of each source per minute, stacked.

    Args:
        series: Source -> its series.
        range: The range.
        now_ms: The moment, epoch milliseconds; a bucket that isn't over yet is left out.
    """
    errors = {name: one.errors for name, one in series.items() if one.errors.any()}
    total = sum(int(counts.sum()) for counts in errors.values())
    return LineInfo(
        title="Failures",
        description=f"Failed navigations and scrapes per minute by source: {count(total)} in all.",
        x_ms=range.bucket_starts(),
        lines=_stacked(errors, range, now_ms),
        y_title="failures",
        y_unit="/min",
        x_range_ms=(range.start_ms, range.end_ms),
        stacked=True,
    )


def usable_success(sources: Sequence[UsableSuccess]) -> BarInfo:
    """Draw the share of each source's scrapes that were of use beside the share that was recorded as a success.

    Args:
        sources: Their figures over the range; the least usable come first, at most ten.
    """
    worst = sorted(sources, key=lambda one: (one.usable_rate, one.source))[: MOST_BARS // 2]  # two bars each
    cut = f" (lowest {len(worst)} of {count(len(sources))})" if len(worst) < len(sources) else ""
    return BarInfo(
        title=f"Usable success by source{cut}",
        description=f"Share of scrapes that ended with the outcome ok, beside those recorded as a success: "
        f"{usable_words(sources)}.",
        categories=tuple(one.source for one in worst),
        groups=(
            ("usable", tuple(one.usable_rate for one in worst)),
            ("recorded as a success", tuple(one.success_rate for one in worst)),
        ),
        unit="%",
        y_range=(0, 100),
        horizontal=True,
        colour_keys=(OK_KEY, MUTED_KEY),
        value_title="of scrapes",
    )


def usable_words(sources: Sequence[UsableSuccess]) -> str:
    """Say how many of all scrapes were of use.

    Args:
        sources: Their figures over the range.
    """
    scrapes, usable = sum(one.scrapes for one in sources), sum(one.usable for one in sources)
    return f"{count(usable)} of {count(scrapes)} scrapes, {percent(100 * usable / scrapes)}" if scrapes else "no scrape"


def share_of_volume(sources: Sequence[SourceStats]) -> PieInfo:
    """Draw each source's share of all metrics.

    Args:
        sources: Their figures over the range.
    """
    sizes = {stats.source: np.array([stats.totals.count]) for stats in sources}
    parts = _largest(sizes, 1)
    top = max(sources, key=lambda stats: stats.totals.count, default=None)
    said = f"{top.source} has most with {count(top.totals.count)}" if top else "no data"
    return PieInfo(
        title="Share of volume",
        description=f"Navigations and scrapes of each source: {said}.",
        labels=tuple(name for name, _ in parts),
        values=tuple(int(value[0]) for _, value in parts),
        unit="metrics",
        colour_keys=tuple(MUTED_KEY if name == OTHERS else name for name, _ in parts),
    )


def items_by_source(sources: Sequence[SourceStats]) -> BarInfo:
    """Draw the items that each source extracted, most first; at most twenty.

    Args:
        sources: Their figures over the range.
    """
    most = sorted(sources, key=lambda stats: (-stats.totals.items, stats.source))[:MOST_BARS]
    cut = f" (top {len(most)} of {count(len(sources))})" if len(most) < len(sources) else ""
    total = sum(stats.totals.items for stats in sources)
    return BarInfo(
        title=f"Items extracted by source{cut}",
        description=f"Items that each source extracted: {count(total)} in all.",
        categories=tuple(stats.source for stats in most),
        values=tuple(stats.totals.items for stats in most),
        horizontal=True,
        colour_keys=tuple(stats.source for stats in most),
        value_title="items",
    )


def outcome_split(outcomes: Mapping[str, int]) -> PieInfo:
    """Draw how scrapes ended.

    Args:
        outcomes: Outcome -> scrapes.
    """
    parts = sorted(outcomes.items(), key=lambda part: (part[0] != "ok", -part[1], part[0]))
    said = ", ".join(f"{count(number)} {name}" for name, number in parts) or "no data"
    return PieInfo(
        title="Outcomes",
        description=f"How scrapes ended: {said}.",
        labels=tuple(name for name, _ in parts),
        values=tuple(number for _, number in parts),
        unit="scrapes",
        colour_keys=tuple(f"outcome:{name}" for name, _ in parts),
    )


def spread(edges_ms: FloatArray, counts: IntArray, *, what: str) -> HistogramInfo:
    """Draw how often a duration falls between edges.

    Args:
        edges_ms: Rising edges, float64[n + 1]; the last bin holds everything slower too.
        counts: int64[n].
        what: Whose duration, for instance "Navigation".
    """
    total = int(counts.sum())
    if not total:
        edges_ms, counts = edges_ms[:0], counts[:0]
    return HistogramInfo(
        title=f"{what} duration, spread",
        description=f"How many of {count(total)} took how long.",
        edges=edges_ms,
        counts=counts,
        x_title="duration",
        unit="ms",
    )


def spans_decades(values: FloatArray) -> bool:
    """Return whether lines lie so far apart that a linear axis would show the highest of them alone.

    Args:
        values: One row for each line, float64[lines, n], NaN where there is nothing.
    """
    if len(values) < 2:
        return False
    known = np.where(values > 0, values, np.nan)
    medians = [float(np.median(row[np.isfinite(row)])) for row in known if np.isfinite(row).any()]
    return len(medians) > 1 and max(medians) >= _DECADES_APART * min(medians)


def success_rate_series(series: Series) -> FloatArray:
    """Return the success rate of each bucket in percent, float64[n], NaN where nothing happened.

    Args:
        series: The counts.
    """
    counts = (series.navigations + series.scrapes).astype(np.float64)
    counts[counts == 0] = np.nan
    return np.asarray(100.0 * series.successes / counts, dtype=np.float64)


def _largest(parts: Mapping[str, IntArray], length: int) -> list[tuple[str, IntArray]]:
    """Return the eight largest by name and the sum of all others, which come last."""
    ordered = sorted(parts.items(), key=lambda part: (-int(part[1].sum()), part[0]))
    if len(ordered) <= MOST_LINES:
        return sorted(ordered)
    rest = sum((values for _, values in ordered[MOST_LINES - 1 :]), np.zeros(length, dtype=np.int64))
    return [*sorted(ordered[: MOST_LINES - 1], key=lambda part: part[0]), (OTHERS, rest)]


def _stacked(parts: Mapping[str, IntArray], range: TimeRange, now_ms: int) -> tuple[Line, ...]:
    return tuple(
        Line(
            name,
            _complete(_per_minute(counts, range), range, now_ms),
            colour_key=MUTED_KEY if name == OTHERS else None,
        )
        for name, counts in _largest(parts, range.bucket_count)
    )


def _per_minute(counts: IntArray, range: TimeRange) -> FloatArray:
    return np.asarray(counts * (MINUTE_MS / range.bucket_ms), dtype=np.float64)


def _metric(series: Series, range: TimeRange, metric: Metric, now_ms: int) -> FloatArray:
    counts = series.navigations + series.scrapes
    match metric:
        case "success rate":
            return success_rate_series(series)
        case "p95 duration":
            return series.p95_ms
        case "mean duration":
            return series.mean_ms
        case "volume":
            return _complete(_per_minute(counts, range), range, now_ms)
        case "items":
            return _complete(_per_minute(series.items, range), range, now_ms)
        case "errors":
            return _complete(_per_minute(series.errors, range), range, now_ms)


def _complete(values: FloatArray, range: TimeRange, now_ms: int) -> FloatArray:
    return np.where(range.bucket_starts() + range.bucket_ms <= now_ms, values, np.nan)


def _rate(totals: Totals) -> float:
    return totals.success_rate if totals.success_rate is not None else 0.0


def _highest(values: FloatArray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None
