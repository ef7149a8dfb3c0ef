"""Tables of scheduler jobs: how they did, what comes next, and what came late, was missed or overlapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from alerts.habits import LEAST_RUNS, Deviation, Schedule
from alerts.next_runs import NextRun, NextState
from components.leads import EVENTS
from components.numbers import NOTHING, about, clock, count, duration
from components.row_leads import lead_text
from components.tables import FAILED, OK, Column, Status, one_line
from components.timerange import DAY_MS, MINUTE_MS
from components.view import event_path
from db.results import SchedulerRunRow, SchedulerStats

JOB_COLUMNS: Final = (
    Column("Job", "name"),
    Column("Last result", "status", width_px=108),
    Column("Last run (UTC)", "time"),
    Column("Runs", "number", width_px=76),
    Column("Failed", "number", width_px=76),
    Column("Mean", "number", width_px=108),
    Column("p95", "number", width_px=108),
    Column("Items", "number", width_px=84),
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
    Column("In", "number", width_px=156),
    Column("Every", "number", width_px=120),
    Column("Usually takes", "number", width_px=120),
    Column("Known from", "clip"),
)
_SYMBOLS: Final = {"late": "◷", "missed": "○", "overlap": "≡"}
_STATES: Final[Mapping[NextState, Status]] = MappingProxyType(
    {
        "on time": Status("ok", "✓ on time"),
        "due": Status("ok", "✓ due now"),
        "overdue": Status("bad", "▲ overdue"),
        "not known": Status("warn", "? not known"),
        "stopped": Status("warn", "◌ stopped"),
    }
)


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
        about(job.typical_interval_ms),
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


def next_rows(following: Sequence[NextRun], now_ms: int, span_ms: int) -> list[list[str | Status]]:
    """Return the rows of `NEXT_COLUMNS`.

    Args:
        following: What jobs do next, in the order of the rows.
        now_ms: The moment, epoch ms.
        span_ms: Length of the range.
    """
    return [_next_row(one, now_ms, span_ms) for one in following]


def _next_row(one: NextRun, now_ms: int, span_ms: int) -> list[str | Status]:
    if one.due_ms is None:
        soon = NOTHING
    elif one.overdue_ms:
        soon = f"since {_minutes(one.overdue_ms)}"
    else:
        soon = "now" if one.due_ms <= now_ms else _minutes(one.due_ms - now_ms)
    every = NOTHING if one.habit is None else about(one.habit.interval_ms)
    if one.plan is not None and one.plan.interval_s:
        every = duration(1000 * one.plan.interval_s)
    return [
        one.job,
        _STATES[one.state],
        clock(one.due_ms, span_ms=max(span_ms, DAY_MS + 1) if _other_day(one.due_ms, now_ms) else span_ms),
        soon,
        every,
        duration(None if one.habit is None else one.habit.usual_ms),
        _known_from(one),
    ]


def _known_from(one: NextRun) -> str:
    if one.plan is not None:
        return f"declared: {one.plan.when}"
    return "" if one.habit is None else _learnt_from(one.habit)


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
