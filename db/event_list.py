"""Lists of events that stand still while they are read: any page of millions of rows, found by counts and by time.

A list holds the rows that were there when it was opened (ids up to its anchor), newest first. Where its n-th row lies
is told by counts: per bucket from rollups and memory, then, for the bucket that a page falls into, by its keys from
the time index alone. So a page costs the same at row 100 and at row 900,000, which OFFSET doesn't.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cachetools import LRUCache
from sqlalchemy.engine import Connection, Engine

from db.event_keys import Keys, anchor_now, count_by_slot, newer_by_slot, read_events, read_keys
from db.results import Anchor, EventList, EventPage, Filter, IntArray, TimeRange

# A bucket with more rows is cut into smaller ones before its keys are read: what one page costs at most.
_MOST_KEYS = 1_000
_SLOTS = 64
_MAX_LISTS = 32
_MAX_KEYS_KEPT = 32
# More rows than these behind the anchor are no moment's race: the list is out of date, and counting them would cost.
_MAX_NEWER = 100_000

Counts = Callable[[TimeRange, Filter], IntArray]


class EventsChanged(Exception):  # noqa: N818 - it tells what happened, nothing is wrong
    """A list that was opened earlier isn't what the database holds any more (rows were deleted or came late)."""


@dataclass(slots=True)
class _Span:
    """Rows of [start_ms, end_ms), how many there are, and whether that was counted from the rows themselves."""

    start_ms: int
    end_ms: int
    count: int
    exact: bool = False


@dataclass(slots=True)
class _Book:
    """One open list: where its rows lie."""

    spans: list[_Span]  # newest first
    lock: threading.Lock = field(default_factory=threading.Lock)  # protects all of this
    keys: LRUCache[tuple[int, int], Keys] = field(default_factory=lambda: LRUCache(_MAX_KEYS_KEPT))
    oldest_served_ms: int | None = None  # rows before this moment have been given a number that must not change

    @property
    def total(self) -> int:
        return sum(span.count for span in self.spans)

    def place(self, row: int) -> tuple[int, int]:
        """Return (index of the span that holds a row, number of rows before it)."""
        before = 0
        for index, span in enumerate(self.spans):
            if row < before + span.count:
                return index, before
            before += span.count
        return len(self.spans), before

    def replace(self, index: int, spans: list[_Span]) -> None:
        """Put spans that were counted in the place of one.

        Raises:
            EventsChanged: Another number of rows than it had, and rows after it were given numbers already.
        """
        old = self.spans[index]
        found = sum(span.count for span in spans)
        if found != old.count and self.oldest_served_ms is not None and self.oldest_served_ms < old.start_ms:
            raise EventsChanged(f"{found} events where there were {old.count}")
        self.spans[index : index + 1] = spans


class EventLists:
    """Opens lists and reads their pages.

    Args:
        engine: A migrated database.
        counts: (range, filter) -> events in each bucket, int64[n], as of now.
    """

    def __init__(self, engine: Engine, counts: Counts) -> None:
        self._engine = engine
        self._counts = counts
        self._lock = threading.Lock()  # protects _books
        self._books: LRUCache[EventList, _Book] = LRUCache(_MAX_LISTS)

    def open(self, range: TimeRange, filter: Filter) -> EventList:
        """Return the list of what is there now.

        Args:
            range: Its range.
            filter: Which rows.
        """
        with self._engine.connect() as connection:
            return EventList(range, filter, anchor_now(connection))

    def page(self, events: EventList, first: int, count: int) -> EventPage:
        """Return some rows of a list; none beyond its end.

        Args:
            events: The list; one that nobody opened here (before a restart, say) is opened again.
            first: Number of the first row, from 0.
            count: How many at most.

        Raises:
            EventsChanged: The list must be opened anew: rows of it were deleted, or came late.
        """
        with self._engine.connect() as connection:
            book = self._book(connection, events)
            # Held while the database is asked: two asks of one list would read the same keys.
            with book.lock:
                keys = self._keys_of(connection, book, events, first, count)
                total = book.total
            return EventPage(total, read_events(connection, keys))

    def _book(self, connection: Connection, events: EventList) -> _Book:
        with self._lock:
            book = self._books.get(events)
            if book is not None:
                return book
        newest = anchor_now(connection)
        if newest.page_id - events.anchor.page_id > _MAX_NEWER or newest.run_id - events.anchor.run_id > _MAX_NEWER:
            raise EventsChanged("too much came since it was opened")
        counts = self._counts(events.range, events.filter)
        # What came after the anchor is counted too; as a rule that is nothing.
        counts = np.maximum(counts - newer_by_slot(connection, events, _MAX_NEWER), 0)
        starts_ms = events.range.bucket_starts()
        ends_ms = np.minimum(starts_ms + events.range.bucket_ms, events.range.end_ms)
        rows = zip(starts_ms.tolist(), ends_ms.tolist(), counts.tolist(), strict=True)
        book = _Book([_Span(*row) for row in reversed(list(rows))])
        with self._lock:
            return self._books.setdefault(events, book)

    def _keys_of(self, connection: Connection, book: _Book, events: EventList, first: int, count: int) -> Keys:
        parts: list[Keys] = []
        row, wanted = first, count
        self._see_newest(connection, book, events)
        while wanted > 0:
            index, before = book.place(row)
            if index == len(book.spans):
                break
            span = book.spans[index]
            if not self._is_fine(span):
                self._refine(connection, book, events, index)
                continue  # its rows may be others now
            keys = self._keys(connection, book, events, span)
            if len(keys) != span.count:
                raise EventsChanged(f"{len(keys)} events where there were {span.count}")
            part = keys.part(row - before, row - before + wanted)
            parts.append(part)
            book.oldest_served_ms = min(span.start_ms, book.oldest_served_ms or span.start_ms)
            row, wanted = row + len(part), wanted - len(part)
        return Keys.joined(parts)

    def _see_newest(self, connection: Connection, book: _Book, events: EventList) -> None:
        """Count the newest rows from themselves before any other row gets a number: that is where rows come in."""
        if book.oldest_served_ms is None:
            for index, span in enumerate(book.spans):
                if span.count:
                    if not span.exact:
                        self._refine(connection, book, events, index)
                    break

    @staticmethod
    def _is_fine(span: _Span) -> bool:
        return span.exact and (span.count <= _MOST_KEYS or span.end_ms - span.start_ms <= 1)

    def _refine(self, connection: Connection, book: _Book, events: EventList, index: int) -> None:
        span = book.spans[index]
        if span.count <= _MOST_KEYS or span.end_ms - span.start_ms <= 1:
            size = len(self._keys(connection, book, events, span))
            book.replace(index, [_Span(span.start_ms, span.end_ms, size, exact=size <= _MOST_KEYS)])
            if size > _MOST_KEYS and span.end_ms - span.start_ms <= 1:
                book.spans[index].exact = True
            return
        step_ms = -(-(span.end_ms - span.start_ms) // _SLOTS)
        counts = count_by_slot(connection, events, span.start_ms, span.end_ms, step_ms)
        parts = [
            _Span(start_ms, min(start_ms + step_ms, span.end_ms), counts.get(slot, 0), exact=True)
            for slot, start_ms in enumerate(range(span.start_ms, span.end_ms, step_ms))
        ]
        book.replace(index, parts[::-1])

    def _keys(self, connection: Connection, book: _Book, events: EventList, span: _Span) -> Keys:
        place = (span.start_ms, span.end_ms)
        keys = book.keys.get(place)
        if keys is None:
            keys = read_keys(connection, events, *place)
            book.keys[place] = keys
        return keys


def anchor_of(value: Any) -> Anchor:
    """Read an anchor that a browser kept.

    Args:
        value: Any JSON value.

    Raises:
        ValueError: It is none.
    """
    match value:
        case [int(page_id), int(run_id)] if 0 <= page_id < 1 << 63 and 0 <= run_id < 1 << 63:
            return Anchor(page_id, run_id)
        case _:
            raise ValueError("an anchor is two ids")
