"""Follow what other processes store in the same database, as if this one had stored it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, func, or_, select, type_coerce
from sqlalchemy.engine import Connection, Engine

from collector.events import Event, Metric, PageNavigation, PageScrape, SchedulerRun
from collector.run_events import ScraperRun
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.ingest_log import Committed, IdRange, Of, entry_key
from db.item_fields import fields_of
from db.models import IngestLog as Log
from db.models import PagePerformance as Page
from db.models import RunMessage
from db.models import SchedulerMetric as Run
from db.run_states import run_event
from db.store import Store

_log = logging.getLogger(__name__)

# An entry gets its number just before its commit. One that is seen later than so many that came after it, or so long
# after them, can only be from a process that was stopped right there.
_MARGIN_ENTRIES = 2_000
_MARGIN_S = 60.0
_READ_ROWS = 2_000  # rows that are read and told at a time
_KINDS = frozenset(int(of) for of in Of)
_WOKEN_PAUSE_S = 0.02  # between two looks at least, however often somebody calls `wake`


class Follower:
    """Tells a store's listeners of rows that others stored, once each.

    Args:
        engine: The database of the store.
        store: Whose listeners are told, and whose own rows are left out.
        clock_s: A clock that never steps back, in seconds.
    """

    def __init__(self, engine: Engine, store: Store, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._store = store
        self._clock_s = clock_s
        # Everything up to _floor is known; above it, what is in _seen. One thread at a time touches these.
        self._floor = 0
        self._seen: set[int] = set()
        self._newest: deque[tuple[float, int]] = deque()  # (when, highest number seen then), the last minute's
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._met_foreign = False  # it is said once
        self.failures = 0
        self.followed = 0

    def begin(self, connection: Connection) -> None:
        """Take everything that this connection sees as known; what memory is loaded with, in the same snapshot.

        Args:
            connection: A transaction that sees one moment of the database.
        """
        newest = connection.scalar(select(func.max(Log.seq))) or 0
        self._floor = max(0, newest - _MARGIN_ENTRIES)
        self._seen = set(connection.scalars(select(Log.seq).where(Log.seq > self._floor)))
        self._newest.clear()

    def poll(self) -> int:
        """Look once, and tell what is new.

        Returns:
            Number of metrics told.

        Raises:
            DatabaseUnavailable: The database can't be reached; nothing is lost, the next look finds it.
        """
        told = 0
        with unavailable_as_ours(self._engine):
            with self._engine.connect() as connection:
                newest = connection.scalar(select(func.max(Log.seq))) or 0
                if newest < self._floor:
                    _log.warning("the database's log went back: it was replaced; restart to show what is in it now")
                    self._floor, self._seen = newest, set()
                entries = connection.execute(
                    select(Log.seq, _OF_RUNS, Log.first_id, Log.row_count, Log.id_step, Log.writer)
                    .where(Log.seq > self._floor, Log.writer != self._store.writer)
                    .order_by(Log.seq)
                ).all()
            new = self._known([entry for entry in entries if entry[0] not in self._seen])
            for some in _portions(new):
                with self._engine.connect() as connection:
                    found = _read(connection, [_ids(entry) for entry in some])
                commits = _by_entry(some, found) if self._store.says_commits else ()
                # Known before they are told: a listener that fails must not make the next look tell them twice.
                self._seen.update(entry[0] for entry in some)
                self._store.tell(found.metrics, list(found.runs), commits, list(found.told.values()))
                told += len(found.metrics) + len(found.told)
        self.followed += told
        self._forget(newest)
        return told

    def start(self, interval_s: float = 0.5) -> None:
        """Look in a background thread until `stop`.

        Args:
            interval_s: Pause between two looks.
        """
        assert self._thread is None, "the follower runs already"
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name="follow", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Let the background thread look at once: somebody knows that there is something new."""
        self._wake.set()

    def stop(self) -> None:
        """End the background thread and wait for it."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, interval_s: float) -> None:
        while not self._stop.wait(min(_WOKEN_PAUSE_S, interval_s)):
            self._wake.wait(interval_s)
            self._wake.clear()  # before the look: who wakes during it may mean something that it didn't see
            if self._stop.is_set():
                return
            try:
                self.poll()
            except DatabaseUnavailable:
                self.failures += 1  # the health check says so to the operator
            except Exception:  # noqa: BLE001 - what wasn't told stays unknown; a bug must not end the following for good
                self.failures += 1
                _log.exception("following other processes failed")

    def _known(self, entries: Sequence[Any]) -> list[Any]:
        """Leave out entries about what this version doesn't know: a newer process stored it, for others of its kind."""
        foreign = [entry for entry in entries if entry[1] not in _KINDS]
        if foreign and not self._met_foreign:
            self._met_foreign = True
            _log.warning("a newer version stores what this one doesn't know (kind %d): update it, too", foreign[0][1])
        self._seen.update(entry[0] for entry in foreign)
        return [entry for entry in entries if entry[1] in _KINDS]

    def _forget(self, newest: int) -> None:
        """Raise the floor to what was the newest a minute ago."""
        now_s = self._clock_s()
        self._newest.append((now_s, newest))
        raised = self._floor
        while self._newest and self._newest[0][0] <= now_s - _MARGIN_S:
            raised = max(raised, self._newest.popleft()[1])
        if raised > self._floor:
            self._floor = raised
            self._seen = {seq for seq in self._seen if seq > raised}


def read_metrics(connection: Connection, ranges: Sequence[IdRange]) -> tuple[list[Metric], list[int]]:
    """Read rows back as the metrics that they were stored from.

    Args:
        connection: An open connection.
        ranges: Their ids.

    Returns:
        (page metrics by id and then scheduler runs by id, the ids of these runs); rows that are deleted meanwhile are
        left out.
    """
    found = _read(connection, ranges)
    return found.metrics, list(found.runs)


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of some entries as they were stored from, by their ids and in the order of these."""

    pages: dict[int, Metric]
    runs: dict[int, Metric]
    told: dict[int, ScraperRun]

    @property
    def metrics(self) -> list[Metric]:
        """Page metrics and then scheduler runs."""
        return [*self.pages.values(), *self.runs.values()]

    def of(self, of: Of) -> Mapping[int, Event]:
        """Return those of one table."""
        if of is Of.RUN_MESSAGES:
            return self.told
        return self.runs if of is Of.SCHEDULER_RUNS else self.pages


def _read(connection: Connection, ranges: Sequence[IdRange]) -> _Found:
    """Return page metrics, scheduler runs and run messages by their ids, in the order of these."""
    found = _Found({}, {}, {})
    pages, runs, told = ([ids for ids in ranges if ids.of is of] for of in Of)
    if pages:
        for id, *row in connection.execute(_PAGES.where(_within(Page.id, pages)).order_by(Page.id)):
            found.pages[id] = _page(row)
    if runs:
        for id, *row in connection.execute(_RUNS.where(_within(Run.id, runs)).order_by(Run.id)):
            found.runs[id] = _run(row)
    if told:
        for one in connection.execute(_TOLD.where(_within(RunMessage.id, told)).order_by(RunMessage.id)):
            found.told[one.id] = run_event(one)
    return found


def _ids(entry: Any) -> IdRange:
    return IdRange(Of(int(entry[1])), *entry[2:5])


def _by_entry(entries: Sequence[Any], read: _Found) -> list[Committed]:
    commits = []
    for entry in entries:
        ids = _ids(entry)
        found = read.of(ids.of)
        every_id = range(ids.first_id, ids.last_id + 1, ids.id_step)
        commits.append(Committed(entry_key(entry.writer, entry.seq), [found[id] for id in every_id if id in found]))
    return commits


_OF_RUNS = type_coerce(Log.of_runs, Integer)
_PAGES = select(
    Page.id, Page.scraper_source, Page.metric_type, Page.page_url, Page.navigation_duration_ms, Page.retry_count,
    Page.scrape_duration_ms, Page.items_extracted, Page.data_size, type_coerce(Page.success, Integer), Page.error,
    Page.status_code, Page.outcome, Page.run_id, Page.labels, Page.fields, Page.created_at,
)  # fmt: skip
_RUNS = select(
    Run.id, Run.scheduler_name, Run.execution_duration_ms, type_coerce(Run.success, Integer), Run.items_processed,
    Run.error, Run.scraper_source, Run.created_at, Run.run_id,
)  # fmt: skip
_TOLD = select(*RunMessage.__table__.c)


def _page(row: Any) -> Metric:
    (
        source, kind, url, navigation_ms, retries, scrape_ms, items, size, success, error, status, outcome, run_id,
        labels, counts, at_ms,
    ) = row  # fmt: skip
    known = None if labels is None else json.loads(labels)
    if kind == "navigation":
        return PageNavigation(
            source, url, _number(navigation_ms), bool(success), retries or 0, error, status, at_ms, run_id, known
        )
    return PageScrape(
        source, url, _number(scrape_ms), items or 0, bool(success), error, size, outcome, at_ms, run_id, known,
        None if counts is None else dict(fields_of(counts)),
    )  # fmt: skip


def _run(row: Any) -> Metric:
    name, duration_ms, success, items, error, source, at_ms, run_id = row
    return SchedulerRun(name, _number(duration_ms), bool(success), items, error, source, at_ms, run_id)


def _number(value: float) -> int | float:
    """Return a whole number as one, as it mostly was recorded: on the wire 150 isn't 150.0."""
    return int(value) if value.is_integer() else value


def _within(key: Any, ranges: Sequence[IdRange]) -> ColumnElement[bool]:
    whole: list[tuple[int, int]] = []
    conditions: list[ColumnElement[bool]] = []
    for ids in sorted(ranges):
        if ids.id_step != 1:
            every = (key - ids.first_id) % ids.id_step == 0
            conditions.append(key.between(ids.first_id, ids.last_id) & every)
        elif whole and whole[-1][1] + 1 == ids.first_id:
            whole[-1] = (whole[-1][0], ids.last_id)
        else:
            whole.append((ids.first_id, ids.last_id))
    return or_(*conditions, *(key.between(low, high) for low, high in whole))


def _portions(entries: Sequence[Any]) -> Iterator[list[Any]]:
    portion: list[Any] = []
    rows = 0
    for entry in entries:
        if portion and (rows + entry.row_count > _READ_ROWS or len(portion) >= 100):
            yield portion
            portion, rows = [], 0
        portion.append(entry)
        rows += entry.row_count
    if portion:
        yield portion
