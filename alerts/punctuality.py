"""Whether runs of jobs came when they should: by the schedules that were declared, of other jobs by their habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final

import numpy as np

from alerts.habits import TOLERANCE, Deviation, Learnt, deviations
from alerts.schedules import EARLY_MS, JobPlan, Planned
from db.results import FloatArray, IntArray

_MOST_MOMENTS: Final = 2_000  # of a plan that are looked at, the newest


@dataclass(frozen=True, slots=True, eq=False)
class Punctuality:
    """How the runs of all jobs came: n runs.

    Args:
        expected_ms: When each run should have begun, epoch ms, float64[n]; NaN where nobody knows.
        slips: What didn't come as it should in the span, newest first.
    """

    expected_ms: FloatArray
    slips: tuple[Deviation, ...]


def punctuality(learnt: Learnt, plans: Mapping[str, Planned], start_ms: int, end_ms: int, now_ms: int) -> Punctuality:
    """Judge the runs of a span of time; once for each answer of the database, which several charts ask about.

    A declared schedule counts from the moment on at which it was declared.

    Args:
        learnt: The runs, and what is usual.
        plans: Declared schedules, by job.
        start_ms: Of the span, epoch ms.
        end_ms: Its end, exclusive.
        now_ms: The moment, epoch ms; nothing that should come later is missing.
    """
    declared = tuple(sorted(plans.items(), key=itemgetter(0)))
    return _judged(learnt, declared, start_ms, end_ms, now_ms)


@lru_cache(maxsize=8)
def _judged(
    learnt: Learnt, declared: tuple[tuple[str, Planned], ...], start_ms: int, end_ms: int, now_ms: int
) -> Punctuality:
    since_ms = {job: planned.since_ms for job, planned in declared}
    slips = [
        one
        for one in deviations(learnt, start_ms, end_ms, now_ms)
        if one.what == "overlap" or one.seen_ms < since_ms.get(one.job, end_ms)
    ]
    expected_ms = _usual(learnt)
    runs = learnt.runs
    places = {name: place for place, name in enumerate(runs.names)}
    for job, planned in declared:
        place = places.get(job)
        part = slice(0) if place is None else slice(int(runs.offsets[place]), int(runs.offsets[place + 1]))
        long_ms = 0.0 if place is None else learnt.schedules[place].long_ms
        lowest_ms = max(planned.since_ms, start_ms, runs.since_ms)
        meant_ms, missed = _against(
            planned, runs.start_ms[part], lowest_ms, min(now_ms, end_ms - 1), patience_ms(planned.plan, long_ms)
        )
        expected_ms[part] = np.where(runs.start_ms[part] >= lowest_ms, meant_ms, expected_ms[part])
        slips += [one for one in _late(job, planned.plan, runs.start_ms[part], meant_ms) if one.seen_ms < end_ms]
        slips += [
            Deviation(job, "missed", moments_ms[0], None, float(moments_ms[-1] - moments_ms[0]), len(moments_ms))
            for moments_ms in missed
        ]
    return Punctuality(expected_ms, tuple(sorted(slips, key=lambda one: (-one.seen_ms, one.job, one.what))))


def patience_ms(plan: JobPlan, long_ms: float) -> float:
    """Return how long after its moment a run is waited for: it is recorded at its end.

    Args:
        plan: Its schedule.
        long_ms: Nine of ten of its runs took no longer.
    """
    return plan.grace_s * 1000 + (plan.longest_s * 1000 or long_ms)


def _usual(learnt: Learnt) -> FloatArray:
    """Return when each run should have begun by what its job usually does, epoch ms; NaN where that isn't known."""
    runs, expected_ms = learnt.runs, np.full(len(learnt.runs.start_ms), np.nan)
    place = np.flatnonzero(np.isfinite(learnt.interval_ms) & ~learnt.habit)
    interval_ms, before_ms = learnt.interval_ms[place], runs.start_ms[place - 1]
    step = np.maximum(1, np.floor((runs.start_ms[place] - before_ms) / interval_ms + TOLERANCE))
    expected_ms[place] = before_ms + step * interval_ms
    return expected_ms


def _against(
    planned: Planned, starts_ms: IntArray, lowest_ms: int, now_ms: int, patience_ms: float
) -> tuple[FloatArray, list[list[int]]]:
    """Return (what each run was meant for, NaN for none, float64[n]; the moments that were missed, in a row each)."""
    if planned.plan.interval_s:
        return _by_interval(planned, starts_ms, lowest_ms, now_ms - patience_ms)
    meant_ms = np.full(len(starts_ms), np.nan)
    moments_ms = np.asarray(planned.plan.newest_before(now_ms, lowest_ms, _MOST_MOMENTS), dtype=np.int64)
    if not len(moments_ms):
        return meant_ms, []
    at = np.searchsorted(moments_ms, starts_ms + EARLY_MS, side="right") - 1  # each run's moment; -1 before all
    before = np.concatenate(([-1], at))[:-1]
    meant = at > before  # others came in between, by hand perhaps
    meant_ms[meant] = moments_ms[at[meant]]
    last = int(at[-1]) if len(at) else -1
    told = int(np.searchsorted(moments_ms, now_ms - patience_ms, side="right"))
    gaps = [*zip((before[meant] + 1).tolist(), at[meant].tolist(), strict=True), (last + 1, told)]
    return meant_ms, [moments_ms[low:high].tolist() for low, high in gaps if high > low]


def _by_interval(
    planned: Planned, starts_ms: IntArray, lowest_ms: int, told_ms: float
) -> tuple[FloatArray, list[list[int]]]:
    step_ms = int(planned.plan.interval_s * 1000)
    meant_ms = np.full(len(starts_ms), np.nan)
    before_ms = starts_ms[:-1]
    steps = np.maximum(1, (starts_ms[1:] - before_ms + EARLY_MS) // step_ms)
    meant_ms[1:] = before_ms + steps * step_ms
    meant_ms[starts_ms < lowest_ms] = np.nan
    last_ms = int(starts_ms[-1]) if len(starts_ms) else planned.since_ms
    missed = []
    for low_ms, count in [
        *zip(before_ms.tolist(), (steps - 1).tolist(), strict=True),
        (last_ms, int((told_ms - last_ms) // step_ms)),
    ]:
        first = max(1, -((low_ms - lowest_ms) // step_ms), count - _MOST_MOMENTS + 1)
        if first <= count:
            missed.append([low_ms + step_ms * number for number in range(first, count + 1)])
    return meant_ms, missed


def _late(job: str, plan: JobPlan, starts_ms: IntArray, meant_ms: FloatArray) -> list[Deviation]:
    by_ms = starts_ms - meant_ms
    return [
        Deviation(job, "late", int(meant_ms[at]), int(starts_ms[at]), float(by_ms[at]))
        for at in np.flatnonzero(by_ms > plan.grace_s * 1000).tolist()  # never for NaN
    ]
