"""What needs attention, computed from the data alone: low success, silence, and jobs whose last run failed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from components.numbers import clock, count, duration, percent
from components.states import FAILING_BELOW_PERCENT, HEALTHY_FROM_PERCENT, is_silent, usual_pause_ms
from components.tables import Mood, one_line
from components.timerange import DAY_MS
from db.results import SchedulerStats, SourceStats, TimeRange

What = Literal["low success", "silent", "job failed"]

# Below this many attempts a rate says nothing.
FEWEST_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that needs attention.

    Args:
        what: Its kind.
        who: The source or job.
        mood: `bad` or `warn`.
        measured: What was seen, in words.
        expected: What would be fine, in words.
        since_ms: The moment of the last good sign (or of the failure), epoch milliseconds; None when not known.
    """

    what: What
    who: str
    mood: Mood
    measured: str
    expected: str
    since_ms: int | None


def concerns(
    sources: Sequence[SourceStats],
    day: Sequence[SourceStats],
    day_range: TimeRange,
    jobs: Sequence[SchedulerStats],
    *,
    known: Collection[str],
) -> tuple[Concern, ...]:
    """Find what needs attention, the worst first.

    Args:
        sources: Figures over the page's range: for success rates.
        day: Figures over a longer range: for the usual pauses.
        day_range: That longer range.
        jobs: Scheduler jobs over the page's range.
        known: Sources that were there before the longer range.
    """
    found = [
        *(_low_success(stats) for stats in sources if _is_low(stats)),
        *(
            _silent(stats, day_range, stats.source in known)
            for stats in day
            if is_silent(stats, day_range, known_before=stats.source in known)
        ),
        *(_failed(job) for job in jobs if not job.last_success),
    ]
    return tuple(sorted(found, key=lambda concern: (concern.mood != "bad", concern.what, concern.who)))


def _is_low(stats: SourceStats) -> bool:
    rate = stats.totals.success_rate
    return rate is not None and stats.totals.count >= FEWEST_ATTEMPTS and rate < HEALTHY_FROM_PERCENT


def _low_success(stats: SourceStats) -> Concern:
    totals = stats.totals
    return Concern(
        "low success",
        stats.source,
        "bad" if (totals.success_rate or 0.0) < FAILING_BELOW_PERCENT else "warn",
        f"{percent(totals.success_rate)} of {count(totals.count)} went well",
        f"at least {HEALTHY_FROM_PERCENT:.0f}\u00a0%",
        stats.last_ok_ms,
    )


def _silent(stats: SourceStats, range: TimeRange, known_before: bool) -> Concern:
    pause_ms = usual_pause_ms(stats.counts, range.bucket_ms, known_before=known_before)
    return Concern(
        "silent",
        stats.source,
        "warn",
        f"last seen {clock(stats.last_seen_ms, span_ms=2 * DAY_MS)} UTC",
        f"a sign of life at least every {duration(pause_ms)}, its longest pause of the day",
        stats.last_seen_ms,
    )


def _failed(job: SchedulerStats) -> Concern:
    error = one_line(job.last_error or "no error text")
    return Concern("job failed", job.scheduler_name, "bad", f"last run failed: {error}", "an ok run", job.last_run_ms)
