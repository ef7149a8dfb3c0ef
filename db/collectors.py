"""The collectors that report: what each said of itself last, for every app process to see."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection, Engine

from collector.report import CollectorReport
from db.clock import now_ms
from db.clocks import Clocks
from db.engine import begin_writing
from db.errors import DatabaseUnavailable, unavailable_as_ours
from db.models import CollectorState
from db.rows import insert_many

_log = logging.getLogger(__name__)

Way = Literal["http", "app", "database"]

WRITTEN_EVERY_MS: Final = 5_000  # each collector, at most
FORGOTTEN_AFTER_MS: Final = 86_400_000
AWAY_AFTER_INTERVALS: Final = 3
_MOST_WAITING: Final = 10_000
_COLUMNS: Final = (
    "collector_id", "way", "host", "pid", "name", "version", "python", "started_at", "heard_at", "interval_s",
    "recorded", "flushed", "pending", "adopted", "dropped", "spool_bytes", "spool_metrics", "last_flush_at",
    "last_error", "skew_ms", "corrected",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CollectorLine:
    """One collector as it reported last; moments are by the app's clock.

    Args:
        collector_id: Of its process.
        way: `http`, `app` (within the app's own process) or `database` (it writes there itself).
        host: The machine's name.
        pid: Its process id.
        name: What its program calls itself.
        version: The collector's version.
        python: Python's version.
        started_ms: When it began, epoch ms.
        heard_ms: When it reported last, epoch ms.
        interval_s: Within how many seconds it reports again.
        recorded: Metrics that it was given.
        flushed: Metrics that it delivered.
        pending: Metrics that wait.
        adopted: Metrics that it took over from the spools of others.
        dropped: Metrics that it lost, by reason.
        spool_bytes: Size of its spool on disk.
        spool_metrics: Metrics in there.
        last_flush_ms: When a batch was delivered last, epoch ms.
        last_error: What went wrong last.
        skew_ms: The app's clock less its own.
        corrected: Metrics whose times were corrected by that.
    """

    collector_id: str
    way: str
    host: str
    pid: int
    name: str
    version: str
    python: str
    started_ms: int
    heard_ms: int
    interval_s: float
    recorded: int
    flushed: int
    pending: int
    adopted: int
    dropped: Mapping[str, int]
    spool_bytes: int
    spool_metrics: int
    last_flush_ms: int | None
    last_error: str | None
    skew_ms: int
    corrected: int

    def is_away(self, present_ms: int) -> bool:
        """Say whether it has missed three reports.

        Args:
            present_ms: The present, epoch ms.
        """
        return present_ms - self.heard_ms > AWAY_AFTER_INTERVALS * 1000 * self.interval_s

    @property
    def lag_ms(self) -> int:
        """How long its oldest waiting metric may have waited when it reported: since its last delivery; 0 if none."""
        if not self.pending:
            return 0
        return max(0, self.heard_ms - (self.started_ms if self.last_flush_ms is None else self.last_flush_ms))


class Collectors:
    """Takes reports in, and writes them where all processes see them; nobody who reports waits for that.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self.clocks = Clocks()
        self._engine = engine
        self._clock_ms = clock_ms
        self._lock = threading.Lock()  # protects everything below
        self._waiting: OrderedDict[str, CollectorLine] = OrderedDict()  # not written yet
        self._written_ms: dict[str, int] = {}

    def heard(self, report: CollectorReport, received_ms: int, way: Way = "http") -> None:
        """Take a report in.

        Args:
            report: What a collector says.
            received_ms: When it arrived, epoch ms.
            way: How it reports.
        """
        line = line_of(report, received_ms, way)
        with self._lock:
            self._waiting[report.collector_id] = line
            self._waiting.move_to_end(report.collector_id)
            while len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)

    def flush(self, *, all: bool = False) -> int:
        """Write what is due; to be called every few seconds, by one thread at a time.

        Args:
            all: Also what was written a moment ago: the program ends.

        Returns:
            How many collectors were written.
        """
        present_ms = self._clock_ms()
        with self._lock:
            due = [
                line
                for id, line in self._waiting.items()
                if all or not 0 <= present_ms - self._written_ms.get(id, 0) < WRITTEN_EVERY_MS
            ]
        if not due:
            return 0
        corrected = {line.collector_id: self.clocks.corrected(line.collector_id) for line in due}
        try:
            write_collectors(self._engine, due, present_ms, corrected)
        except DatabaseUnavailable as exc:
            _log.info("reports of collectors wait: %s", exc)
            return 0
        for id, metrics in corrected.items():
            self.clocks.count(id, -metrics)
        with self._lock:
            for line in due:
                self._written_ms[line.collector_id] = present_ms
                if self._waiting.get(line.collector_id) is line:
                    del self._waiting[line.collector_id]
            if len(self._written_ms) > _MOST_WAITING:
                self._written_ms = dict(list(self._written_ms.items())[-_MOST_WAITING // 2 :])
        return len(due)


def line_of(report: CollectorReport, received_ms: int, way: Way) -> CollectorLine:
    """Return a report with its moments on the app's clock.

    Args:
        report: What a collector says.
        received_ms: When it arrived, epoch ms.
        way: How it reports.
    """
    skew_ms = received_ms - report.sent_at_ms
    return CollectorLine(
        report.collector_id, way, report.host, report.pid, report.name, report.version, report.python,
        report.started_at_ms + skew_ms, received_ms, report.interval_s, report.recorded, report.flushed, report.pending,
        report.adopted, dict(report.dropped), report.spool_bytes, report.spool_metrics,
        None if report.last_flush_at_ms is None else report.last_flush_at_ms + skew_ms, report.last_error, skew_ms,
        0,
    )  # fmt: skip


def write_collectors(
    engine: Engine, lines: Sequence[CollectorLine], present_ms: int, corrected: Mapping[str, int] = MappingProxyType({})
) -> None:
    """Write collectors, and forget those that were silent for a day.

    Args:
        engine: A migrated database.
        lines: What they said; what another process heard later stays.
        present_ms: The present, epoch ms.
        corrected: Collector's id -> metrics that were corrected since it was written.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    table: Any = CollectorState.__table__
    # In one order everywhere, so that two processes wait for each other without a deadlock.
    ordered = sorted(lines, key=lambda line: line.collector_id)
    with unavailable_as_ours(engine), begin_writing(engine) as connection:
        own = table.c.collector_id.in_([line.collector_id for line in ordered])
        known = {
            row.collector_id: _line(row)
            for row in connection.execute(select(table).where(own).order_by(table.c.collector_id).with_for_update())
        }
        rows = []
        for line in ordered:
            before = known.get(line.collector_id, line)
            newer = before if before.heard_ms > line.heard_ms else line
            rows.append(_row(replace(newer, corrected=before.corrected + corrected.get(line.collector_id, 0))))
        insert_many(connection, CollectorState.__tablename__, _COLUMNS, rows, replace=True)
        connection.execute(delete(CollectorState).where(CollectorState.heard_at < present_ms - FORGOTTEN_AFTER_MS))


def read_collectors(connection: Connection, present_ms: int) -> tuple[CollectorLine, ...]:
    """Read the collectors that reported within a day, by host, name and process.

    Args:
        connection: An open connection.
        present_ms: The present, epoch ms.
    """
    table: Any = CollectorState.__table__
    rows = connection.execute(select(table).where(table.c.heard_at >= present_ms - FORGOTTEN_AFTER_MS))
    lines = [_line(row) for row in rows]
    return tuple(sorted(lines, key=lambda line: (line.host, line.name, line.pid, line.collector_id)))


@dataclass(frozen=True, slots=True)
class CollectorTotals:
    """What all collectors that are there add up to."""

    connected: int
    away: int
    recorded: int
    flushed: int
    pending: int
    dropped: Mapping[str, int]
    spool_bytes: int
    corrected: int


def totals_of(lines: Sequence[CollectorLine], present_ms: int) -> CollectorTotals:
    """Add collectors up; those that are away with what they said last.

    Args:
        lines: The collectors.
        present_ms: The present, epoch ms.
    """
    away = sum(line.is_away(present_ms) for line in lines)
    dropped: Counter[str] = Counter()
    for line in lines:
        dropped.update(line.dropped)
    return CollectorTotals(
        len(lines) - away, away, sum(line.recorded for line in lines), sum(line.flushed for line in lines),
        sum(line.pending for line in lines), dict(sorted(dropped.items())), sum(line.spool_bytes for line in lines),
        sum(line.corrected for line in lines),
    )  # fmt: skip


def _row(line: CollectorLine) -> tuple[Any, ...]:
    return (
        line.collector_id, line.way, line.host, line.pid, line.name, line.version, line.python, line.started_ms,
        line.heard_ms, line.interval_s, line.recorded, line.flushed, line.pending, line.adopted,
        json.dumps(dict(line.dropped)), line.spool_bytes, line.spool_metrics, line.last_flush_ms, line.last_error,
        line.skew_ms, line.corrected,
    )  # fmt: skip


def _line(row: Any) -> CollectorLine:
    return CollectorLine(
        row.collector_id, row.way, row.host, row.pid, row.name, row.version, row.python, row.started_at, row.heard_at,
        row.interval_s, row.recorded, row.flushed, row.pending, row.adopted, json.loads(row.dropped), row.spool_bytes,
        row.spool_metrics, row.last_flush_at, row.last_error, row.skew_ms, row.corrected,
    )  # fmt: skip
