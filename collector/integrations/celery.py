"""Celery: `track_tasks()` where the app is made records a scheduler run for each task that a worker executes."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any

from collector.entries import describe_exception
from collector.fields import MAX_NAME_CHARS, optional_name
from collector.integrations.pages import missing, since_ms
from collector.measures import count_processed
from collector.triggers import of_crontab, of_interval
from collector.warner import logger

try:
    from celery import schedules, signals
except ImportError as exc:
    raise missing("celery", "celery", exc) from exc

if TYPE_CHECKING:
    from collector.client import Collector

_MOST_REMEMBERED = 10_000  # tasks under way in one process
_FLUSH_S = 5.0


def track_tasks(
    *, scraper_source: str | None = None, declare_schedules: bool = True, collector: Collector | None = None
) -> None:
    """Record the tasks of this process's workers, under their names (of long ones the end).

    Each execution is a run: one that raises has failed, and so has one that asks to be tried again (`retry: ...`); the
    next attempt is a run of its own. Where a task returns a collection, its length is the items. Call it once, where
    the app is made, beside `collector.configure`: prefork workers inherit both, and deliver when they end.

    Where beat starts, the app is told when tasks are meant to run (`collector.declare_schedule`): of `crontab`s that
    cron can say, and of intervals from ten seconds on. A task with several entries has no schedule.

    Args:
        scraper_source: The scraper that the tasks drive, if they all drive one.
        declare_schedules: Whether the app is told.
        collector: Who records; None = the collector of the package's functions.

    Raises:
        InvalidMetric: `scraper_source` is no name.
    """
    source = optional_name(scraper_source, "scraperSource")
    if collector is None:
        import collector as package

        collector = package._collector
    tracker = _Tracker(source, declare_schedules, collector)
    # Replaces the one before, if there is one: a dispatch_uid is taken once.
    for signal, receive in (
        (signals.task_prerun, tracker.begin),
        (signals.task_postrun, tracker.end),
        (signals.task_retry, tracker.explain_retry),
        (signals.task_failure, tracker.explain_failure),
        (signals.worker_process_shutdown, tracker.deliver),
        (signals.beat_init, tracker.declare),
    ):
        uid = f"scrapeboard-{receive.__name__}"
        signal.disconnect(dispatch_uid=uid)
        signal.connect(receive, weak=False, dispatch_uid=uid)


class _Tracker:
    """Gets Celery's signals in the process (or thread, or greenlet) that executes the task."""

    def __init__(self, source: str | None, declares: bool, collector: Collector) -> None:
        self._source = source
        self._declares = declares
        self._collector = collector
        self._under_way: OrderedDict[str, list[Any]] = OrderedDict()  # task id -> [began_s, why it failed]

    def begin(self, task_id: str = "", **_rest: Any) -> None:
        """Start the clock."""
        self._under_way[task_id] = [perf_counter(), None]
        while len(self._under_way) > _MOST_REMEMBERED:
            try:
                self._under_way.popitem(last=False)
            except KeyError:  # another thread's task has ended
                break

    def explain_failure(self, task_id: str = "", exception: Any = None, **_rest: Any) -> None:
        """Keep what a task raised."""
        if task_id in self._under_way:
            # Celery hands on what can be pickled, which may be no more than a base class; it is still being handled.
            self._under_way[task_id][1] = sys.exc_info()[1] or exception

    def explain_retry(self, request: Any = None, reason: Any = None, **_rest: Any) -> None:
        """Keep why a task is to be tried again."""
        task_id = getattr(request, "id", "")
        if task_id in self._under_way:
            said = describe_exception(reason) if isinstance(reason, BaseException) else str(reason)
            self._under_way[task_id][1] = f"retry: {said}"

    def end(self, task_id: str = "", task: Any = None, retval: Any = None, state: Any = None, **_rest: Any) -> None:
        """Record a task's execution."""
        began_s, error = self._under_way.pop(task_id, (None, None))
        if began_s is None:
            return
        success = state == "SUCCESS"
        self._collector.record_scheduler_metric(
            str(getattr(task, "name", None) or "task")[-MAX_NAME_CHARS:],
            execution_duration_ms=round(since_ms(began_s), 3),
            success=success,
            items_processed=(count_processed(retval) or 0) if success else 0,
            error=None if success else error or f"ended as {state}",
            scraper_source=self._source,
        )

    def deliver(self, **_rest: Any) -> None:
        """Flush: a prefork worker's child ends without running exit handlers."""
        if not self._collector.flush(_FLUSH_S):
            logger.warning("collector: not all metrics of a Celery worker were delivered before it ended")

    def declare(self, sender: Any = None, **_rest: Any) -> None:
        """Say when beat sends which task."""
        if not self._declares:
            return
        try:
            app = sender.app
            entries = [(str(entry["task"]), entry["schedule"]) for entry in app.conf.beat_schedule.values()]
            times = Counter(task for task, _ in entries)
            for task, schedule in entries:
                plan = _plan(schedule, app.timezone) if times[task] == 1 else None
                if plan is not None:
                    self._collector.declare_schedule(task[-MAX_NAME_CHARS:], **plan)
        except Exception as exc:  # noqa: BLE001 - of foreign objects; beat must go on
            logger.warning("collector: the schedules of Celery's beat can't be declared: %s", describe_exception(exc))


def _plan(schedule: Any, zone: object) -> dict[str, Any] | None:
    # Exactly these: solar, and classes of one's own, may mean anything.
    if type(schedule) is schedules.crontab:
        return of_crontab(schedule, zone)
    if type(schedule) is schedules.schedule:
        schedule = schedule.run_every
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        schedule = timedelta(seconds=schedule)
    return of_interval(schedule) if isinstance(schedule, timedelta) else None
