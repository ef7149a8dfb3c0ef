"""How the scheduler's jobs did over a range."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Integer, select, type_coerce
from sqlalchemy.engine import Connection

from db.events import run_conditions
from db.models import SchedulerMetric as Run
from db.results import Filter, SchedulerStats, TimeRange

_LEAST_RUNS_FOR_AN_INTERVAL = 3


def summarize_runs(connection: Connection, span: TimeRange, filter: Filter) -> tuple[SchedulerStats, ...]:
    """Count out every job that ran.

    Args:
        connection: An open connection.
        span: The range.
        filter: As for `db.events.newest_runs`.

    Returns:
        One row for each job, by name.
    """
    statement = (
        select(
            Run.scheduler_name, Run.created_at, Run.execution_duration_ms, type_coerce(Run.success, Integer),
            Run.items_processed, Run.error,
        )
        .where(*run_conditions(span.start_ms, span.end_ms, filter))
        .order_by(Run.created_at, Run.id)
    )  # fmt: skip
    jobs: dict[str, list[Any]] = {}
    for name, *run in connection.execute(statement):
        jobs.setdefault(name, []).append(run)
    return tuple(_stats(name, jobs[name]) for name in sorted(jobs))


def _stats(name: str, runs: list[Any]) -> SchedulerStats:
    recorded, durations, success, items, errors = zip(*runs, strict=True)
    recorded_ms, duration_ms = np.array(recorded, dtype=np.float64), np.array(durations, dtype=np.float64)
    failures = [error for error, ok in zip(errors, success, strict=True) if not ok]
    typical_ms = None
    if len(runs) >= _LEAST_RUNS_FOR_AN_INTERVAL:
        typical_ms = float(np.median(np.diff(np.sort(recorded_ms - duration_ms))))
    return SchedulerStats(
        scheduler_name=name,
        runs=len(runs),
        ok=sum(success),
        failed=len(runs) - sum(success),
        items=sum(items),
        mean_ms=float(duration_ms.mean()),
        p95_ms=float(np.quantile(duration_ms, 0.95)),
        max_ms=float(duration_ms.max()),
        last_run_ms=recorded[-1],
        last_success=bool(success[-1]),
        last_error=failures[-1] if failures else None,
        typical_interval_ms=typical_ms,
    )
