"""Batches into tables: in one transaction with their ids, one by one where a batch or a row of them doesn't fit."""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

from sqlalchemy import exc as sa_exc
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from collector.events import Event, Metric, SchedulerRun
from collector.run_events import ScraperRun
from collector.sinks import Batch, Rejection
from db.cells import DAY_MS
from db.engine import begin_writing
from db.errors import UNAVAILABLE, one_line
from db.ingest_log import Committed, IdRange, Of, commits_of, insert_logged, write_log
from db.page_batches import CLAIM_COLUMNS, AlreadyThere, insert_claimed
from db.row_text import RowText, insert_plain, row_texts
from db.rows import (
    BATCH_TABLE,
    PAGE_COLUMNS,
    PAGE_TABLE,
    SCHEDULER_COLUMNS,
    SCHEDULER_TABLE,
    BadRow,
    Row,
    page_row,
    page_rows,
    repaired,
    scheduler_row,
)
from db.run_states import MESSAGE_COLUMNS, MESSAGE_TABLE, keep_states, message_row, repaired_run
from db.state import accepted_since_ms

_log = logging.getLogger(__name__)

# What is raised for one row's value, as opposed to for the connection or the schema.
_ROW_ERRORS: tuple[type[Exception], ...] = (
    BadRow, sa_exc.DataError, sa_exc.IntegrityError, UnicodeError, OverflowError, TypeError, AttributeError,
)  # fmt: skip
# SQLite's driver says so when it can't bind a value; MySQL's says the same of lost connections and missing tables.
_SQLITE_ROW_ERRORS = (*_ROW_ERRORS, sa_exc.InterfaceError, sa_exc.ProgrammingError)
_DEADLOCK = 1213  # MySQL: this transaction was chosen to give way, nothing of it is stored
_MAX_DEADLOCK_TRIES = 5


class Duplicate(Exception):  # noqa: N818 - it never leaves the store
    """The batch id is in the table already."""


class _CutOff(Exception):  # noqa: N818 - it never leaves this module
    """The connection was lost in the commit: whether it came through is not known."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored of one batch."""

    metrics: Sequence[Metric]
    run_ids: Sequence[int] = ()  # of the scheduler runs among the metrics, in their order
    rejected: tuple[Rejection, ...] = ()
    commits: Sequence[Committed] = ()  # the whole transaction's, also what other batches brought into it
    told: Sequence[ScraperRun] = ()  # what was told about runs

    @property
    def count(self) -> int:
        """How many metrics and messages about runs were stored."""
        return len(self.metrics) + len(self.told)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch with the rows that it becomes; `problem` when one of them can't be made."""

    batch: Batch
    pages: Sequence[Row]
    runs: Sequence[Row]
    told: Sequence[Row] = ()  # messages about runs
    columns: tuple[str, ...] = PAGE_COLUMNS  # what the pages' values are of
    texts: Sequence[RowText] = ()  # the pages, written for MySQL/MariaDB
    oldest_ms: int | None = None  # the earliest moment in it
    problem: Exception | None = None


class Writer:
    """Stores batches, each once.

    Args:
        engine: From `make_engine`, migrated.
        clock_ms: The present in epoch milliseconds.
        doubt: Told of what may be stored or not, by batch id: the connection was lost in the commit.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int], doubt: Callable[[str, Stored], None]) -> None:
        # By this number other processes know this writer's rows, and this one knows theirs.
        self.number = random.getrandbits(62)
        self.says_commits = False  # somebody wants `Stored.commits`
        self._engine = engine
        self._clock_ms = clock_ms
        self._doubt = doubt
        self._sqlite = engine.dialect.name == "sqlite"
        self._row_errors: tuple[type[Exception], ...] = _SQLITE_ROW_ERRORS if self._sqlite else _ROW_ERRORS

    def prepare(self, batch: Batch) -> Prepared:
        """Make a batch's rows; needs no connection and holds no lock.

        Args:
            batch: The batch.
        """
        try:
            columns, pages = page_rows([one for one in batch.metrics if not isinstance(one, SchedulerRun)])
            runs = [scheduler_row(metric) for metric in batch.metrics if isinstance(metric, SchedulerRun)]
            heard_ms = self._clock_ms()
            told = [message_row(event, heard_ms) for event in batch.runs]
            texts = () if self._sqlite else row_texts(pages)
        except self._row_errors as exc:
            return Prepared(batch, (), (), problem=exc)
        return Prepared(batch, pages, runs, told, columns, texts, _oldest_ms(batch.events))

    def store(self, group: Sequence[Prepared]) -> list[Stored | Exception]:
        """Store batches, together when all of them fit, so that none fails for another.

        Args:
            group: One batch or more.

        Returns:
            For each what was stored, or why nothing was: `Duplicate`, or what the driver raised.
        """
        if len(group) > 1 and not any(prepared.problem for prepared in group):
            try:
                return list(self._past_deadlocks(group, self._all_rows(group)))
            except _CutOff as exc:
                return [exc.cause] * len(group)
            except Exception as exc:  # noqa: BLE001 - whatever it was, each batch alone says what is wrong with it
                _log.info("%d batches can't be stored together (%s)", len(group), one_line(exc))
        outcomes: list[Stored | Exception] = []
        for prepared in group:
            outcome = self._alone(prepared)
            outcomes.append(outcome)
            if isinstance(outcome, UNAVAILABLE):
                # The others would wait for the same time-out; all of them are asked to come again.
                outcomes += [outcome] * (len(group) - len(outcomes))
                break
        return outcomes

    def _alone(self, prepared: Prepared) -> Stored | Exception:
        try:
            (stored,) = self._past_deadlocks([prepared], self._all_rows([prepared]))
        except _CutOff as exc:
            return exc.cause
        except self._row_errors as exc:
            if isinstance(exc, sa_exc.DBAPIError) and exc.connection_invalidated:
                return exc
            # Some value doesn't fit. Rare, so it may be slow: one by one, and only what can't be kept is left out.
            batch_id = prepared.batch.batch_id
            _log.warning("batch %s has a row that doesn't fit (%s), storing one by one", batch_id, one_line(exc))
            return self._repaired(prepared)
        except Exception as exc:  # noqa: BLE001 - it is raised where the batch came from
            return exc
        return stored

    def _repaired(self, prepared: Prepared) -> Stored | Exception:
        try:
            (stored,) = self._past_deadlocks([prepared], lambda connection: [self._row_by_row(connection, prepared)])
        except _CutOff as exc:
            return exc.cause
        except Exception as exc:  # noqa: BLE001 - as above
            return exc
        return stored

    def _all_rows(self, group: Sequence[Prepared]) -> Callable[[Connection], list[Stored]]:
        def insert(connection: Connection) -> list[Stored]:
            entries = self._in_one_trip(connection, group)
            if entries is not None:
                commits = self._commits(entries, [metric for each in group for metric in each.batch.metrics], ())
                return [Stored(each.batch.metrics, commits=commits) for each in group]
            self._claim(connection, group)
            for prepared in group:
                if prepared.problem is not None:
                    raise prepared.problem
                self._refuse_outlived(connection, prepared.oldest_ms)
            runs = [row for prepared in group for row in prepared.runs]
            ids: list[IdRange] = []
            for columns, alike in groupby(group, key=lambda prepared: prepared.columns):
                some = list(alike)
                pages = some[0].pages if len(some) == 1 else [row for prepared in some for row in prepared.pages]
                texts = [text for prepared in some for text in prepared.texts]
                ids += insert_logged(connection, PAGE_TABLE, columns, pages, Of.PAGES, texts)
            ids += insert_logged(connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, runs, Of.SCHEDULER_RUNS)
            told = [event for each in group for event in each.batch.runs]
            if told:
                rows = [row for prepared in group for row in prepared.told]
                ids += insert_logged(connection, MESSAGE_TABLE, MESSAGE_COLUMNS, rows, Of.RUN_MESSAGES)
                keep_states(connection, told, self._clock_ms())
            entries = write_log(connection, self.number, ids)
            numbers = iter(_run_ids(ids))
            commits = self._commits(entries, [metric for each in group for metric in each.batch.metrics], told)
            return [
                Stored(
                    each.batch.metrics, tuple(islice(numbers, len(each.runs))), commits=commits, told=each.batch.runs
                )
                for each in group
            ]

        return insert

    def _in_one_trip(self, connection: Connection, group: Sequence[Prepared]) -> list[tuple[int, IdRange]] | None:
        """Store batches with their ids if all of it goes in one message; None, and nothing is done, when it doesn't."""
        pages = [text for prepared in group for text in prepared.texts]
        columns = {prepared.columns for prepared in group if prepared.texts}
        if len(columns) != 1 or any(each.runs or each.told or self._may_be_outlived(each.oldest_ms) for each in group):
            return None
        try:
            return insert_claimed(connection, self.number, self._claims(group), columns.pop(), pages)
        except AlreadyThere as exc:
            raise Duplicate from exc

    def _claim(self, connection: Connection, group: Sequence[Prepared]) -> None:
        """Store the batches' ids; who comes second with one waits here until the first one has committed."""
        try:
            insert_plain(connection, BATCH_TABLE, CLAIM_COLUMNS, self._claims(group))
        except sa_exc.IntegrityError as exc:
            raise Duplicate from exc

    def _claims(self, group: Sequence[Prepared]) -> list[Row]:
        # In one order everywhere, so that two groups with the same ids wait for each other without a deadlock.
        return sorted((each.batch.batch_id, self._clock_ms(), len(each.batch.events)) for each in group)

    def _row_by_row(self, connection: Connection, prepared: Prepared) -> Stored:
        kept: list[Metric] = []
        told: list[ScraperRun] = []
        rejected: list[Rejection] = []
        ids: list[IdRange] = []
        self._claim(connection, [prepared])
        for index, event in enumerate(prepared.batch.events):
            try:
                self._refuse_outlived(connection, event.recorded_at_ms)
                event = repaired_run(event) if isinstance(event, ScraperRun) else repaired(event)
                with connection.begin_nested():
                    ids += self._insert_one(connection, event)
            except self._row_errors as exc:
                if isinstance(exc, sa_exc.DBAPIError) and exc.connection_invalidated:
                    raise
                field, message = (exc.field, exc.message) if isinstance(exc, BadRow) else ("metric", one_line(exc))
                rejected.append(Rejection(index, field, message))
            else:
                if isinstance(event, ScraperRun):
                    told.append(event)
                else:
                    kept.append(event)
        entries = write_log(connection, self.number, ids)
        return Stored(tuple(kept), _run_ids(ids), tuple(rejected), self._commits(entries, kept, told), tuple(told))

    def _insert_one(self, connection: Connection, event: Event) -> list[IdRange]:
        if isinstance(event, ScraperRun):
            now_ms = self._clock_ms()
            ids = insert_logged(
                connection, MESSAGE_TABLE, MESSAGE_COLUMNS, [message_row(event, now_ms)], Of.RUN_MESSAGES
            )
            keep_states(connection, [event], now_ms)
            return ids
        if isinstance(event, SchedulerRun):
            return insert_logged(
                connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, [scheduler_row(event)], Of.SCHEDULER_RUNS
            )
        return insert_logged(connection, PAGE_TABLE, PAGE_COLUMNS, [page_row(event)], Of.PAGES)

    def _commits(
        self, entries: Sequence[tuple[int, IdRange]], metrics: Sequence[Metric], told: Sequence[ScraperRun]
    ) -> Sequence[Committed]:
        return commits_of(self.number, entries, metrics, told) if self.says_commits else ()

    def _refuse_outlived(self, connection: Connection, oldest_ms: int | None) -> None:
        """Raise BadRow when one is older than what retention has deleted: it could neither be kept nor be counted."""
        if self._may_be_outlived(oldest_ms):
            since_ms = accepted_since_ms(connection)
            if oldest_ms is not None and oldest_ms < since_ms:
                since = dt.datetime.fromtimestamp(since_ms / 1000, dt.UTC)
                raise BadRow(
                    "recordedAt",
                    f"must not be before {since:%Y-%m-%dT%H:%MZ} ({since_ms}): single metrics of that time are deleted "
                    "already (SCRAPEBOARD_RETENTION_DAYS), and its totals are final",
                )

    def _may_be_outlived(self, oldest_ms: int | None) -> bool:
        # Retention keeps a whole day at least, so that hardly any batch has to ask.
        return oldest_ms is not None and oldest_ms < self._clock_ms() - DAY_MS

    def _past_deadlocks(
        self, group: Sequence[Prepared], insert: Callable[[Connection], list[Stored]]
    ) -> Sequence[Stored]:
        tries = 0
        while True:
            try:
                return self._transact(group, insert)
            except sa_exc.OperationalError as exc:
                tries += 1
                if exc.orig is None or exc.orig.args[:1] != (_DEADLOCK,) or tries == _MAX_DEADLOCK_TRIES:
                    raise
                _log.info("batch %s met a deadlock, trying again", group[0].batch.batch_id)

    def _transact(self, group: Sequence[Prepared], insert: Callable[[Connection], list[Stored]]) -> Sequence[Stored]:
        """Store whatever `insert` stores, which begins with the batches' ids, together or not at all."""
        stored: list[Stored] | None = None
        try:
            with begin_writing(self._engine) as connection:
                done = insert(connection)
                for prepared, one in zip(group, done, strict=True):
                    if one.rejected:
                        connection.execute(
                            text("UPDATE ingest_batches SET accepted = :accepted WHERE batch_id = :batch_id"),
                            {"accepted": one.count, "batch_id": prepared.batch.batch_id},
                        )
                stored = done
        except UNAVAILABLE as exc:
            if stored is None:
                raise
            for prepared, one in zip(group, stored, strict=True):
                self._doubt(prepared.batch.batch_id, one)
            raise _CutOff(exc) from exc
        return stored


def _oldest_ms(events: Sequence[Event]) -> int | None:
    return min([event.recorded_at_ms for event in events], default=None)


def _run_ids(ranges: Sequence[IdRange]) -> list[int]:
    return [
        id for ids in ranges if ids.of is Of.SCHEDULER_RUNS for id in range(ids.first_id, ids.last_id + 1, ids.id_step)
    ]
