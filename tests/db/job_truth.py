"""What `db.queries` must answer about scheduler runs, computed from the list of all runs in the most obvious way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from collector.events import SchedulerRun
from db.error_kinds import kind_of_error
from db.results import Filter, SchedulerSeries, SchedulerStats, TimeRange
from db.sketch import RELATIVE_ERROR

Stored = tuple[int, SchedulerRun]  # with its id


def inside(runs: Sequence[Stored], span: TimeRange, filter: Filter) -> list[Stored]:
    """The runs of a range, by (recorded, id)."""
    return sorted(
        (
            (id, run)
            for id, run in runs
            if span.start_ms <= run.recorded_at_ms < span.end_ms
            and (not filter.sources or run.scheduler_name in filter.sources or run.scraper_source in filter.sources)
            and (filter.result == "all" or run.success == (filter.result == "ok"))
            and not (filter.url_contains or filter.outcomes or filter.labels or filter.kind != "all")
            and not (filter.url or filter.run)
            and (not filter.error or (not run.success and kind_of_error(run.error or "") == filter.error))
        ),
        key=lambda stored: (stored[1].recorded_at_ms, stored[0]),
    )


def check_summary(found: Sequence[SchedulerStats], runs: Sequence[Stored], *, exact: bool, gaps: bool) -> None:
    """Compare with the runs of the range; `gaps`: no run outlasts its hour, so that typical intervals add up too."""
    assert [stats.scheduler_name for stats in found] == sorted({run.scheduler_name for _, run in runs})
    for stats in found:
        own = [run for _, run in runs if run.scheduler_name == stats.scheduler_name]
        durations = [run.execution_duration_ms for run in own]
        failures = [run for run in own if not run.success]
        assert (stats.runs, stats.ok, stats.failed) == (len(own), len(own) - len(failures), len(failures))
        assert stats.items == sum(run.items_processed for run in own)
        assert stats.mean_ms == pytest.approx(sum(durations) / len(own), rel=1e-12)
        assert stats.max_ms == max(durations)
        check_quantile(stats.p95_ms, durations, 0.95, exact=exact)
        assert (stats.last_run_ms, stats.last_success) == (own[-1].recorded_at_ms, own[-1].success)
        assert stats.last_error == (failures[-1].error if failures else None)
        assert (stats.typical_interval_ms is None) == (len(own) < 3)
        if len(own) >= 3 and (exact or gaps):
            starts = sorted(run.recorded_at_ms - run.execution_duration_ms for run in own)
            check_quantile(stats.typical_interval_ms, np.diff(starts).tolist(), 0.5, exact=exact, least_ms=1.1)


def check_series(found: SchedulerSeries, span: TimeRange, runs: Sequence[Stored]) -> None:
    assert found.bucket_ms.tolist() == list(range(span.start_ms, span.end_ms, span.bucket_ms))
    for index, start_ms in enumerate(found.bucket_ms.tolist()):
        own = [run for _, run in runs if start_ms <= run.recorded_at_ms < start_ms + span.bucket_ms]
        ok = sum(run.success for run in own)
        assert (found.runs[index], found.ok[index], found.failed[index]) == (len(own), ok, len(own) - ok)
        assert found.items[index] == sum(run.items_processed for run in own)
        durations = [run.execution_duration_ms for run in own]
        if not own:
            assert np.isnan([found.mean_ms[index], found.p50_ms[index], found.p99_ms[index]]).all()
            continue
        assert found.mean_ms[index] == pytest.approx(sum(durations) / len(own), rel=1e-12)
        for quantiles, rank in ((found.p50_ms, 0.5), (found.p95_ms, 0.95), (found.p99_ms, 0.99)):
            check_quantile(quantiles[index], durations, rank, exact=False)


def check_quantile(
    found: float | None, values: Sequence[float], rank: float, *, exact: bool, least_ms: float = 0.0011
) -> None:
    error = 1e-12 if exact else RELATIVE_ERROR * 1.000001
    assert found == pytest.approx(float(np.quantile(values, rank)), rel=error, abs=1e-9 if exact else least_ms)
