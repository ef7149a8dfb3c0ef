"""What the pages of events ask: the part of `db.queries.Queries` that is about lists of events and single ones."""

from __future__ import annotations

import threading

import numpy as np

from db.aggregate import aggregate
from db.errors import unavailable_as_ours
from db.event_detail import read_event, url_history
from db.event_keys import newer_by_slot
from db.event_list import EventLists
from db.history import History
from db.recent import RecentDetail
from db.results import Event, EventDetail, EventList, EventPage, Filter, IntArray, TimeRange, UrlHistory
from db.scheduler_queries import SchedulerQueries

MOST_NEWER = 10_000
_lists_lock = threading.Lock()  # protects the making of `_lists`, which happens once for each Queries


class EventQueries(SchedulerQueries):
    """Reads about events; every method raises DatabaseUnavailable when the database can't be asked."""

    _history: History
    _recent: RecentDetail
    _lists: EventLists | None = None

    def open_events(self, range: TimeRange, filter: Filter = Filter()) -> EventList:
        """Return the list of all events of a range as they are now: what comes later doesn't move its rows.

        Args:
            range: The range.
            filter: Which rows; sources match a scheduler run's name too.
        """
        with unavailable_as_ours(self._engine):
            return self._event_lists().open(range, filter)

    def events_page(self, events: EventList, first: int, count: int) -> EventPage:
        """Return some rows of a list, newest first, and how many it has.

        Args:
            events: What `open_events` returned, now or before a restart.
            first: Number of the first row, from 0.
            count: How many at most.

        Raises:
            EventsChanged: The list must be opened anew.
        """
        with unavailable_as_ours(self._engine):
            return self._event_lists().page(events, first, count)

    def event_count(self, range: TimeRange, filter: Filter = Filter()) -> int:
        """Return how many events a range has: navigations, scrapes and, where they belong, scheduler runs.

        Args:
            range: The range.
            filter: Which rows.
        """
        with unavailable_as_ours(self._engine):
            return int(self._event_counts(range, filter).sum())

    def newer_events(self, events: EventList) -> int:
        """Return how many of the next `MOST_NEWER` events after a list was opened would be in it.

        Args:
            events: What `open_events` returned.
        """
        with self._connect() as connection:
            return int(newer_by_slot(connection, events, MOST_NEWER).sum())

    def event_detail(self, id: str) -> EventDetail | None:
        """Return one event with all that was recorded of it, None when there is none of that id (any more).

        Args:
            id: "p:123" for a page metric, "s:45" for a scheduler run.
        """
        with self._connect() as connection:
            return read_event(connection, id)

    def url_history(self, event: Event, limit: int = 50) -> UrlHistory:
        """Return the newest events of the same source at the same URL, without reading all rows for it.

        Args:
            event: A navigation or scrape.
            limit: How many at most.
        """
        with self._connect() as connection:
            return url_history(connection, self._recent, event, limit)

    def _event_lists(self) -> EventLists:
        with _lists_lock:
            if self._lists is None:
                self._lists = EventLists(self._engine, self._event_counts)
            return self._lists

    def _event_counts(self, range: TimeRange, filter: Filter) -> IntArray:
        rows = self._history.rows(range, filter)
        series = aggregate(range, rows.detail, rows.cells, rows.sealed).series()
        counts = series.navigations + series.scrapes
        if not filter.without_runs:
            counts = counts + self.scheduler_series(range, filter).runs
        return np.asarray(counts, dtype=np.int64)
