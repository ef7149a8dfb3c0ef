"""Failures by kind of error: how many, since when, where, how they spread over a range, and what one of them said."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from cachetools import LRUCache
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Engine

from db.breakdown import texts_of
from db.columns import Names
from db.errors import unavailable_as_ours
from db.hashes import error_hash
from db.models import PagePerformance as Page
from db.recent import RecentDetail
from db.results import ErrorGroup
from db.timed_groups import TimedGroups

_MAX_REMEMBERED = 10_000
_MOST_MOMENTS = 500
# Made once (db.stored_packs).
_SAID = select(Page.created_at, Page.error).where(
    Page.created_at.in_(bindparam("moments", expanding=True)),
    Page.success == False,  # noqa: E712 - it is SQL
)


class Newest(NamedTuple):
    """The newest failure of a kind."""

    value: int  # number of the kind
    at_ms: int


class ErrorSamples:
    """Finds out what the newest failure of a kind said in full: in memory, then in the database.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
    """

    def __init__(self, engine: Engine, recent: RecentDetail) -> None:
        self._engine = engine
        self._recent = recent
        self._lock = threading.Lock()  # protects _known
        # What a failure said never changes; None where its detail row is deleted.
        self._known: LRUCache[Newest, str | None] = LRUCache(_MAX_REMEMBERED)

    def of(self, wanted: Sequence[Newest]) -> Mapping[Newest, str | None]:
        """Return texts; None where the detail row isn't kept any more.

        Args:
            wanted: The newest failures of some kinds.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with self._lock:
            found = {newest: self._known[newest] for newest in wanted if newest in self._known}
        missing = [newest for newest in wanted if newest not in found]
        if missing:
            new = self._in_memory(missing)
            new |= self._in_database([newest for newest in missing if newest not in new])
            found |= new
            with self._lock:
                self._known.update(new)
        return found

    def warm(self) -> None:
        """Ask the database for something, so that the first who needs it needn't wait."""
        self._in_database([Newest(0, 0)])

    def _in_memory(self, wanted: Sequence[Newest]) -> dict[Newest, str | None]:
        found: dict[Newest, str | None] = {}
        for newest in wanted:
            rows = self._recent.columns(newest.at_ms, newest.at_ms + 1)
            same = np.flatnonzero(rows.error_hash == np.uint64(newest.value)).tolist()
            if same:
                error: str | None = rows.error.tolist()[same[-1]]
                found[newest] = error or ""
        return found

    def _in_database(self, wanted: Sequence[Newest]) -> dict[Newest, str | None]:
        found: dict[Newest, str | None] = dict.fromkeys(wanted)
        moments = sorted({newest.at_ms for newest in wanted})
        if not moments:
            return found
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            for low in range(0, len(moments), _MOST_MOMENTS):
                asked = {"moments": moments[low : low + _MOST_MOMENTS]}
                for at_ms, error in connection.execute(_SAID, asked):
                    newest = Newest(error_hash(error, success=False), at_ms)
                    if newest in found:
                        found[newest] = error or ""
        return found


def error_groups(timed: TimedGroups, names: Names, samples: ErrorSamples) -> tuple[ErrorGroup, ...]:
    """Return failures by their kind, most frequent first.

    Args:
        timed: The groups by kind of error of n buckets.
        names: What their source numbers stand for.
        samples: Knows what single failures said.
    """
    whole = timed.groups
    if not len(whole):
        return ()
    group, distinct = timed.values()
    values, size = distinct.tolist(), len(distinct)
    first_ms, last_ms = np.full(size, np.iinfo(np.int64).max), np.zeros(size, dtype=np.int64)
    np.minimum.at(first_ms, group, whole.first_ms)
    np.maximum.at(last_ms, group, whole.last_ms)
    counts = timed.sums(whole.count, group, size)
    sources: list[list[str]] = [[] for _ in values]
    for place in np.unique(group * len(names) + whole.source).tolist():
        sources[place // len(names)].append(names[place % len(names)])
    texts = texts_of(whole, values)
    said = samples.of([Newest(*pair) for pair in zip(values, last_ms.tolist(), strict=True)])
    starts_ms = tuple(low for low, _ in timed.bounds)
    found = [
        ErrorGroup(
            error=texts[one], failures=int(counts[place].sum()), last_seen_ms=int(last_ms[place]),
            first_seen_ms=int(first_ms[place]), sources=tuple(sorted(sources[place])),
            starts_ms=starts_ms, counts=tuple(counts[place].tolist()), sample=said[Newest(one, int(last_ms[place]))],
        )
        for place, one in enumerate(values)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda error: (-error.failures, error.error)))
