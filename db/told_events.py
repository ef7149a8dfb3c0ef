"""The newest events of a filter: what was told before isn't read again, only what came since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from cachetools import LRUCache

from db.results import Event, Filter, IntArray

_MAX_REMEMBERED = 32  # answers
# A moment with so many rows more than were asked for isn't read as a whole.
_MOST_SHARE = 2


class ToldEvents:
    """Keeps, of each filter's last answer, the events of every moment.

    A moment is right as long as it has as many rows as memory knows there: rows are never changed, and what comes later
    to the same millisecond makes one more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects the one below
        self._told: LRUCache[tuple[Filter, int], Mapping[int, tuple[Event, ...]]] = LRUCache(_MAX_REMEMBERED)

    def newest(
        self,
        times_ms: IntArray,
        filter: Filter,
        limit: int,
        read: Callable[[Collection[int], int], Sequence[Event]],
    ) -> tuple[Event, ...] | None:
        """Return the newest events, newest first.

        Args:
            times_ms: When every row that the filter lets through was recorded, epoch ms, rising; at least `limit` ones.
            filter: Which rows.
            limit: How many, at least 1.
            read: (moments, how many at most) -> the filter's rows of these moments, newest first.

        Returns:
            The events; None where too many rows are of the same moments to be read so, or the database, as a replica
            that lags behind, doesn't have what memory knows.
        """
        first = int(np.searchsorted(times_ms, times_ms[-limit]))
        if len(times_ms) - first > _MOST_SHARE * limit:
            return None
        moments, counts = np.unique(times_ms[first:], return_counts=True)
        wanted = dict(zip(moments.tolist(), counts.tolist(), strict=True))
        with self._lock:
            known = self._told.get((filter, limit), {})
        found = {moment: known[moment] for moment, rows in wanted.items() if len(known.get(moment, ())) == rows}
        missing = wanted.keys() - found.keys()
        if missing:
            found |= _by_moment(read(missing, _MOST_SHARE * limit))
        with self._lock:
            self._told[filter, limit] = found
        newest = tuple(event for moment in sorted(found, reverse=True) for event in found[moment])[:limit]
        return newest if len(newest) == limit else None


def _by_moment(events: Sequence[Event]) -> dict[int, tuple[Event, ...]]:
    found: dict[int, list[Event]] = {}
    for event in events:
        found.setdefault(event.recorded_at_ms, []).append(event)
    return {moment: tuple(of_moment) for moment, of_moment in found.items()}
