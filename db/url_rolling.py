"""Keep the rows of hours, quarters of a day and days by URL, the bad ones by result too, made of their packs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.engine import Connection, Engine

from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.columns import Names
from db.engine import begin_writing
from db.models import Breakdown
from db.rest_pack import REST, RestPack
from db.result_pack import RESULT_REST, RESULT_ROWS, RESULTS, ResultPacking
from db.rolling import Look, look
from db.row_pack import ROWS, unpacked
from db.rows import Row, insert_many
from db.state import DETAIL_SINCE_MS, TURN, read_state
from db.stored_packs import stored_packs
from db.time_packs import TIME
from db.url_layout import URL_REST, URL_ROWS, URLS
from db.url_packing import Five, Packing, TooManyUrlsError

URL_KEPT = (URLS, URL_ROWS, URL_REST, RESULTS, RESULT_ROWS, RESULT_REST)
URL_BLOCKS = (URL_ROWS, URL_REST, RESULT_ROWS, RESULT_REST)
_INDEXES = (URLS, RESULTS)
# The widest first: where one is kept, what lies inside it isn't.
URL_LENGTHS_MS = (DAY_MS, 6 * HOUR_MS, HOUR_MS)
# Late metrics make one anew so long after the first of them: until then, their five minutes are looked through apart.
_PATIENCE_MS = 15 * 60_000
_GRACE_MS = 5_000
# With more rows one isn't made: bounds the memory that it takes.
_MOST_ROWS = 2_000_000
_SLOTS_TOGETHER = 24
BLOCKS_TOGETHER = 64  # are written or deleted in one transaction: more would keep others waiting
_COLUMNS = ("dimension", "length_ms", "start_ms", "row_count", "packed")
# Made once (db.stored_packs).
_STORED = select(Breakdown.length_ms, Breakdown.start_ms, Breakdown.row_count).where(
    Breakdown.dimension == bindparam("dimension"),
    Breakdown.length_ms.in_(URL_LENGTHS_MS),
    Breakdown.start_ms.between(bindparam("first_ms"), bindparam("last_ms")),
)
_NEVER_MS = 1 << 62


class UrlSpan(NamedTuple):
    """An hour, a quarter of a day or a day."""

    length_ms: int
    start_ms: int

    @property
    def end_ms(self) -> int:
        """Where it ends, epoch ms."""
        return self.start_ms + self.length_ms

    def holds(self, other: UrlSpan) -> bool:
        """Say whether another one lies inside it."""
        return self.start_ms <= other.start_ms and other.end_ms <= self.end_ms


class UrlRoller:
    """Knows which spans have to be made or made anew, and does it: the caller one at a time.

    Whoever reads one compares the rows that it has of each five minutes with those that these have by now (rows are
    never changed, only added): what is made late, or by another program, costs time but is never wrong.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
        look: As for `db.rolling.replacing`.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int], look: Look = look) -> None:
        self._engine = engine
        self._clock_ms = clock_ms
        self._look = look
        self._lock = threading.Lock()  # protects what is below
        self._due: dict[UrlSpan, int] = {}  # -> not before this moment
        self._stored: dict[UrlSpan, int] = {}  # -> its rows, as far as this program knows; negative: too many
        self._anew: set[UrlSpan] = set()  # to be made though their rows seem to be all there

    def load(self, connection: Connection, counts: Mapping[int, int]) -> None:
        """Find what is missing: a program that was killed has forgotten what was due.

        Args:
            connection: An open connection.
            counts: Rows of each five minutes that are packed, by their start in epoch ms.
        """
        first_ms = min(counts, default=0) // DAY_MS * DAY_MS
        stored = stored_spans(connection, first_ms, None)
        with_results = stored_spans(connection, first_ms, None, RESULTS)
        with self._lock:
            self._stored = stored
            # An earlier version kept rows by URL alone.
            self._anew |= stored.keys() - with_results.keys()
            self._due.update(dict.fromkeys(self._anew, 0))
            for length_ms in URL_LENGTHS_MS:
                sums: dict[UrlSpan, int] = {}
                for slot, rows in counts.items():
                    span = UrlSpan(length_ms, slot // length_ms * length_ms)
                    sums[span] = sums.get(span, 0) + rows
                self._due.update((span, 0) for span, rows in sums.items() if abs(stored.get(span, 0)) != rows)

    def note(self, slots: Iterable[int]) -> None:
        """Note that five minutes were packed anew.

        Args:
            slots: Where they begin, epoch ms.
        """
        spans = _spans_of(slots)
        later_ms = self._clock_ms() + _PATIENCE_MS
        with self._lock:
            for span in spans:
                self._due.setdefault(span, later_ms if span in self._stored else 0)

    def again(self, span: UrlSpan) -> None:
        """Note that one isn't what it should be.

        Args:
            span: Which.
        """
        with self._lock:
            self._anew.add(span)
            self._due[span] = 0

    def forget(self, start_ms: int, end_ms: int) -> None:
        """Delete those that overlap a span whose rows are going to be packed anew: these may differ, not only be more.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        with self._lock:
            gone = [span for span in self._stored if span.start_ms < end_ms and start_ms < span.end_ms]
            for span in gone:
                del self._stored[span]
        with begin_writing(self._engine) as connection:
            own = (Breakdown.start_ms < end_ms, Breakdown.start_ms > start_ms - Breakdown.length_ms)
            connection.execute(delete(Breakdown).where(Breakdown.dimension.in_(_INDEXES), *own))

    def run_once(self, unsettled: set[int], stopping: Callable[[], bool]) -> int:
        """Make what is due, over, and packed by five minutes.

        Args:
            unsettled: Five minutes that are not, by their start in epoch ms.
            stopping: As for `db.breakdown_rolling.BreakdownRoller.run_once`.

        Returns:
            How many were made.
        """
        now_ms = self._clock_ms() - _GRACE_MS
        waiting = _spans_of(unsettled)
        made = 0
        with self._lock:
            due = sorted(self._due, key=lambda span: (-span.length_ms, span.start_ms))
        for span in due:
            if stopping():
                break
            with self._lock:
                if self._is_held(span):  # it is in a wider one
                    self._due.pop(span, None)
                    continue
                if span.end_ms > now_ms or span in waiting or self._due[span] > now_ms + _GRACE_MS:
                    continue
                del self._due[span]
            try:
                made += self._make(span)
            except BaseException:
                with self._lock:
                    self._due[span] = 0
                raise
        return made

    def _is_held(self, span: UrlSpan) -> bool:
        wider = (UrlSpan(length, span.start_ms // length * length) for length in URL_LENGTHS_MS)
        return any(one.length_ms > span.length_ms and self._stored.get(one, 0) > 0 for one in wider)

    def _make(self, span: UrlSpan) -> int:
        with self._engine.connect() as connection:
            since_ms = read_state(connection).get(DETAIL_SINCE_MS, 0)
            known = stored_spans(connection, span.start_ms, span.start_ms).get(span, 0)
            counted = _rows_of(connection, span)
        if not counted or span.start_ms < since_ms:
            return 0
        with self._lock:
            anew = span in self._anew
        if abs(known) == counted and not anew:  # another program was faster
            with self._lock:
                self._stored[span] = known
            return 0
        _, rows = self._look(self._engine, partial(_url_rows, span=span), TURN)
        if not rows:
            return 0  # not all of it is packed
        indexes = [row for row in rows if row[0] in _INDEXES]
        blocks = rows[len(indexes) :]
        for low in range(0, len(blocks), BLOCKS_TOGETHER):
            with begin_writing(self._engine) as connection:
                insert_many(
                    connection, Breakdown.__tablename__, _COLUMNS, blocks[low : low + BLOCKS_TOGETHER], replace=True
                )
        in_all = indexes[0][3]
        whole = in_all > 0
        narrower = [length_ms for length_ms in URL_LENGTHS_MS if whole and length_ms < span.length_ms]
        with begin_writing(self._engine) as connection:
            if span.start_ms < read_state(connection).get(DETAIL_SINCE_MS, 0):
                return 0
            insert_many(connection, Breakdown.__tablename__, _COLUMNS, indexes, replace=True)
            inside = (Breakdown.start_ms >= span.start_ms, Breakdown.start_ms < span.end_ms)
            own = (Breakdown.dimension.in_(_INDEXES), Breakdown.length_ms.in_(narrower))
            connection.execute(delete(Breakdown).where(*own, *inside))
        for dimension in URL_BLOCKS:
            kept = sum(block[0] == dimension for block in blocks)
            self._delete_blocks(dimension, span.length_ms, span.start_ms + kept, span.end_ms)  # of one that had more
            for length_ms in narrower:
                self._delete_blocks(dimension, length_ms, span.start_ms, span.end_ms)
        with self._lock:
            self._anew.discard(span)
            if whole:
                for gone in [one for one in self._stored if one != span and span.holds(one)]:
                    del self._stored[gone]
            elif self._stored.get(span, 0) > 0:  # it has become too much: what lies inside it is to be kept again
                parts = _spans_of(range(span.start_ms, span.end_ms, SLOT_MS))
                self._due.update((one, 0) for one in parts if one.length_ms < span.length_ms)
            self._stored[span] = in_all
        return 1

    def _delete_blocks(self, dimension: str, length_ms: int, start_ms: int, end_ms: int) -> None:
        own = (Breakdown.dimension == dimension, Breakdown.length_ms == length_ms)
        inside = (Breakdown.start_ms >= start_ms, Breakdown.start_ms < end_ms)
        with self._engine.connect() as connection:
            starts = connection.scalars(select(Breakdown.start_ms).where(*own, *inside)).all()
        for low in range(0, len(starts), BLOCKS_TOGETHER):
            some = starts[low : low + BLOCKS_TOGETHER]
            with begin_writing(self._engine) as connection:
                connection.execute(delete(Breakdown).where(*own, Breakdown.start_ms.in_(some)))


def stored_spans(
    connection: Connection, start_ms: int, last_ms: int | None, dimension: str = URLS
) -> dict[UrlSpan, int]:
    """Return how many rows the spans have that are there; a negative number stands for one that has too many.

    Args:
        connection: An open connection.
        start_ms: Where the first may begin, epoch ms.
        last_ms: Where the last may begin, epoch ms; None for no bound.
        dimension: Those by URL, or by result (`db.result_pack.RESULTS`).
    """
    asked = {"dimension": dimension, "first_ms": start_ms, "last_ms": _NEVER_MS if last_ms is None else last_ms}
    return {UrlSpan(length_ms, begin): rows for length_ms, begin, rows in connection.execute(_STORED, asked)}


def _spans_of(slots: Iterable[int]) -> set[UrlSpan]:
    return {UrlSpan(length_ms, slot // length_ms * length_ms) for slot in slots for length_ms in URL_LENGTHS_MS}


def _rows_of(connection: Connection, span: UrlSpan, dimension: str = TIME) -> int:
    own = (Breakdown.length_ms == SLOT_MS, Breakdown.start_ms >= span.start_ms, Breakdown.start_ms < span.end_ms)
    rows = select(func.sum(Breakdown.row_count)).where(Breakdown.dimension == dimension, *own)
    return int(connection.scalar(rows) or 0)


def _url_rows(connection: Connection, *, span: UrlSpan) -> list[Row]:
    """Return the two indexes of a span and then its blocks; an index alone where it has too many rows or URLs.

    There is nothing as long as not all of its five minutes are packed.
    """
    counted = _rows_of(connection, span)
    if not counted or any(_rows_of(connection, span, dimension) != counted for dimension in (ROWS, REST)):
        return []
    if counted > _MOST_ROWS:
        return [(dimension, span.length_ms, span.start_ms, -counted, b"") for dimension in _INDEXES]
    names = Names()
    read: list[int] = []
    packings: dict[str, Packing | None] = {
        URLS: Packing(span.start_ms, names), RESULTS: ResultPacking(span.start_ms, names)
    }  # fmt: skip
    for part in _fives(connection, span, names, read):
        values = part.rest.values()
        for dimension, packing in packings.items():
            try:
                if packing is not None:
                    packing.add(part, values)
            except TooManyUrlsError:
                packings[dimension] = None
    if sum(read) != counted:  # some were packed anew meanwhile
        return []
    indexes: list[Row] = []
    rows: list[Row] = []
    for (dimension, packing), kept in zip(packings.items(), (URL_BLOCKS[:2], URL_BLOCKS[2:]), strict=True):
        if packing is None:
            indexes.append((dimension, span.length_ms, span.start_ms, -counted, b""))
            continue
        packs = packing.packs()
        indexes.append((dimension, span.length_ms, span.start_ms, counted, packs.once))
        for name, blocks in zip(kept, (packs.rows, packs.rest), strict=True):
            rows += [(name, span.length_ms, span.start_ms + number, 0, block) for number, block in enumerate(blocks)]
    return [*indexes, *rows]


def _fives(connection: Connection, span: UrlSpan, names: Names, read: list[int]) -> Iterator[Five]:
    """Read the packs of five minutes some at a time, and note how many rows these have."""
    slots: Sequence[int] = range(span.start_ms, span.end_ms, SLOT_MS)
    for low in range(0, len(slots), _SLOTS_TOGETHER):
        some = slots[low : low + _SLOTS_TOGETHER]
        rows = dict(stored_packs(connection, ROWS, SLOT_MS, some))
        rests = dict(stored_packs(connection, REST, SLOT_MS, some))
        for slot in some:
            rest = RestPack(rests[slot]) if slot in rows and slot in rests else None
            if rest is None:
                continue
            # None of which is noted where one was packed anew between the two statements.
            read.append(rest.size if rest.belongs_to(rows[slot]) else 0)
            yield Five(slot, unpacked(rows[slot], slot, names), rest)
