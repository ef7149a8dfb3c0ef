"""Keep breakdowns equal to the detail rows: five minutes from detail, each longer span from the next shorter ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Connection, Engine

from db.breakdown import DIMENSIONS, Groups, merged, shortened
from db.breakdown_pack import names_in, packed, unpacked
from db.cells import DAY_MS, HOUR_MS, QUARTER_MS, SLOT_MS
from db.columns import DetailColumns, Names
from db.detail import ROLLED, read_detail
from db.group_rows import groups_of
from db.labelled_sources import Bounded, by_labels, sources_alone
from db.models import Breakdown, MinuteRollup
from db.rest_pack import REST
from db.rest_pack import packed as packed_rest
from db.rolling import Look, Read, look, replacing
from db.row_pack import ROWS
from db.row_pack import packed as packed_rows
from db.rows import Row, insert_many
from db.state import DETAIL_SINCE_MS, HOURS_SINCE_MS, MINUTES_SINCE_MS, read_state
from db.time_packs import TIME, pack_of_detail, pack_of_packs, pack_of_table
from db.url_rolling import UrlRoller

# Everything that is kept of a span, written together and of the same detail rows.
KEPT = (*DIMENSIONS, TIME)
KEPT_OF_SLOTS = (*KEPT, ROWS, REST)
# Counted since a later version: of what outlived its detail rows then, the database holds some or nothing.
_LATER = ("attempt", "yield", "field")
LENGTHS_MS = (SLOT_MS, HOUR_MS, QUARTER_MS, DAY_MS)
_FINER_MS = {HOUR_MS: SLOT_MS, QUARTER_MS: HOUR_MS, DAY_MS: QUARTER_MS}
# What stands for "nothing finer than this is left": such a span isn't computed again.
_SINCE = {
    SLOT_MS: DETAIL_SINCE_MS, HOUR_MS: MINUTES_SINCE_MS, QUARTER_MS: HOURS_SINCE_MS, DAY_MS: HOURS_SINCE_MS,
}  # fmt: skip
# A span is written once it is over and its last batches are in; until then readers count it from memory.
_GRACE_MS = 5_000
_COLUMNS = ("dimension", "length_ms", "start_ms", "row_count", "packed")
_START, _COUNT = 2, 3  # where they stand in a row
# So many different labels of a source are told apart; of what has more, rows are looked through for one.
_MOST_LABELS = {SLOT_MS: 16, HOUR_MS: 32, QUARTER_MS: 48, DAY_MS: 64}
# Spans of five minutes that are written in one transaction: so many at most, and until they have so many detail rows.
_MOST_TOGETHER = 24
_ROWS_TOGETHER = 2_000

Unsettled = dict[int, set[int]]  # length of a span -> starts


def closed(unsettled: Unsettled) -> Unsettled:
    """Return the spans that can't be read in one piece: those that aren't settled, and those that hold one such.

    Args:
        unsettled: What `BreakdownRoller.unsettled` returns.
    """
    found: Unsettled = {}
    finer: set[int] = set()
    for length_ms in LENGTHS_MS:
        finer = unsettled[length_ms] | {start // length_ms * length_ms for start in finer}
        found[length_ms] = finer
    return found


class BreakdownRoller:
    """Knows which spans changed and recomputes them when they are over.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
        look: As for `db.rolling.replacing`.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int], look: Look = look) -> None:
        self._engine = engine
        self._look = look
        self._clock_ms = clock_ms
        self._lock = threading.Lock()  # protects the sets below
        self._dirty: Unsettled = {length: set() for length in LENGTHS_MS}
        self._busy: Unsettled = {length: set() for length in LENGTHS_MS}  # being computed right now
        self._verified = False
        self.by_url = UrlRoller(engine, clock_ms=clock_ms, look=look)

    @property
    def ready(self) -> bool:
        """Whether everything that was stored before this program started is known to be counted or dirty."""
        return self._verified

    def mark(self, minutes: Iterable[int]) -> None:
        """Note that minutes have changed.

        Args:
            minutes: Their starts, epoch ms.
        """
        slots = {minute // SLOT_MS * SLOT_MS for minute in minutes}
        with self._lock:
            self._dirty[SLOT_MS].update(slots)

    def unsettled(self) -> Unsettled:
        """Return the spans whose rows in the database may not be what their detail rows add up to now."""
        with self._lock:
            return {length: self._dirty[length] | self._busy[length] for length in LENGTHS_MS}

    def run_once(self, stopping: Callable[[], bool] = lambda: False) -> int:
        """Recompute every span that changed and is over; one caller at a time.

        Args:
            stopping: Asked between two spans: True ends the run early, what is left stays dirty.

        Returns:
            Number of spans of five minutes recomputed.
        """
        self.verify()
        slots = self._over(SLOT_MS)
        done, together = 0, 1
        while done < len(slots):
            if stopping():
                return done
            some = _without_hole(slots, done, together)
            with self._taken(SLOT_MS, some):
                rows = self._write(SLOT_MS, some, partial(_slot_rows, starts_ms=some))
            self.by_url.note(some)
            done += len(some)
            # A transaction for each would cost most of the work where few metrics come.
            together = max(1, min(_MOST_TOGETHER, _ROWS_TOGETHER * len(some) // max(rows, 1)))
        for length_ms in _FINER_MS:
            for start_ms in self._over(length_ms):
                if stopping():
                    break
                with self._taken(length_ms, [start_ms]):
                    self._write(length_ms, [start_ms], partial(_wider_rows, length_ms=length_ms, start_ms=start_ms))
        self.by_url.run_once(closed(self.unsettled())[SLOT_MS], stopping)
        return len(slots)

    def _over(self, length_ms: int) -> list[int]:
        """Return the dirty spans that are over, and whose own parts are all counted."""
        now_ms = self._clock_ms() - _GRACE_MS
        finer_ms = _FINER_MS.get(length_ms)
        with self._lock:
            waiting = {start // length_ms * length_ms for start in self._dirty[finer_ms]} if finer_ms else set()
            return sorted(
                start for start in self._dirty[length_ms] if start + length_ms <= now_ms and start not in waiting
            )

    @contextmanager
    def _taken(self, length_ms: int, starts_ms: Sequence[int]) -> Iterator[None]:
        """Take spans off the dirty ones before they are read; a change from then on makes them dirty again."""
        dirty, busy = self._dirty[length_ms], self._busy[length_ms]
        with self._lock:
            dirty.difference_update(starts_ms)
            busy.update(starts_ms)
        try:
            yield
        except BaseException:
            with self._lock:
                dirty.update(starts_ms)
                busy.difference_update(starts_ms)
            raise
        with self._lock:
            for wider_ms, finer_ms in _FINER_MS.items():
                if finer_ms == length_ms:  # before it counts as settled: nobody may see the wider one without it
                    self._dirty[wider_ms].update(start_ms // wider_ms * wider_ms for start_ms in starts_ms)
            busy.difference_update(starts_ms)

    def _write(self, length_ms: int, starts_ms: Sequence[int], read: Read) -> int:
        """Write spans anew in one transaction; return how many detail rows they count."""
        with replacing(self._engine, read, look=self._look) as (connection, rows):
            # Asked after reading: retention says first what it is going to delete, so a span that it halved is noticed.
            since_ms = read_state(connection).get(_SINCE[length_ms], 0)
            kept = [start_ms for start_ms in starts_ms if start_ms >= since_ms]
            connection.execute(
                delete(Breakdown).where(
                    Breakdown.dimension.in_(_kept(length_ms)),
                    Breakdown.length_ms == length_ms,
                    Breakdown.start_ms.in_(kept),
                )
            )
            rows = [row for row in rows if row[_START] >= since_ms]
            insert_many(connection, Breakdown.__tablename__, _COLUMNS, rows, replace=True)
        return sum(row[_COUNT] for row in rows if row[0] == TIME)

    def verify(self) -> None:
        """Find spans that miss rows: a program that was killed has forgotten what was dirty. Done once.

        Minutes that aren't rolled up yet must be marked before: they are compared by their rollups.
        """
        if self._verified:
            return
        with self._engine.connect() as connection:
            state = read_state(connection)
            counted = {length: _row_counts(connection, length) for length in LENGTHS_MS}
            minute = MinuteRollup.minute_start_ms
            slot = (minute - minute % SLOT_MS).label("slot")
            rows = func.sum(MinuteRollup.total_navigations + MinuteRollup.total_scrapes)
            since_ms = state.get(DETAIL_SINCE_MS, 0)
            truth = {
                int(start): int(count)
                for start, count in connection.execute(select(slot, rows).where(minute >= since_ms).group_by(slot))
            }
            packed_rows_of = {start: counts[KEPT.index(TIME)] for start, counts in counted[SLOT_MS].items()}
            self.by_url.load(connection, packed_rows_of)
        stale: Unsettled = {SLOT_MS: _differing(truth, counted[SLOT_MS], since_ms)}
        for length_ms, finer_ms in _FINER_MS.items():
            since_ms = state.get(_SINCE[length_ms], 0)
            stale[length_ms] = _differing_sums(length_ms, counted[finer_ms], counted[length_ms], since_ms)
        with self._lock:
            for length_ms, starts in stale.items():
                self._dirty[length_ms].update(starts)
            self._verified = True


def settled_slots(roller: BreakdownRoller, slots: Sequence[int]) -> list[int]:
    """Return those spans of five minutes of which the packs in the database count every row.

    Args:
        roller: Knows which ones changed.
        slots: Where they begin, epoch ms.
    """
    if not slots or not roller.ready:
        return []
    apart = closed(roller.unsettled())[SLOT_MS]
    return [slot for slot in slots if slot not in apart]


def _kept(length_ms: int) -> tuple[str, ...]:
    return KEPT_OF_SLOTS if length_ms == SLOT_MS else KEPT


def _row_counts(connection: Connection, length_ms: int) -> dict[int, tuple[int, ...]]:
    """Return the rows that each span was computed from, by dimension; -1 for a dimension that is missing."""
    found: dict[int, list[int]] = {}
    columns = (Breakdown.dimension, Breakdown.start_ms, Breakdown.row_count)
    kept = _kept(length_ms)
    for number, dimension in enumerate(kept):
        chosen = select(*columns).where(Breakdown.dimension == dimension, Breakdown.length_ms == length_ms)
        for _, start_ms, count in connection.execute(chosen):
            found.setdefault(start_ms, [-1] * len(kept))[number] = count
    return {start_ms: tuple(counts) for start_ms, counts in found.items()}


def _differing(truth: dict[int, int], counted: dict[int, tuple[int, ...]], since_ms: int) -> set[int]:
    none = (0,)
    starts = {start for start in truth.keys() | counted.keys() if start >= since_ms}
    return {start for start in starts if set(counted.get(start, none)) != {truth.get(start, 0)}}


def _differing_sums(
    length_ms: int, finer: dict[int, tuple[int, ...]], counted: dict[int, tuple[int, ...]], since_ms: int
) -> set[int]:
    """Return the wider spans in which a dimension counts other rows than the finer ones hold of it."""
    expected: dict[int, list[int]] = {}
    for start, counts in finer.items():
        sums = expected.setdefault(start // length_ms * length_ms, [0] * len(KEPT))
        for number, dimension in enumerate(KEPT):
            # What was kept from the start is as complete as the first of them.
            sums[number] += max(counts[number], 0) if dimension in _LATER else counts[0]
    nothing = (0,) * len(KEPT)
    found = set()
    for start in expected.keys() | counted.keys():
        own = counted.get(start, nothing)
        # A later dimension that has no row there counts nothing.
        own = tuple(max(count, 0) if KEPT[number] in _LATER else count for number, count in enumerate(own))
        if start >= since_ms and own != tuple(expected.get(start, nothing)):
            found.add(start)
    return found


def _without_hole(slots: Sequence[int], first: int, most: int) -> list[int]:
    """Return the slots from one on that follow each other."""
    some = slots[first : first + most]
    return [start for place, start in enumerate(some) if start == some[0] + place * SLOT_MS]


def _slot_rows(connection: Connection, *, starts_ms: Sequence[int]) -> list[Row]:
    names = Names()
    rows = read_detail(connection, starts_ms[0], starts_ms[-1] + SLOT_MS, names, Names(), columns=ROLLED)
    return [row for start in starts_ms for row in _rows_of_slot(rows.between(start, start + SLOT_MS), start)]


def _rows_of_slot(rows: DetailColumns, start_ms: int) -> list[Row]:
    if not len(rows):
        return []
    apart = by_labels(rows, _MOST_LABELS[SLOT_MS])
    parts = [(dimension, groups_of(apart, dimension)) for dimension in DIMENSIONS]
    made = [_row(dimension, SLOT_MS, start_ms, len(rows), groups, apart.source_names) for dimension, groups in parts]
    made.append((TIME, SLOT_MS, start_ms, len(rows), pack_of_detail(apart, start_ms)))
    pack = packed_rows(rows, start_ms)
    made.append((ROWS, SLOT_MS, start_ms, len(rows), pack))
    return [*made, (REST, SLOT_MS, start_ms, len(rows), packed_rest(rows, pack))]


def _wider_rows(connection: Connection, *, length_ms: int, start_ms: int) -> list[Row]:
    made: list[Row] = []
    rows = 0
    for dimension in DIMENSIONS:
        finer = _finer(connection, dimension, length_ms, start_ms)
        if finer:
            sources = Bounded((name for _, _, pack in finer for name in names_in(pack)), _MOST_LABELS[length_ms])
            groups = merged([unpacked(pack, begin, sources) for begin, _, pack in finer])
            own = sum(count for _, count, _ in finer)
            rows = max(rows, own)  # one that is counted since a later version may have less
            made.append(_row(dimension, length_ms, start_ms, own, groups, sources.names))
    pack = _time_pack(connection, length_ms, start_ms, rows) if rows else None
    if pack is not None:
        made.append((TIME, length_ms, start_ms, rows, pack))
    return made


def _finer(connection: Connection, dimension: str, length_ms: int, start_ms: int) -> Sequence[Any]:
    return connection.execute(
        select(Breakdown.start_ms, Breakdown.row_count, Breakdown.packed)
        .where(
            Breakdown.dimension == dimension,
            Breakdown.length_ms == _FINER_MS[length_ms],
            Breakdown.start_ms >= start_ms,
            Breakdown.start_ms < start_ms + length_ms,
        )
        .order_by(Breakdown.start_ms)
    ).all()


def _time_pack(connection: Connection, length_ms: int, start_ms: int, rows: int) -> bytes | None:
    """Return the pack of an hour or of a day that counts so many detail rows; None when there can't be one yet."""
    finer = _finer(connection, TIME, length_ms, start_ms)
    if sum(count for _, count, _ in finer) == rows:
        return pack_of_packs(length_ms, start_ms, [(begin, pack) for begin, _, pack in finer], _MOST_LABELS[length_ms])
    # Rolled before packs were kept. Where it can't change any more, the rollup table holds the same.
    if start_ms < read_state(connection).get(_SINCE[_FINER_MS[length_ms]], 0):
        counted, pack = pack_of_table(connection, length_ms, start_ms)
        return pack if counted == rows else None
    return None


def _row(dimension: Any, length_ms: int, start_ms: int, rows: int, groups: Groups, names: Names) -> Row:
    short = shortened(groups, dimension, sources_alone(names))
    return dimension, length_ms, start_ms, rows, packed(short, start_ms, names)
