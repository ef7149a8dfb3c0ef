"""Old detail rows that a filter lets through, with all their columns: looked for in packs instead of in their table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from db.breakdown_rolling import LENGTHS_MS, closed, settled_slots
from db.cells import HOUR_MS, SLOT_MS
from db.chunk import Chunk
from db.columns import DetailColumns
from db.detail import PACKED, STATISTICS, read_detail, with_error_kinds
from db.finds import Finds
from db.models import Breakdown
from db.recent import RecentDetail
from db.rest_pack import REST, RestPack
from db.results import Filter, IntArray, Kind
from db.rollups import Rollups
from db.row_pack import ROWS, unpacked
from db.stored_packs import starts_of_packs, stored_packs, warm_statements
from db.time_packs import TIME
from db.url_rolling import UrlSpan
from db.url_rows import RowsByResult, UrlRows
from db.url_span import EVERYTHING, SpanRows, places_of

# Without packs, up to so many spans of five minutes are read from the table; beyond, SQL had better count by itself.
_MOST_LOOSE = 4
# Spans of five minutes that are looked through together: bounds what a long range takes.
_TOGETHER = 24
# What a span without a row that a filter lets through counts as, in rows.
_LEAST = 10
# Spans known to have no row at all: a year of them.
_MOST_EMPTY = 105_000
# More runs of spans are asked for as if they were one.
_MOST_RUNS = 8
# Of shorter spans it doesn't matter whether they begin before the first row.
_LONG_MS = 6 * HOUR_MS
_FIRST_PACKS = select(*(
    select(func.min(Breakdown.start_ms))
    .where(Breakdown.dimension == dimension, Breakdown.length_ms == SLOT_MS)
    .scalar_subquery()
    .label(name)
    for name, dimension in (("rest", REST), ("counted", TIME))
))  # fmt: skip
_RARE = Filter(url_contains=" ")
# The rows of a wider span, their columns, and what they are to be picked by.
_Kept: TypeAlias = tuple[UrlSpan, SpanRows, Collection[str], Filter]
# What is said of a span besides the number of the rows that it is among.
_APART, _EMPTY = -1, -2


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
        self._by_result = RowsByResult(recent, rollups)
        self._finds = Finds[int, Chunk](rollups, _slots_of, lambda rows: rows.size + _LEAST, most=most_rows)
        # Which spans have no row, whatever the filter: kept as if it was for the one that lets all through.
        self._empty = Finds[int, None](rollups, _slots_of, lambda _: 1, most=_MOST_EMPTY)

    def warm(self, connection: Connection, present_ms: int) -> None:
        """Look for something, so that the first who does needn't wait for what is made ready once.

        Args:
            connection: An open connection.
            present_ms: The present, epoch ms.
        """
        self._not_before(connection, 0, present_ms)
        warm_statements(connection, len(LENGTHS_MS), _MOST_RUNS)
        start_ms, end_ms = present_ms - 3 * HOUR_MS, present_ms - HOUR_MS
        for _ in self.parts(connection, start_ms, end_ms, _RARE, None, columns=STATISTICS) or ():
            pass

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
        parts = self.parts(connection, start_ms, end_ms, filter, kind, columns=STATISTICS)
        if parts is None:
            return None
        chunks = [chunk.only(STATISTICS) for rows in parts for chunk in rows.chunks]
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
        packed_ms = connection.execute(_FIRST_PACKS).one().rest
        return min([*apart, *([] if packed_ms is None else [packed_ms])], default=None)

    def parts(
        self,
        connection: Connection,
        start_ms: int,
        end_ms: int,
        filter: Filter,
        kind: Kind | None,
        *,
        columns: Collection[str] = EVERYTHING,
        most_apart: int | None = None,
        in_order: bool = True,
    ) -> Iterator[DetailColumns] | None:
        """Return the rows of [start_ms, end_ms), some at a time in order of time; None when too few are packed.

        Errors are told by their kinds (`error_kind`), as packs hold them.

        Args:
            connection: An open connection, used as long as there are more.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Which rows, without a kind.
            kind: Navigations or scrapes only; None for both.
            columns: Of these at least, of EVERYTHING; those of statistics are there always.
            most_apart: Of so many spans of five minutes at most rows are looked for in their own packs; of more of
                them nothing is returned.
            in_order: False for whoever counts rows without looking at when they were: those of one time may come in
                any order.
        """
        settled_filter = filter.within(kind)
        if settled_filter is None:
            return iter(())
        filter, kind = settled_filter
        # Told apart by who sent them, and how they ended, only after the search: other questions look for the same.
        text = replace(filter, sources=(), result="all")
        # The version from before asking what is settled: what changes from then on makes it one to look for again.
        version = self._rollups.version
        start_ms = self._not_before(connection, start_ms, end_ms)
        slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
        owner = np.full(len(slots), _APART)
        known = self._finds.of(text, slots)
        empty: Collection[int] = self._empty.of(Filter(), slots)
        owner[_places(slots, empty)] = _EMPTY
        missing = owner == _APART
        missing[_places(slots, known)] = False
        columns = dict.fromkeys((*STATISTICS, *columns, *_columns_for(text)))
        kept: list[_Kept] = []
        for place, wanted, rest in self._places(filter, columns):
            for span, rows in place.of(connection, slots, missing, text, wanted) if missing.any() else ():
                low, high = places_of(slots, span.start_ms, span.end_ms)
                first = (slots[low] - span.start_ms) // SLOT_MS
                own = missing[low:high] & rows.complete[first : first + high - low]
                owner[low:high][own] = len(kept)
                missing[low:high] &= ~own
                kept.append((span, rows, wanted, rest))
        left = [slots[place] for place in np.flatnonzero(missing).tolist()]
        settled = settled_slots(self._rollups.breakdowns, left)
        if len(left) - len(settled) > _MOST_LOOSE:
            return None
        counted = _packed(connection, settled)
        # A span that was counted and has no rows has no packs either.
        empty = [slot for slot in settled if slot not in counted]
        if len(left) - len(empty) - sum(counted.values()) > _MOST_LOOSE:
            return None
        if most_apart is not None and len(left) - len(empty) > most_apart:
            return None
        self._empty.keep(Filter(), version, dict.fromkeys(empty))
        owner[_places(slots, empty)] = _EMPTY
        pieces = _pieces(slots, owner)
        found_before = known, kept
        return self._found(
            connection, pieces, (start_ms, end_ms), (text, filter, kind), found_before, version, in_order=in_order
        )

    def read_ahead(self, connection: Connection, bounds: Sequence[tuple[int, int]], filter: Filter) -> None:
        """Look through some short spans in as few statements as possible: `parts` of each then asks for none.

        Args:
            connection: An open connection.
            bounds: From and to of each, epoch ms, rising.
            filter: As for `parts`.
        """
        text = replace(filter, sources=(), result="all")
        version = self._rollups.version
        slots = list(
            dict.fromkeys(slot for low, high in bounds for slot in range(low // SLOT_MS * SLOT_MS, high, SLOT_MS))
        )
        known = self._finds.of(text, slots)
        settled = settled_slots(self._rollups.breakdowns, [slot for slot in slots if slot not in known])
        packed = [slot for slot, is_packed in _packed(connection, settled).items() if is_packed]
        self._finds.keep(text, version, self._searched(connection, packed, text))

    def sources(
        self, connection: Connection, start_ms: int, end_ms: int, filter: Filter
    ) -> tuple[set[str], set[str]] | None:
        """Return which sources have rows with a URL around [start_ms, end_ms), and which ones have others.

        Args:
            connection: An open connection.
            start_ms: Epoch ms.
            end_ms: Epoch ms.
            filter: Which URLs; whatever else it asks for doesn't matter.

        Returns:
            Both; None where a source is among both, or too few rows are kept by URL to tell.
        """
        version = self._rollups.version
        start_ms = self._not_before(connection, start_ms, end_ms)
        slots = range(start_ms // SLOT_MS * SLOT_MS, end_ms, SLOT_MS)
        missing = np.ones(len(slots), dtype=np.bool_)
        missing[_places(slots, self._empty.of(Filter(), slots))] = False
        found = self._by_url.sources(connection, slots, missing, filter)
        if found is None:
            return None
        left = [slots[place] for place in np.flatnonzero(found[2]).tolist()]
        if left:
            settled = settled_slots(self._rollups.breakdowns, left)
            if len(settled) < len(left) or _packed(connection, settled):
                return None
            self._empty.keep(Filter(), version, dict.fromkeys(left))
        return found[:2]

    def _not_before(self, connection: Connection, start_ms: int, end_ms: int) -> int:
        """Return where a span (epoch ms) may begin to have rows: many a range begins long before the first of them."""
        roller = self._rollups.breakdowns
        if not roller.ready or end_ms - start_ms < _LONG_MS:
            return start_ms
        apart = closed(roller.unsettled())[SLOT_MS]
        packed_ms: list[int] = [at_ms for at_ms in connection.execute(_FIRST_PACKS).one() if at_ms is not None]
        return max(start_ms, min([*apart, *packed_ms, end_ms]))

    def _places(self, filter: Filter, columns: Iterable[str]) -> Iterator[tuple[UrlRows, dict[str, None], Filter]]:
        """Return where rows are kept so that few are read, the columns needed there, and what a filter asks besides."""
        # The rows of some results have to be looked through for a URL; those of some URLs for everything else.
        urls = ("url", "url_hash") if filter.url_contains or filter.url else ()
        yield self._by_result, dict.fromkeys((*columns, *urls)), replace(filter, outcomes=(), error="")
        yield self._by_url, dict.fromkeys(columns), replace(filter, url_contains="", url="")

    def _found(
        self,
        connection: Connection,
        pieces: Iterator[tuple[int, Sequence[int]]],
        bounds: tuple[int, int],
        filters: tuple[Filter, Filter, Kind | None],
        found_before: tuple[dict[int, Chunk], list[_Kept]],
        version: int,
        *,
        in_order: bool,
    ) -> Iterator[DetailColumns]:
        text, filter, kind = filters
        known, kept = found_before
        rest = Filter(sources=filter.sources, result=filter.result)
        for owner, some in pieces:
            if owner != _APART:
                span, found_there, columns, left = kept[owner]
                low_ms, high_ms = max(bounds[0], some[0]), min(bounds[1], some[-1] + SLOT_MS)
                whole = low_ms <= span.start_ms and span.end_ms <= high_ms
                chunk = found_there.chunk(columns, in_order=in_order or not whole)
                rows = DetailColumns([chunk], self._recent.sources, self._recent.outcomes)
                yield (rows if whole else rows.between(low_ms, high_ms)).matching(left, kind)
                continue
            missing = [slot for slot in some if slot not in known]
            new = self._searched(connection, missing, text)
            self._finds.keep(text, version, new)
            found = known | new if new else known
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


def _columns_for(filter: Filter) -> tuple[str, ...]:
    """Return the columns that say what a filter lets through, besides URLs."""
    asked = {"outcome": filter.outcomes, "error_hash": filter.error, "labels": filter.labels, "run_id": filter.run}
    return tuple(name for name, wanted in asked.items() if wanted)


def _slots_of(minutes: Iterable[int]) -> Iterable[int]:
    return (minute // SLOT_MS * SLOT_MS for minute in minutes)


def _places(slots: range, some: Collection[int]) -> IntArray:
    """Return which of some slots others are."""
    return (np.fromiter(some, np.int64, len(some)) - slots.start) // SLOT_MS


def _pieces(slots: range, owner: IntArray) -> Iterator[tuple[int, Sequence[int]]]:
    """Cut slots into those that the same rows are of, and a bounded number of others; the empty ones are left out."""
    places = np.flatnonzero(owner != _EMPTY)
    owner = owner[places]
    edges = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(places)] if len(places) else []
    for begin, end in pairwise(edges):
        step = _TOGETHER if owner[begin] == _APART else end - begin
        for low in range(begin, end, step):
            some = places[low : min(low + step, end)].tolist()
            yield int(owner[begin]), [slots[place] for place in some]


def _packed(connection: Connection, slots: Sequence[int]) -> dict[int, bool]:
    """Return which spans of five minutes were counted, and whether the rest of their rows is packed too."""
    found: dict[int, bool] = {}
    if not slots:
        return found
    wanted = set(slots)
    for dimension, start_ms in starts_of_packs(connection, (REST, TIME), SLOT_MS, _runs(slots)):
        if start_ms in wanted:
            found[start_ms] = found.get(start_ms, False) or dimension == REST
    return found


def _runs(slots: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of slots that follow each other; of all together where there are many such."""
    edges = np.flatnonzero(np.diff(slots) != SLOT_MS).tolist()
    if len(edges) >= _MOST_RUNS:
        return [(slots[0], slots[-1])]
    return [
        (slots[low], slots[high]) for low, high in zip([0, *(edge + 1 for edge in edges)], [*edges, -1], strict=True)
    ]
