"""When each scheduler job runs next: as its schedule was declared, else if it goes on as it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from alerts.habits import Learnt, Schedule, overdue_ms
from alerts.punctuality import patience_ms
from alerts.schedules import EARLY_MS, JobPlan, Planned

NextState = Literal["overdue", "due", "on time", "stopped", "not known"]

_DAY_MS: Final = 86_400_000
# A job that missed so many runs, for at least a day, isn't late: somebody stopped it. Never said of declared ones.
_STOPPED_AFTER: Final = 20
_ORDER: Final[tuple[NextState, ...]] = ("overdue", "due", "on time", "stopped", "not known")


@dataclass(frozen=True, slots=True)
class NextRun:
    """What a job does next.

    Args:
        job: Its name.
        state: How it stands.
        due_ms: When its next run should begin, or should have begun, epoch ms; None when nobody knows.
        overdue_ms: For how long it has been overdue; 0 when it isn't.
        habit: What is usual for it; None when it never ran.
        plan: Its declared schedule; None when there is none.
    """

    job: str
    state: NextState
    due_ms: int | None
    overdue_ms: float
    habit: Schedule | None
    plan: JobPlan | None


def next_runs(learnt: Learnt, plans: Mapping[str, Planned], now_ms: int) -> tuple[NextRun, ...]:
    """Return every job that ran or has a schedule: overdue ones first, then by the next moment, then the others.

    Args:
        learnt: What is usual.
        plans: Declared schedules, by job.
        now_ms: The moment, epoch ms.
    """
    habits = {schedule.job: schedule for schedule in learnt.schedules}
    found = [
        _declared(plans[job], habits.get(job), now_ms) if job in plans else _usual(habits[job], now_ms)
        for job in {**habits, **plans}
    ]
    return tuple(sorted(found, key=_turn))


def _turn(one: NextRun) -> tuple[int, float, str]:
    in_time = one.state in ("due", "on time")
    place = _ORDER.index("due" if in_time else one.state)
    by = -one.overdue_ms if one.state == "overdue" else float(one.due_ms or 0) if in_time else 0.0
    return place, by, one.job


def _usual(habit: Schedule, now_ms: int) -> NextRun:
    if habit.interval_ms is None:
        return NextRun(habit.job, "not known", None, 0.0, habit, None)
    next_ms, late_ms = round(habit.last_start_ms + habit.interval_ms), overdue_ms(habit, now_ms)
    state: NextState = "due" if next_ms <= now_ms else "on time"
    if late_ms:
        state = "stopped" if late_ms > _DAY_MS and late_ms > _STOPPED_AFTER * habit.interval_ms else "overdue"
    return NextRun(habit.job, state, next_ms, late_ms, habit, None)


def _declared(planned: Planned, habit: Schedule | None, now_ms: int) -> NextRun:
    plan = planned.plan
    # A run that begins a little early is meant for the moment that comes then.
    began_ms = 0 if habit is None else habit.last_start_ms + (EARLY_MS if plan.cron else 0)
    after_ms = max(planned.since_ms, began_ms)
    following = plan.next_after(after_ms, 1)
    if not following:
        return NextRun(plan.job, "not known", None, 0.0, habit, plan)
    waited_ms = now_ms - following[0]
    if waited_ms > patience_ms(plan, 0.0 if habit is None else habit.long_ms):
        return NextRun(plan.job, "overdue", following[0], float(waited_ms), habit, plan)
    return NextRun(plan.job, "due" if waited_ms >= 0 else "on time", following[0], 0.0, habit, plan)
