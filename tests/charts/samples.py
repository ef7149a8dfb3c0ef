"""Chart infos to test and to look at: a plausible fleet, and the shapes that break charts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from charts.info import (
    FAILED_KEY,
    OK_KEY,
    BarInfo,
    ChartInfo,
    HeatmapInfo,
    HistogramInfo,
    Line,
    LineInfo,
    PieInfo,
    Point,
    RadarInfo,
    ScatterInfo,
    Span,
    TimelineInfo,
)

START_MS = 1_795_348_800_000  # 2026-11-22T12:00:00Z
SOURCES = ("robinhood", "cnbc", "reuters", "yahoo-finance", "marketwatch", "sec-edgar", "nasdaq", "seeking-alpha")
AWKWARD_NAMES = (
    '=cmd|"/C calc"!A0',
    "<script>alert(1)</script>",
    "Zürich, 東京 🙂",
    "+1",
    "@home",
    "a\nb",
    "100%",
    "x" * 50,
)


def durations() -> LineInfo:
    """Mean and percentiles over 15 minutes, with a gap and a lone value in it."""
    rng = np.random.default_rng(7)
    x_ms = START_MS + 3_000 * np.arange(300, dtype=np.int64)
    wave = 160 + 40 * np.sin(np.arange(300) / 23)
    mean, p50 = wave + rng.normal(0, 8, 300), wave * 0.9 + rng.normal(0, 6, 300)
    p95, p99 = wave * 2.4 + rng.normal(0, 30, 300), wave * 4 + rng.exponential(90, 300)
    for values in (mean, p50, p95, p99):
        values[130:150] = np.nan
        values[140] = values[129]
    return LineInfo(
        "Navigation duration",
        "Mean, median and high percentiles of page navigations over the last 15 minutes.",
        x_ms,
        (
            Line("mean", mean, "series:mean"),
            Line("p50", p50, "series:p50"),
            Line("p95", p95, "series:p95"),
            Line("p99", p99, "series:p99"),
        ),
        "duration",
        "ms",
        (START_MS, START_MS + 900_000),
    )


def throughput() -> LineInfo:
    """One line with the period before as a ghost."""
    rng = np.random.default_rng(8)
    x_ms = START_MS + 3_000 * np.arange(300, dtype=np.int64)
    now = 4 + 2 * np.sin(np.arange(300) / 31) + rng.gamma(2, 0.4, 300)
    return LineInfo(
        "Throughput",
        "Pages a second, against the 15 minutes before.",
        x_ms,
        (
            Line("pages", now, "series:navigations"),
            Line("15 minutes before", np.roll(now, 40) * 0.9, "series:navigations", True),
        ),
        "pages",
        "/s",
        (START_MS, START_MS + 900_000),
    )


def many_lines(count: int = 30) -> LineInfo:
    """A line for each of many sources."""
    rng = np.random.default_rng(9)
    x_ms = START_MS + 60_000 * np.arange(60, dtype=np.int64)
    lines = tuple(Line(f"source {i:02}", 200 + 40 * i + rng.normal(0, 20, 60)) for i in range(count))
    return LineInfo(
        "By source", "Mean duration by source.", x_ms, lines, "duration", "ms", (START_MS, START_MS + 3_600_000)
    )


def decades_of_durations() -> LineInfo:
    """Lines from 5 ms to an hour on one axis, one of them with a zero and a gap."""
    x_ms = START_MS + 60_000 * np.arange(60, dtype=np.int64)
    wave = 1 + 0.4 * np.sin(np.arange(60) / 9)
    lines = [Line(name, 5.0 * 9.0**place * wave) for place, name in enumerate(SOURCES[:7])]
    np.asarray(lines[0].y)[[7, 8]] = 0.0, np.nan
    return LineInfo("By source", "Mean duration.", x_ms, tuple(lines), "duration", "ms", y_log=True)


def stacked() -> LineInfo:
    """Items a minute of some sources, stacked."""
    rng = np.random.default_rng(10)
    x_ms = START_MS + 60_000 * np.arange(60, dtype=np.int64)
    lines = tuple(Line(name, rng.poisson(30 + 12 * i, 60)) for i, name in enumerate(SOURCES[:5]))
    return LineInfo(
        "Items extracted",
        "Items a minute by source.",
        x_ms,
        lines,
        "items",
        "items",
        (START_MS, START_MS + 3_600_000),
        True,
    )


def success_rates() -> BarInfo:
    """One series of percentages."""
    return BarInfo(
        "Success rate by source",
        "Share of successful metrics of each source.",
        SOURCES,
        values=(99.2, 97.5, 88.1, 100.0, 64.3, 93.75, None, 79.0),
        unit="%",
        y_range=(0, 100),
        horizontal=True,
        colour_keys=SOURCES,
        value_title="success rate",
    )


def retries() -> BarInfo:
    """Two groups by category."""
    return BarInfo(
        "Retries",
        "Navigations by number of retries, successful and failed.",
        ("none", "1", "2", "3 and more"),
        groups=(("successful", (4210, 380, 92, 31)), ("failed", (0, 12, 40, 77))),
        unit="navigations",
        colour_keys=(OK_KEY, FAILED_KEY),
    )


def by_bucket() -> BarInfo:
    """Two groups, stacked, by bucket of time."""
    names = tuple(f"{place // 2:02}:{place % 2 * 3}0" for place in range(30))
    ok = tuple(20 + place % 7 for place in range(30))
    return BarInfo(
        "Results over time", "Runs that went well and that failed.", names,
        groups=(("ok", ok), ("failed", tuple(place % 4 for place in range(30)))),
        colour_keys=(OK_KEY, FAILED_KEY), stacked=True, value_title="runs", ordered=True,
    )  # fmt: skip


def volume() -> PieInfo:
    """Share of volume."""
    return PieInfo(
        "Share of volume", "Metrics by source.", SOURCES, (5200, 3100, 2400, 1900, 900, 420, 130, 22), "metrics"
    )


def scores() -> RadarInfo:
    """Scores of three sources."""
    return RadarInfo(
        "Scores",
        "Speed, success, yield, freshness and volume of three sources, 0 to 100.",
        ("speed", "success", "yield", "freshness", "volume", "steadiness"),
        (
            ("robinhood", (92, 99, 70, 95, 88, 81)),
            ("cnbc", (60, 97, 85, 80, 52, 66)),
            ("sec-edgar", (35, 78, 96, 55, 30, 90)),
        ),
    )


def distribution() -> HistogramInfo:
    """Durations in even bins."""
    values = np.random.default_rng(11).lognormal(5.2, 0.5, 5000)
    counts, edges = np.histogram(values, bins=40, range=(0, 800))
    return HistogramInfo("Distribution", "How long navigations took.", edges, counts, "navigation duration", "ms")


def wide_distribution() -> HistogramInfo:
    """Durations from 1 ms to 10 hours on one axis."""
    values = np.random.default_rng(12).lognormal(8, 2.5, 5000)
    edges = np.geomspace(1, 36_000_000, 31)
    return HistogramInfo(
        "Distribution", "How long pages took.", edges, np.histogram(values, bins=edges)[0], "navigation duration", "ms"
    )


def by_hour() -> HeatmapInfo:
    """Hour by weekday, one cell empty."""
    rng = np.random.default_rng(13)
    values = (
        300
        + 250 * np.sin(np.linspace(0, math.pi, 24))[None, :] * np.linspace(1, 0.4, 7)[:, None]
        + rng.normal(0, 30, (7, 24))
    )
    values[2, 3:6] = np.nan
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    hours = tuple(f"{hour:02}:00" for hour in range(24))
    return HeatmapInfo(
        "By hour and weekday", "Mean duration by hour and weekday.", hours, days, values, "ms", "mean duration"
    )


def fleet() -> ScatterInfo:
    """Pages by items, sized by duration."""
    rng = np.random.default_rng(14)
    points = tuple(
        Point(name, float(pages), float(pages * rng.uniform(2, 11)), float(rng.uniform(80, 1900)))
        for name, pages in zip(SOURCES, rng.integers(100, 4000, len(SOURCES)), strict=True)
    )
    return ScatterInfo(
        "Fleet", "Pages against items of each source.", points, "pages", "items", "mean duration", size_unit="ms"
    )


def decades() -> ScatterInfo:
    """Points over five decades, one of them without items."""
    points = tuple(
        Point(name, 10.0**place, 3.0 * 7.0**place if place else 0.0, 50.0) for place, name in enumerate(SOURCES)
    )
    return ScatterInfo("Fleet", "Pages against items.", points, "pages", "items", "mean duration", size_unit="ms")


def runs() -> TimelineInfo:
    """Planned and actual runs of three jobs, one late, one failed, one missed."""
    bars: list[Span] = []
    for lane, (job, every, took) in enumerate(
        (("refresh prices", 600, 140), ("crawl filings", 1200, 610), ("clean up", 1800, 25))
    ):
        for number, offset in enumerate(range(60 + 30 * lane, 3_600, every)):
            planned_ms = START_MS + offset * 1000
            bars.append(
                Span(job, planned_ms, planned_ms + took * 1000, f"planned run {number + 1}", True, planned=True)
            )
            if (lane, number) == (0, 3):
                continue
            begun_ms = planned_ms + (95_000 if (lane, number) == (1, 1) else 2_000)
            ok = (lane, number) not in ((0, 4), (2, 1))
            bars.append(
                Span(job, begun_ms, begun_ms + took * (1000 if ok else 400), "ok" if ok else "failed: TimeoutError", ok)
            )
    return TimelineInfo(
        "Runs", "Planned and actual scheduler runs of the last hour.", tuple(bars), (START_MS, START_MS + 3_600_000)
    )


def gallery() -> dict[str, ChartInfo]:
    """Return one plausible info of each kind and variant."""
    return {
        "line": durations(),
        "line-ghost": throughput(),
        "line-stacked": stacked(),
        "line-many": many_lines(),
        "line-log": decades_of_durations(),
        "bar": success_rates(),
        "bar-groups": retries(),
        "bar-ordered": by_bucket(),
        "bar-stacked": replace(retries(), horizontal=True, stacked=True),
        "pie": volume(),
        "radar": scores(),
        "histogram": distribution(),
        "histogram-wide": wide_distribution(),
        "heatmap": by_hour(),
        "scatter": fleet(),
        "scatter-log": replace(decades(), x_log=True, y_log=True),
        "timeline": runs(),
    }


def empty() -> dict[str, ChartInfo]:
    """Return each kind without any data."""
    none = np.empty(0)
    return {
        "line": replace(durations(), x_ms=none.astype(np.int64), lines=()),
        "line-log": LineInfo("t", "d", (), (), "duration", "ms", y_log=True),
        "line-named": replace(durations(), x_ms=none.astype(np.int64), lines=(Line("mean", none),)),
        "bar": BarInfo("t", "d", (), values=()),
        "bar-groups": BarInfo("t", "d", (), groups=()),
        "pie": PieInfo("t", "d", (), ()),
        "pie-zero": PieInfo("t", "d", ("a",), (0,)),
        "radar": RadarInfo("t", "d", ("speed", "success", "yield"), ()),
        "histogram": HistogramInfo("t", "d", (), (), "duration", "ms"),
        "heatmap": HeatmapInfo("t", "d", (), (), ()),
        "heatmap-gaps": HeatmapInfo("t", "d", ("a", "b"), ("c",), ((None, None),)),
        "scatter": ScatterInfo("t", "d", ()),
        "scatter-log": ScatterInfo("t", "d", (), x_log=True, y_log=True),
        "bar-ordered": BarInfo("t", "d", (), groups=(("ok", ()),), stacked=True, ordered=True),
        "timeline": TimelineInfo("t", "d", (), (START_MS, START_MS + 60_000)),
    }


def single() -> dict[str, ChartInfo]:
    """Return each kind with one datum."""
    return {
        "line": LineInfo("t", "d", (START_MS,), (Line("only", (12.5,)),), "duration", "ms"),
        "bar": BarInfo("t", "d", ("only",), values=(3,), unit="items"),
        "pie": PieInfo("t", "d", ("only",), (3,)),
        "radar": RadarInfo("t", "d", ("speed",), (("only", (40,)),)),
        "histogram": HistogramInfo("t", "d", (10, 20), (4,), "duration", "ms"),
        "heatmap": HeatmapInfo("t", "d", ("Mon",), ("00",), ((5,),)),
        "scatter": ScatterInfo("t", "d", (Point("only", 1, 2),)),
        "timeline": TimelineInfo("t", "d", (Span("job", START_MS, START_MS, "instant", False),)),
    }


def awkward() -> dict[str, ChartInfo]:
    """Return each kind with names, numbers and gaps that break charts."""
    n = len(AWKWARD_NAMES)
    huge = (1e300, 1e15, 1_234_567_890, 1e-300, math.inf, math.nan, 0.0, -5.0)
    return {
        "line": LineInfo(
            "<b>t", "d", (1, 2, 4), tuple(Line(name, (math.nan, None, 1e18)) for name in AWKWARD_NAMES), "y", "B"
        ),
        "line-gaps": LineInfo("t", "d", (1, 2), (Line("a", (math.nan, math.nan)), Line("b", (None, None))), "y", "%"),
        "line-30": many_lines(30),
        "line-log": LineInfo("t", "d", (1, 2), (Line("a", (0, -5)), Line("b", (None, 1e300))), "y", "ms", y_log=True),
        "bar": BarInfo("t", "d", AWKWARD_NAMES, values=huge, unit="ms"),
        "bar-equal": BarInfo("t", "d", ("a", "a"), groups=(("g", (0, 0)), ("g2", (math.nan, None)))),
        "pie": PieInfo("t", "d", AWKWARD_NAMES, (1, 2, 3, 4, 5, 6, None, math.nan)),
        "radar": RadarInfo("t", "d", AWKWARD_NAMES, tuple((name, (50,) * (n - 1) + (None,)) for name in AWKWARD_NAMES)),
        "histogram": HistogramInfo("t", "d", (1, 10, 100, 36_000_000), (0, 10**12, 5), "x", "ms"),
        "heatmap": HeatmapInfo(
            "t", "d", AWKWARD_NAMES, AWKWARD_NAMES, tuple((math.nan, -1, 1e12, 0, None, 1, 2, 3) for _ in range(n))
        ),
        "scatter": ScatterInfo(
            "t", "d", tuple(Point(name, 1e12, -3.5, None if i else 1e9) for i, name in enumerate(AWKWARD_NAMES))
        ),
        "timeline": TimelineInfo(
            "t",
            "d",
            tuple(Span(name, START_MS, START_MS + 10**9, name, i % 2 == 0) for i, name in enumerate(AWKWARD_NAMES)),
        ),
    }
