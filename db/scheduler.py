"""How the scheduler's jobs did over a range: counted from runs, or from what rollups know of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from db import sketch
from db.job_cells import ALL, GAP_UNIT_MS, JOB_GAPS, OWN_GAPS, JobCells
from db.results import Filter, FloatArray, IntArray, SchedulerSeries, SchedulerStats, TimeRange
from db.run_columns import RunColumns, matches
from db.spread import RANKS

_LEAST_RUNS_FOR_AN_INTERVAL = 3


def summarize_runs(runs: RunColumns) -> tuple[SchedulerStats, ...]:
    """Count out every job that ran.

    Args:
        runs: The runs of a range, filtered.

    Returns:
        One row for each job, by name.
    """
    codes = np.unique(runs.name).tolist()
    found = [_stats(runs.names[code], runs.chosen(runs.name == code)) for code in codes]
    return tuple(sorted(found, key=lambda stats: stats.scheduler_name))


def summarize_cells(cells: JobCells, filter: Filter) -> tuple[SchedulerStats, ...]:
    """Count out every job that ran; quantiles within the sketch's error.

    Args:
        cells: One row for each job and scraper: the whole range added up.
        filter: Its sources match a job and a scraper; of several but not all scrapers that a job runs for, the typical
            interval is that between runs for the same one.

    Returns:
        One row for each job, by name.
    """
    if not len(cells):
        return ()
    chosen = matches(cells.name, cells.source, cells.names, filter)
    results = {"all": (0, 1), "failed": (0,), "ok": (1,)}[filter.result]
    parts = cells.parts[:, results]
    chosen &= parts["runs"].any(axis=1)
    jobs, job = np.unique(cells.name, return_inverse=True)
    durations, gaps = _histograms(cells, chosen, job, len(jobs), filter)
    p95_ms = sketch.quantiles_of(durations, [0.95])[:, 0]
    gap_ms = sketch.quantiles_of(gaps, [0.5])[:, 0] * GAP_UNIT_MS
    found = []
    for index, code in enumerate(jobs.tolist()):
        rows = np.flatnonzero(chosen & (job == index))
        if len(rows):
            name = cells.names[code]
            found.append(_merged_stats(name, cells, rows, results, float(p95_ms[index]), float(gap_ms[index])))
    return tuple(sorted(found, key=lambda stats: stats.scheduler_name))


def series_of_runs(span: TimeRange, runs: RunColumns) -> SchedulerSeries:
    """Count out every bucket; quantiles are exact.

    Args:
        span: The range and its buckets.
        runs: Its runs, filtered.
    """
    count = span.bucket_count
    bucket = (runs.created_at_ms - span.start_ms) // span.bucket_ms
    total = np.bincount(bucket, minlength=count)
    ok = np.bincount(bucket[runs.success], minlength=count)
    sum_ms = np.bincount(bucket, weights=runs.duration_ms, minlength=count).astype(np.float64)
    quantiles_ms = np.full((count, len(RANKS)), np.nan)
    ends = np.cumsum(total).tolist()
    for index, (low, high) in enumerate(zip([0, *ends], ends, strict=False)):
        if high > low:  # the runs are in the order of time, so those of a bucket are side by side
            quantiles_ms[index] = np.quantile(runs.duration_ms[low:high], RANKS)
    items = np.bincount(bucket, weights=runs.items, minlength=count).astype(np.int64)
    return _series(span, total, ok, items, sum_ms, quantiles_ms)


def series_of_cells(span: TimeRange, cells: JobCells, filter: Filter) -> SchedulerSeries:
    """Count out every bucket; quantiles within the sketch's error.

    Args:
        span: The range and its buckets.
        cells: Rows whose spans lie inside one bucket each.
        filter: As for `summarize_cells`.
    """
    cells = cells.chosen(matches(cells.name, cells.source, cells.names, filter))
    count = span.bucket_count
    bucket = (cells.span_ms - span.start_ms) // span.bucket_ms

    def added(name: str, result: int) -> FloatArray:
        return np.bincount(bucket, weights=cells.parts[name][:, result], minlength=count).astype(np.float64)

    wanted = [result for result in (0, 1) if filter.result in ("all", ("failed", "ok")[result])]
    runs, items, sum_ms = (
        np.sum([added(name, result) for result in wanted], axis=0) for name in ("runs", "items", "sum_ms")
    )
    ok = added("runs", 1) if 1 in wanted else np.zeros(count)
    kind, place = np.divmod(cells.pair_bin, sketch.BINS)
    pairs = np.isin(kind, wanted)
    where = bucket[cells.pair_row[pairs]] * sketch.BINS + place[pairs]
    histograms = np.bincount(where, weights=cells.pair_count[pairs], minlength=count * sketch.BINS)
    quantiles_ms = sketch.quantiles_of(histograms.reshape(count, sketch.BINS), RANKS)
    min_ms, max_ms = np.full(count, np.inf), np.full(count, -np.inf)
    for result in wanted:
        np.minimum.at(min_ms, bucket, cells.parts["min_ms"][:, result])
        np.maximum.at(max_ms, bucket, cells.parts["max_ms"][:, result])
    quantiles_ms = np.clip(quantiles_ms, min_ms[:, np.newaxis], max_ms[:, np.newaxis])
    return _series(span, runs.astype(np.int64), ok.astype(np.int64), items.astype(np.int64), sum_ms, quantiles_ms)


def _series(
    span: TimeRange, runs: IntArray, ok: IntArray, items: IntArray, sum_ms: FloatArray, quantiles_ms: FloatArray
) -> SchedulerSeries:
    mean_ms = np.divide(sum_ms, runs, out=np.full(len(runs), np.nan), where=runs > 0)
    return SchedulerSeries(span.bucket_starts(), runs, ok, runs - ok, items, mean_ms, *quantiles_ms.T)


def _stats(name: str, runs: RunColumns) -> SchedulerStats:
    failed = np.flatnonzero(~runs.success)
    typical_ms = None
    if len(runs) >= _LEAST_RUNS_FOR_AN_INTERVAL:
        typical_ms = float(np.median(np.diff(np.sort(runs.start_ms))))
    return SchedulerStats(
        scheduler_name=name,
        runs=len(runs),
        ok=len(runs) - len(failed),
        failed=len(failed),
        items=int(runs.items.sum()),
        mean_ms=float(runs.duration_ms.mean()),
        p95_ms=float(np.quantile(runs.duration_ms, 0.95)),
        max_ms=float(runs.duration_ms.max()),
        last_run_ms=int(runs.created_at_ms[-1]),
        last_success=bool(runs.success[-1]),
        last_error=runs.error[failed[-1]] if len(failed) else None,
        typical_interval_ms=typical_ms,
    )


def _merged_stats(
    name: str, cells: JobCells, rows: IntArray, results: tuple[int, ...], p95_ms: float, gap_ms: float
) -> SchedulerStats:
    parts = cells.parts[rows]
    failed, ok = (int(parts["runs"][:, result].sum()) if result in results else 0 for result in (0, 1))
    wanted = parts[:, results]
    min_ms, max_ms = float(wanted["min_ms"].min()), float(wanted["max_ms"].max())
    last_ms, _, last_result = max(
        (int(part[result]["last_ms"]), int(part[result]["last_id"]), result) for part in parts for result in results
    )
    newest_failed = rows[np.lexsort((parts["last_id"][:, 0], parts["last_ms"][:, 0]))[-1]]
    return SchedulerStats(
        scheduler_name=name,
        runs=failed + ok,
        ok=ok,
        failed=failed,
        items=int(wanted["items"].sum()),
        mean_ms=min(max(float(wanted["sum_ms"].sum()) / (failed + ok), min_ms), max_ms),
        p95_ms=min(max(p95_ms, min_ms), max_ms),
        max_ms=max_ms,
        last_run_ms=last_ms,
        last_success=last_result == 1,
        last_error=cells.last_error[newest_failed] if failed else None,
        typical_interval_ms=gap_ms if failed + ok >= _LEAST_RUNS_FOR_AN_INTERVAL else None,
    )


def _histograms(
    cells: JobCells, chosen: Any, job: IntArray, jobs: int, filter: Filter
) -> tuple[FloatArray, FloatArray]:
    """Return the durations and the gaps between starts of each job, float64[jobs, BINS] each."""
    every = np.bincount(job, minlength=jobs)
    taken = np.bincount(job, weights=matches(cells.name, cells.source, cells.names, filter), minlength=jobs)
    result = {"failed": 0, "ok": 1, "all": ALL}[filter.result]
    # All scrapers of the job: the gaps between its runs for whatever scraper; else those between its runs for each.
    gap_kind = np.where(every == taken, JOB_GAPS, OWN_GAPS)[job] + result
    kind, bin = np.divmod(cells.pair_bin, sketch.BINS)
    alive = chosen[cells.pair_row]
    duration = alive & ((kind < OWN_GAPS) if result == ALL else (kind == result))
    gap = alive & (kind == gap_kind[cells.pair_row])
    found = []
    for pairs in (duration, gap):
        where = job[cells.pair_row[pairs]] * sketch.BINS + bin[pairs]
        counts = np.bincount(where, weights=cells.pair_count[pairs], minlength=jobs * sketch.BINS)
        found.append(counts.astype(np.float64, copy=False).reshape(jobs, sketch.BINS))
    return found[0], found[1]
