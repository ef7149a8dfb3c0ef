"""The sink that writes batches to the database: exactly once, then tells its listeners."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import exc as sa_exc
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.errors import SinkRefused, SinkUnavailable
from collector.events import Metric, SchedulerRun
from collector.report import CollectorReport
from collector.run_events import ScraperRun
from collector.sinks import Batch, Delivery
from db.clock import now_ms
from db.collectors import line_of, write_collectors
from db.errors import UNAVAILABLE, DatabaseUnavailable, one_line, takes_no_writes, where_is
from db.health import HealthTracker, StoreHealth
from db.ingest_log import Committed
from db.retention import cleanup, generate_daily_summary
from db.turns import TurnLostError, Turns
from db.writer import Duplicate, Prepared, Stored, Writer

_log = logging.getLogger(__name__)

Listener = Callable[[Sequence[Metric]], None]
ToldListener = Callable[[Sequence[ScraperRun]], None]
RunListener = Callable[[Sequence[tuple[int, SchedulerRun]]], None]
CommitListener = Callable[[Sequence[Committed]], None]

_MAX_IN_DOUBT = 256
_MOST_ROWS_TOGETHER = 5_000
# SQLite has one writer at a time; waiting for the turn is fair and cheaper than its busy loop. MySQL/MariaDB takes
# many, but two keep it and this process busy: with more, fewer batches share a transaction and the server's threads
# wait for each other (eight cost it four times the work for batches of 100).
_WRITERS = {"sqlite": 1, "mysql": 2}


class Store:
    """A collector sink on a database, and the one writer of detail rows.

    Args:
        engine: From `make_engine`, migrated.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms
        self._health = HealthTracker(clock_ms)
        self._listeners: list[Listener] = []
        self._run_listeners: list[RunListener] = []
        self._commit_listeners: list[CommitListener] = []
        self._told_listeners: list[ToldListener] = []
        self._writer = Writer(engine, clock_ms=clock_ms, doubt=self._doubt)
        self.writer = self._writer.number
        writers = _WRITERS["sqlite" if engine.dialect.name == "sqlite" else "mysql"]
        self._turns: Turns[Prepared, Stored] = Turns(self._write, workers=writers, most_weight=_MOST_ROWS_TOGETHER)
        # Protects the order of listener calls: one transaction after the other, and a batch that was sent after
        # another's send returned is told after it; so the metrics of one sender arrive in their order.
        self._publish_lock = threading.Lock()
        # Batches whose commit was cut off, by id: they may be stored though no listener was told.
        self._in_doubt: OrderedDict[str, Stored] = OrderedDict()
        self._in_doubt_lock = threading.Lock()  # protects _in_doubt

    def subscribe(self, listener: Listener) -> None:
        """Call a function with the metrics of every transaction, after its commit; in the order of subscription.

        Args:
            listener: Called in a sending thread before any of the batches is answered, so it must be quick; batches
                that were stored together come in one call. What it raises is logged and counted.
        """
        with self._publish_lock:
            self._listeners.append(listener)

    def subscribe_runs(self, listener: RunListener) -> None:
        """Call a function with a transaction's scheduler runs and their ids, before the listeners of all metrics.

        Args:
            listener: As for `subscribe`; never called without a run.
        """
        with self._publish_lock:
            self._run_listeners.append(listener)

    def subscribe_told(self, listener: ToldListener) -> None:
        """Call a function with what was told about runs of scrapers, after the listeners of all metrics.

        Args:
            listener: As for `subscribe`; never called without a message.
        """
        with self._publish_lock:
            self._told_listeners.append(listener)

    def subscribe_commits(self, listener: CommitListener) -> None:
        """Call a function with the entries of the log that transactions wrote, after the listeners of all metrics.

        Args:
            listener: As for `subscribe`. A batch whose commit was in doubt brings its whole transaction, perhaps again:
                who was told of an entry before knows it by its key.
        """
        with self._publish_lock:
            self._commit_listeners.append(listener)
            self._writer.says_commits = True

    @property
    def says_commits(self) -> bool:
        """Whether somebody wants to hear of commits."""
        return bool(self._commit_listeners)

    def tell(
        self,
        metrics: Sequence[Metric],
        run_ids: Sequence[int] = (),
        commits: Sequence[Committed] = (),
        told: Sequence[ScraperRun] = (),
    ) -> None:
        """Tell the listeners of metrics that another process stored.

        Args:
            metrics: Committed, and never told before.
            run_ids: The ids of the scheduler runs among them, in their order.
            commits: The same metrics, and what is told, by their entries in the log.
            told: What is told about runs of scrapers.
        """
        with self._publish_lock:
            self._publish([Stored(metrics, run_ids, commits=commits, told=told)])

    def send(self, batch: Batch) -> Delivery:
        """Store a batch in one transaction, once for each batch id, and tell the listeners.

        Batches that are sent at the same time may share a transaction; each has its own answer, and none fails for
        another.

        Args:
            batch: Metrics with an id of 1-64 characters.

        Returns:
            What was accepted; `duplicate` when the id is stored already, then nothing else was done.

        Raises:
            SinkUnavailable: The database doesn't answer; the same batch may be sent again.
            SinkRefused: The batch id can't be used.
        """
        batch_id = batch.batch_id
        if not 0 < len(batch_id) <= 64 or batch_id != batch_id.strip() or not batch_id.isprintable():
            raise SinkRefused("the batch id must be 1 to 64 printable characters without spaces around them")
        try:
            stored = self._turns.do(self._writer.prepare(batch), weight=len(batch.events))
        except Duplicate:
            self._health.succeeded(duplicates=1)
            with self._in_doubt_lock:
                untold = self._in_doubt.pop(batch_id, None)
            if untold is not None:  # its commit had arrived after all
                with self._publish_lock:
                    self._publish([untold])
            return Delivery(accepted=0, duplicate=True)
        except (*UNAVAILABLE, sa_exc.SQLAlchemyError, TurnLostError) as exc:
            # Also when the schema isn't what we know, for instance: keeping the batch is right there too.
            reason = self._note_failure(exc)
            raise SinkUnavailable(str(DatabaseUnavailable(where_is(self._engine), reason))) from exc
        with self._in_doubt_lock:
            self._in_doubt.pop(batch_id, None)
        self._health.succeeded(rows=stored.count, batches=1, rejected=len(stored.rejected))
        return Delivery(accepted=stored.count, duplicate=False, rejected=stored.rejected)

    def report(self, report: CollectorReport) -> None:
        """Write what a collector says of itself that stores here without an app.

        Args:
            report: What it says.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        present_ms = self._clock_ms()
        write_collectors(self._engine, [line_of(report, present_ms, "database")], present_ms)

    def ping(self) -> StoreHealth:
        """Ask the database whether it is there and, on MySQL/MariaDB, whether it may be written.

        Returns:
            The health after asking.
        """
        # Changes nothing, but a server that is read-only refuses it. SQLite would wait for other writers.
        sqlite = self._engine.dialect.name == "sqlite"
        asked = "SELECT 1" if sqlite else "UPDATE rollup_state SET value = value WHERE name = ''"
        try:
            with self._engine.begin() as connection:
                connection.execute(text(asked))
        except (*UNAVAILABLE, sa_exc.SQLAlchemyError) as exc:
            self._note_failure(exc)
        else:
            self._health.succeeded(only_asked=True)
        return self._health.snapshot()

    def _note_failure(self, exc: Exception) -> str:
        reason = one_line(exc)
        if takes_no_writes(reason):
            self._health.refused(reason)
        else:
            self._health.failed(reason)
        return reason

    def health(self) -> StoreHealth:
        """Return what is known from the last send or ping; asks nobody."""
        return self._health.snapshot()

    def generate_daily_summary(self, date: dt.date) -> int:
        """Recompute the daily summary of one UTC day.

        Args:
            date: The day.

        Returns:
            Number of sources that have a summary for it.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        return generate_daily_summary(self._engine, date)

    def cleanup_old_metrics(self, retention_days: int) -> int:
        """Delete detail rows that are older than so many days.

        Args:
            retention_days: Days to keep, at least 1.

        Returns:
            Number of detail rows deleted.

        Raises:
            DatabaseUnavailable: The database can't be reached.
        """
        return cleanup(self._engine, retention_days, now_ms=self._clock_ms())

    def _write(self, group: Sequence[Prepared], hand_over: Callable[[], None]) -> Sequence[Stored | Exception]:
        outcomes = self._writer.store(group)
        stored = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
        with self._publish_lock:
            # Not before the lock is held: with one writer at a time, listeners hear in the order of the commits.
            hand_over()
            self._publish(stored)
        return outcomes

    def _doubt(self, batch_id: str, stored: Stored) -> None:
        with self._in_doubt_lock:
            self._in_doubt[batch_id] = stored
            while len(self._in_doubt) > _MAX_IN_DOUBT:
                forgotten, _ = self._in_doubt.popitem(last=False)
                _log.warning("batch %s was never sent again; it may be stored without having been shown", forgotten)

    def _publish(self, batches: Sequence[Stored]) -> None:
        """Tell the listeners of what was stored together; the caller holds _publish_lock."""
        metrics = batches[0].metrics if len(batches) == 1 else [metric for one in batches for metric in one.metrics]
        told = [event for one in batches for event in one.told]
        if not metrics and not told:
            return
        run_ids = [run_id for one in batches for run_id in one.run_ids]
        runs = [metric for metric in metrics if isinstance(metric, SchedulerRun)] if run_ids else []
        numbered = list(zip(run_ids, runs, strict=True))
        calls = [partial(listener, numbered) for listener in self._run_listeners if numbered]
        calls += [partial(listener, metrics) for listener in self._listeners if metrics]
        calls += [partial(listener, told) for listener in self._told_listeners if told]
        commits = list({one.key: one for stored in batches for one in stored.commits}.values())
        calls += [partial(listener, commits) for listener in self._commit_listeners if commits]
        for call in calls:
            try:
                call()
            except Exception:  # noqa: BLE001 - whatever a listener does, the batch is stored and the others must hear
                self._health.listener_failed()
                _log.exception("a listener of the store failed")
