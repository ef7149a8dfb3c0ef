"""The part of a range that memory doesn't reach: from rollups where they can answer, else from detail rows."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from db.cells import HOUR_MS, MINUTE_MS, Cells, read_cells
from db.columns import DetailColumns
from db.detail import read_detail
from db.models import HourlyRollup, MinuteRollup
from db.recent import RecentDetail
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups
from db.state import MINUTES_SINCE_MS, read_state

_MAX_REMEMBERED = 16


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Everything that a range is counted from: detail rows, and rollup rows for the time before them."""

    detail: DetailColumns
    cells: Cells | None = None


class History:
    """Puts memory, rollups and detail rows together so that every metric of a range is counted once.

    Args:
        engine: A migrated database.
        recent: The newest rows.
        rollups: The rollups of this database, None to count old ranges from detail rows always.
    """

    def __init__(self, engine: Engine, recent: RecentDetail, rollups: Rollups | None) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._lock = threading.Lock()  # protects _remembered
        # What was read for old parts, with the rollups' version from before reading.
        self._remembered: OrderedDict[tuple[object, ...], tuple[int, Cells | DetailColumns]] = OrderedDict()

    def rows(self, span: TimeRange, filter: Filter, kind: Kind | None = None) -> Rows:
        """Return what a range is counted from, filtered.

        Args:
            span: The range and its buckets: rollups serve whole minutes only.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        if covered_since_ms is None or covered_since_ms <= span.start_ms:
            return Rows(recent.matching(filter, kind))
        rolled = (
            self._rollups is not None
            and filter.only_sources
            and span.bucket_ms % MINUTE_MS == 0
            and span.start_ms % MINUTE_MS == 0
        )
        # Where memory takes over: rollups end at whole minutes.
        border_ms = -(-covered_since_ms // MINUTE_MS) * MINUTE_MS if rolled else covered_since_ms
        border_ms = min(border_ms, span.end_ms)
        if rolled and border_ms == span.end_ms and border_ms % MINUTE_MS:
            rolled = False  # the range ends inside a minute
        old = self._old(span, border_ms, filter, kind, rolled=rolled)
        recent = recent.between(border_ms, span.end_ms).matching(filter, kind)
        if isinstance(old, Cells):
            return Rows(recent, old)
        return Rows(old.followed_by(recent))

    def in_memory(self, span: TimeRange, filter: Filter, kind: Kind | None = None) -> DetailColumns | None:
        """Return the filtered detail rows of a range with all their columns, or None when memory doesn't reach back.

        Args:
            span: The range.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        if covered_since_ms is None or covered_since_ms <= span.start_ms:
            return recent.matching(filter, kind)
        return None

    def _old(
        self, span: TimeRange, border_ms: int, filter: Filter, kind: Kind | None, *, rolled: bool
    ) -> Cells | DetailColumns:
        if self._rollups is None:
            with self._engine.connect() as connection:
                return self._detail(connection, span.start_ms, border_ms, filter, kind)
        by_hours = rolled and span.bucket_ms % HOUR_MS == 0 and span.start_ms % HOUR_MS == 0
        key = (span.start_ms, border_ms, filter, kind, rolled, by_hours)
        with self._lock:
            remembered = self._remembered.get(key)
        if remembered is not None and not self._rollups.changed_since(remembered[0], span.start_ms, border_ms):
            return remembered[1]
        version = self._rollups.version
        old: Cells | DetailColumns
        if rolled:
            self._rollups.settle(span.start_ms, border_ms)
            with self._engine.connect() as connection:
                old = self._cells(connection, span.start_ms, border_ms, filter, kind, by_hours=by_hours)
        else:
            with self._engine.connect() as connection:
                old = self._detail(connection, span.start_ms, border_ms, filter, kind)
        with self._lock:
            self._remembered[key] = (version, old)
            self._remembered.move_to_end(key)
            while len(self._remembered) > _MAX_REMEMBERED:
                self._remembered.popitem(last=False)
        return old

    def _detail(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None
    ) -> DetailColumns:
        return read_detail(
            connection, start_ms, end_ms, self._recent.sources, self._recent.outcomes, filter=filter, kind=kind
        )

    def _cells(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None, *, by_hours: bool
    ) -> Cells:
        # Hours where the buckets are hours, and where the minutes are gone already; minutes for the rest.
        minutes_since_ms = read_state(connection).get(MINUTES_SINCE_MS, 0)
        hours_to_ms = end_ms // HOUR_MS * HOUR_MS if by_hours else min(minutes_since_ms, end_ms // HOUR_MS * HOUR_MS)
        parts = []
        names, sources = self._recent.sources, filter.sources
        if hours_to_ms > start_ms:
            parts.append(read_cells(connection, HourlyRollup, start_ms, hours_to_ms, names, sources=sources, kind=kind))
            start_ms = hours_to_ms
        parts.append(read_cells(connection, MinuteRollup, start_ms, end_ms, names, sources=sources, kind=kind))
        return Cells.joined(parts)
