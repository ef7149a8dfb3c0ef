"""The newest page metrics that a filter leaves over: looked for in memory first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from cachetools import LRUCache
from sqlalchemy.engine import Connection, Engine

from db.cells import HOUR_MS, SLOT_MS
from db.columns import DetailColumns
from db.detail import STATISTICS
from db.events import newest_pages
from db.history import History
from db.recent import RecentDetail
from db.results import Event, Filter, IntArray
from db.rollups import Rollups
from db.told_events import ToldEvents

_MAX_REMEMBERED = 32
_MOST_STEP_MS = 16 * HOUR_MS  # of a walk back through packs


@dataclass(frozen=True, slots=True)
class _Older:
    """What was found before memory begins."""

    start_ms: int
    end_ms: int  # where memory began
    version: int  # of the rollups, from before looking
    events: tuple[Event, ...]


class EventSearch:
    """Walks back through the database only as far as memory says that there is something to find.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Says whether an old minute changed; None to look through old rows at every ask.
        history: Knows when old rows that a filter lets through were recorded; None to look for them in their table.
    """

    def __init__(
        self, engine: Engine, recent: RecentDetail, rollups: Rollups | None, history: History | None = None
    ) -> None:
        self._engine = engine
        self._history = history
        self._filtered = None if history is None else history.filtered
        self._recent = recent
        self._rollups = rollups
        self._told = ToldEvents()
        self._lock = threading.Lock()  # protects _older
        self._older: LRUCache[tuple[Filter, int], _Older] = LRUCache(_MAX_REMEMBERED)

    def newest(self, start_ms: int | None, end_ms: int | None, filter: Filter, limit: int) -> tuple[Event, ...]:
        """Return the newest page metrics of a span, newest first.

        Args:
            start_ms: Epoch ms, inclusive, None for no bound.
            end_ms: Epoch ms, exclusive, None for no bound.
            filter: Which rows.
            limit: How many at most.

        Raises:
            sqlalchemy.exc.DBAPIError: The database can't be asked.
        """
        if filter.within(None) is None:
            return ()
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        times_ms = _newest_times(rows, filter, limit)
        if len(times_ms) >= limit > 0:
            read = partial(self._ask, int(times_ms[-limit]), end_ms, filter)
            told = self._told.newest(times_ms, filter, limit, lambda moments, most: read(most, moments))
            return read(limit) if told is None else told
        if filter.only_sources:  # every row of an index is one
            return self._ask(start_ms, end_ms, filter, limit)
        # Of some rows memory says when they were recorded; all of them lie side by side anyway.
        moments = None if filter == Filter() else set(times_ms.tolist())
        new = self._ask(int(times_ms[0]), end_ms, filter, limit, moments) if len(times_ms) else ()
        if covered_ms is None or (start_ms is not None and covered_ms <= start_ms):
            return new
        if end_ms is not None and end_ms <= covered_ms:
            return self._ask(start_ms, end_ms, filter, limit)
        return (*new, *self._before(start_ms or 0, covered_ms, filter, limit))[:limit]

    def _before(self, start_ms: int, covered_ms: int, filter: Filter, limit: int) -> tuple[Event, ...]:
        """Return the newest events of [start_ms, covered_ms): looked for once, then only in what memory lets go."""
        rollups = self._rollups
        version = -1 if rollups is None else rollups.version
        with self._lock:
            known = self._older.get((filter, limit))
        if (
            rollups is not None
            and known is not None
            and known.start_ms <= start_ms < known.end_ms <= covered_ms
            and not rollups.changed_since(known.version, start_ms, known.end_ms)
        ):
            let_go = self._ask(known.end_ms, covered_ms, filter, limit) if known.end_ms < covered_ms else ()
            found = (*let_go, *(event for event in known.events if event.recorded_at_ms >= start_ms))[:limit]
        else:
            found = self._ask(start_ms, covered_ms, filter, limit)
        with self._lock:
            self._older[filter, limit] = _Older(start_ms, covered_ms, version, found)
        return found

    def _ask(
        self,
        start_ms: int | None,
        end_ms: int | None,
        filter: Filter,
        limit: int,
        moments: Collection[int] | None = None,
    ) -> tuple[Event, ...]:
        with self._engine.connect() as connection:
            # A result or a source is found soon enough by walking back.
            if moments is None and start_ms is not None and end_ms is not None and not filter.in_rollups:
                moments = self._moments(connection, start_ms, end_ms, filter, limit)
            if moments is not None and not moments:
                return ()
            return newest_pages(connection, start_ms, end_ms, filter, limit, moments=moments)

    def _moments(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter, limit: int
    ) -> set[int] | None:
        """Return when the newest rows of a span were recorded, epoch ms; None where packs and memory don't know."""
        settled = filter.within(None)
        assert settled is not None  # who asks has seen to it
        filter, kind = settled
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        times_ms: list[int] = rows.matching(filter, kind).created_at_ms[-limit:].tolist()
        border_ms = start_ms if covered_ms is None else min(end_ms, covered_ms)
        if border_ms > start_ms and len(times_ms) < limit:
            first_ms = None if self._filtered is None else self._filtered.first_ms(connection)
            if first_ms is None:
                return None
            start_ms = max(start_ms, first_ms)
        if border_ms > start_ms and len(times_ms) < limit:
            assert self._history is not None
            assert self._filtered is not None
            rows_by_hour = partial(self._history.rows_by_hour, filter=filter)
            for low_ms, high_ms in _steps_back(start_ms, border_ms, rows_by_hour, lambda: limit - len(times_ms)):
                parts = self._filtered.parts(connection, low_ms, high_ms, filter, kind, columns=STATISTICS)
                if parts is None:
                    return None
                older = [moment_ms for rows in parts for moment_ms in rows.created_at_ms.tolist()]
                times_ms[:] = [*older, *times_ms][-limit:]
                if len(times_ms) == limit:
                    break
        return set(times_ms)


def _newest_times(rows: DetailColumns, filter: Filter, limit: int) -> IntArray:
    """Return when the newest rows that a filter lets through were recorded, epoch ms, rising.

    There are all of those of each moment, and `limit` at least if there are so many; mostly the newest run has them.
    """
    chunks, count = rows.chunks, 1
    while True:
        some = DetailColumns(chunks[-count:], rows.source_names, rows.outcome_names)
        times_ms = some.matching(filter).created_at_ms
        # Of the moment that they begin with there may be more in the run before.
        if count >= len(chunks) or (len(times_ms) >= limit > 0 and times_ms[-limit] > chunks[-count].times()[0]):
            return times_ms
        count *= 4


def _steps_back(
    start_ms: int,
    end_ms: int,
    rows_by_hour: Callable[[int, int], Mapping[int, int] | None],
    missing: Callable[[], int],
) -> Iterator[tuple[int, int]]:
    """Cut a span into ever longer ones, the newest first: what is rare may be far back.

    Args:
        start_ms: Epoch ms.
        end_ms: Epoch ms.
        rows_by_hour: Returns how many rows at most the whole hours of a span (from and to in epoch ms) have, without
            those that have none; None where that isn't known. Asked when there isn't enough in the first span.
        missing: Returns how many rows are still to be found.
    """
    low_ms = max(start_ms, (end_ms - 1) // HOUR_MS * HOUR_MS)
    if low_ms < end_ms:
        yield low_ms, end_ms
    end_ms = low_ms
    counts = rows_by_hour(start_ms, end_ms) if start_ms < end_ms else None
    if counts is not None:
        yield from _counted_steps(start_ms, end_ms, counts, missing)
        return
    step_ms = HOUR_MS
    while end_ms > start_ms:
        low_ms = max(start_ms, (end_ms - 1) // step_ms * step_ms)
        yield low_ms, end_ms
        step_ms = min(2 * step_ms, _MOST_STEP_MS)
        end_ms = low_ms


def _counted_steps(
    start_ms: int, end_ms: int, counts: Mapping[int, int], missing: Callable[[], int]
) -> Iterator[tuple[int, int]]:
    """Cut a span into ones with as many rows as are missing, of those that are counted by hour, and then ever more."""
    # Hours of which only a part lies in the span aren't counted: they are looked through as a whole.
    ends_ms = {at_ms // HOUR_MS * HOUR_MS for at_ms in (start_ms, end_ms) if at_ms % HOUR_MS}
    hours = sorted(ends_ms.union(counts), reverse=True)
    factor, at = 1, 0
    while at < len(hours):
        high_ms = low_ms = min(end_ms, hours[at] + HOUR_MS)
        wanted = factor * missing()
        while at < len(hours) and wanted > 0 and high_ms - hours[at] <= _MOST_STEP_MS:
            hour, rows = hours[at], counts.get(hours[at], 0)
            if rows > wanted:  # they lie about evenly in an hour
                slots = wanted * HOUR_MS // (rows * SLOT_MS) + 2
                low_ms = max(hour, min(low_ms, hour + HOUR_MS) - slots * SLOT_MS)
            else:
                low_ms = hour
            wanted -= rows
            if low_ms > hour:
                break
            at += 1
        low_ms = max(start_ms, low_ms)
        yield low_ms, high_ms
        end_ms = low_ms
        factor *= 2
