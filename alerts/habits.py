"""What is usual for a scheduler job, learnt from its own runs; and which of them came late, were missed or overlapped.

Nobody tells when a job is meant to run: its plan is learnt from the pauses between its starts, fifty runs at a time, so
that a job whose pace was changed is judged by the pace of each time. What can't be learnt isn't judged: a job with
fewer than five runs, or one whose pauses follow no interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from db.columns import BoolArray
from db.job_runs import JobRuns
from db.results import FloatArray, IntArray

LEAST_RUNS: Final = 5
RUNS_LEARNT_FROM: Final = 50
# How far from its moment a run may begin and still be on time, as a share of the interval.
TOLERANCE: Final = 0.25
# So many of a regular job's pauses are a whole number of intervals long, give or take the tolerance.
_REGULAR: Final = 0.8
# A pause of at least so many intervals that came at least so often is a habit (nights, weekends), not missed runs.
_LONG_PAUSE: Final = 2.5
_HABIT: Final = 3
_OVERLAP_MS: Final = 1_000
_APART: Final = 1 << 43  # further apart than any two moments: keeps jobs apart on one axis

Slip = Literal["late", "missed", "overlap"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is usual for a job.

    Args:
        job: Its name.
        runs: How many of its newest runs this was learnt from.
        interval_ms: The typical time between two starts; None when it can't be told.
        usual_ms: Its typical duration.
        long_ms: Nine of ten runs took no longer.
        pause_ms: The longest pause that it makes again and again; 0 without such a habit.
        last_start_ms: When its newest run began, epoch ms.
        last_ok: Whether that went well.
    """

    job: str
    runs: int
    interval_ms: float | None
    usual_ms: float
    long_ms: float
    pause_ms: float
    last_start_ms: int
    last_ok: bool

    @property
    def tolerance_ms(self) -> float:
        """How late a run may begin and still be on time; 0 when no interval is known."""
        return TOLERANCE * (self.interval_ms or 0.0)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A run that didn't come as usual.

    Args:
        job: Whose.
        what: `late`, `missed` (one or several between the same two runs) or `overlap` (it began before the one before
            had ended).
        expected_ms: When it, or the first that was missed, should have begun, epoch ms; for an overlap, when the run
            before ended.
        came_ms: When it began; None for missed ones.
        by_ms: How late it was, how long the two ran side by side, or the time from the first to the last of those that
            were missed.
        count: How many were missed, else 1.
    """

    job: str
    what: Slip
    expected_ms: int
    came_ms: int | None
    by_ms: float
    count: int = 1

    @property
    def seen_ms(self) -> int:
        """The moment that places it among others, epoch ms."""
        return self.expected_ms if self.came_ms is None else self.came_ms


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What was learnt of all jobs: J jobs, n runs.

    Args:
        runs: What it was learnt from.
        schedules: One for each job, by name: what is usual now.
        interval_ms: The interval that each run is judged by, float64[n]; NaN where none is known.
        habit: Whether the pause before each run is one that the job makes again and again, bool[n].
    """

    runs: JobRuns
    schedules: tuple[Schedule, ...]
    interval_ms: FloatArray
    habit: BoolArray

    def of(self, job: str) -> Schedule | None:
        """Return what is usual for a job, None when it never ran."""
        return next((schedule for schedule in self.schedules if schedule.job == job), None)


@lru_cache(maxsize=8)
def learn(runs: JobRuns) -> Learnt:
    """Learn what is usual for every job; once for each answer of the database, which several charts ask about.

    Args:
        runs: Their newest runs.
    """
    job, n = runs.job, len(runs.start_ms)
    behind = runs.offsets[1:][job] - 1 - np.arange(n)  # 0 for the newest run of a job
    has_gap = np.arange(n) > runs.offsets[:-1][job]
    place = np.flatnonzero(has_gap)
    gap_ms = (runs.start_ms[place] - runs.start_ms[place - 1]).astype(np.float64)
    # Fifty at a time, counted from the newest.
    blocks = behind // RUNS_LEARNT_FROM
    most = int(blocks.max(initial=0)) + 1
    group = job[place] * most + blocks[place]
    typical_ms, regular, habit = _typical(gap_ms, group, len(runs.names) * most)
    interval_ms = np.full(n, np.nan)
    interval_ms[place] = np.where(regular[group], typical_ms[group], np.nan)
    known = np.zeros(n, dtype=np.bool_)
    known[place] = habit
    pause_ms = np.zeros(len(runs.names))
    newest = habit & (blocks[place] == 0)
    np.maximum.at(pause_ms, job[place[newest]], gap_ms[newest])
    return Learnt(runs, _schedules(runs, typical_ms[::most], regular[::most], pause_ms), interval_ms, known)


def deviations(learnt: Learnt, start_ms: int, end_ms: int, now_ms: int) -> tuple[Deviation, ...]:
    """Find what didn't come as usual in a span of time, newest first.

    A run that is missing at the end is told once nine of ten runs would have ended: runs are recorded at their end.

    Args:
        learnt: What is usual.
        start_ms: Of the span, epoch ms.
        end_ms: Its end, exclusive.
        now_ms: The moment, epoch ms; nothing that should come later is missing.
    """
    missing = _still_missing(learnt, start_ms, min(now_ms, end_ms))
    found = [*_between(learnt, start_ms), *missing, *_overlaps(learnt.runs)]
    inside = [one for one in found if start_ms <= one.seen_ms < end_ms]
    return tuple(sorted(inside, key=lambda one: (-one.seen_ms, one.job, one.what)))


def overdue_ms(schedule: Schedule, now_ms: int) -> float:
    """Return for how long a job's next run has been overdue, 0 when it isn't or when nothing is known of it.

    Args:
        schedule: What is usual for the job.
        now_ms: The moment, epoch ms.
    """
    if schedule.interval_ms is None:
        return 0.0
    waited_ms = now_ms - schedule.last_start_ms
    allowed_ms = max(schedule.interval_ms, schedule.pause_ms) + schedule.tolerance_ms + schedule.long_ms
    return waited_ms - schedule.interval_ms if waited_ms > allowed_ms else 0.0


def _typical(gap_ms: FloatArray, group: IntArray, groups: int) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Return (median gap of each group, whether the group is regular, which gaps are habits)."""
    order = np.lexsort((gap_ms, group))
    ranked_ms, of = gap_ms[order], group[order]
    count = np.bincount(group, minlength=groups)
    first = np.concatenate(([0], np.cumsum(count)))[:-1]
    typical_ms = np.full(groups, np.nan)
    some = count > 0
    low, high = first[some] + (count[some] - 1) // 2, first[some] + count[some] // 2
    typical_ms[some] = (ranked_ms[low] + ranked_ms[high]) / 2
    typical_ms[typical_ms <= 0] = np.nan
    interval_ms = typical_ms[of]
    with np.errstate(invalid="ignore"):
        steps = np.rint(ranked_ms / interval_ms)
        on_grid = (np.abs(ranked_ms / interval_ms - steps) <= TOLERANCE) & (steps >= 1)
        long = ranked_ms >= _LONG_PAUSE * interval_ms
    share = np.bincount(of, weights=on_grid, minlength=groups) / np.maximum(count, 1)
    regular = (count >= LEAST_RUNS - 1) & (share >= _REGULAR) & np.isfinite(typical_ms)
    # Three in the order of length that lie within the tolerance of each other are one habit.
    alike = np.zeros(len(order), dtype=np.bool_)
    last = _HABIT - 1
    if len(order) > last:
        near = (of[last:] == of[:-last]) & long[:-last]
        near &= ranked_ms[last:] - ranked_ms[:-last] <= TOLERANCE * interval_ms[last:]
        for step in range(_HABIT):
            alike[step : len(order) - last + step] |= near
    habit = np.empty(len(order), dtype=np.bool_)
    habit[order] = alike
    return typical_ms, regular, habit


def _schedules(runs: JobRuns, typical_ms: FloatArray, regular: BoolArray, pause_ms: FloatArray) -> tuple[Schedule, ...]:
    took_ms = (runs.end_ms - runs.start_ms).astype(np.float64)
    found = []
    for place, name in enumerate(runs.names):
        low, high = int(runs.offsets[place]), int(runs.offsets[place + 1])
        newest = np.sort(took_ms[max(low, high - RUNS_LEARNT_FROM - 1) : high])
        found.append(
            Schedule(
                job=name,
                runs=len(newest),
                interval_ms=float(typical_ms[place]) if regular[place] else None,
                usual_ms=float(newest[(len(newest) - 1) // 2]),
                long_ms=float(newest[min(len(newest) - 1, int(0.9 * len(newest)))]),
                pause_ms=float(pause_ms[place]) if regular[place] else 0.0,
                last_start_ms=int(runs.start_ms[high - 1]),
                last_ok=bool(runs.success[high - 1]),
            )
        )
    return tuple(found)


def _between(learnt: Learnt, start_ms: int) -> list[Deviation]:
    """Judge the pause before each run; of missed ones those before `start_ms` aren't counted."""
    runs = learnt.runs
    place = np.flatnonzero(np.isfinite(learnt.interval_ms) & ~learnt.habit)
    interval_ms = learnt.interval_ms[place]
    before_ms = runs.start_ms[place - 1]
    gap_ms = runs.start_ms[place] - before_ms
    # The expected moment that the run belongs to: the last one whose time had come.
    step = np.maximum(1, np.floor(gap_ms / interval_ms + TOLERANCE))
    by_ms = gap_ms - step * interval_ms
    late = by_ms > TOLERANCE * interval_ms
    job = runs.job[place]
    first = np.maximum(1, np.ceil((start_ms - before_ms) / interval_ms))
    found = []
    for at in np.flatnonzero((late | (step > 1)) & (runs.start_ms[place] >= start_ms)).tolist():
        name, own_ms, last_ms = runs.names[int(job[at])], float(interval_ms[at]), int(before_ms[at])
        if step[at] > first[at]:
            expected_ms = round(last_ms + first[at] * own_ms)
            count = int(step[at] - first[at])
            found.append(Deviation(name, "missed", expected_ms, None, (count - 1) * own_ms, count))
        if late[at]:
            expected_ms = round(last_ms + step[at] * own_ms)
            found.append(Deviation(name, "late", expected_ms, int(runs.start_ms[place[at]]), float(by_ms[at])))
    return found


def _still_missing(learnt: Learnt, start_ms: int, now_ms: int) -> list[Deviation]:
    """Judge what should have come since the newest runs: missed is what even the next one's time has come without."""
    found = []
    for schedule in learnt.schedules:
        if schedule.interval_ms is None or not overdue_ms(schedule, now_ms):
            continue
        told_ms = now_ms - schedule.long_ms - schedule.last_start_ms
        first = max(1, -(-(start_ms - schedule.last_start_ms) // schedule.interval_ms))
        missed = int(told_ms / schedule.interval_ms + TOLERANCE) - int(first)
        if missed > 0:
            first_ms = round(schedule.last_start_ms + first * schedule.interval_ms)
            by_ms = (missed - 1) * schedule.interval_ms
            found.append(Deviation(schedule.job, "missed", first_ms, None, by_ms, missed))
    return found


def _overlaps(runs: JobRuns) -> list[Deviation]:
    if not len(runs.start_ms):
        return []
    job = runs.job
    # The latest end so far of the same job.
    ended_ms = np.maximum.accumulate(runs.end_ms + job * _APART) - job * _APART
    same = job[1:] == job[:-1]
    both_ms = np.minimum(ended_ms[:-1], runs.end_ms[1:]) - runs.start_ms[1:]
    return [
        Deviation(
            runs.names[int(job[at + 1])], "overlap", int(ended_ms[at]), int(runs.start_ms[at + 1]), float(both_ms[at])
        )
        for at in np.flatnonzero(same & (both_ms > _OVERLAP_MS)).tolist()
    ]
