"""When jobs are meant to run, as a program declares it: told to the app by a thread that ends when it is told."""

import atexit
import http.client
import math
import os
import threading
import weakref
from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import quote

from collector.errors import InvalidMetric
from collector.fields import clean, name
from collector.options import Options
from collector.sinks import HttpSink
from collector.warner import Warner, logger
from collector.wire_text import dumps

LEAST_INTERVAL_S = 10.0  # an app takes no shorter one
_LONGEST_S = 400 * 86_400.0
_MOST_CRON_CHARS = 100
_MOST_JOBS = 1_000
_MOST_TRIES = 10
_WAITS_S = (1.0, 5.0, 30.0, 60.0)
_AT_EXIT_S = 1.0
_LATER = (408, 425, 429)


class Configured(Protocol):
    """Whoever knows where things go."""

    options: Options


def schedule_document(
    *,
    cron: str | None = None,
    interval_s: float | None = None,
    timezone: str = "UTC",
    grace_s: float | None = None,
    longest_s: float | None = None,
) -> dict[str, Any]:
    """Check a schedule, and write it as the app takes it.

    Args:
        cron: Five fields, or None.
        interval_s: From start to start, in seconds, or None; one of the two.
        timezone: Whose clock `cron` goes by.
        grace_s: How late a run may begin, in seconds; None = as the app has it.
        longest_s: How long a run may take, in seconds; None = as long as usual.

    Returns:
        The document.

    Raises:
        InvalidMetric: It is none.
    """
    if (cron is None) == (interval_s is None):
        raise InvalidMetric("cron", "takes a cron expression, or interval_s a number of seconds; one of the two")
    document: dict[str, Any] = {}
    if cron is not None:
        if not isinstance(cron, str) or len(cron) > _MOST_CRON_CHARS or len(cron.split()) != 5:
            raise InvalidMetric("cron", "takes five fields: minute hour day month weekday, like 30 2 * * mon-fri")
        if not isinstance(timezone, str) or not timezone.strip():
            raise InvalidMetric("timezone", "takes a name like Europe/Berlin")
        document |= {"cron": clean(" ".join(cron.split())), "timezone": clean(timezone.strip())}
    else:
        document["interval"] = _seconds("interval_s", interval_s, LEAST_INTERVAL_S)
    for key, field, value in (("grace", "grace_s", grace_s), ("longest", "longest_s", longest_s)):
        if value is not None:
            document[key] = _seconds(field, value, 0.0)
    return document


class Schedules:
    """Tells the apps that metrics go to, each job once and again when its schedule changes.

    Nothing here waits for a network but a daemon thread, which is started when there is something to tell. An app that
    is away is asked again, ten times within six minutes; one that says no, as an older one does, isn't.

    Args:
        worker: Whose sinks are told.
    """

    def __init__(self, worker: Configured) -> None:
        self._worker = worker
        self._kept: dict[str, dict[str, Any]] = {}
        self._begin()
        _all.add(self)

    def _begin(self) -> None:
        """Set up everything that belongs to one process alone; what a parent hasn't told yet, it tells by itself."""
        self._process_id = os.getpid()
        self._warner = Warner()
        self._changing = threading.Lock()  # protects what is kept and the three below; never held while an app is asked
        self._waiting: dict[str, dict[str, Any]] = {}
        self._tries: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._told_to: tuple[str, ...] | None = None
        self._ending = threading.Event()

    def declare(self, job: object, *, strict: bool, **said: Any) -> None:
        """Let the apps know a job's schedule, soon.

        Args:
            job: Its name.
            strict: Whether what makes no sense raises.
            **said: See `schedule_document`.

        Raises:
            InvalidMetric: Only when strict; otherwise it is logged.
        """
        self._look_for_fork()
        try:
            job, document = name(job, "job"), schedule_document(**said)
        except InvalidMetric as exc:
            if strict:
                raise
            self._warner.warn(f"invalid {exc.field}", "a schedule can't be declared: %s", exc)
            return
        with self._changing:
            if self._kept.get(job) == document:
                return
            if job not in self._kept and len(self._kept) >= _MOST_JOBS:
                self._warner.warn_once("many", "schedules of more than %d jobs aren't declared", _MOST_JOBS)
                return
            self._kept[job] = self._waiting[job] = document
            self._tries.pop(job, None)
            self._start()

    def follow(self) -> None:
        """Tell all of it to the apps that `configure` named, if they are others."""
        self._look_for_fork()
        with self._changing:
            told_to = tuple(sink.spool_key for sink in self._targets())
            if told_to != self._told_to:
                self._told_to = told_to
                self._waiting |= self._kept
                self._tries.clear()
            self._start()

    def close(self, timeout_s: float) -> None:
        """Give up what can't be told at once.

        Args:
            timeout_s: How long it may take, in seconds, at most one.
        """
        self._look_for_fork()
        self._ending.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, min(timeout_s, _AT_EXIT_S)))

    def _look_for_fork(self) -> None:
        if self._process_id != os.getpid():
            self._begin()

    def _targets(self) -> list[HttpSink]:
        return [sink for sink in self._worker.options.sinks if isinstance(sink, HttpSink)]

    def _start(self) -> None:
        """Start the thread when there is something to tell somebody; the lock is held."""
        if not self._waiting or not self._worker.options.sinks or self._ending.is_set():
            return  # without sinks: `configure` comes later
        if not self._targets():
            logger.debug("schedules of %d jobs aren't declared: no metrics go to an app by HTTP", len(self._waiting))
            self._waiting.clear()
        elif self._thread is None:
            self._thread = threading.Thread(target=self._run, name="scrapeboard-schedules", daemon=True)
            try:
                self._thread.start()
            except RuntimeError as exc:  # no more threads, or the interpreter is ending
                self._thread = None
                self._warner.warn("thread", "schedules can't be declared: %s", exc)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        rounds = 0
        try:
            while True:
                with self._changing:
                    work = dict(self._waiting)
                    if not work or (rounds and self._ending.is_set()):
                        self._thread = None
                        return
                if not self._tell_all(work):
                    self._ending.wait(_WAITS_S[min(rounds, len(_WAITS_S) - 1)])
                rounds += 1
        finally:
            with self._changing:
                if self._thread is threading.current_thread():
                    self._thread = None

    def _tell_all(self, work: dict[str, dict[str, Any]]) -> bool:
        """Tell what waits; whether nothing of it has to be told again."""
        with self._changing:
            targets, told_to = self._targets(), self._told_to
        gone: dict[HttpSink, str] = {}
        left: list[str] = []
        for job, document in work.items():
            arrived = [self._tell(sink, job, document, gone) for sink in targets]
            with self._changing:
                if not all(arrived):
                    left.append(job)
                elif self._waiting.get(job) == document and self._told_to == told_to:  # else it changed meanwhile
                    del self._waiting[job]
        self._count_tries(left, work, next(iter(gone.values()), "the app can't take it now"))
        return not left

    def _count_tries(self, left: Iterable[str], work: dict[str, dict[str, Any]], why: str) -> None:
        with self._changing:
            for job in left:
                self._tries[job] = self._tries.get(job, 0) + 1
                if self._tries[job] >= _MOST_TRIES and self._waiting.get(job) == work[job]:
                    # Forgotten: said again by the program, it is tried again.
                    del self._waiting[job], self._kept[job], self._tries[job]
                    self._warner.warn("away", "the schedule of %s isn't declared: %s", job, why)

    def _tell(self, sink: HttpSink, job: str, document: dict[str, Any], gone: dict[HttpSink, str]) -> bool:
        """Tell one app; whether that is done with, one way or the other."""
        if sink in gone:
            return False
        try:
            path = f"/api/alerts/schedules/{quote(job, safe='')}"
            status, answer = sink.exchange_once("PUT", path, dumps(document).encode())
        except (OSError, http.client.HTTPException) as exc:
            gone[sink] = f"{type(exc).__name__}: {exc}"
            return False
        if status == 200:
            if answer.get("keptBy"):
                logger.info("the schedule of %s stays as %s wrote it", job, clean(str(answer["keptBy"])[:100]))
            return True
        if status in _LATER or (status >= 500 and status != 501):
            return False
        why = clean(str(answer.get("error") or "does it know schedules of jobs?")[:300])
        self._warner.warn_once(f"{status} {why}", "the schedule of %s isn't declared: %d, %s", job, status, why)
        return True


_all: weakref.WeakSet[Schedules] = weakref.WeakSet()


def _end_all() -> None:
    """Let a program that ends at once have said it."""
    for schedules in list(_all):
        schedules.close(_AT_EXIT_S)


atexit.register(_end_all)


def _seconds(field: str, value: object, least_s: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidMetric(field, "takes a number of seconds")
    if not least_s <= value <= _LONGEST_S:
        raise InvalidMetric(field, f"takes {least_s:g} seconds to 400 days")
    return float(value)
