"""Measure rules by job: runs that failed, didn't come, came late, ran side by side or took too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from alerts.habits import LEAST_RUNS, TOLERANCE, Deviation, Learnt, Schedule, deviations, learn, overdue_ms
from alerts.look import Look
from alerts.matchers import match
from alerts.measured import Measured, judged
from alerts.rules import Rule
from alerts.schedules import EARLY_MS, JobPlan, Planned
from db.job_runs import JobRuns
from db.results import IntArray

# Without a declared limit, a run is too long that takes so many times as long as nine of ten runs do.
_TOO_LONG: Final = 2.0
_MOST_LATE: Final = 500  # of more runs in a window, the newest
_FEWEST_FOR_LENGTH: Final = 2 * LEAST_RUNS


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """The runs of one job, rising, and what is known of it."""

    name: str
    start_ms: IntArray
    end_ms: IntArray
    success: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
    items: IntArray
    habit: Schedule | None
    plan: Planned | None

    def since(self, moment_ms: int) -> slice:
        """Return the runs that ended from a moment on."""
        return slice(int(np.searchsorted(self.end_ms, moment_ms)), None)


def measure_jobs(rule: Rule, look: Look) -> Measured:
    """Measure a rule by job.

    Args:
        rule: With by: job.
        look: The moment.
    """
    runs, plans = look.job_runs(), look.plans
    learnt = learn(runs)
    told = _told(rule, look) if rule.what == "run_lost" else {}
    names = tuple(name for name in sorted({*runs.names, *plans, *told}) if match(rule.only, {"job": name}))
    value, samples = np.full(len(names), np.nan), np.zeros(len(names), dtype=np.int64)
    slips = _slips(rule, learnt, look) if rule.what in ("run_late", "run_overlapping") else {}
    for place, name in enumerate(names):
        job = _job(runs, learnt, name, plans.get(name))
        found = _of(rule, job, look, slips) if name not in told else told[name]
        if found is not None:
            value[place], samples[place] = found
    return judged(rule, names, value, samples)


def _of(rule: Rule, job: _Job, look: Look, slips: Mapping[str, int]) -> tuple[float, int] | None:
    """Return (what is measured of a job, from how many runs), None where nothing can be."""
    recent = job.since(look.now_ms - int(rule.window_s * 1000))
    count = len(job.end_ms[recent])
    if rule.what == "run_missed":
        missed = _missed(job, look)
        return None if missed is None else (float(missed), max(1, count))
    if rule.what == "no_data":
        heard_ms = max(int(job.end_ms[-1]) if len(job.end_ms) else 0, look.listening_since_ms)
        return ((look.now_ms - heard_ms) / 1000, count) if count else None
    if not count:
        return None
    if rule.what == "run_failed":
        failed = ~job.success[recent][::-1]
        return float(count if failed.all() else int(np.argmin(failed))), count
    if rule.what == "run_late" and job.plan is not None:
        return float(_late(job, job.plan.plan, recent)), count
    if rule.what in ("run_late", "run_overlapping"):
        return float(slips.get(job.name, 0)), count
    if rule.what == "run_too_long":
        most_ms = _most_ms(job)
        took_ms = job.end_ms[recent] - job.start_ms[recent]
        return None if most_ms is None else (float(np.count_nonzero(took_ms > most_ms)), count)
    return _sums(rule, job, recent, count)


def _sums(rule: Rule, job: _Job, recent: slice, count: int) -> tuple[float, int] | None:
    successes = int(np.count_nonzero(job.success[recent]))
    found: Mapping[str, Callable[[], float]] = {
        "success_rate": lambda: 100.0 * successes / count,
        "error_count": lambda: float(count - successes),
        "mean_ms": lambda: float((job.end_ms[recent] - job.start_ms[recent]).mean()),
        "items": lambda: float(job.items[recent].sum()),
        "run_lost": lambda: 0.0,  # nobody told of it in the window
    }
    return found[rule.what](), count


def _missed(job: _Job, look: Look) -> int | None:
    """Return how many runs should have begun since the newest one; None where nothing is known of it.

    Runs are recorded at their end: one that goes on for as long as usual isn't missed yet, and one that somebody told
    of (`collector.run`) has begun, however it goes on.
    """
    last_ms = int(job.start_ms[-1]) if len(job.start_ms) else None
    missed = _missed_since(last_ms, job, look)
    if not missed:
        return missed
    # Somebody may have told that one has begun; only now is it worth asking.
    begun_ms = look.begun_ms().get(job.name)
    return missed if begun_ms is None else _missed_since(max(begun_ms, last_ms or 0), job, look)


def _missed_since(last_ms: int | None, job: _Job, look: Look) -> int | None:
    patience_ms = 0.0 if job.habit is None else job.habit.long_ms
    if job.plan is not None:
        plan = job.plan.plan
        if plan.longest_s:
            patience_ms = plan.longest_s * 1000
        since_ms = max(job.plan.since_ms if last_ms is None else last_ms, look.listening_since_ms - EARLY_MS)
        return len(plan.due_after(since_ms, int(look.now_ms - plan.grace_s * 1000 - patience_ms)))
    if job.habit is None or job.habit.interval_ms is None or last_ms is None:
        return None
    if (
        not overdue_ms(replace(job.habit, last_start_ms=last_ms), look.now_ms)
        or look.now_ms - look.listening_since_ms < job.habit.interval_ms
    ):
        return 0
    # The first after its usual pause, or after a long one where those are habits; each counts once it is overdue.
    first_ms = max(job.habit.interval_ms, job.habit.pause_ms)
    waited_ms = look.now_ms - patience_ms - last_ms
    return 1 + max(0, int((waited_ms - first_ms) / job.habit.interval_ms - TOLERANCE))


def _told(rule: Rule, look: Look) -> Mapping[str, tuple[float, int]]:
    """Return by job (how many of the runs that were told of are lost, how many there are), by their last sign of life.

    A run that is heard of again isn't lost any more.
    """
    window_ms = int(rule.window_s * 1000)
    found: dict[str, tuple[float, int]] = {}
    for run in look.told_runs(window_ms):
        if run.name is not None and look.now_ms - window_ms <= run.ended_ms <= look.now_ms:
            lost, count = found.get(run.name, (0.0, 0))
            found[run.name] = (lost + (run.state == "lost"), count + 1)
    return found


def _late(job: _Job, plan: JobPlan, recent: slice) -> int:
    starts = job.start_ms.tolist()
    late = 0
    for place in range(max(recent.start, len(starts) - _MOST_LATE), len(starts)):
        meant_ms = plan.meant_for(starts[place], starts[place - 1] if place else None)
        late += meant_ms is not None and starts[place] - meant_ms > plan.grace_s * 1000
    return late


def _most_ms(job: _Job) -> float | None:
    if job.plan is not None and job.plan.plan.longest_s:
        return job.plan.plan.longest_s * 1000
    if job.habit is None or job.habit.runs < _FEWEST_FOR_LENGTH:
        return None
    return _TOO_LONG * job.habit.long_ms


def _slips(rule: Rule, learnt: Learnt, look: Look) -> Mapping[str, int]:
    """Count what didn't come as usual in the window, by job."""
    what = "late" if rule.what == "run_late" else "overlap"
    counts: dict[str, int] = {}
    for one in _deviations(learnt, (look.now_ms - int(rule.window_s * 1000)) // 60_000, look.now_ms // 60_000):
        if one.what == what:
            counts[one.job] = counts.get(one.job, 0) + one.count
    return counts


@lru_cache(maxsize=8)
def _deviations(learnt: Learnt, start_min: int, end_min: int) -> tuple[Deviation, ...]:
    return deviations(learnt, start_min * 60_000, (end_min + 1) * 60_000, end_min * 60_000)


def _job(runs: JobRuns, learnt: Learnt, name: str, plan: Planned | None) -> _Job:
    place = int(np.searchsorted(runs.names, name)) if runs.names else 0
    if place >= len(runs.names) or runs.names[place] != name:
        none = np.empty(0, dtype=np.int64)
        return _Job(name, none, none, np.empty(0, dtype=np.bool_), none, None, plan)
    part = slice(int(runs.offsets[place]), int(runs.offsets[place + 1]))
    return _Job(
        name, runs.start_ms[part], runs.end_ms[part], runs.success[part], runs.items[part],
        learnt.schedules[place], plan,
    )  # fmt: skip
