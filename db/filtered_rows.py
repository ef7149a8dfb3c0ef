"""Old detail rows that a filter lets through, with all their columns: looked for in packs instead of in their table."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from db.breakdown_rolling import closed, settled_slots
from db.cells import SLOT_MS
from db.chunk import Chunk
from db.columns import DetailColumns
from db.detail import PACKED, STATISTICS, read_detail, with_error_kinds
from db.models import Breakdown
from db.recent import RecentDetail
from db.rest_pack import REST, RestPack
from db.results import Filter, IntArray, Kind
from db.rollups import Rollups
from db.row_pack import ROWS, unpacked
from db.stored_packs import stored_packs
from db.time_packs import TIME
from db.url_rows import UrlRows

# Without packs, up to so many spans of five minutes are read from the table; beyond, SQL had better count by itself.
_MOST_LOOSE = 4
# Spans of five minutes that are looked through together: bounds what a long range takes.
_TOGETHER = 24
# More of them aren't read ahead of questions, unless by URL: they might not be kept that long.
_MOST_AHEAD = 36
# What a span without a row that a filter lets through counts as, in rows.
_LEAST = 10


class FilteredRows:
    """Looks through the packs of a span, and keeps what was found in each for a filter: any question shares it.

    Args:
        recent: Gives sources and outcomes their numbers.
        rollups: Knows which packs count everything.
        most_rows: Rows to keep, about 150 bytes each besides their texts.
    """

    def __init__(self, recent: RecentDetail, rollups: Rollups, *, most_rows: int = 150_000) -> None:
        self._recent = recent
        self._rollups = rollups
        self._by_url = UrlRows(recent, rollups)
        self._most_rows = most_rows
        self._lock = threading.Lock()  # protects the two below
        # Filter and start of five minutes -> the rollups' version from before reading, and the rows.
        self._known: OrderedDict[tuple[Filter, int], tuple[int, Chunk]] = OrderedDict()
        self._size = 0

    def between(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter, kind: Kind | None
    ) -> DetailColumns | None:
        """Return the rows of [start_ms, end_ms) with the columns of statistics; None when too few of them are packed.

        Args:
            connection: An open connection.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Which rows, without a kind.
            kind: Navigations or scrapes only; None for both.
        """
        parts = self.parts(connection, start_ms, end_ms, filter, kind, statistics=True)
        if parts is None:
            return None
        chunks = [
            Chunk({name: chunk.arrays[name] for name in STATISTICS}, chunk.size)
            for rows in parts
            for chunk in rows.chunks
        ]
        return DetailColumns(chunks, self._recent.sources, self._recent.outcomes)

    def first_ms(self, connection: Connection) -> int | None:
        """Return where the first span of five minutes begins that may have rows, epoch ms; None when that isn't known.

        Args:
            connection: An open connection.
        """
        roller = self._rollups.breakdowns
        if not roller.ready:
            return None
        apart = closed(roller.unsettled())[SLOT_MS]
        own = (Breakdown.dimension == REST, Breakdown.length_ms == SLOT_MS)
        packed_ms = connection.scalar(select(func.min(Breakdown.start_ms)).where(*own))
        return min([*apart, *([] if packed_ms is None else [packed_ms])], default=None)

    def read_ahead(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter, *, statistics: bool = False
    ) -> None:
        """Look through a span in one piece, where what is found can be kept until it is asked for by and by.

        Args:
            connection: An open connection.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Which rows.
            statistics: As for `parts`.
        """
        if end_ms - start_ms > _MOST_AHEAD * SLOT_MS:
            slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
            self._by_url.of(connection, slots, filter, everything=_needs_everything(filter, statistics))
        else:
            every = replace(filter, kind="all")
            for _ in self.parts(connection, start_ms, end_ms, every, None, statistics=statistics) or ():
                pass

    def parts(
        self,
        connection: Connection,
        start_ms: int,
        end_ms: int,
        filter: Filter,
        kind: Kind | None,
        *,
        statistics: bool = False,
        most_apart: int | None = None,
    ) -> Iterator[DetailColumns] | None:
        """Return the rows of [start_ms, end_ms) with all columns, some at a time; None when too few are packed.

        Errors are told by their kinds (`error_kind`), as packs hold them.

        Args:
            connection: An open connection, used as long as there are more.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Which rows, without a kind.
            kind: Navigations or scrapes only; None for both.
            statistics: The columns of statistics are enough.
            most_apart: Of so many spans of five minutes at most rows are looked for in their own packs; of more of
                them nothing is returned.
        """
        slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
        # Told apart by who sent them, and how they ended, only after the search: other questions look for the same.
        text = replace(filter, sources=(), result="all")
        # The version from before asking what is settled: what changes from then on makes it one to look for again.
        version = self._rollups.version
        known = self._still_known(text, slots)
        missing = [slot for slot in slots if slot not in known]
        everything = _needs_everything(text, statistics)
        by_url = self._by_url.of(connection, missing, text, everything=everything)
        missing = [slot for slot in missing if slot not in by_url]
        settled = settled_slots(self._rollups.breakdowns, missing)
        if len(missing) - len(settled) > _MOST_LOOSE:
            return None
        counted = _packed(connection, settled)
        # A span that was counted and has no rows has no packs either.
        empty = {slot: Chunk({}, 0) for slot in settled if slot not in counted}
        if len(missing) - len(empty) - sum(counted.values()) > _MOST_LOOSE:
            return None
        if most_apart is not None and len(missing) - len(empty) > most_apart:
            return None
        self._keep(version, text, empty)
        known |= empty
        return self._found(connection, slots, (start_ms, end_ms), (text, filter, kind), (known, by_url), version)

    def _found(
        self,
        connection: Connection,
        slots: range,
        bounds: tuple[int, int],
        filters: tuple[Filter, Filter, Kind | None],
        found_before: tuple[dict[int, Chunk], dict[int, Chunk]],
        version: int,
    ) -> Iterator[DetailColumns]:
        text, filter, kind = filters
        known, by_url = found_before
        rest = Filter(sources=filter.sources, result=filter.result)
        for some in _pieces(slots, by_url):
            if some[0] in by_url:
                rows = DetailColumns([by_url[some[0]]], self._recent.sources, self._recent.outcomes)
                rows = rows.between(max(bounds[0], some[0]), min(bounds[1], some[-1] + SLOT_MS))
                yield rows.matching(replace(filter, url_contains="", url=""), kind)
                continue
            missing = [slot for slot in some if slot not in known]
            new = self._searched(connection, missing, text)
            self._keep(version, text, new)
            found = known | new
            chunks = [found[slot] if slot in found else self._of_table(connection, slot, text) for slot in some]
            rows = DetailColumns(chunks, self._recent.sources, self._recent.outcomes)
            yield rows.between(*bounds).matching(rest, kind)

    def _searched(self, connection: Connection, slots: Sequence[int], text: Filter) -> dict[int, Chunk]:
        """Return what a filter lets through of spans that are packed."""
        settled = settled_slots(self._rollups.breakdowns, slots)
        found: dict[int, Chunk] = {}
        masks: dict[int, tuple[RestPack, IntArray | None]] = {}
        for slot, pack in stored_packs(connection, REST, SLOT_MS, settled):
            own = RestPack(pack)
            mask = own.matching(text)
            if mask is None:
                found[slot] = Chunk({}, 0)
            else:
                masks[slot] = own, None if mask.all() else np.flatnonzero(mask)
        for slot, pack in stored_packs(connection, ROWS, SLOT_MS, list(masks)):
            own, chosen = masks[slot]
            if not own.belongs_to(pack):
                continue  # written anew meanwhile: the table has them
            rows = unpacked(pack, slot, self._recent.sources)
            if chosen is None:
                chosen = np.arange(own.size)
            else:
                rows = rows.chosen(chosen)
            found[slot] = Chunk(rows.arrays | own.columns(chosen, self._recent.outcomes), rows.size)
        return found

    def _of_table(self, connection: Connection, slot: int, text: Filter) -> Chunk:
        rows = read_detail(
            connection, slot, slot + SLOT_MS, self._recent.sources, self._recent.outcomes, filter=text, columns=PACKED
        )
        chunks = [with_error_kinds(chunk) for chunk in rows.chunks]
        if len(chunks) < 2:
            return chunks[0] if chunks else Chunk({}, 0)
        names = chunks[0].arrays
        return Chunk({name: np.concatenate([chunk.arrays[name] for chunk in chunks]) for name in names}, len(rows))

    def _still_known(self, text: Filter, slots: range) -> dict[int, Chunk]:
        found: dict[int, Chunk] = {}
        with self._lock:
            for slot in slots:
                known = self._known.get((text, slot))
                if known is None:
                    continue
                if self._rollups.changed_since(known[0], slot, slot + SLOT_MS):
                    del self._known[text, slot]
                    self._size -= known[1].size + _LEAST
                else:
                    self._known.move_to_end((text, slot))
                    found[slot] = known[1]
        return found

    def _keep(self, version: int, text: Filter, new: dict[int, Chunk]) -> None:
        with self._lock:
            for slot, chunk in new.items():
                before = self._known.pop((text, slot), None)
                self._size += chunk.size - (-_LEAST if before is None else before[1].size)
                self._known[text, slot] = version, chunk
            while self._size > self._most_rows and len(self._known) > 1:
                self._size -= self._known.popitem(last=False)[1][1].size + _LEAST


def _needs_everything(filter: Filter, statistics: bool) -> bool:
    """Say whether more columns than those of statistics have to be read, be it to see what a filter lets through."""
    by_url = Filter(filter.sources, filter.result, filter.url_contains, filter.kind, url=filter.url)
    return not statistics or filter != by_url


def _pieces(slots: Sequence[int], by_url: dict[int, Chunk]) -> Iterator[Sequence[int]]:
    """Cut slots into those that the same rows are of, and a bounded number of others."""
    low = 0
    while low < len(slots):
        rows, high = by_url.get(slots[low]), low + 1
        while high < len(slots) and by_url.get(slots[high]) is rows and (rows is not None or high < low + _TOGETHER):
            high += 1
        yield slots[low:high]
        low = high


def _packed(connection: Connection, slots: Sequence[int]) -> dict[int, bool]:
    """Return which spans of five minutes were counted, and whether the rest of their rows is packed too."""
    found: dict[int, bool] = {}
    if not slots:
        return found
    wanted = set(slots)
    own = (Breakdown.length_ms == SLOT_MS, Breakdown.start_ms >= slots[0], Breakdown.start_ms <= slots[-1])
    chosen = select(Breakdown.dimension, Breakdown.start_ms).where(Breakdown.dimension.in_((REST, TIME)), *own)
    for dimension, start_ms in connection.execute(chosen):
        if start_ms in wanted:
            found[start_ms] = found.get(start_ms, False) or dimension == REST
    return found
