"""Old rows whose URLs have a text in them: of hours and days that are kept by URL, few of their blocks are read."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.engine import Connection

from db.breakdown_rolling import Unsettled, closed
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.chunk import Chunk
from db.models import Breakdown
from db.recent import RecentDetail
from db.results import Filter
from db.rollups import Rollups
from db.stored_packs import stored_packs
from db.time_packs import TIME
from db.url_pack import URL_REST, URL_ROWS, URLS, Found, UrlIndex
from db.url_rolling import URL_LENGTHS_MS, UrlSpan, stored_spans

# A span isn't worth reading for fewer of its five minutes, nor for this part of them...
_LEAST_SLOTS, _LEAST_PART = 3, 24
# ...nor where it has more rows than this for each of these: looking through them apart costs less then.
_MOST_ROWS_A_SLOT = 4_000
_MOST_ROWS_A_SPAN = 400_000
_MOST_NOTED = 500
_Key = tuple[Filter, UrlSpan, bool]


class _Found(NamedTuple):
    version: int  # of the rollups, from before reading
    slots: frozenset[int]  # of which it has every row: where these begin, epoch ms
    rows: Chunk


class UrlRows:
    """Looks for rows by their URLs, and keeps what was found in each span: any question shares it.

    Args:
        recent: Gives sources and outcomes their numbers.
        rollups: Knows which packs count everything.
        most_rows: Rows to keep, about 100 bytes each.
    """

    def __init__(self, recent: RecentDetail, rollups: Rollups, *, most_rows: int = 400_000) -> None:
        self._recent = recent
        self._rollups = rollups
        self._most_rows = most_rows
        self._lock = threading.Lock()  # protects the three below
        self._known: OrderedDict[_Key, _Found] = OrderedDict()
        self._size = 0
        # How many rows there were where they were too many, about: not counted again for each part of a question.
        self._many: OrderedDict[tuple[Filter, UrlSpan], int] = OrderedDict()

    def of(self, connection: Connection, slots: Sequence[int], filter: Filter, *, everything: bool) -> dict[int, Chunk]:
        """Return the rows with a URL in some spans of five minutes, as far as they are kept by URL.

        Args:
            connection: An open connection.
            slots: Where the spans begin, epoch ms.
            filter: Which URLs; whatever else it asks for is left to who asks.
            everything: All columns are needed, not those of statistics alone.

        Returns:
            By slot, rows that have all of its own; a slot that isn't among these has to be looked for elsewhere.
        """
        roller = self._rollups.breakdowns
        filter = Filter(url_contains=filter.url_contains, url=filter.url)
        if filter == Filter() or not roller.ready:
            return {}
        found = self._still_known(slots, filter, everything=everything)
        left = {slot for slot in slots if slot not in found}
        if len(left) < _LEAST_SLOTS:
            return found
        # With the version from before asking what is settled: what changes from then on makes it one to look for again.
        version = self._rollups.version
        apart = closed(roller.unsettled())
        chosen: dict[UrlSpan, list[int]] = {}
        stored = stored_spans(connection, min(left) // DAY_MS * DAY_MS, max(left))
        for span in sorted(stored, reverse=True):  # the widest first
            own = [slot for slot in range(span.start_ms, span.end_ms, SLOT_MS) if slot in left]
            worth_it = len(own) >= max(_LEAST_SLOTS, span.length_ms // SLOT_MS // _LEAST_PART)
            if stored[span] > 0 and worth_it and self._many.get((filter, span), 0) <= _most_rows(own):
                chosen[span] = own
                left.difference_update(own)
        for span, (complete, rows) in self._read(connection, chosen, filter, apart, everything=everything).items():
            self._keep((filter, span, everything), _Found(version, complete, rows))
            found |= {slot: rows for slot in chosen[span] if slot in complete}
        return found

    def _read(
        self,
        connection: Connection,
        chosen: dict[UrlSpan, list[int]],
        filter: Filter,
        apart: Unsettled,
        *,
        everything: bool,
    ) -> dict[UrlSpan, tuple[frozenset[int], Chunk]]:
        needle = filter.url_contains.lower()
        indexes: dict[UrlSpan, UrlIndex] = {}
        places: dict[UrlSpan, Found] = {}
        for span, pack in _packs(connection, URLS, {span: [0] for span in chosen}):
            index = UrlIndex(pack[0], span.start_ms)
            some = index.rows_with(needle, filter.url)
            if len(some.places) <= _most_rows(chosen[span]):
                indexes[span], places[span] = index, some
            else:
                self._note_many((filter, span), len(some.places))
        blocks = {span: some.blocks for span, some in places.items()}
        rows = dict(_packs(connection, URL_ROWS, blocks))
        rest = dict(_packs(connection, URL_REST, blocks)) if everything else {}
        found = {}
        for span, complete in _complete(connection, indexes, apart):
            index, own, other = indexes[span], rows.get(span, []), rest.get(span, [])
            whole = [own, other] if everything else [own]
            if any(len(kept) < len(blocks[span]) or not index.is_of(kept) for kept in whole):
                self._rollups.breakdowns.by_url.again(span)  # written anew just now, or by two programs at once
            elif everything:  # and nothing besides: these columns are what costs most
                bounds = chosen[span][0], chosen[span][-1] + SLOT_MS
                inside = frozenset(slot for slot in complete if bounds[0] <= slot < bounds[1])
                found[span] = inside, self._rows(index, places[span], own, other, bounds)
            else:
                found[span] = complete, self._rows(index, places[span], own)
        return found

    def _rows(
        self,
        index: UrlIndex,
        found: Found,
        own: list[bytes],
        rest: list[bytes] | None = None,
        bounds: tuple[int, int] | None = None,
    ) -> Chunk:
        if not len(found.places):
            return Chunk({}, 0)
        where = found.where
        columns = index.statistics(own, where, self._recent.sources)
        order = np.argsort(columns["created_at_ms"], kind="stable")
        if bounds is not None:
            low, high = np.searchsorted(columns["created_at_ms"], bounds, sorter=order)
            order = order[low:high]
        columns = {name: column[order] for name, column in columns.items()}
        if rest is not None:
            urls = (found.urls, found.which[order])
            columns |= index.others(rest, where[order], urls, self._recent.outcomes)
        return Chunk(columns, len(order))

    def _still_known(self, slots: Sequence[int], filter: Filter, *, everything: bool) -> dict[int, Chunk]:
        found: dict[int, Chunk] = {}
        with self._lock:
            for key in [key for key in self._known if key[0] == filter and (key[2] or not everything)]:
                span, known = key[1], self._known[key]
                if self._rollups.changed_since(known.version, span.start_ms, span.end_ms):
                    self._size -= self._known.pop(key).rows.size
                    continue
                own = [slot for slot in slots if slot in known.slots]
                if own:
                    self._known.move_to_end(key)
                    found |= dict.fromkeys(own, known.rows)
        return found

    def _note_many(self, what: tuple[Filter, UrlSpan], rows: int) -> None:
        with self._lock:
            self._many[what] = rows
            while len(self._many) > _MOST_NOTED:
                self._many.popitem(last=False)

    def _keep(self, key: _Key, new: _Found) -> None:
        with self._lock:
            before = self._known.pop(key, None)
            self._size += new.rows.size - (0 if before is None else before.rows.size)
            self._known[key] = new
            while self._size > self._most_rows and len(self._known) > 1:
                self._size -= self._known.popitem(last=False)[1].rows.size


def _most_rows(slots: Sequence[int]) -> int:
    return min(_MOST_ROWS_A_SPAN, _MOST_ROWS_A_SLOT * len(slots))


def _packs(
    connection: Connection, dimension: str, wanted: dict[UrlSpan, list[int]]
) -> Iterable[tuple[UrlSpan, list[bytes]]]:
    """Read blocks of some spans, by number; of one that isn't there any more, or not whole, what there is."""
    found: dict[UrlSpan, list[bytes]] = defaultdict(list)
    for length_ms in URL_LENGTHS_MS:
        starts = [span.start_ms + number for span in wanted if span.length_ms == length_ms for number in wanted[span]]
        for start_ms, pack in sorted(stored_packs(connection, dimension, length_ms, starts)):
            found[UrlSpan(length_ms, start_ms // length_ms * length_ms)].append(pack)
    return found.items()


def _complete(
    connection: Connection, indexes: dict[UrlSpan, UrlIndex], apart: Unsettled
) -> Iterable[tuple[UrlSpan, frozenset[int]]]:
    """Return of which five minutes spans have every row that there is by now."""
    hours = _counts(connection, HOUR_MS, indexes)
    doubtful = []
    for span, index in indexes.items():
        own = range(span.start_ms, span.end_ms, HOUR_MS)
        if apart[HOUR_MS].isdisjoint(own) and sum(hours.get(hour, 0) for hour in own) == index.size:
            yield span, frozenset(range(span.start_ms, span.end_ms, SLOT_MS))
        else:
            doubtful.append(span)
    counts = _counts(connection, SLOT_MS, doubtful)
    for span in doubtful:
        slots, packed = range(span.start_ms, span.end_ms, SLOT_MS), indexes[span].slots
        settled = (slot for slot in slots if slot not in apart[SLOT_MS])
        yield span, frozenset(slot for slot in settled if counts.get(slot, 0) == packed.get(slot, 0))


def _counts(connection: Connection, length_ms: int, spans: Collection[UrlSpan]) -> dict[int, int]:
    """Return how many rows there are by now, by hour or by five minutes."""
    if not spans:
        return {}
    first_ms, end_ms = min(span.start_ms for span in spans), max(span.end_ms for span in spans)
    own = (Breakdown.length_ms == length_ms, Breakdown.start_ms >= first_ms, Breakdown.start_ms < end_ms)
    counted = select(Breakdown.start_ms, Breakdown.row_count).where(Breakdown.dimension == TIME, *own)
    return {row.start_ms: row.row_count for row in connection.execute(counted)}
