"""What metrics with some labels add up to over time: from packs that tell labels apart, few rows are looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection, Engine

from db.bounded import Bounded, SpanSums
from db.breakdown_rolling import LENGTHS_MS, Unsettled, closed
from db.cell_sums import merged, minute_cells
from db.cells import HOUR_MS, SLOT_MS, Cells
from db.columns import DetailColumns
from db.labelled_sources import OTHER, WithLabels, unknown
from db.models import Breakdown
from db.recent import RecentDetail
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups
from db.sealed import Sealed
from db.state import HOURS_SINCE_MS, MINUTES_SINCE_MS, read_state
from db.time_packs import STEP_MS, read_packs_of_lengths

ReadRows: TypeAlias = Callable[[int, int, Filter, Kind | None], DetailColumns]
_Bounds: TypeAlias = tuple[int, int]

_MAX_REMEMBERED = 24
# Rows that memory doesn't hold are read for so long in all; beyond, the caller had better read all of them.
_MAX_READ_MS = 2 * SLOT_MS
_LENGTHS_MS = tuple(reversed(LENGTHS_MS))
_OF_ALL = "url"  # a dimension that has every row
# Made once (db.stored_packs).
_WITH_ROWS = (
    select(Breakdown.start_ms)
    .where(
        Breakdown.dimension == _OF_ALL,
        Breakdown.length_ms == bindparam("length_ms"),
        Breakdown.start_ms.in_(bindparam("starts", expanding=True)),
        Breakdown.row_count > 0,
    )
    .limit(1)
)


class _Piece(NamedTuple):
    """A span that is kept as one pack, and the part of it that is asked for."""

    length_ms: int
    start_ms: int
    low_ms: int
    high_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The rows of a pack that have some labels."""

    cells: Cells
    unsure: frozenset[int]  # numbers of the sources of which it doesn't know the labels


class LabelCells:
    """Reads packs, and keeps what it found for some labels in bounded memory.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Its rollups.
        read_rows: Returns the detail rows of a span (from and to in epoch ms), filtered, that memory doesn't hold.
        max_bytes: Memory for what was read.
    """

    def __init__(
        self,
        engine: Engine,
        recent: RecentDetail,
        rollups: Rollups,
        read_rows: ReadRows,
        *,
        max_bytes: int = 48 * 1024 * 1024,
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._read_rows = read_rows
        # Protects everything below. Held while packs are read: who else needs them needs mostly the same ones.
        self._lock = threading.Lock()
        self._version = 0
        # By labels, length and start.
        self._kept: Bounded[tuple[tuple[str, ...], int, int], _Kept]
        self._kept = Bounded(max_bytes, lambda kept: kept.cells.size_bytes)
        self._sums = SpanSums(_MAX_REMEMBERED)

    def of(
        self, span: TimeRange, filter: Filter, kind: Kind | None, *, together: bool
    ) -> tuple[DetailColumns, Cells | None, Sealed | None] | None:
        """Return what a range is counted from; None where that isn't known without looking at all of its rows.

        Args:
            span: The range and its buckets.
            filter: Which rows: labels, and nothing that packs don't know besides (`Filter.in_packs`).
            kind: Navigations or scrapes only; None for both.
            together: All of it as one, not by bucket.

        Returns:
            (its newest rows, which aren't packed yet; the rows of the packs before them; of the first buckets these
            are counted out). None of them counts what another one does.
        """
        if not self._rollups.breakdowns.ready or not (together or _is_packed_so(span)):
            return None
        recent, covered_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        newest_ms = int(recent.created_at_ms[-1]) if len(recent) else span.end_ms
        border_ms = max(span.start_ms, min(newest_ms, span.end_ms) // SLOT_MS * SLOT_MS)
        if covered_ms is not None and covered_ms > border_ms:
            # Packs reach to where memory begins.
            packed_ms = min(-(-covered_ms // SLOT_MS) * SLOT_MS, span.end_ms // SLOT_MS * SLOT_MS)
            border_ms = max(border_ms, packed_ms)
        sealed_ms = span.start_ms if together else border_ms // span.bucket_ms * span.bucket_ms
        with self._lock:
            self._follow()
            sealed: Sealed | None = None
            if sealed_ms > span.start_ms:
                found = self._sealed(span.start_ms, sealed_ms, span.bucket_ms, filter, kind)
                if found is None:
                    return None
                sealed = found
            cells: Cells | None = None
            if border_ms > sealed_ms:
                cells = self._open(sealed_ms, border_ms, filter, kind)
                if cells is None:
                    return None
            self._kept.trim()
        if border_ms < span.end_ms and covered_ms is not None and covered_ms > border_ms:
            return self._read_rows(border_ms, span.end_ms, filter, kind), cells, sealed
        return recent.between(border_ms, span.end_ms).matching(filter, kind), cells, sealed

    def warm(self, connection: Connection) -> None:
        """Ask what only packs that are missing make it ask, so that the first who needs it needn't wait.

        Args:
            connection: An open connection.
        """
        _have_rows(connection, HOUR_MS, [0])

    def hours(self, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None) -> Cells | None:
        """Return the rows of whole hours, by hour at most; None as `of` does.

        Args:
            start_ms: Epoch ms, a full hour.
            end_ms: Epoch ms, another one.
            filter: As for `of`.
            kind: As for `of`.
        """
        if not self._rollups.breakdowns.ready:
            return None
        with self._lock:
            self._follow()
            found = self._between(start_ms, end_ms, HOUR_MS, filter, kind)
            self._kept.trim()
            return found

    def rows_by_hour(self, start_ms: int, end_ms: int, labels: tuple[str, ...]) -> dict[int, int] | None:
        """Return how many rows with some labels each whole hour of a span has that has any; None where nobody knows.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            labels: As for `db.labels.by_key`.

        Returns:
            Start of an hour, epoch ms -> rows. Hours of which only a part lies in the span aren't counted.
        """
        first_ms, last_ms = -(-start_ms // HOUR_MS) * HOUR_MS, end_ms // HOUR_MS * HOUR_MS
        if first_ms >= last_ms:
            return {}
        found = self.hours(first_ms, last_ms, Filter(labels=labels), None)
        if found is None:
            return None
        hours, places = np.unique(found.start_ms // HOUR_MS * HOUR_MS, return_inverse=True)
        rows = np.bincount(places, weights=found.navigations + found.scrapes, minlength=len(hours)).astype(np.int64)
        return dict(zip(hours.tolist(), rows.tolist(), strict=True))

    # The caller holds the lock ---------------------------------------------------------------------------------

    def _sealed(self, start_ms: int, end_ms: int, bucket_ms: int, filter: Filter, kind: Kind | None) -> Sealed | None:
        def add_up() -> Sealed | None:
            cells = self._between(start_ms, end_ms, bucket_ms, filter, kind)
            return None if cells is None else Sealed.of(cells, start_ms, bucket_ms, (end_ms - start_ms) // bucket_ms)

        return self._sums.of(start_ms, end_ms, ("sealed", bucket_ms, filter, kind), add_up)

    def _open(self, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None) -> Cells | None:
        """Return the rows of a span added up."""

        def add_up() -> Cells | None:
            cells = self._between(start_ms, end_ms, HOUR_MS, filter, kind)
            return None if cells is None else merged(cells, start_ms)

        return self._sums.of(start_ms, end_ms, ("open", filter, kind), add_up)

    def _between(self, start_ms: int, end_ms: int, bucket_ms: int, filter: Filter, kind: Kind | None) -> Cells | None:
        """Return the rows of a span, each inside one bucket, by time."""
        pieces, loose = _divided(start_ms, end_ms, bucket_ms, closed(self._rollups.breakdowns.unsettled()))
        if self._must_read_ms(loose) > _MAX_READ_MS or not self._read(filter.labels, pieces):
            return None
        asked = {self._recent.sources.known(name) for name in filter.sources}
        parts: list[tuple[int, Cells]] = []
        for length_ms, pack_ms, low_ms, high_ms in pieces:
            kept = self._kept[filter.labels, length_ms, pack_ms]
            if kept.unsure & asked if asked else kept.unsure:
                return None
            first, last = np.searchsorted(kept.cells.start_ms, (low_ms, high_ms))
            whole = last - first == len(kept.cells)
            parts.append((low_ms, kept.cells if whole else kept.cells.part(int(first), int(last))))
        parts += [(low_ms, minute_cells(self._rows(low_ms, high_ms, filter), SLOT_MS)) for low_ms, high_ms in loose]
        cells = Cells.joined([part for _, part in sorted(parts, key=lambda part: part[0])])
        codes = [code for code in asked if code is not None] if filter.sources else None
        return cells.only(kind, filter.result, codes)

    def _read(self, labels: tuple[str, ...], pieces: Sequence[_Piece]) -> bool:
        """Bring packs into memory; say whether all that there are rows of are there."""
        missing: dict[int, list[int]] = {}
        for piece in pieces:
            if (labels, piece.length_ms, piece.start_ms) not in self._kept:
                missing.setdefault(piece.length_ms, []).append(piece.start_ms)
        if not missing:
            return True
        with self._engine.connect() as connection:
            state = read_state(connection)
            # Packs of hours and of five minutes are kept as long as rollups of minutes.
            minutes_ms = state.get(MINUTES_SINCE_MS, 0)
            of_hours_ms = state.get(HOURS_SINCE_MS, 0)
            since_ms = {length_ms: of_hours_ms if length_ms > HOUR_MS else minutes_ms for length_ms in _LENGTHS_MS}
            if any(min(starts) < since_ms[length_ms] for length_ms, starts in missing.items()):
                return False
            found = read_packs_of_lengths(connection, missing, WithLabels(self._recent.sources, labels))
            for length_ms, starts in missing.items():
                if _have_rows(connection, length_ms, [start for start in starts if (length_ms, start) not in found]):
                    return False
        for length_ms, starts in missing.items():
            for start_ms in starts:
                self._keep((labels, length_ms, start_ms), found.get((length_ms, start_ms)) or Cells.empty())
        return True

    def _keep(self, key: tuple[tuple[str, ...], int, int], cells: Cells) -> None:
        unsure = frozenset(unknown(code) for code in set(cells.source[cells.source < OTHER].tolist()))
        self._kept[key] = _Kept(cells.chosen(cells.source > OTHER) if unsure else cells, unsure)

    def _rows(self, start_ms: int, end_ms: int, filter: Filter) -> DetailColumns:
        """Return the rows with some labels of a span that isn't packed."""
        alone = Filter(labels=filter.labels)
        rows, covered_ms, _ = self._recent.snapshot(start_ms, end_ms)
        if covered_ms is None or covered_ms <= start_ms:
            return rows.matching(alone)
        return self._read_rows(start_ms, end_ms, alone, None)

    def _must_read_ms(self, loose: Iterable[_Bounds]) -> int:
        """Return how much of some spans memory doesn't hold."""
        covered_ms = self._recent.covered_since_ms
        return 0 if covered_ms is None else sum(high - low for low, high in loose if low < covered_ms)

    def _follow(self) -> None:
        """Forget what was made from minutes that changed."""
        self._version, changed = self._rollups.changes_since(self._version)
        self._sums.forget(changed)
        if changed is None:
            self._kept.clear()
        if not changed:
            return
        gone = {(length, minute // length * length) for minute in changed for length in _LENGTHS_MS}
        for kept in [kept for kept in self._kept if kept[1:] in gone]:
            del self._kept[kept]


def _divided(start_ms: int, end_ms: int, bucket_ms: int, apart: Unsettled) -> tuple[list[_Piece], list[_Bounds]]:
    """Cut a span into packs, of which a part may do, and what isn't packed or only in part of five minutes, by time."""
    pieces: list[_Piece] = []
    loose: list[_Bounds] = []

    def cut(low_ms: int, high_ms: int, lengths: Sequence[int]) -> None:
        if not lengths:
            loose.append((low_ms, high_ms))
            return
        length_ms, *finer = lengths
        step_ms = STEP_MS[length_ms]  # rows of a pack must lie inside one bucket each
        for pack_ms in range(low_ms // length_ms * length_ms, high_ms, length_ms):
            low, high = max(low_ms, pack_ms), min(high_ms, pack_ms + length_ms)
            first, last = -(-low // step_ms) * step_ms, high // step_ms * step_ms
            if pack_ms not in apart[length_ms] and bucket_ms % step_ms == 0 and first < last:
                if low < first:
                    cut(low, first, finer)
                pieces.append(_Piece(length_ms, pack_ms, first, last))
                if last < high:
                    cut(last, high, finer)
            else:
                cut(low, high, finer)

    cut(start_ms, end_ms, _LENGTHS_MS)
    return pieces, list(_united(loose))


def _is_packed_so(span: TimeRange) -> bool:
    """Say whether the buckets of a range are made of whole hours, or of whole five minutes inside an hour."""
    bucket_ms = span.bucket_ms
    fits = bucket_ms % HOUR_MS == 0 or (HOUR_MS % bucket_ms == 0 and bucket_ms % SLOT_MS == 0)
    return fits and span.start_ms % bucket_ms == 0


def _united(spans: Iterable[_Bounds]) -> Iterator[_Bounds]:
    last: _Bounds | None = None
    for low, high in spans:
        if last is not None and last[1] == low:
            last = last[0], high
        else:
            if last is not None:
                yield last
            last = low, high
    if last is not None:
        yield last


def _have_rows(connection: Connection, length_ms: int, starts: Sequence[int]) -> bool:
    """Say whether spans without a pack have rows all the same: an earlier version didn't make one."""
    if not starts:
        return False
    return connection.scalar(_WITH_ROWS, {"length_ms": length_ms, "starts": starts}) is not None
