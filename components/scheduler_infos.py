"""Chart infos of scheduler runs: durations, results over time, items, and runs as planned and as they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np

from alerts.habits import Deviation, Learnt, Schedule
from alerts.punctuality import Punctuality
from charts.info import ACCENT_KEY, FAILED_KEY, OK_KEY, BarInfo, Line, LineInfo, Span, TimelineInfo
from components.infos import MOST_BARS, MOST_LINES, spans_decades
from components.numbers import count, duration
from components.timerange import DAY_MS, bucket_for
from db.job_runs import JobTrend
from db.results import IntArray, SchedulerSeries, SchedulerStats, TimeRange

MOST_LANES: Final = 20
MOST_SPANS: Final = 500
# Up to so many runs of a job are drawn one by one (the first number that leaves room for all jobs); of more, those of
# the same time and result as a block.
_ONE_BY_ONE: Final = (120, 80, 40)
_BLOCKS: Final = 30


def bucket_names(range: TimeRange) -> tuple[str, ...]:
    """Name the buckets of a range by their start: the time of day, the date too where a range is longer than a day.

    Args:
        range: The buckets.
    """
    long = range.end_ms - range.start_ms > DAY_MS
    short = range.bucket_ms % 60_000
    form = "%d %b" if range.bucket_ms >= DAY_MS else "%d %b %H:%M" if long else "%H:%M:%S" if short else "%H:%M"
    return tuple(datetime.fromtimestamp(start / 1000, UTC).strftime(form) for start in range.bucket_starts().tolist())


def run_durations(trend: JobTrend, range: TimeRange) -> LineInfo:
    """Draw the mean duration of the runs of the eight jobs that run longest in all, per bucket.

    Args:
        trend: Every job per bucket.
        range: The range.
    """
    longest = sorted(
        zip(trend.sum_ms.sum(axis=1).tolist(), trend.names, strict=True), key=lambda one: (-one[0], one[1])
    )
    chosen = sorted(name for _, name in longest[:MOST_LINES])
    cut = f" ({len(chosen)} of {len(trend.names)} jobs)" if len(chosen) < len(trend.names) else ""
    place = {name: row for row, name in enumerate(trend.names)}
    lines = []
    for name in chosen:
        runs, sum_ms = trend.runs[place[name]], trend.sum_ms[place[name]]
        lines.append(Line(name, np.divide(sum_ms, runs, out=np.full(len(runs), np.nan), where=runs > 0)))
    means = np.array([line.y for line in lines]) if lines else np.empty(0)
    which = "those that run longest in all: " if cut else ""
    return LineInfo(
        title=f"Run duration{cut}",
        description=f"Mean duration of each job’s runs over time, {which}{', '.join(chosen) or 'no data'}.",
        x_ms=range.bucket_starts(),
        lines=tuple(lines),
        y_title="duration",
        y_unit="ms",
        x_range_ms=(range.start_ms, range.end_ms),
        y_log=spans_decades(means),
    )


def run_results(series: SchedulerSeries, range: TimeRange) -> BarInfo:
    """Draw how many runs went well and how many failed in each bucket, stacked.

    Args:
        series: The runs per bucket.
        range: The buckets.
    """
    ok, failed = int(series.ok.sum()), int(series.failed.sum())
    return BarInfo(
        title="Results over time",
        description=f"Scheduler runs per bucket: {count(ok)} went well, {count(failed)} failed.",
        categories=bucket_names(range),
        groups=(("ok", series.ok), ("failed", series.failed)),
        colour_keys=(OK_KEY, FAILED_KEY),
        stacked=True,
        value_title="runs",
        ordered=True,
    )


def items_by_job(jobs: Sequence[SchedulerStats]) -> BarInfo:
    """Draw the items that each job processed, most first; at most twenty.

    Args:
        jobs: Their figures over the range.
    """
    most = sorted(jobs, key=lambda job: (-job.items, job.scheduler_name))[:MOST_BARS]
    cut = f" (top {len(most)} of {len(jobs)})" if len(most) < len(jobs) else ""
    return BarInfo(
        title=f"Items processed by job{cut}",
        description=f"Items that each job processed: {count(sum(job.items for job in jobs))} in all.",
        categories=tuple(job.scheduler_name for job in most),
        values=tuple(job.items for job in most),
        horizontal=True,
        colour_keys=(ACCENT_KEY,) * len(most),
        value_title="items",
    )


def runs_timeline(learnt: Learnt, punctual: Punctuality, range: TimeRange, result: str = "all") -> TimelineInfo:
    """Draw when jobs ran, and when they were to run as far as that is known: at most 20 jobs and 500 spans.

    Jobs with failed, late, missed or overlapping runs go first, then the busiest. A job with many runs is drawn in
    blocks: one for each result and piece of time.

    Args:
        learnt: The runs, and what is usual.
        punctual: When they should have begun, and what didn't come as it should in the range.
        range: The range; what began before it is cut at its edge.
        result: `all`, `ok` or `failed`: which runs are drawn.
    """
    for one_by_one in _ONE_BY_ONE:
        lanes, left_out, is_full = _lanes(learnt, punctual, range, result, one_by_one)
        if not is_full:
            break
    slips = Counter(one.what for one in punctual.slips)
    runs = learnt.runs
    inside = (runs.end_ms >= range.start_ms) & (runs.end_ms < range.end_ms)
    failed = int(np.count_nonzero(inside & ~runs.success))
    jobs = np.unique(runs.job[inside]).size
    told = [
        f"{count(int(inside.sum()))} runs of {count(jobs)} {'job' if jobs == 1 else 'jobs'}",
        f"{count(failed)} failed",
    ]
    told += [f"{count(slips['late'])} late", f"{count(sum(_missed(punctual.slips)))} missed"]
    cut = f" ({len(lanes)} of {len(lanes) + left_out} jobs)" if left_out else ""
    since = "" if runs.since_ms <= range.start_ms else " Only the newest runs are looked at."
    return TimelineInfo(
        title=f"Runs, planned and actual{cut}",
        description=f"When scheduler jobs ran, in outline when they should have: {', '.join(told)}.{since}",
        bars=tuple(span for _, spans in sorted(lanes) for span in spans),
        x_range_ms=(range.start_ms, range.end_ms),
    )


def _missed(deviations: Sequence[Deviation]) -> list[int]:
    return [one.count for one in deviations if one.what == "missed"]


def _lanes(
    learnt: Learnt, punctual: Punctuality, range: TimeRange, result: str, one_by_one: int
) -> tuple[list[tuple[str, list[Span]]], int, bool]:
    """Return (spans of the jobs that are shown, how many others there are, whether there was no room for one)."""
    runs = learnt.runs
    shown = (runs.end_ms >= range.start_ms) & (runs.end_ms < range.end_ms)
    if result != "all":
        shown &= runs.success == (result == "ok")
    job = runs.job
    ran = np.bincount(job[shown], minlength=len(runs.names))
    trouble = np.bincount(job[shown & ~runs.success], minlength=len(runs.names))
    by_job: dict[str, list[Deviation]] = {}
    for one in punctual.slips:
        by_job.setdefault(one.job, []).append(one)
    order = sorted(
        (-int(trouble[place]) - len(by_job.get(name, ())), -int(ran[place]), name, place)
        for place, name in enumerate(runs.names)
        if ran[place] or name in by_job
    )
    lanes: list[tuple[str, list[Span]]] = []
    total = 0
    for _, _, name, place in order[:MOST_LANES]:
        low, high = int(runs.offsets[place]), int(runs.offsets[place + 1])
        own = low + np.flatnonzero(shown[low:high])
        spans = _planned(punctual, own, learnt.schedules[place], by_job.get(name, ()), range, one_by_one)
        spans += _actual(learnt, own, name, range, one_by_one)
        if lanes and total + len(spans) > MOST_SPANS:
            return lanes, len(order) - len(lanes), True
        total += len(spans)
        lanes.append((name, spans))
    return lanes, len(order) - len(lanes), False


def _planned(
    punctual: Punctuality, own: IntArray, schedule: Schedule, slips: Sequence[Deviation], range: TimeRange,
    one_by_one: int,
) -> list[Span]:  # fmt: skip
    """Outline what was missed, and, where runs are drawn one by one, when each was to begin."""
    spans: list[tuple[int, int, str]] = []
    if len(own) <= one_by_one:
        expected_ms = punctual.expected_ms[own]
        for began_ms in np.rint(expected_ms[np.isfinite(expected_ms)]).astype(np.int64).tolist():
            spans.append((began_ms, began_ms + round(schedule.usual_ms), "planned, as usual"))
    for one in slips:
        if one.what == "missed":
            said = "missed" if one.count == 1 else f"{count(one.count)} missed"
            spans.append((one.expected_ms, one.expected_ms + round(one.by_ms + schedule.usual_ms), said))
    return [
        Span(schedule.job, max(low, range.start_ms), min(high, range.end_ms), said, True, planned=True)
        for low, high, said in spans
        if high > range.start_ms and low < range.end_ms
    ]


def _actual(learnt: Learnt, own: IntArray, name: str, range: TimeRange, one_by_one: int) -> list[Span]:
    runs = learnt.runs
    start_ms, end_ms = np.maximum(runs.start_ms[own], range.start_ms), runs.end_ms[own]
    ok, items = runs.success[own], runs.items[own]
    took_ms = (end_ms - runs.start_ms[own]).astype(np.float64)
    if len(own) <= one_by_one:
        return [
            Span(name, low, high, f"{_word(well)}, {duration(took)}, {count(number)} items", well)
            for low, high, well, took, number in zip(
                start_ms.tolist(), end_ms.tolist(), ok.tolist(), took_ms.tolist(), items.tolist(), strict=True
            )
        ]
    slot_ms = bucket_for(range.end_ms - range.start_ms, _BLOCKS)
    key = (end_ms // slot_ms) * 2 + ok
    _, first, block = np.unique(key, return_index=True, return_inverse=True)
    size = len(first)
    low_ms = np.full(size, np.iinfo(np.int64).max)
    high_ms = np.zeros(size, dtype=np.int64)
    np.minimum.at(low_ms, block, start_ms)
    np.maximum.at(high_ms, block, end_ms)
    number, sum_ms = np.bincount(block), np.bincount(block, weights=took_ms)
    total = np.bincount(block, weights=items)
    # Failures are as wide as they took together: to the end of the last one they would cover what went well between.
    failed = ~ok[first]
    high_ms[failed] = np.minimum(high_ms, low_ms + sum_ms.astype(np.int64))[failed]
    return [
        Span(
            name,
            int(low_ms[at]),
            int(high_ms[at]),
            f"{count(int(number[at]))} {_word(bool(ok[first[at]]))}, mean {duration(float(sum_ms[at] / number[at]))}, "
            f"{count(int(total[at]))} items",
            bool(ok[first[at]]),
        )
        for at in np.arange(size).tolist()
    ]


def _word(ok: bool) -> str:
    return "ok" if ok else "failed"
