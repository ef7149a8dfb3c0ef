"""Durations and successes by weekday and hour of the day: whole days are counted out once, the rest at every ask."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from cachetools import LRUCache

from db.cell_sums import merged
from db.cells import DAY_MS, HOUR_MS, Cells
from db.columns import DetailColumns
from db.history import History, Rows
from db.hour_counts import HOURS, HourCounts, hour_of_week
from db.results import Filter, IntArray, Kind, TimeRange
from db.rollups import Rollups
from db.sketch import bins_of
from db.spread import mixed_spread
from db.tab_results import WeekHours

# Hours are kept for 400 days: of what is older, nobody knows the hour.
_LONGEST_MS = 401 * DAY_MS
_READ_AT_ONCE_MS = 31 * DAY_MS
_WARM_MS = 30 * DAY_MS
_MAX_FILTERS, _MAX_PIECES, _MAX_COUNTED = 32, 1_000, 16

Piece = tuple[int, int]  # length (an hour or a day) and start, in ms


class WeekHoursHistory:
    """Counts ranges out by the hour of the week, and remembers whole days and hours.

    Args:
        history: What a range is counted from.
        rollups: Says which minutes changed; None to remember nothing.
        exact_rows: Up to so many rows in memory are counted one by one.
    """

    def __init__(self, history: History, rollups: Rollups | None, *, exact_rows: int) -> None:
        self._history = history
        self._rollups = rollups
        self._exact_rows = exact_rows
        self._lock = threading.Lock()  # protects the three below; not held while the database is asked
        self._version = 0  # of the rollups, that everything in _known is true of
        # Pieces with a row for each of their hours, all sources added up.
        self._known: OrderedDict[tuple[Filter, Kind | None], LRUCache[Piece, Cells]] = OrderedDict()
        # For filters that rollups don't know: the old rows that were counted last, and what they add up to.
        self._counted: LRUCache[tuple[Filter, Kind | None], tuple[weakref.ref[DetailColumns], HourCounts]]
        self._counted = LRUCache(_MAX_COUNTED)

    def of(self, span: TimeRange, filter: Filter, kind: Kind | None) -> WeekHours:
        """Return a range by weekday and hour of the day (UTC).

        Args:
            span: The range; its buckets don't matter. Of one longer than 400 days, the last 400.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        start_ms, end_ms = max(span.start_ms, span.end_ms - _LONGEST_MS), span.end_ms
        filter = self._history.simpler(TimeRange(start_ms, end_ms, HOUR_MS), filter)
        rows = self._history.in_memory(TimeRange(start_ms, end_ms, HOUR_MS))
        if rows is not None and len(rows) <= self._exact_rows:
            return _counted([], [rows.matching(filter, kind)])
        found = self._of_pieces(start_ms, end_ms, filter, kind) if filter.in_packs else None
        return self._of_rows(TimeRange(start_ms, end_ms, HOUR_MS), filter, kind) if found is None else found

    def warm(self, present_ms: int) -> None:
        """Count out the last month: its days are those of every shorter range, too.

        Args:
            present_ms: The present, epoch ms.
        """
        self.of(TimeRange(present_ms - _WARM_MS, present_ms, HOUR_MS), Filter(), "navigation")

    def _of_pieces(self, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None) -> WeekHours | None:
        """Count days and hours together; None where only rows can tell."""
        pieces, loose = _divided(start_ms, end_ms)
        found, version = self._recall(filter, kind)
        new: dict[Piece, Cells] = {}
        details: list[DetailColumns] = []
        for some in _runs([piece for piece in pieces if piece not in found]):
            low, high = some[0][1], sum(some[-1])
            asked = self._history.hours(low, high, filter, kind)
            if asked is None:
                return None
            folded = Cells.joined([_folded(part) for part in _cells_of(asked)])
            own = {piece: _of_piece(folded, piece) for piece in some}
            found |= own
            if len(asked.detail):
                details.append(asked.detail)
            else:
                new |= own
        cells = [found[piece] for piece in pieces]
        for low, high in loose:
            asked = self._history.rows(_one_bucket(low, high), filter, kind)
            cells += _cells_of(asked)
            details.append(asked.detail)
        self._keep(filter, kind, version, new)
        return _counted(cells, details)

    def _of_rows(self, span: TimeRange, filter: Filter, kind: Kind | None) -> WeekHours:
        """Count rows one by one: the old ones once, and of the newest only the hours that they fall into anew."""
        old, new = self._history.in_two(span, filter, kind)
        with self._lock:
            known = self._counted.get((filter, kind))
        if known is None or known[0]() is not old:
            known = (weakref.ref(old), HourCounts.of(old))
            with self._lock:
                self._counted[filter, kind] = known
        return known[1].with_newer(new)

    def _recall(self, filter: Filter, kind: Kind | None) -> tuple[dict[Piece, Cells], int]:
        """Return what is known of every piece, and the version that this is true of."""
        if self._rollups is None:
            return {}, 0
        with self._lock:
            self._version, changed = self._rollups.changes_since(self._version)
            if changed is None:
                self._known.clear()
            elif changed:
                gone = {(length, minute // length * length) for minute in changed for length in (HOUR_MS, DAY_MS)}
                for pieces in self._known.values():
                    for piece in gone:
                        pieces.pop(piece, None)
            own = self._known.setdefault((filter, kind), LRUCache(_MAX_PIECES))
            self._known.move_to_end((filter, kind))
            while len(self._known) > _MAX_FILTERS:
                self._known.popitem(last=False)
            return dict(own), self._version

    def _keep(self, filter: Filter, kind: Kind | None, version: int, new: dict[Piece, Cells]) -> None:
        with self._lock:
            own = self._known.get((filter, kind))
            if not new or own is None or version != self._version:
                return  # another ask has dropped what changed since: these may be older than that
            own.update(new)


def _divided(start_ms: int, end_ms: int) -> tuple[list[Piece], list[tuple[int, int]]]:
    """Cut a span into whole days, whole hours around and in the last of them, and what is left at both ends."""
    first_ms, last_ms = -(-start_ms // HOUR_MS) * HOUR_MS, end_ms // HOUR_MS * HOUR_MS
    if first_ms >= last_ms:
        return [], [(start_ms, end_ms)] if start_ms < end_ms else []
    pieces: list[Piece] = []
    at_ms = first_ms
    while at_ms < last_ms:
        # Metrics land in the last day: only the hour that they land in is to be counted again.
        whole = at_ms % DAY_MS == 0 and at_ms + DAY_MS <= last_ms - DAY_MS
        length_ms = DAY_MS if whole else HOUR_MS
        pieces.append((length_ms, at_ms))
        at_ms += length_ms
    return pieces, [(low, high) for low, high in ((start_ms, first_ms), (last_ms, end_ms)) if low < high]


def _runs(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Put pieces that follow each other together, as long as that isn't too much to read at once."""
    run: list[Piece] = []
    for piece in pieces:
        if run and (sum(run[-1]) != piece[1] or piece[1] - run[0][1] >= _READ_AT_ONCE_MS):
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _of_piece(folded: Cells, piece: Piece) -> Cells:
    """Return the rows of a piece out of those of several, by time."""
    low, high = np.searchsorted(folded.start_ms, (piece[1], sum(piece)))
    return folded if high - low == len(folded) else folded.part(int(low), int(high))


def _one_bucket(start_ms: int, end_ms: int) -> TimeRange:
    """Return a span inside one hour, in the widest buckets that rollups can be read by."""
    for bucket_ms in (HOUR_MS, HOUR_MS // 2, HOUR_MS // 6, HOUR_MS // 12, HOUR_MS // 60):
        if start_ms % bucket_ms == 0 and end_ms % bucket_ms == 0:
            return TimeRange(start_ms, end_ms, bucket_ms)
    return TimeRange(start_ms, end_ms, end_ms - start_ms)


def _cells_of(rows: Rows) -> list[Cells]:
    parts = [] if rows.sealed is None else [rows.sealed.cells]
    return parts if rows.cells is None else [*parts, rows.cells]


def _folded(cells: Cells) -> Cells:
    """Add up the sources of each hour."""
    cells = replace(cells, source=np.zeros_like(cells.source))
    return merged(cells, cells.start_ms // HOUR_MS * HOUR_MS)


def _counted(parts: list[Cells], details: list[DetailColumns]) -> WeekHours:
    cells = Cells.joined(parts)
    cell_hour = hour_of_week(cells.start_ms)
    moments = np.concatenate([np.empty(0, dtype=np.int64), *(rows.created_at_ms for rows in details)])
    durations_ms = np.concatenate([np.empty(0), *(rows.duration_ms for rows in details)])
    success = np.concatenate([np.empty(0, dtype=np.bool_), *(rows.success for rows in details)])
    hour = hour_of_week(moments)
    order = np.argsort(hour, kind="stable")
    sizes = np.bincount(hour, minlength=HOURS)
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    ordered_ms = durations_ms[order]

    def added_up(values: IntArray, own: IntArray) -> IntArray:
        return own.astype(np.int64) + np.bincount(cell_hour, weights=values, minlength=HOURS).astype(np.int64)

    counts = added_up(cells.navigations + cells.scrapes, sizes)
    successes = added_up(cells.successes, np.bincount(hour[success], minlength=HOURS))
    sums_ms = np.bincount(hour, weights=durations_ms, minlength=HOURS)
    sums_ms = sums_ms + np.bincount(cell_hour, weights=cells.sum_ms, minlength=HOURS)
    mean_ms = np.where(counts > 0, sums_ms / np.maximum(counts, 1), np.nan)
    found = mixed_spread(ordered_ms, bins_of(ordered_ms), offsets, cells, cell_hour)
    p95_ms = found.quantiles_ms[:, 1]
    grid = (7, 24)
    return WeekHours(counts.reshape(grid), successes.reshape(grid), mean_ms.reshape(grid), p95_ms.reshape(grid))
