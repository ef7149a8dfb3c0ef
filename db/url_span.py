"""Rows of a span that is kept by URL or result, those that were looked for; columns are unpacked when needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from db.chunk import URL_NUMBER, BoolArray, Chunk, Made
from db.columns import Names
from db.detail import STATISTICS
from db.distinct import distinct_numbers
from db.results import IntArray
from db.url_pack import KEPT_FOR, Found, UrlIndex
from db.url_texts import UrlTexts

_OF_URLS = ("url", "url_hash", URL_NUMBER)
_OF_RESULTS = frozenset({"retry_count", "status_code", "outcome", "error_kind", "error_hash"})
_AS_KEPT = slice(None)  # the order of who needs none
# Every column that packs hold or that is made of what they hold (db.filtered_rows).
EVERYTHING = (
    *STATISTICS, "retry_count", "data_size", "status_code", "outcome", *_OF_URLS, "error_kind", "error_hash",
    "labels", "fields", "run_id",
)  # fmt: skip


class SpanRows:
    """Rows in time order.

    Args:
        index: What is kept once for their span.
        found: Which rows.
        blocks: The blocks of `db.url_layout.URL_ROWS` that hold them.
        complete: Of which five minutes of the span every row is here that was looked for.
        sources: Gives sources their numbers.
        outcomes: Gives outcomes theirs.
    """

    WITHOUT_REST = frozenset({*STATISTICS, *_OF_URLS, *_OF_RESULTS})

    def __init__(
        self,
        index: UrlIndex,
        found: Found,
        blocks: Sequence[bytes],
        complete: BoolArray,
        sources: Names,
        outcomes: Names,
    ) -> None:
        self.complete = complete
        self.blocks = found.blocks  # their numbers
        self.size = len(found.places)
        self._index = index
        self._sources, self._outcomes = sources, outcomes
        self._lock = threading.Lock()  # protects what is below: columns that are made, and what they are made of
        self._columns: dict[str, npt.NDArray[Any]] = {}
        self._rest: dict[str, npt.NDArray[Any]] | None = None
        self._order: IntArray | None = None
        self._distinct_urls: UrlTexts | None = None
        if self.size:
            self._where, self._urls, self._which = found.where, found.urls, found.which
            self._rows = index.rows(blocks, self._where)
            # Now, not when their column is made: who counts by sources asks before that how many there are.
            for name in index.sources:
                sources.code(name)

    @classmethod
    def needs_rest(cls, columns: Iterable[str]) -> bool:
        """Say whether blocks of the rest (`db.url_layout.URL_REST`) are needed for some columns.

        Args:
            columns: Names of EVERYTHING.
        """
        return not cls.WITHOUT_REST.issuperset(columns)

    def lacks_rest(self, columns: Collection[str]) -> bool:
        """Say whether blocks of `db.url_layout.URL_REST` are needed for some columns, and aren't known yet."""
        with self._lock:
            if self.size == 0 or self._rest is not None:
                return False
            with_results = not _OF_RESULTS.isdisjoint(columns)
            return self.needs_rest(columns) or (with_results and not self._index.tells_results)

    def add_rest(self, blocks: Sequence[bytes]) -> bool:
        """Take in the rest of these rows, and say whether it is.

        Args:
            blocks: Those of the same numbers as its own.
        """
        if not self.size:
            return True
        if len(blocks) < len(self.blocks) or not self._index.is_of(blocks):
            return False
        rest = self._index.rest(blocks, self._where)
        with self._lock:
            self._rest = rest
        return True

    def chunk(self, columns: Collection[str], *, in_order: bool = True) -> Chunk:
        """Return the rows with some columns, which are made when they are first asked for.

        Args:
            columns: Names of EVERYTHING; `lacks_rest` of them was False.
            in_order: Whether whoever asks needs them in order of time: it takes longer than to count them.
        """
        if not self.size:
            return Chunk({}, 0)
        numbered = not {*_OF_URLS}.isdisjoint(columns)
        names = (*columns, URL_NUMBER) if numbered else tuple(columns)
        chunk = Chunk(Made(names, self._column if in_order else self._as_kept), self.size)
        chunk.urls = self._urls_of_numbers if numbered else None
        return chunk

    def _urls_of_numbers(self) -> UrlTexts:
        """Return the URLs that URL_NUMBER counts."""
        with self._lock:
            return self._distinct(self._numbered(_AS_KEPT)[0])

    def _distinct(self, numbers: IntArray) -> UrlTexts:
        """Return some URLs, always the same ones; the caller holds the lock."""
        if self._distinct_urls is None:
            self._distinct_urls = UrlTexts(self._index, numbers)
        return self._distinct_urls

    def _column(self, name: str) -> npt.NDArray[Any]:
        with self._lock:
            if self._order is None:
                moments, self._order = _in_order(self._rows["at"])
                own = {"at": moments}
                self._columns["created_at_ms"] = self._index.statistic("created_at_ms", own, self._sources)
            if name not in self._columns:
                self._columns[name] = self._made(name, self._order)
            return self._columns[name]

    def _as_kept(self, name: str) -> npt.NDArray[Any]:
        with self._lock:
            return self._made(name, _AS_KEPT)

    def _made(self, name: str, order: IntArray | slice) -> npt.NDArray[Any]:
        """Make a column; the caller holds the lock."""
        if name in STATISTICS:
            kept = KEPT_FOR[name]
            return self._index.statistic(name, {kept: self._rows[kept][order]}, self._sources)
        if name in _OF_URLS:
            numbers, which = self._numbered(order)
            if name == URL_NUMBER:
                return which
            return self._distinct(numbers).value[which] if name == "url_hash" else self._index.url_texts(numbers)[which]
        return self._other(name, order)

    def _other(self, name: str, order: IntArray | slice) -> npt.NDArray[Any]:
        kept = KEPT_FOR[name]
        found = self._rows if kept in self._rows else self._rest
        assert found is not None
        return self._index.others((name,), {kept: found[kept][order]}, self._outcomes)[name]

    def _numbered(self, order: IntArray | slice) -> tuple[IntArray, IntArray]:
        """Return the numbers of the URLs that there are, rising, and which of them each row has."""
        return self._urls, self._which[order]


class ResultRows(SpanRows):
    """The same of a span whose rows are kept by how they ended: the rest tells their URLs."""

    WITHOUT_REST = frozenset({*STATISTICS, *_OF_RESULTS})

    def _other(self, name: str, order: IntArray | slice) -> npt.NDArray[Any]:
        if name in _OF_RESULTS:
            return self._index.others((name,), {"result": self._urls[self._which[order]]}, self._outcomes)[name]
        return super()._other(name, order)

    def _numbered(self, order: IntArray | slice) -> tuple[IntArray, IntArray]:
        assert self._rest is not None
        return distinct_numbers(self._rest["url"][order].astype(np.int64))


def _in_order(moments_ms: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Return moments inside a day in order of time, and that order.

    Numbers are sorted in a fifth of what their places take.
    """
    bits = len(moments_ms).bit_length()
    key = moments_ms.astype(np.int64)
    key <<= bits
    key |= np.arange(len(moments_ms))
    key.sort()
    return key >> bits, key & ((1 << bits) - 1)


def places_of(slots: range, start_ms: int, end_ms: int) -> tuple[int, int]:
    """Return which of some spans of five minutes lie in a wider one, as (first, one after the last).

    Args:
        slots: Where they begin, epoch ms, one after the other.
        start_ms: Where the wider one begins, epoch ms.
        end_ms: And where it ends.
    """
    low, high = (-(-(at_ms - slots.start) // slots.step) for at_ms in (start_ms, end_ms))
    return max(0, low), min(len(slots), max(0, high))
