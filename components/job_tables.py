"""Tables of scheduler jobs: how they did, what comes next, and what came late, was missed or overlapped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from alerts.habits import LEAST_RUNS, Deviation, Learnt, Schedule, overdue_ms
from components.leads import EVENTS
from components.numbers import NOTHING, clock, count, duration
from components.row_leads import lead_text
from components.tables import FAILED, OK, Column, Status, one_line
from components.timerange import DAY_MS, MINUTE_MS
from components.view import event_path
from db.results import SchedulerRunRow, SchedulerStats

JOB_COLUMNS: Final = (
    Column("Job", "name"),
    Column("Last result", "status"),
    Column("Last run (UTC)", "time"),
    Column("Runs", "number"),
    Column("Failed", "number"),
    Column("Mean", "number", width_px=108),
    Column("p95", "number", width_px=108),
    Column("Items", "number"),
    Column("Usually every", "number", width_px=120),
    Column("Last error", "clip"),
)
RUN_COLUMNS: Final = (
    Column("Ended (UTC)", "time"),
    Column("Job", "name"),
    Column("Source", "name"),
    Column("Result", "status"),
    Column("Duration", "number", width_px=108),
    Column("Items", "number"),
    Column("Error", "clip"),
)
SLIP_COLUMNS: Final = (
    Column("What", "status"),
    Column("Job", "name"),
    Column("Expected (UTC)", "time"),
    Column("How much", "clip"),
)
NEXT_COLUMNS: Final = (
    Column("Job", "name"),
    Column("State", "status"),
    Column("Next (UTC)", "time"),
    Column("In", "number", width_px=128),
    Column("Usually every", "number", width_px=120),
    Column("Usually takes", "number", width_px=120),
    Column("Learnt from", "clip"),
)
_SYMBOLS: Final = {"late": "◷", "missed": "○", "overlap": "≡"}
_ON_TIME: Final = Status("ok", "✓ on time")
_DUE: Final = Status("ok", "✓ due now")
_OVERDUE: Final = Status("bad", "▲ overdue")
_UNKNOWN: Final = Status("warn", "? not known")
_STOPPED: Final = Status("warn", "◌ stopped")
# A job that missed so many runs, for at least a day, isn't late: somebody stopped it.
_STOPPED_AFTER: Final = 20


def job_row(job: SchedulerStats, span_ms: int) -> list[str | Status]:
    """Return the cells of `JOB_COLUMNS`.

    Args:
        job: Its figures over the range.
        span_ms: Length of the range.
    """
    return [
        job.scheduler_name,
        OK if job.last_success else FAILED,
        clock(job.last_run_ms, span_ms=span_ms),
        count(job.runs),
        count(job.failed),
        duration(job.mean_ms),
        duration(job.p95_ms),
        count(job.items),
        duration(job.typical_interval_ms),
        one_line(job.last_error or ""),
    ]


def run_row(run: SchedulerRunRow, span_ms: int) -> list[str | Status]:
    """Return the cells of `RUN_COLUMNS`.

    Args:
        run: The run.
        span_ms: Length of the range.
    """
    return [
        clock(run.recorded_at_ms, span_ms=span_ms),
        run.scheduler_name,
        run.source or NOTHING,
        OK if run.success else FAILED,
        duration(run.duration_ms),
        count(run.items),
        one_line(run.error or ""),
    ]


def run_leads(runs: Iterable[SchedulerRunRow]) -> list[str]:
    """Return where rows of runs lead: each to its event.

    Args:
        runs: In the order of the rows.
    """
    return [lead_text(event_path(run.id)) for run in runs]


def job_leads(jobs: Iterable[object]) -> list[str]:
    """Return where rows of jobs lead: each to its runs.

    Args:
        jobs: Names, in the order of the rows.
    """
    return [lead_text(EVENTS, sources=(str(job),)) for job in jobs]


def slip_row(slip: Deviation, span_ms: int) -> list[str | Status]:
    """Return the cells of `SLIP_COLUMNS`.

    Args:
        slip: What didn't come as usual.
        span_ms: Length of the range.
    """
    if slip.what == "missed":
        said = "1 run" if slip.count == 1 else f"{count(slip.count)} runs in a row"
    elif slip.what == "late":
        said = f"{duration(slip.by_ms)} late"
    else:
        said = f"{duration(slip.by_ms)} side by side"
    return [
        Status("bad" if slip.what == "missed" else "warn", f"{_SYMBOLS[slip.what]} {slip.what}"),
        slip.job,
        clock(slip.expected_ms, span_ms=span_ms),
        said,
    ]


def next_rows(learnt: Learnt, now_ms: int, span_ms: int, most: int) -> list[list[str | Status]]:
    """Return the rows of `NEXT_COLUMNS`: overdue jobs first, then by the next moment, then the stopped and unknown.

    Args:
        learnt: What is usual.
        now_ms: The moment, epoch ms.
        span_ms: Length of the range.
        most: How many rows at most.
    """
    ordered = sorted(learnt.schedules, key=lambda one: (*_turn(one, now_ms), one.job))
    return [_next_row(schedule, now_ms, span_ms) for schedule in ordered[:most]]


def next_ms(schedule: Schedule) -> int | None:
    """Return when a job's next run should begin, epoch ms; None when that isn't known.

    Args:
        schedule: What is usual for it.
    """
    return None if schedule.interval_ms is None else round(schedule.last_start_ms + schedule.interval_ms)


def is_stopped(schedule: Schedule, now_ms: int) -> bool:
    """Return whether a job has been away for so long that it isn't waited for any more.

    Args:
        schedule: What is usual for it.
        now_ms: The moment, epoch ms.
    """
    late_ms = overdue_ms(schedule, now_ms)
    return late_ms > DAY_MS and late_ms > _STOPPED_AFTER * (schedule.interval_ms or 0.0)


def _turn(schedule: Schedule, now_ms: int) -> tuple[int, float]:
    if schedule.interval_ms is None:
        return 3, 0.0
    if is_stopped(schedule, now_ms):
        return 2, 0.0
    late_ms = overdue_ms(schedule, now_ms)
    return (0, -late_ms) if late_ms else (1, next_ms(schedule) or 0.0)


def _next_row(schedule: Schedule, now_ms: int, span_ms: int) -> list[str | Status]:
    expected_ms = next_ms(schedule)
    late_ms = overdue_ms(schedule, now_ms)
    if expected_ms is None:
        state, soon = _UNKNOWN, NOTHING
    elif late_ms:
        state, soon = _STOPPED if is_stopped(schedule, now_ms) else _OVERDUE, f"since {_minutes(late_ms)}"
    elif expected_ms <= now_ms:
        state, soon = _DUE, "now"
    else:
        state, soon = _ON_TIME, _minutes(expected_ms - now_ms)
    return [
        schedule.job,
        state,
        clock(expected_ms, span_ms=max(span_ms, DAY_MS + 1) if _other_day(expected_ms, now_ms) else span_ms),
        soon,
        duration(schedule.interval_ms),
        duration(schedule.usual_ms),
        _learnt_from(schedule),
    ]


def _learnt_from(schedule: Schedule) -> str:
    if schedule.runs < LEAST_RUNS:
        runs = "its only run" if schedule.runs == 1 else f"its {schedule.runs} runs"
        return f"{runs}: too few to tell"
    if schedule.interval_ms is None:
        return f"its last {schedule.runs} runs: no regular interval"
    pauses = f", which pause for up to {duration(schedule.pause_ms)}" if schedule.pause_ms else ""
    return f"its last {schedule.runs} runs{pauses}"


def _minutes(length_ms: float) -> str:
    """Write a time to go in whole minutes: the page looks at the clock once a minute."""
    return duration(max(MINUTE_MS, round(length_ms / MINUTE_MS) * MINUTE_MS))


def _other_day(moment_ms: int | None, now_ms: int) -> bool:
    return moment_ms is not None and moment_ms // DAY_MS != now_ms // DAY_MS
