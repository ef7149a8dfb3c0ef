"""Old detail rows, for what is counted one by one: from packs of five minutes, from their table where there is none."""

from __future__ import annotations

import threading

from cachetools import LRUCache
from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection, Engine

from db.breakdown_rolling import settled_slots
from db.cells import SLOT_MS
from db.chunk import Chunk
from db.columns import DetailColumns
from db.detail import read_detail
from db.models import Breakdown
from db.recent import RecentDetail
from db.rollups import Rollups
from db.row_pack import ROWS, read_row_packs
from db.span_answers import SpanAnswers
from db.state import DETAIL_SINCE_MS, read_state
from db.time_packs import TIME

_MAX_COUNTS = 64
# Made once (db.stored_packs).
_COUNT = select(func.sum(Breakdown.row_count)).where(
    Breakdown.dimension == TIME,
    Breakdown.length_ms == SLOT_MS,
    Breakdown.start_ms >= bindparam("start_ms"),
    Breakdown.start_ms < bindparam("end_ms"),
)
_COUNTS = (
    select(Breakdown.dimension, func.sum(Breakdown.row_count))
    .where(
        Breakdown.dimension.in_((ROWS, TIME)),
        Breakdown.length_ms == SLOT_MS,
        Breakdown.start_ms.in_(bindparam("slots", expanding=True)),
    )
    .group_by(Breakdown.dimension)
)


class PackedRows:
    """Reads detail rows of any span, the columns of statistics only; the last ones are kept.

    Args:
        engine: A migrated database.
        recent: Gives sources and outcomes their numbers.
        rollups: Knows which packs count everything.
        most_rows: Rows to keep, about 30 bytes each.
    """

    def __init__(self, engine: Engine, recent: RecentDetail, rollups: Rollups, *, most_rows: int = 500_000) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._most_rows = most_rows
        self._counts = SpanAnswers[tuple[int, int], int](rollups, most=_MAX_COUNTS)
        self._lock = threading.Lock()  # protects the one below
        # Start of five minutes -> the rollups' version from before reading, and the rows; too many are kept alone.
        self._known: LRUCache[int, tuple[int, Chunk]]
        self._known = LRUCache(most_rows, lambda known: min(known[1].size, most_rows))

    def between(self, start_ms: int, end_ms: int) -> DetailColumns:
        """Return the rows of [start_ms, end_ms).

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.
        """
        slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
        version = self._rollups.version  # before reading: a change from then on makes what is read one to read again
        found = self._still_known(slots)
        missing = [slot for slot in slots if slot not in found]
        with self._engine.connect() as connection:
            new = read_row_packs(connection, self._settled(missing), self._recent.sources)
            self._keep(version, new)
            found |= new
            chunks: list[Chunk] = []
            loose_ms: int | None = None  # where rows begin that only the table has
            for slot in (*slots, end_ms):
                low_ms = max(slot, start_ms)
                if slot in found or slot == end_ms:
                    if loose_ms is not None:
                        chunks += self._of_table(connection, loose_ms, low_ms)
                        loose_ms = None
                elif loose_ms is None:
                    loose_ms = low_ms
                if slot in found:
                    chunks.append(found[slot])
        # Those at the ends reach beyond the span.
        return DetailColumns(chunks, self._recent.sources, self._recent.outcomes).between(start_ms, end_ms)

    def count(self, start_ms: int, end_ms: int) -> int:
        """Return how many rows some spans of five minutes had when they were rolled up; 0 where some are deleted.

        Args:
            start_ms: Where the first one begins, epoch ms.
            end_ms: Where the last one ends.
        """
        version, known = self._counts.of((start_ms, end_ms), start_ms, end_ms)
        if known is not None:
            return known
        with self._engine.connect() as connection:
            if read_state(connection).get(DETAIL_SINCE_MS, 0) > start_ms:
                count = 0
            else:
                count = int(connection.scalar(_COUNT, {"start_ms": start_ms, "end_ms": end_ms}) or 0)
        self._counts.keep((start_ms, end_ms), version, count)
        return count

    def all_between(self, start_ms: int, end_ms: int) -> DetailColumns | None:
        """Return the rows of [start_ms, end_ms) if packs hold every one of them and there are few enough to keep.

        Args:
            start_ms: Epoch ms.
            end_ms: Epoch ms.

        Raises:
            sqlalchemy.exc.DBAPIError: The database can't be asked.
        """
        slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
        known = self._still_known(slots)
        missing = [slot for slot in slots if slot not in known]
        if missing and not self._hold_all(missing, self._most_rows - sum(chunk.size for chunk in known.values())):
            return None
        return self.between(start_ms, end_ms)

    def _hold_all(self, slots: list[int], most_rows: int) -> bool:
        """Say whether packs hold all that was recorded in some spans of five minutes, and no more than so many rows."""
        if len(self._settled(slots)) < len(slots):
            return False
        with self._engine.connect() as connection:
            # What retention has deleted is in rollups alone.
            if read_state(connection).get(DETAIL_SINCE_MS, 0) > slots[0]:
                return False
            sums = connection.execute(_COUNTS, {"slots": slots})
            found = {dimension: int(rows) for dimension, rows in sums}
        return found.get(ROWS) == found.get(TIME) and found.get(ROWS, 0) <= most_rows

    def _of_table(self, connection: Connection, start_ms: int, end_ms: int) -> list[Chunk]:
        rows = read_detail(connection, start_ms, end_ms, self._recent.sources, self._recent.outcomes)
        return rows.chunks

    def _settled(self, slots: list[int]) -> list[int]:
        """Return those of which a pack in the database counts every row."""
        return settled_slots(self._rollups.breakdowns, slots)

    def _still_known(self, slots: range) -> dict[int, Chunk]:
        found: dict[int, Chunk] = {}
        with self._lock:
            for slot in slots:
                known = self._known.get(slot)
                if known is None:
                    continue
                if self._rollups.changed_since(known[0], slot, slot + SLOT_MS):
                    del self._known[slot]
                else:
                    found[slot] = known[1]
        return found

    def _keep(self, version: int, new: dict[int, Chunk]) -> None:
        with self._lock:
            self._known.update((slot, (version, chunk)) for slot, chunk in new.items())
