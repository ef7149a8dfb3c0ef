"""The sink that writes batches to the database: exactly once, then tells its listeners."""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import exc as sa_exc
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from collector.errors import SinkRefused, SinkUnavailable
from collector.events import Metric, SchedulerRun
from collector.sinks import Batch, Delivery, Rejection
from db.cells import DAY_MS
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import UNAVAILABLE, DatabaseUnavailable, one_line, takes_no_writes, where_is
from db.health import HealthTracker, StoreHealth
from db.ingest_log import IdRange, insert_logged, write_log
from db.retention import cleanup, generate_daily_summary
from db.rows import (
    BATCH_TABLE,
    PAGE_COLUMNS,
    PAGE_TABLE,
    SCHEDULER_COLUMNS,
    SCHEDULER_TABLE,
    BadRow,
    insert_many,
    page_row,
    repaired,
    scheduler_row,
)
from db.state import accepted_since_ms

_log = logging.getLogger(__name__)

Listener = Callable[[Sequence[Metric]], None]

# What is raised for one row's value, as opposed to for the connection or the schema.
_ROW_ERRORS: tuple[type[Exception], ...] = (
    BadRow, sa_exc.DataError, sa_exc.IntegrityError, UnicodeError, OverflowError, TypeError, AttributeError,
)  # fmt: skip
# SQLite's driver says so when it can't bind a value; MySQL's says the same of lost connections and missing tables.
_SQLITE_ROW_ERRORS = (*_ROW_ERRORS, sa_exc.InterfaceError, sa_exc.ProgrammingError)
_DEADLOCK = 1213  # MySQL: this transaction was chosen to give way, nothing of it is stored
_MAX_DEADLOCK_TRIES = 5
_MAX_IN_DOUBT = 256


class _Duplicate(Exception):  # noqa: N818 - it never leaves this module
    """The batch id is in the table already."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What one transaction stored."""

    metrics: Sequence[Metric]
    rejected: tuple[Rejection, ...] = ()


class Store:
    """A collector sink on a database, and the one writer of detail rows.

    Args:
        engine: From `make_engine`, migrated.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        # By this number other processes know this store's rows, and this one knows theirs.
        self.writer = random.getrandbits(62)
        self._engine = engine
        self._clock_ms = clock_ms
        self._health = HealthTracker(clock_ms)
        self._listeners: list[Listener] = []
        # SQLite has one writer at a time; waiting here is fair and cheaper than its busy loop. Unused on MySQL.
        self._write_lock = threading.Lock() if engine.dialect.name == "sqlite" else None
        # Protects the order of listener calls: one batch after the other, and a batch that was sent after another's
        # send returned is told after it; so the metrics of one sender arrive in their order.
        self._publish_lock = threading.Lock()
        # Batches whose commit was cut off, by id: they may be stored though no listener was told.
        self._in_doubt: OrderedDict[str, _Stored] = OrderedDict()
        self._in_doubt_lock = threading.Lock()  # protects _in_doubt
        self._row_errors: tuple[type[Exception], ...] = _SQLITE_ROW_ERRORS if self._write_lock else _ROW_ERRORS

    def subscribe(self, listener: Listener) -> None:
        """Call a function with the metrics of every batch, after it is committed; in the order of subscription.

        Args:
            listener: Called in the sending thread, so it must be quick; what it raises is logged and counted.
        """
        with self._publish_lock:
            self._listeners.append(listener)

    def tell(self, metrics: Sequence[Metric]) -> None:
        """Tell the listeners of metrics that another process stored.

        Args:
            metrics: Committed, and never told before.
        """
        with self._publish_lock:
            self._publish(_Stored(metrics))

    def send(self, batch: Batch) -> Delivery:
        """Store a batch in one transaction, once for each batch id, and tell the listeners.

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
            stored = self._write(batch)
        except _Duplicate:
            self._health.succeeded(duplicates=1)
            with self._in_doubt_lock:
                untold = self._in_doubt.pop(batch_id, None)
            if untold is not None:  # its commit had arrived after all
                with self._publish_lock:
                    self._publish(untold)
            return Delivery(accepted=0, duplicate=True)
        except (*UNAVAILABLE, sa_exc.SQLAlchemyError) as exc:
            # Also when the schema isn't what we know, for instance: keeping the batch is right there too.
            reason = self._note_failure(exc)
            raise SinkUnavailable(str(DatabaseUnavailable(where_is(self._engine), reason))) from exc
        self._health.succeeded(rows=len(stored.metrics), batches=1, rejected=len(stored.rejected))
        return Delivery(accepted=len(stored.metrics), duplicate=False, rejected=stored.rejected)

    def ping(self) -> StoreHealth:
        """Ask the database whether it is there and, on MySQL/MariaDB, whether it may be written.

        Returns:
            The health after asking.
        """
        # Changes nothing, but a server that is read-only refuses it. SQLite would wait for other writers.
        asked = "SELECT 1" if self._write_lock else "UPDATE rollup_state SET value = value WHERE name = ''"
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

    def _write(self, batch: Batch) -> _Stored:
        if self._write_lock is None:
            stored = self._insert_past_deadlocks(batch)
            with self._publish_lock:
                self._publish(stored)
            return stored
        with self._write_lock:
            stored = self._insert_past_deadlocks(batch)
            # Taken before the write lock is given up: listeners hear of batches in the order of their commits.
            self._publish_lock.acquire()
        try:
            self._publish(stored)
        finally:
            self._publish_lock.release()
        return stored

    def _insert_past_deadlocks(self, batch: Batch) -> _Stored:
        tries = 0
        while True:
            try:
                return self._insert(batch)
            except sa_exc.OperationalError as exc:
                tries += 1
                if exc.orig is None or exc.orig.args[:1] != (_DEADLOCK,) or tries == _MAX_DEADLOCK_TRIES:
                    raise
                _log.info("batch %s met a deadlock, trying again", batch.batch_id)

    def _insert(self, batch: Batch) -> _Stored:
        try:
            pages = [page_row(metric) for metric in batch.metrics if not isinstance(metric, SchedulerRun)]
            runs = [scheduler_row(metric) for metric in batch.metrics if isinstance(metric, SchedulerRun)]

            def all_at_once(connection: Connection) -> _Stored:
                self._refuse_outlived(connection, batch.metrics)
                ids = insert_logged(connection, PAGE_TABLE, PAGE_COLUMNS, pages, of_runs=False)
                ids += insert_logged(connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, runs, of_runs=True)
                write_log(connection, self.writer, ids)
                return _Stored(batch.metrics)

            return self._transact(batch, all_at_once)
        except self._row_errors as exc:
            if isinstance(exc, sa_exc.DBAPIError) and exc.connection_invalidated:
                raise
            # Some value doesn't fit. Rare, so it may be slow: one by one, and only what can't be kept is left out.
            _log.warning("batch %s has a row that doesn't fit (%s), storing one by one", batch.batch_id, one_line(exc))
            return self._transact(batch, lambda connection: self._one_by_one(connection, batch))

    def _one_by_one(self, connection: Connection, batch: Batch) -> _Stored:
        kept: list[Metric] = []
        rejected: list[Rejection] = []
        ids: list[IdRange] = []
        for index, metric in enumerate(batch.metrics):
            try:
                self._refuse_outlived(connection, (metric,))
                metric = repaired(metric)
                with connection.begin_nested():
                    if isinstance(metric, SchedulerRun):
                        ids += insert_logged(
                            connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, [scheduler_row(metric)], of_runs=True
                        )
                    else:
                        ids += insert_logged(connection, PAGE_TABLE, PAGE_COLUMNS, [page_row(metric)], of_runs=False)
            except self._row_errors as exc:
                if isinstance(exc, sa_exc.DBAPIError) and exc.connection_invalidated:
                    raise
                field, message = (exc.field, exc.message) if isinstance(exc, BadRow) else ("metric", one_line(exc))
                rejected.append(Rejection(index, field, message))
            else:
                kept.append(metric)
        write_log(connection, self.writer, ids)
        return _Stored(tuple(kept), tuple(rejected))

    def _refuse_outlived(self, connection: Connection, metrics: Sequence[Metric]) -> None:
        """Raise BadRow when one is older than what retention has deleted: it could neither be kept nor be counted."""
        oldest_ms = min((metric.recorded_at_ms for metric in metrics), default=0)
        # Retention keeps a whole day at least, so that hardly any batch has to ask.
        if metrics and oldest_ms < self._clock_ms() - DAY_MS:
            since_ms = accepted_since_ms(connection)
            if oldest_ms < since_ms:
                since = dt.datetime.fromtimestamp(since_ms / 1000, dt.UTC)
                raise BadRow(
                    "recordedAt",
                    f"must not be before {since:%Y-%m-%dT%H:%MZ} ({since_ms}): single metrics of that time are deleted "
                    "already (SCRAPEBOARD_RETENTION_DAYS), and its totals are final",
                )

    def _transact(self, batch: Batch, insert: Callable[[Connection], _Stored]) -> _Stored:
        """Store the batch's id and whatever `insert` stores, together or not at all."""
        claim = ("batch_id", "created_at", "accepted")
        stored: _Stored | None = None
        try:
            with begin_writing(self._engine) as connection:
                try:
                    # First of all: who comes second with this id waits here until the first one has committed.
                    insert_many(
                        connection, BATCH_TABLE, claim, [(batch.batch_id, self._clock_ms(), len(batch.metrics))]
                    )
                except sa_exc.IntegrityError as exc:
                    raise _Duplicate from exc
                done = insert(connection)
                if done.rejected:
                    connection.execute(
                        text("UPDATE ingest_batches SET accepted = :accepted WHERE batch_id = :batch_id"),
                        {"accepted": len(done.metrics), "batch_id": batch.batch_id},
                    )
                stored = done
        except UNAVAILABLE:
            if stored is not None:  # it was the commit that failed
                self._doubt(batch.batch_id, stored)
            raise
        with self._in_doubt_lock:
            self._in_doubt.pop(batch.batch_id, None)
        return stored

    def _doubt(self, batch_id: str, stored: _Stored) -> None:
        with self._in_doubt_lock:
            self._in_doubt[batch_id] = stored
            while len(self._in_doubt) > _MAX_IN_DOUBT:
                forgotten, _ = self._in_doubt.popitem(last=False)
                _log.warning("batch %s was never sent again; it may be stored without having been shown", forgotten)

    def _publish(self, stored: _Stored) -> None:
        """Tell the listeners; the caller holds _publish_lock."""
        if not stored.metrics:
            return
        for listener in self._listeners:
            try:
                listener(stored.metrics)
            except Exception:  # noqa: BLE001 - whatever a listener does, the batch is stored and the others must hear
                self._health.listener_failed()
                _log.exception("a listener of the store failed")
