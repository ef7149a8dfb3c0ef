"""The part of a range that memory doesn't reach: from rollups where they can answer, else from detail rows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import Connection, Engine

from db.cell_sums import merged, minute_cells
from db.cells import DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, Cells
from db.columns import DetailColumns
from db.detail import read_detail
from db.filtered_rows import FilteredRows
from db.label_cells import LabelCells
from db.last_seen import exactly_seen
from db.models import HourlyRollup, MinuteRollup
from db.old_sums import OldSums
from db.packed_rows import PackedRows
from db.recent import RecentDetail
from db.recent_rollups import RecentRollups
from db.results import Filter, Kind, TimeRange
from db.rollups import Rollups
from db.sealed import Sealed
from db.span_answers import SpanAnswers
from db.state import MINUTES_SINCE_MS, read_state
from db.stored_cells import read_cells
from db.whole_sources import WholeSources

_MAX_REMEMBERED = 16
# Ranges that one click chooses, and the buckets of their counts and of their lines (the coarser ones).
_WARM = (
    (HOUR_MS, (MINUTE_MS,)),
    (6 * HOUR_MS, (10 * MINUTE_MS, 5 * MINUTE_MS)),
    (DAY_MS, (30 * MINUTE_MS, 10 * MINUTE_MS)),
    (7 * DAY_MS, (6 * HOUR_MS, 2 * HOUR_MS)),
    (30 * DAY_MS, (12 * HOUR_MS, 6 * HOUR_MS)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Everything that a range is counted from: detail rows, and rollup rows for the time before them."""

    detail: DetailColumns
    cells: Cells | None = None
    sealed: Sealed | None = None  # the first buckets, counted out already


class History:
    """Puts memory, rollups and detail rows together so that every metric of a range is counted once.

    Args:
        engine: A migrated database.
        recent: The newest rows.
        rollups: The rollups of this database, None to count old ranges from detail rows always.
        exact_rows: Up to so many rows in memory are counted one by one, so that quantiles are exact; more of them from
            rollups. Likewise so many old ones that a filter lets through; of more, sketches are made.
    """

    def __init__(
        self, engine: Engine, recent: RecentDetail, rollups: Rollups | None, *, exact_rows: int = 10_000
    ) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._exact_rows = exact_rows
        self._pyramid = None if rollups is None else RecentRollups(engine, recent, rollups)
        self._packed = None if rollups is None else PackedRows(engine, recent, rollups)
        self.filtered = None if rollups is None else FilteredRows(recent, rollups)
        self._whole = None
        if rollups is not None and self.filtered is not None:
            self._whole = WholeSources(engine, recent, rollups, self.filtered)
        self._labelled = None if rollups is None else LabelCells(engine, recent, rollups, self._detail)
        # What was read for old parts.
        self._remembered = SpanAnswers[tuple[object, ...], Cells | DetailColumns](rollups, most=_MAX_REMEMBERED)
        self._old_sums = OldSums()

    def rows(
        self,
        span: TimeRange,
        filter: Filter,
        kind: Kind | None = None,
        *,
        together: bool = False,
        moments: bool = False,
    ) -> Rows:
        """Return what a range is counted from, filtered.

        Args:
            span: The range and its buckets: rollups serve whole minutes only.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
            together: Rollup rows may stand for the range as a whole instead of its buckets: fewer are read.
            moments: When each source was seen last, and last did well, is asked for: rollup rows of one kind alone
                often don't know that.
        """
        settled = self.simpler(span, filter).within(kind)
        if settled is None:
            return Rows(DetailColumns([], self._recent.sources, self._recent.outcomes))
        filter, kind = settled  # rollups are asked for a kind in one way only
        rows = self._rows(span, filter, kind, together=together)
        if not moments or kind is None or self._packed is None:
            return rows
        return Rows(rows.detail, *exactly_seen(rows.detail, rows.cells, rows.sealed, self._packed, filter, kind))

    def simpler(self, span: TimeRange, filter: Filter) -> Filter:
        """Return a filter that lets the same rows of a range through and is asked for less, where there is one.

        Args:
            span: The range; its buckets don't matter.
            filter: Any.
        """
        return filter if self._whole is None else self._whole.simpler(span, filter)

    def _rows(self, span: TimeRange, filter: Filter, kind: Kind | None, *, together: bool) -> Rows:
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        covered = covered_since_ms is None or covered_since_ms <= span.start_ms
        if covered and len(recent) <= self._exact_rows:
            return Rows(recent.matching(filter, kind))
        if self._pyramid is not None and filter.in_rollups and together:
            rows = self._inner_and_ends(self._pyramid, span, covered_since_ms, filter, kind)
            if rows is not None:
                return rows
        if self._pyramid is not None and filter.in_rollups and _is_rollable(span):
            all_rows = self._one_by_one(span, covered_since_ms)
            if all_rows is not None:
                return Rows(all_rows.matching(filter, kind))
            return self._from_rollups(self._pyramid, span, recent, covered_since_ms, filter, kind, together=together)
        if self._labelled is not None and filter.labels and filter.in_packs:
            found = self._labelled.of(span, filter, kind, together=together)
            if found is not None:
                return Rows(*found)
        if covered_since_ms is None or covered_since_ms <= span.start_ms:
            return Rows(recent.matching(filter, kind))
        rolled = (
            self._rollups is not None
            and filter.in_rollups
            and span.bucket_ms % MINUTE_MS == 0
            and span.start_ms % MINUTE_MS == 0
        )
        # Where memory takes over: rollups end at whole minutes.
        minute_ms = min(-(-covered_since_ms // MINUTE_MS) * MINUTE_MS, span.end_ms)
        border_ms = minute_ms if rolled else _border_ms(span, recent, covered_since_ms)
        if rolled and border_ms == span.end_ms and border_ms % MINUTE_MS:
            rolled, border_ms = False, _border_ms(span, recent, covered_since_ms)  # the range ends inside a minute
        old = self._old(span, border_ms, filter, kind, rolled=rolled)
        recent = recent.between(border_ms, span.end_ms).matching(filter, kind)
        if isinstance(old, Cells):
            return Rows(recent, old)
        # Many are counted once, and what lands after them is all that is counted again; quantiles of few are exact.
        bucket_ms = span.bucket_ms
        later_ms = border_ms if together else border_ms // bucket_ms * bucket_ms
        if len(old) <= self._exact_rows or span.start_ms % bucket_ms or later_ms <= span.start_ms:
            return Rows(old.followed_by(recent))
        sums = self._old_sums.of(old, span, later_ms, filter, kind, together=together)
        detail = old.between(later_ms, border_ms).followed_by(recent)
        return Rows(detail, sums) if isinstance(sums, Cells) else Rows(detail, None, sums)

    def _one_by_one(self, span: TimeRange, covered_since_ms: int | None) -> DetailColumns | None:
        """Return all rows of a span before memory begins, where they cost less than the minutes that they add up to.

        A minute is a row of the database for each source, with sketches: as much to read as hundreds of packed rows.
        Wider buckets come from packs of their own.
        """
        if self._packed is None or covered_since_ms is None or span.end_ms > covered_since_ms:
            return None
        return self._packed.all_between(span.start_ms, span.end_ms) if span.bucket_ms < SLOT_MS else None

    def _inner_and_ends(
        self, pyramid: RecentRollups, span: TimeRange, covered_since_ms: int | None, filter: Filter, kind: Kind | None
    ) -> Rows | None:
        """Count many rows before memory begins by the five minutes that they make, but at the ends; None of others.

        Few are counted one by one, so that quantiles are exact, and wide buckets come from rollups anyway.
        """
        old = covered_since_ms is not None and span.end_ms <= covered_since_ms
        if not old or self._packed is None or (span.bucket_ms >= SLOT_MS and _is_rollable(span)):
            return None
        first_ms, last_ms = -(-span.start_ms // SLOT_MS) * SLOT_MS, span.end_ms // SLOT_MS * SLOT_MS
        if first_ms >= last_ms or self._packed.count(first_ms, last_ms) <= self._exact_rows:
            return None
        none = DetailColumns([], self._recent.sources, self._recent.outcomes)
        key = (span.start_ms, span.end_ms, filter, kind)
        version, known = self._remembered.of(key, span.start_ms, span.end_ms)
        if not isinstance(known, Cells):
            ends = ((span.start_ms, first_ms), (last_ms, span.end_ms))
            parts = [minute_cells(self._detail(low_ms, high_ms, filter, kind)) for low_ms, high_ms in ends]
            parts.insert(1, pyramid.open(first_ms, last_ms, kind, filter))
            known = merged(Cells.joined(parts), span.start_ms, together=kind is None)
            self._remembered.keep(key, version, known)
        return Rows(none, known)

    def _from_rollups(
        self,
        pyramid: RecentRollups,
        span: TimeRange,
        recent: DetailColumns,
        covered_since_ms: int | None,
        filter: Filter,
        kind: Kind | None,
        *,
        together: bool,
    ) -> Rows:
        """Count all but the newest minute from rollups: however many rows there are, a tick costs the same."""
        newest_ms = int(recent.created_at_ms[-1]) if len(recent) else span.end_ms
        border_ms = min(newest_ms, span.end_ms) // MINUTE_MS * MINUTE_MS
        if covered_since_ms is not None:
            # Rollups reach to where memory begins; one that begins inside the last minute leaves it to detail rows.
            needed_ms = min(-(-covered_since_ms // MINUTE_MS) * MINUTE_MS, span.end_ms // MINUTE_MS * MINUTE_MS)
            border_ms = max(border_ms, needed_ms)
        border_ms = max(border_ms, span.start_ms)
        sealed_ms = span.start_ms if together else border_ms // span.bucket_ms * span.bucket_ms
        sealed = None if together else pyramid.sealed(span.start_ms, sealed_ms, span.bucket_ms, kind, filter)
        cells = pyramid.open(sealed_ms, border_ms, kind, filter) if border_ms > sealed_ms else None
        if border_ms < span.end_ms and covered_since_ms is not None and covered_since_ms > border_ms:
            return Rows(self._detail(border_ms, span.end_ms, filter, kind), cells, sealed)
        return Rows(recent.between(border_ms, span.end_ms).matching(filter, kind), cells, sealed)

    def hours(self, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None) -> Rows | None:
        """Return what some whole hours are counted from, each hour in rows of its own; None where only rows can tell.

        Args:
            start_ms: Epoch ms, a full hour.
            end_ms: Epoch ms, another one.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.
        """
        settled = filter.within(kind)
        none = DetailColumns([], self._recent.sources, self._recent.outcomes)
        if settled is not None and self._pyramid is not None and filter.in_rollups:
            return Rows(none, self._pyramid.hours(start_ms, end_ms, settled[1], settled[0]))
        if settled is not None and self._labelled is not None and filter.labels:
            cells = self._labelled.hours(start_ms, end_ms, *settled) if filter.in_packs else None
            return None if cells is None else Rows(none, cells)
        return self.rows(TimeRange(start_ms, end_ms, HOUR_MS), filter, kind)

    def rows_by_hour(self, start_ms: int, end_ms: int, filter: Filter) -> dict[int, int] | None:
        """Return how many rows with the labels of a filter the hours of a span have; None where any may have some.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Its labels count.

        Returns:
            As `LabelCells.rows_by_hour`.
        """
        if self._labelled is None or not filter.labels:
            return None
        return self._labelled.rows_by_hour(start_ms, end_ms, filter.labels)

    def in_two(self, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[DetailColumns, DetailColumns]:
        """Return the rows of a range, for a filter that rollups don't know: those before memory begins, and the others.

        Args:
            span: The range; its buckets don't matter.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.

        Returns:
            (the old ones, which are the very same object as long as nothing changes about them; those after them).
        """
        none = DetailColumns([], self._recent.sources, self._recent.outcomes)
        settled = filter.within(kind)
        if settled is None:
            return none, none
        filter, kind = settled
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        if covered_since_ms is None or covered_since_ms <= span.start_ms:
            return none, recent.matching(filter, kind)
        border_ms = _border_ms(span, recent, covered_since_ms)
        old = self._old(span, border_ms, filter, kind, rolled=False)
        assert isinstance(old, DetailColumns)
        return old, recent.between(border_ms, span.end_ms).matching(filter, kind)

    def split(self, span: TimeRange, filter: Filter, kind: Kind | None = None) -> tuple[TimeRange, DetailColumns]:
        """Cut a range in two where memory begins.

        Args:
            span: A range that memory doesn't hold all of.
            filter: Which rows.
            kind: Navigations or scrapes only; None for both.

        Returns:
            (the part that is to be asked of the database, the filtered rows after it with all their columns).
        """
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        border_ms = _border_ms(span, recent, span.start_ms if covered_since_ms is None else covered_since_ms)
        old = TimeRange(span.start_ms, border_ms, span.bucket_ms)
        return old, recent.between(border_ms, span.end_ms).matching(filter, kind)

    def warm(self, present_ms: int) -> None:
        """Count out the last hours, day, week and month in the buckets that pages cut them into.

        Args:
            present_ms: The present, epoch ms.
        """
        if self._pyramid is None:
            return
        for length_ms, buckets_ms in _WARM:
            for bucket_ms in buckets_ms:
                end_ms = (present_ms // bucket_ms + 1) * bucket_ms
                span = TimeRange(end_ms - length_ms, end_ms, bucket_ms)
                self.rows(span, Filter())
            # Pages compare a range with the one before.
            self.rows(span.before(), Filter(), together=True)
        if self.filtered is not None:
            with self._engine.connect() as connection:
                self.filtered.warm(connection, present_ms)
                if self._labelled is not None:
                    self._labelled.warm(connection)
        if self._packed is not None:
            self._packed.count(present_ms, present_ms + 1)

    def in_memory(self, span: TimeRange) -> DetailColumns | None:
        """Return the detail rows of a range with all their columns, or None when memory doesn't reach back.

        Args:
            span: The range.
        """
        recent, covered_since_ms, _ = self._recent.snapshot(span.start_ms, span.end_ms)
        return recent if covered_since_ms is None or covered_since_ms <= span.start_ms else None

    def _old(
        self, span: TimeRange, border_ms: int, filter: Filter, kind: Kind | None, *, rolled: bool
    ) -> Cells | DetailColumns:
        if self._rollups is None:
            return self._detail(span.start_ms, border_ms, filter, kind)
        by_hours = rolled and span.bucket_ms % HOUR_MS == 0 and span.start_ms % HOUR_MS == 0
        key = (span.start_ms, border_ms, filter, kind, rolled, by_hours)
        version, known = self._remembered.of(key, span.start_ms, border_ms)
        if known is not None:
            return known
        old: Cells | DetailColumns
        if rolled:
            self._rollups.settle(span.start_ms, border_ms)
            with self._engine.connect() as connection:
                old = self._cells(connection, span.start_ms, border_ms, filter, kind, by_hours=by_hours)
        else:
            old = self._detail(span.start_ms, border_ms, filter, kind).apart()
        self._remembered.keep(key, version, old)
        return old

    def _detail(self, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None) -> DetailColumns:
        # The one kind of packs holds what rollups tell apart, the other one the rest.
        if self._packed is not None and filter.in_rollups:
            return self._packed.between(start_ms, end_ms).matching(filter, kind)
        with self._engine.connect() as connection:
            if self.filtered is not None:
                rows = self.filtered.between(connection, start_ms, end_ms, filter, kind)
                if rows is not None:
                    return rows
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
        for table, low, high in ((HourlyRollup, start_ms, hours_to_ms), (MinuteRollup, hours_to_ms, end_ms)):
            low = max(low, start_ms)
            if low < high:
                parts.append(
                    read_cells(
                        connection, table, low, high, self._recent.sources,
                        sources=filter.sources, kind=kind, result=filter.result,
                    )
                )  # fmt: skip
        return Cells.joined(parts)


def _border_ms(span: TimeRange, recent: DetailColumns, covered_since_ms: int) -> int:
    """Return where memory takes over: at a full hour if it holds one, so that the old part rarely changes; epoch ms."""
    hour_ms = -(-covered_since_ms // HOUR_MS) * HOUR_MS
    held = len(recent) and hour_ms <= int(recent.created_at_ms[-1])
    return max(span.start_ms, min(hour_ms if held else covered_since_ms, span.end_ms))


def _is_rollable(span: TimeRange) -> bool:
    """Say whether a range consists of whole buckets that minutes or hours add up to."""
    bucket_ms = span.bucket_ms
    step_ms = HOUR_MS if bucket_ms > HOUR_MS else MINUTE_MS
    return (
        bucket_ms % step_ms == 0
        and span.start_ms % bucket_ms == 0
        and (bucket_ms >= HOUR_MS or HOUR_MS % bucket_ms == 0)
    )
