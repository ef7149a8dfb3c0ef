"""APScheduler: `track_scheduler(scheduler)` records a scheduler run for each run of its jobs, those missed included."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from collector.entries import describe_exception
from collector.fields import MAX_NAME_CHARS, optional_name
from collector.integrations.pages import missing, since_ms
from collector.measures import count_processed
from collector.triggers import of_cron_trigger, of_interval_trigger
from collector.warner import logger

try:
    from apscheduler import events
    from apscheduler.triggers.cron import CronTrigger
    from apscheduler.triggers.interval import IntervalTrigger
except ImportError as exc:  # 4 has no such module
    raise missing("apscheduler", "apscheduler>=3.10,<4", exc) from exc

if TYPE_CHECKING:
    from collector.client import Collector

S = TypeVar("S")

_MOST_REMEMBERED = 10_000  # jobs and runs under way


def track_scheduler(
    scheduler: S,
    *,
    scraper_source: str | None = None,
    declare_schedules: bool = True,
    collector: Collector | None = None,
) -> S:
    """Record what a scheduler does, under the names of its jobs.

    A run that ends well or raises, with its duration and, where the job returns a collection, its length as items; a
    run that was missed (`misfire_grace_time`) and one that was skipped because as many were running as may
    (`max_instances`), each as a failed run that took no time. A duration begins when the scheduler hands the run to
    its executor; of jobs with `coalesce=False` that catch up on several runs at once, each ends with the last.

    The app is told when jobs are meant to run (`collector.declare_schedule`): of cron triggers that five fields can
    say, and of intervals from ten seconds on; without jitter and end. Jobs that share a name have no schedule.

    Args:
        scheduler: A scheduler of APScheduler 3, any kind, started or not.
        scraper_source: The scraper that its jobs drive, if they all drive one.
        declare_schedules: Whether the app is told.
        collector: Who records; None = the collector of the package's functions.

    Returns:
        The same scheduler.

    Raises:
        TypeError: That is no scheduler of APScheduler 3.
        InvalidMetric: `scraper_source` is no name.
    """
    if not (callable(getattr(scheduler, "add_listener", None)) and callable(getattr(scheduler, "get_job", None))):
        raise TypeError(f"track_scheduler needs a scheduler of APScheduler 3, got {type(scheduler).__name__}")
    source = optional_name(scraper_source, "scraperSource")
    if collector is None:
        import collector as package

        collector = package._collector
    listener = _Listener(scheduler, source, collector)
    scheduler.add_listener(listener, _WATCHED)  # type: ignore[attr-defined]
    if declare_schedules:
        plans = _Plans(scheduler, collector)
        scheduler.add_listener(plans, _PLANNING)  # type: ignore[attr-defined]
        if getattr(scheduler, "running", False):
            plans.begin()
    return scheduler


_NAMING = events.EVENT_JOB_ADDED | events.EVENT_JOB_MODIFIED
_ENDS = events.EVENT_JOB_EXECUTED | events.EVENT_JOB_ERROR | events.EVENT_JOB_MISSED
_PLANNING = _NAMING | events.EVENT_JOB_REMOVED | events.EVENT_ALL_JOBS_REMOVED | events.EVENT_SCHEDULER_STARTED
_WATCHED = _NAMING | _ENDS | events.EVENT_JOB_SUBMITTED | events.EVENT_JOB_MAX_INSTANCES


class _Listener:
    """Gets the scheduler's events, from the scheduler's thread and those of its executors."""

    def __init__(self, scheduler: Any, source: str | None, collector: Collector) -> None:
        self._scheduler = scheduler
        self._source = source
        self._collector = collector
        self._changing = threading.Lock()  # protects the two below
        self._names: OrderedDict[str, str] = OrderedDict()
        self._handed_s: OrderedDict[tuple[str, datetime], float] = OrderedDict()

    def __call__(self, event: Any) -> None:
        """Take an event; a listener that raises would only be logged by APScheduler."""
        try:
            self._take(event)
        except Exception as exc:  # noqa: BLE001 - of foreign objects; the scheduler must go on
            logger.warning("collector: an event of APScheduler can't be recorded: %s", describe_exception(exc))

    def _take(self, event: Any) -> None:
        if event.code & _NAMING:
            self._name(event, anew=True)
        elif event.code == events.EVENT_JOB_SUBMITTED:
            now_s = perf_counter()
            for run_time in event.scheduled_run_times:
                self._remember(self._handed_s, (event.job_id, run_time), now_s)
            self._name(event)
        elif event.code == events.EVENT_JOB_MAX_INSTANCES:
            for run_time in event.scheduled_run_times:
                why = "skipped: as many instances were running as may (max_instances)"
                self._record(event, 0.0, error=f"{why}; it was due at {run_time.isoformat()}")
        elif event.code & _ENDS:
            with self._changing:
                handed_s = self._handed_s.pop((event.job_id, event.scheduled_run_time), None)
            # Without: it was over before the scheduler said that it had begun, a moment after.
            duration_ms = since_ms(handed_s) if handed_s is not None else 0.0
            if event.code == events.EVENT_JOB_MISSED:
                self._record(event, 0.0, error=f"missed: it was due at {event.scheduled_run_time.isoformat()}")
            elif event.code == events.EVENT_JOB_ERROR:
                self._record(event, duration_ms, error=event.exception)
            else:
                self._record(event, duration_ms, items=count_processed(event.retval) or 0)

    def _record(self, event: Any, duration_ms: float, *, items: int = 0, error: Any = None) -> None:
        self._collector.record_scheduler_metric(
            self._name(event)[:MAX_NAME_CHARS],
            execution_duration_ms=round(duration_ms, 3),
            success=error is None,
            items_processed=items,
            error=error,
            scraper_source=self._source,
        )

    def _name(self, event: Any, *, anew: bool = False) -> str:
        """Say a job's name; of one that is gone already, as a job with a single run is, from memory."""
        with self._changing:
            known = None if anew else self._names.get(event.job_id)
        if known is not None:
            return known
        job = self._scheduler.get_job(event.job_id, event.jobstore)
        name = str(getattr(job, "name", "") or event.job_id)
        self._remember(self._names, event.job_id, name)
        return name

    def _remember(self, memory: OrderedDict[Any, Any], key: Any, value: Any) -> None:
        with self._changing:
            memory[key] = value
            if len(memory) > _MOST_REMEMBERED:
                memory.popitem(last=False)


class _Plans:
    """Declares when jobs are meant to run: all of them when the scheduler starts, later those that change."""

    def __init__(self, scheduler: Any, collector: Collector) -> None:
        self._scheduler = scheduler
        self._collector = collector
        self._changing = threading.Lock()  # protects the two below
        self._names: dict[str, str] = {}  # job id -> name
        self._jobs: Counter[str] = Counter()  # name -> jobs that have it

    def __call__(self, event: Any) -> None:
        """Take an event."""
        try:
            if event.code == events.EVENT_SCHEDULER_STARTED:
                self.begin()
            elif event.code == events.EVENT_JOB_REMOVED:
                with self._changing:
                    self._forget(event.job_id)
            elif event.code == events.EVENT_ALL_JOBS_REMOVED:
                with self._changing:
                    self._names.clear()
                    self._jobs.clear()
            elif self._scheduler.running:  # before, jobs are looked at together: some may share a name
                job = self._scheduler.get_job(event.job_id, event.jobstore)
                if job is not None:
                    self._know(job)
                    self._declare(job)
        except Exception as exc:  # noqa: BLE001 - of foreign objects; the scheduler must go on
            logger.warning("collector: a schedule of APScheduler can't be declared: %s", describe_exception(exc))

    def begin(self) -> None:
        """Declare all that there is."""
        jobs = self._scheduler.get_jobs()
        for job in jobs:
            self._know(job)
        for job in jobs:
            self._declare(job)

    def _know(self, job: Any) -> None:
        with self._changing:
            self._forget(job.id)
            self._names[job.id] = job.name
            self._jobs[job.name] += 1

    def _forget(self, job_id: str) -> None:
        name = self._names.pop(job_id, None)
        if name is not None:
            self._jobs[name] -= 1
            if not self._jobs[name]:
                del self._jobs[name]

    def _declare(self, job: Any) -> None:
        with self._changing:
            alone = self._jobs[job.name] == 1
        plan = _plan(job.trigger) if alone else None
        if plan is not None:
            self._collector.declare_schedule(str(job.name or job.id)[:MAX_NAME_CHARS], **plan)


def _plan(trigger: Any) -> dict[str, Any] | None:
    # Exactly these: one made of them may mean anything.
    if type(trigger) is CronTrigger:
        return of_cron_trigger(trigger)
    return of_interval_trigger(trigger) if type(trigger) is IntervalTrigger else None
