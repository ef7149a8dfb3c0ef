"""The collector in one object: record calls, configuration, flushing, maintenance."""

import datetime
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from collector import lifecycle
from collector.database import DatabaseSink
from collector.errors import ConfigurationError
from collector.ledger import MetricsStats
from collector.options import Options
from collector.outcomes import Classifier
from collector.report import CollectorReport
from collector.schedules import Schedules
from collector.self_report import SelfReport
from collector.sinks import HttpSink, Sink
from collector.spool import default_folder
from collector.tracked import TrackedCalls
from collector.worker import Worker


class Collector(TrackedCalls):
    """Takes metrics from a program and delivers them in the background.

    Record calls never raise (but in strict mode), never block and never wait for a disk or a network: they append to a
    bounded queue. Everything else happens on a daemon thread that starts with the first metric. Until `configure` is
    called, metrics wait in that queue. Any thread, task or signal handler may record; a forked child starts with an
    empty queue and a thread of its own. One is enough for a program; the functions of the package belong to one.
    """

    __slots__ = ("__weakref__", "_configuring", "_schedules", "_self")

    def __init__(self) -> None:
        super().__init__(Worker())
        self._self = SelfReport(self._worker)
        self._schedules = Schedules(self._worker)
        self._configuring = threading.RLock()  # protects against two `configure` calls at once: the last one wins whole

    def configure(
        self,
        url: str | None = None,
        token: str | None = None,
        database_url: str | None = None,
        sinks: Sequence[Sink] | None = None,
        batch_size: int = 100,
        flush_interval_s: float = 0.05,
        *,
        max_pending: int = 50_000,
        timeout_s: float = 10.0,
        exit_timeout_s: float = 5.0,
        retry_base_s: float = 0.1,
        retry_cap_s: float = 30.0,
        spool_dir: str | os.PathLike[str] | None = None,
        spool_max_bytes: int = 256 << 20,
        spool_max_age_s: float = 7 * 86_400.0,
        name: str | None = None,
        redact: Callable[[str], str] | None = None,
        classifier: Classifier | None = None,
        report: bool = True,
        strict: bool = False,
        handle_sigterm: bool = True,
    ) -> None:
        """Say where metrics go. Calling it again replaces everything; what is pending goes to the new sinks.

        Args:
            url: Address of a Scrapeboard app: metrics are sent to it over HTTP.
            token: The app's bearer token, if it has one.
            database_url: A Scrapeboard database that this process writes into; needs a Scrapeboard checkout.
            sinks: Objects that take batches (`collector.sinks.Sink`). A batch goes to every sink named here, to each
                at its own pace, and counts as flushed when all have it; an empty list lets metrics wait again.
            batch_size: A batch leaves when it holds so many metrics (up to forty times as many when a lot waits) ...
            flush_interval_s: ... or when its oldest metric has waited so long, in seconds.
            max_pending: How many metrics may wait in memory; from half of it on they go to the disk, and what comes on
                top is dropped, `queue_full`.
            timeout_s: How long one HTTP exchange may hang, in seconds.
            exit_timeout_s: How long delivery at exit and on SIGTERM may take, in seconds.
            retry_base_s: The first wait when a sink is away is 0 to so many seconds; the bound doubles each time ...
            retry_cap_s: ... up to so many seconds.
            spool_dir: Where metrics wait on the disk while an app is away or the process has ended, a folder for each
                app in it, shared by all processes; None = `scrapeboard/spool` in the user's state directory
                (`XDG_STATE_HOME`). Only for `url`, and for sinks with a `spool_key`.
            spool_max_bytes: How much may wait there for one app, of all processes together, in bytes; then the oldest
                is dropped, `spool_full`. 0 = nothing is written to a disk.
            spool_max_age_s: What waited for longer is dropped, `expired`, in seconds, at most 29 days.
            name: What this program is called among the app's collectors; None = its script's name.
            redact: Called with each URL and each error text after our own redaction, on the collector's thread; gives
                the text that may leave the process. What it raises hides the whole text.
            classifier: Says the outcome of a scrape (`collector.outcomes.Classifier`) where it is asked; None from it,
                or what it raises, leaves it to ours.
            report: Whether the app is told how this process's collector is doing.
            strict: For development: a record call with a wrong value raises `InvalidMetric` at once.
            handle_sigterm: Deliver what is pending on SIGTERM, too, then let it end the process as before. Only where
                nothing else handles SIGTERM, and only when called from the main thread (`lifecycle.handle_sigterm`).

        Raises:
            ConfigurationError: An argument can't work, or none says where metrics go.
            db.errors.DatabaseError: The database of `database_url` can't be reached or doesn't fit this program.
        """
        if url is None and database_url is None and sinks is None:
            raise ConfigurationError("say where metrics go: configure(url=...), database_url=... or sinks=[...]")
        if token is not None and url is None:
            raise ConfigurationError("token goes with url")
        wanted = Options(
            batch_size=batch_size,
            flush_interval_s=flush_interval_s,
            max_pending=max_pending,
            exit_timeout_s=exit_timeout_s,
            retry_base_s=retry_base_s,
            retry_cap_s=retry_cap_s,
            spool_dir=default_folder() if spool_dir is None else Path(spool_dir).absolute(),
            spool_max_bytes=spool_max_bytes,
            spool_max_age_s=spool_max_age_s,
            redact=redact,
        )
        if classifier is not None and not callable(classifier):
            raise ConfigurationError("classifier must be callable: classifier(evidence) -> outcome or None")
        given = tuple(sinks or ())
        for sink in given:
            if not callable(getattr(sink, "send", None)):
                raise ConfigurationError(f"sinks must have a send(batch) method, {type(sink).__name__} has none")
        with self._configuring:
            if self._worker.closed:
                raise ConfigurationError("this collector is closed")
            owned: list[Sink] = []
            if url is not None:
                owned.append(HttpSink(url, token, timeout_s, report=self._self.wire if report else None))
            if database_url is not None:
                owned.append(DatabaseSink(database_url, report=self._self.make if report else None))
            self._strict = strict
            self._classifying.classifier = classifier
            self._self.name = name
            self._worker.use(replace(wanted, sinks=(*given, *owned), owned=tuple(owned)))
            self._schedules.follow()
        if handle_sigterm:
            lifecycle.handle_sigterm()
        else:
            lifecycle.leave_sigterm()

    def declare_schedule(
        self,
        job: str,
        *,
        cron: str | None = None,
        interval_s: float | None = None,
        timezone: str = "UTC",
        grace_s: float | None = None,
        longest_s: float | None = None,
    ) -> None:
        """Say when a job is meant to run, so that the app can tell runs that are late or missed.

        It is told to the app in the background, once and again when it changes, so a program may say it at each start.
        What a person saved on the Alerts tab stays as it is. Where no metrics go to an app by HTTP, nothing happens.

        Args:
            job: The name under which its runs are recorded, 1-50 characters.
            cron: Five fields: minute, hour, day, month, weekday (from Sunday = 0, or names); or
            interval_s: from start to start, in seconds, at least 10.
            timezone: Whose clock `cron` goes by, like "Europe/Berlin".
            grace_s: How late a run may begin, in seconds; None = five minutes.
            longest_s: How long a run may take, in seconds; None = as long as usual.

        Raises:
            InvalidMetric: Only with `configure(strict=True)`; otherwise what makes no sense is logged.
        """
        self._schedules.declare(
            job,
            strict=self._strict,
            cron=cron,
            interval_s=interval_s,
            timezone=timezone,
            grace_s=grace_s,
            longest_s=longest_s,
        )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Deliver what was recorded before this call, now, and wait for it.

        Args:
            timeout_s: How long to wait at most, in seconds. In asyncio: `await asyncio.to_thread(flush)`.

        Returns:
            True when all of it is out; False when time is over, when some was dropped since the flush before
            (`get_metrics_stats` says why), or when there are metrics and `configure` wasn't called.
        """
        return self._worker.flush(timeout_s)

    def flush_navigation_metrics(self, timeout_s: float = 5.0) -> bool:
        """Deliver page navigations now; see `flush`. The other kinds go with them, as they wait in the same queue."""
        return self._worker.flush(timeout_s)

    def flush_scrape_metrics(self, timeout_s: float = 5.0) -> bool:
        """Deliver page scrapes now; see `flush`. The other kinds go with them, as they wait in the same queue."""
        return self._worker.flush(timeout_s)

    def flush_scheduler_metrics(self, timeout_s: float = 5.0) -> bool:
        """Deliver scheduler runs now; see `flush`. The other kinds go with them, as they wait in the same queue."""
        return self._worker.flush(timeout_s)

    def get_metrics_stats(self) -> MetricsStats:
        """Say what became of the metrics of this process; the keys are those of `MetricsStats`."""
        return self._worker.stats()

    def report(self) -> CollectorReport:
        """Say how this process's collector is doing, as the app is told."""
        return self._self.make()

    def generate_daily_summary(self, date: datetime.date) -> int:
        """Recompute the daily summaries of a UTC day, in every sink that holds a database.

        Args:
            date: The day; of a datetime, the UTC day that it falls on (a naive one is UTC).

        Returns:
            How many sources have a summary for it.

        Raises:
            TypeError: It is no date.
            ConfigurationError: No sink can do it: this process only sends to an app, which does it itself every night.
        """
        if isinstance(date, datetime.datetime):  # a date to Python, but none that equals the date of a day
            date = (date if date.tzinfo is None else date.astimezone(datetime.timezone.utc)).date()
        elif not isinstance(date, datetime.date):
            raise TypeError(f"date must be a datetime.date, got {type(date).__name__}")
        return sum(int(job(date)) for job in self._maintenance("generate_daily_summary"))

    def cleanup_old_metrics(self, retention_days: int) -> int:
        """Delete detail that is older than so many days, in every sink that holds a database.

        Args:
            retention_days: How many days to keep, at least 1.

        Returns:
            How many rows were deleted.

        Raises:
            ConfigurationError: No sink can do it: this process only sends to an app, which does it itself every night.
        """
        return sum(int(job(retention_days)) for job in self._maintenance("cleanup_old_metrics"))

    def close(self, timeout_s: float = 5.0) -> int:
        """Deliver what is pending, stop the thread and close connections; what is recorded later is dropped, `closed`.

        The process's exit does it by itself.

        Args:
            timeout_s: How long that may take, in seconds.

        Returns:
            How many metrics weren't delivered.
        """
        self._schedules.close(timeout_s)
        return self._worker.close(timeout_s)

    def _maintenance(self, name: str) -> list[Callable[[Any], Any]]:
        jobs = [getattr(sink, name) for sink in self._worker.options.sinks if callable(getattr(sink, name, None))]
        if not jobs:
            raise ConfigurationError(
                f"{name} needs a database: configure(database_url=...), or run `python app.py maintain` on the app"
            )
        return jobs
