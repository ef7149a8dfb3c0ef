"""Old rows whose URLs have a text in them: of hours and days that are kept by URL, few of their blocks are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from db.breakdown_rolling import Unsettled, closed
from db.cells import DAY_MS, HOUR_MS, SLOT_MS
from db.chunk import BoolArray
from db.finds import Finds
from db.models import Breakdown
from db.recent import RecentDetail
from db.rest_pack import ended_as
from db.result_pack import RESULT_REST, RESULT_ROWS, RESULTS, ResultIndex, asks_for_bad
from db.results import Filter
from db.rollups import Rollups
from db.stored_packs import packs_of_lengths
from db.time_packs import TIME
from db.url_layout import URL_REST, URL_ROWS, URLS
from db.url_pack import Found, SeenUrls, UrlIndex
from db.url_rolling import URL_LENGTHS_MS, UrlSpan, stored_spans
from db.url_span import ResultRows, SpanRows, places_of

# A span isn't worth reading for fewer of its five minutes, nor for this part of them...
_LEAST_SLOTS, _LEAST_PART = 3, 24
# ...nor where it has more rows than this for each of these: looking through them apart costs less then.
_MOST_ROWS_A_SLOT = 4_000
_MOST_ROWS_A_SPAN = 400_000
_MOST_NOTED = 500
# What a span without a row counts as, in rows.
_LEAST_ROWS = 100
# Made once (db.stored_packs).
_COUNTS = select(Breakdown.start_ms, Breakdown.row_count).where(
    Breakdown.dimension == TIME,
    Breakdown.length_ms == bindparam("length_ms"),
    Breakdown.start_ms >= bindparam("first_ms"),
    Breakdown.start_ms < bindparam("end_ms"),
)


_Search: TypeAlias = Callable[[bytes, UrlSpan], tuple[UrlIndex, Found]]
_Chosen: TypeAlias = dict[UrlSpan, int]  # -> how many of its five minutes are looked for


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """What is kept once for a span, which of its rows were looked for, and of which five minutes these are all."""

    index: UrlIndex
    found: Found
    complete: BoolArray


class UrlRows:
    """Looks for rows by their URLs, and keeps what was found in each span: any question shares it.

    Args:
        recent: Gives sources and outcomes their numbers.
        rollups: Knows which packs count everything.
        most_rows: Rows to keep, about 100 bytes each.
    """

    # What is kept once for a span, its rows, and the rest of these.
    DIMENSIONS = (URLS, URL_ROWS, URL_REST)
    ROWS: type[SpanRows] = SpanRows

    def __init__(self, recent: RecentDetail, rollups: Rollups, *, most_rows: int = 400_000) -> None:
        self._recent = recent
        self._rollups = rollups
        self._finds = Finds[UrlSpan, SpanRows](rollups, _spans_of, lambda rows: rows.size + _LEAST_ROWS, most=most_rows)
        # How many rows there were where they were too many, about: not counted again for each part of a question.
        self._many = Finds[UrlSpan, int](rollups, _spans_of, lambda _: 1, most=_MOST_NOTED)
        self._looks = Finds[UrlSpan, _Look](
            rollups, _spans_of, lambda one: len(one.found.places) + _LEAST_ROWS, most=most_rows
        )

    def of(
        self, connection: Connection, slots: range, missing: BoolArray, filter: Filter, columns: Collection[str]
    ) -> list[tuple[UrlSpan, SpanRows]]:
        """Return the rows with a URL in some spans of five minutes, as far as they are kept by URL.

        Args:
            connection: An open connection.
            slots: Where five minutes begin, epoch ms, one after the other.
            missing: Which of them are looked for.
            filter: Which URLs; whatever else it asks for is left to who asks.
            columns: Which columns, of `db.url_span.EVERYTHING`.

        Returns:
            By wider span, rows that have all of those of its five minutes that it says: the first ones count. What
            none of them has is to be looked for elsewhere.
        """
        roller = self._rollups.breakdowns
        filter = self._own(filter)
        if filter == Filter() or not roller.ready:
            return []
        left = missing.copy()
        found: list[tuple[UrlSpan, SpanRows]] = []
        for span, rows in self._finds.of(filter).items():
            if _take(left, slots, span, rows.complete):
                found.append((span, rows))
        if np.count_nonzero(left) >= _LEAST_SLOTS:
            # From before asking what is settled: what changes from then on makes it one to look for again.
            version = self._rollups.version
            apart = closed(roller.unsettled())
            chosen = self._chosen(connection, slots, left, filter)
            new = self._read(connection, chosen, filter, apart, version, with_rest=self.ROWS.needs_rest(columns))
            self._finds.keep(filter, version, new)
            found += new.items()
        without_rest = self._without_rest(connection, found, columns)
        self._finds.forget(filter, without_rest)
        return [(span, rows) for span, rows in found if span not in without_rest]

    def sources(
        self, connection: Connection, slots: range, missing: BoolArray, filter: Filter
    ) -> tuple[set[str], set[str], BoolArray] | None:
        """Return which sources have rows with a URL in some spans of five minutes, and which ones have others.

        Both are told of the wider spans that these lie in.

        Args:
            connection: An open connection.
            slots: Where five minutes begin, epoch ms, one after the other.
            missing: Which of them are looked for.
            filter: Which URLs; whatever else it asks for doesn't matter.

        Returns:
            (sources with such rows, sources with others, which spans of five minutes this isn't known of); None as
            soon as a source has both, or where the packs of an earlier version don't tell.
        """
        roller = self._rollups.breakdowns
        if not roller.ready:
            return None
        filter, left = self._own(filter), missing.copy()
        version = self._rollups.version
        apart = closed(roller.unsettled())
        known = self._looks.of(filter).items()
        looks = {span: look for span, look in known if _take(left, slots, span, look.complete)}
        chosen = sorted(self._chosen(connection, slots, left, filter, each=True)) if left.any() else []
        told = (set[str](), set[str]())
        for some in (chosen[:1], chosen[1:]):  # most texts aren't all that a source has: the first span says so
            looks |= self._looked(connection, some, filter, apart, version)
            for look in looks.values():
                own = look.index.sources_of(look.found.urls)
                if own is None:
                    return None
                told = told[0] | own[0], told[1] | own[1]
            if told[0] & told[1]:
                return None
        for span, look in looks.items():
            _take(left, slots, span, look.complete)
        return *told, left

    def _chosen(
        self, connection: Connection, slots: range, left: BoolArray, filter: Filter, *, each: bool = False
    ) -> _Chosen:
        """Return which spans are worth reading, the widest of each moment; `each` of those that there are."""
        places = np.flatnonzero(left)
        first_ms, last_ms = slots[int(places[0])] // DAY_MS * DAY_MS, slots[int(places[-1])]
        stored = stored_spans(connection, first_ms, last_ms, self.DIMENSIONS[0])
        many = self._many.of(filter)
        left = left.copy()
        chosen: _Chosen = {}
        for span in sorted(stored, reverse=True):  # the widest first
            low, high = places_of(slots, span.start_ms, span.end_ms)
            own = int(np.count_nonzero(left[low:high]))
            few = own < max(_LEAST_SLOTS, span.length_ms // SLOT_MS // _LEAST_PART)
            worth_it = own > 0 if each else not few and many.get(span, 0) <= _most_rows(own)
            if stored[span] > 0 and worth_it:
                chosen[span] = own
                left[low:high] = False
        return chosen

    def _read(
        self,
        connection: Connection,
        chosen: _Chosen,
        filter: Filter,
        apart: Unsettled,
        version: int,
        *,
        with_rest: bool,
    ) -> dict[UrlSpan, SpanRows]:
        blocks_of = self.DIMENSIONS[1:]
        looks = self._looked(connection, chosen, filter, apart, version)
        many = {span: len(look.found.places) for span, look in looks.items()}
        looks = {span: look for span, look in looks.items() if many[span] <= _most_rows(chosen[span])}
        many = {span: rows for span, rows in many.items() if span not in looks}
        self._many.keep(filter, version, many)
        dimensions = blocks_of if with_rest else blocks_of[:1]
        blocks = _blocks(connection, dimensions, {span: look.found.blocks for span, look in looks.items()})
        names = (self._recent.sources, self._recent.outcomes)
        found = {}
        for span, look in looks.items():
            own = [blocks.get((dimension, span), []) for dimension in dimensions]
            if any(len(kept) < len(look.found.blocks) or not look.index.is_of(kept) for kept in own):
                self._rollups.breakdowns.by_url.again(span)  # written anew just now, or by two programs at once
                self._looks.forget(filter, [span])
                continue
            found[span] = self.ROWS(look.index, look.found, own[0], look.complete, *names)
            if with_rest:
                found[span].add_rest(own[1])
        return found

    def _looked(
        self, connection: Connection, spans: Collection[UrlSpan], filter: Filter, apart: Unsettled, version: int
    ) -> dict[UrlSpan, _Look]:
        """Look into some spans, at most once into each that has all of its rows."""
        if not spans:
            return {}
        known = self._looks.of(filter, spans)
        once = self.DIMENSIONS[0]
        packs = _blocks(connection, (once,), {span: [0] for span in spans if span not in known})
        look = self._search(filter)
        looks = {span: look(pack[0], span) for (_, span), pack in packs.items()}
        complete = _complete(connection, {span: index for span, (index, _) in looks.items()}, apart)
        new = {span: _Look(*looks[span], slots) for span, slots in complete}
        self._looks.keep(filter, version, {span: look for span, look in new.items() if look.complete.all()})
        return known | new

    def _without_rest(
        self, connection: Connection, found: list[tuple[UrlSpan, SpanRows]], columns: Collection[str]
    ) -> set[UrlSpan]:
        """Complete what lacks columns; return what can't be completed."""
        lacking = {span: rows for span, rows in found if rows.lacks_rest(columns)}
        rest = self.DIMENSIONS[-1]
        blocks = _blocks(connection, (rest,), {span: rows.blocks for span, rows in lacking.items()})
        gone = {span for span, rows in lacking.items() if not rows.add_rest(blocks.get((rest, span), []))}
        for span in gone:
            self._rollups.breakdowns.by_url.again(span)
        return gone

    def _own(self, filter: Filter) -> Filter:
        """Return the part of a filter that is looked for; one that lets all through when this isn't the place."""
        return Filter(url_contains=filter.url_contains, url=filter.url)

    def _search(self, filter: Filter) -> _Search:
        """Return what looks into the packs of spans, one after the other."""
        seen: SeenUrls = {}

        def look(pack: bytes, span: UrlSpan) -> tuple[UrlIndex, Found]:
            index = UrlIndex(pack, span.start_ms)
            return index, index.rows_with(filter.url_contains.lower(), filter.url, seen)

        return look


class RowsByResult(UrlRows):
    """The same for rows that ended in some way, but for those that went well: of these there are too many."""

    DIMENSIONS = (RESULTS, RESULT_ROWS, RESULT_REST)
    ROWS = ResultRows

    def _own(self, filter: Filter) -> Filter:
        return Filter(outcomes=filter.outcomes, error=filter.error) if asks_for_bad(filter) else Filter()

    def _search(self, filter: Filter) -> _Search:
        is_wanted = ended_as(filter)

        def look(pack: bytes, span: UrlSpan) -> tuple[UrlIndex, Found]:
            index = ResultIndex(pack, span.start_ms)
            return index, index.rows_ended(is_wanted)

        return look


def _take(left: BoolArray, slots: range, span: UrlSpan, complete: BoolArray) -> bool:
    """Take off what is left what a span has all of; say whether that was any."""
    low, high = places_of(slots, span.start_ms, span.end_ms)
    if low >= high:
        return False
    first = (slots[low] - span.start_ms) // SLOT_MS
    own = left[low:high] & complete[first : first + high - low]
    left[low:high] &= ~own
    return bool(own.any())


def _spans_of(minutes: Iterable[int]) -> Iterable[UrlSpan]:
    return (UrlSpan(length_ms, minute // length_ms * length_ms) for minute in minutes for length_ms in URL_LENGTHS_MS)


def _most_rows(slots: int) -> int:
    return min(_MOST_ROWS_A_SPAN, _MOST_ROWS_A_SLOT * slots)


def _blocks(
    connection: Connection, dimensions: Sequence[str], wanted: Mapping[UrlSpan, Sequence[int]]
) -> dict[tuple[str, UrlSpan], list[bytes]]:
    """Read blocks of some spans, by number; of one that isn't there any more, or not whole, what there is."""
    found: dict[tuple[str, UrlSpan], list[bytes]] = defaultdict(list)
    starts = {length_ms: list[int]() for length_ms in URL_LENGTHS_MS}
    for span, numbers in wanted.items():
        starts[span.length_ms] += [span.start_ms + number for number in numbers]
    for dimension, length_ms, start_ms, pack in sorted(
        packs_of_lengths(connection, dimensions, starts), key=itemgetter(1, 2)
    ):
        found[dimension, UrlSpan(length_ms, start_ms // length_ms * length_ms)].append(pack)
    return found


def _complete(
    connection: Connection, indexes: Mapping[UrlSpan, UrlIndex], apart: Unsettled
) -> Iterable[tuple[UrlSpan, BoolArray]]:
    """Return of which of its five minutes a span has every row that there is by now."""
    hours = _counts(connection, HOUR_MS, indexes)
    doubtful = []
    for span, index in indexes.items():
        own = range(span.start_ms, span.end_ms, HOUR_MS)
        if apart[HOUR_MS].isdisjoint(own) and sum(hours.get(hour, 0) for hour in own) == index.size:
            yield span, np.ones(span.length_ms // SLOT_MS, dtype=np.bool_)
        else:
            doubtful.append(span)
    counts = _counts(connection, SLOT_MS, doubtful)
    for span in doubtful:
        slots, packed = range(span.start_ms, span.end_ms, SLOT_MS), indexes[span].slots
        whole = [slot not in apart[SLOT_MS] and counts.get(slot, 0) == packed.get(slot, 0) for slot in slots]
        yield span, np.array(whole, dtype=np.bool_)


def _counts(connection: Connection, length_ms: int, spans: Collection[UrlSpan]) -> dict[int, int]:
    """Return how many rows there are by now, by hour or by five minutes."""
    if not spans:
        return {}
    first_ms, end_ms = min(span.start_ms for span in spans), max(span.end_ms for span in spans)
    asked = {"length_ms": length_ms, "first_ms": first_ms, "end_ms": end_ms}
    counts = connection.execute(_COUNTS, asked)
    return {start_ms: row_count for start_ms, row_count in counts}  # noqa: C416 - rows are no pairs
