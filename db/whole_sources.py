"""Texts in URLs that all of some sources' rows have and no others: to ask for these sources is the same, and cheaper.

A scraper's URLs mostly have a domain in common that no other scraper visits. Rollups know sources, and no URLs.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from cachetools import LRUCache
from sqlalchemy.engine import Engine

from db.chunk import look_in_urls
from db.columns import DetailColumns
from db.filtered_rows import FilteredRows
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.span_answers import SpanAnswers
from db.state import DETAIL_SINCE_MS, read_state

_MAX_REMEMBERED = 64
_State = tuple[int, int]


class WholeSources:
    """Finds out whether a text in URLs stands for sources, anew when something was stored.

    Args:
        engine: A migrated database.
        recent: Its newest rows.
        rollups: Say that something changed.
        filtered: Knows what old rows are of which URL.
    """

    def __init__(self, engine: Engine, recent: RecentDetail, rollups: Rollups, filtered: FilteredRows) -> None:
        self._engine = engine
        self._recent = recent
        self._rollups = rollups
        self._filtered = filtered
        # What the part before memory said.
        self._old = SpanAnswers[tuple[int, int, str], tuple[set[str], set[str]]](rollups, most=_MAX_REMEMBERED)
        self._lock = threading.Lock()  # protects what is below
        self._known: LRUCache[tuple[int, int, str], tuple[_State, frozenset[str]]] = LRUCache(_MAX_REMEMBERED)
        # Texts that only some rows of a source in memory have, as of when: not looked for in other spans.
        self._mixed: LRUCache[str, _State] = LRUCache(_MAX_REMEMBERED)

    def simpler(self, span: TimeRange, filter: Filter) -> Filter:
        """Return a filter that lets the same rows of a range through and asks for no URL; the same one if none does.

        Args:
            span: The range; its buckets don't matter.
            filter: Any.
        """
        if not filter.url_contains or filter.url:
            return filter
        key = (span.start_ms, span.end_ms, filter.url_contains.lower())
        state = (self._recent.version, self._rollups.version)  # from before looking
        with self._lock:
            known, mixed = self._known.get(key), self._mixed.get(key[2])
        if mixed == state:
            return filter
        if known is None or known[0] != state:
            known = (state, self._sources(*key, state))
        with self._lock:
            self._known[key] = known
        wanted = known[1].intersection(filter.sources) if filter.sources else known[1]
        return replace(filter, url_contains="", sources=tuple(sorted(wanted))) if wanted else filter

    def _sources(self, start_ms: int, end_ms: int, text: str, state: _State) -> frozenset[str]:
        """Return the sources that a text stands for, none if it stands for no such."""
        none = frozenset[str]()
        recent, covered_since_ms, _ = self._recent.snapshot(start_ms, end_ms)
        if covered_since_ms is None or covered_since_ms <= start_ms:
            return none  # looking at the rows in memory is as cheap
        in_memory = _in_memory(recent, text)
        if in_memory is None:
            with self._lock:
                self._mixed[text] = state
            return none
        old = self._before(start_ms, min(covered_since_ms, end_ms), text)
        if old is None:
            return none
        those, others = in_memory[0] | old[0], in_memory[1] | old[1]
        return none if those & others else frozenset(those)

    def _before(self, start_ms: int, border_ms: int, text: str) -> tuple[set[str], set[str]] | None:
        """Return what `_in_memory` returns, of the rows before memory begins; None also where nobody knows."""
        key = (start_ms, border_ms, text)
        version, known = self._old.of(key, start_ms, border_ms)
        if known is not None:
            return known
        with self._engine.connect() as connection:
            # Of what is deleted, rollups know more than any URL.
            if start_ms < read_state(connection).get(DETAIL_SINCE_MS, 0):
                return None
            found = self._filtered.sources(connection, start_ms, border_ms, Filter(url_contains=text))
        if found is not None:
            self._old.keep(key, version, found)
        return found


def _in_memory(rows: DetailColumns, text: str) -> tuple[set[str], set[str]] | None:
    """Return which sources have rows with a text in their URL and which ones others; None as soon as one has both."""
    names, chunks = rows.source_names, rows.chunks
    look_in_urls(chunks, text)
    size = len(names)
    those, others = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    for chunk in reversed(chunks):  # of most texts the first one tells that they are of no source alone
        source, found = chunk.column("source"), chunk.with_in_url(text)
        those |= np.bincount(source[found], minlength=size) > 0
        others |= np.bincount(source[~found], minlength=size) > 0
        if (those & others).any():
            return None
    return (
        {names[code] for code in np.flatnonzero(those).tolist()},
        {names[code] for code in np.flatnonzero(others).tolist()},
    )
