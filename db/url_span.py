"""Rows of a span that is kept by URL or result, those that were looked for; columns are unpacked when needed."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from db.chunk import BoolArray, Chunk
from db.columns import Names
from db.detail import STATISTICS
from db.hashes import hashes_of
from db.rest_pack import objects
from db.results import IntArray
from db.url_pack import Found, UrlIndex

_OF_URLS = ("url", "url_hash")
_OF_RESULTS = ("retry_count", "status_code", "outcome", "error_kind", "error_hash")
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
        blocks: The blocks of `db.url_pack.URL_ROWS` that hold them.
        complete: Of which five minutes of the span every row is here that was looked for.
        sources: Gives sources their numbers.
        outcomes: Gives outcomes theirs.
    """

    WITHOUT_REST = frozenset({*STATISTICS, *_OF_URLS})

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
        self._outcomes = outcomes
        self._lock = threading.Lock()  # protects what is below: columns that are added
        self._columns: dict[str, npt.NDArray[Any]] = {}
        self._rest: dict[str, npt.NDArray[Any]] | None = None
        if self.size:
            where = found.where
            columns = index.statistics(blocks, where, sources)
            order = _order(columns["created_at_ms"])
            self._columns = {name: column[order] for name, column in columns.items()}
            self._where, self._urls, self._which = where[order], found.urls, found.which[order]

    @classmethod
    def needs_rest(cls, columns: Iterable[str]) -> bool:
        """Say whether blocks of the rest (`db.url_pack.URL_REST`) are needed for some columns.

        Args:
            columns: Names of EVERYTHING.
        """
        return not cls.WITHOUT_REST.issuperset(columns)

    def lacks_rest(self, columns: Collection[str]) -> bool:
        """Say whether blocks of `db.url_pack.URL_REST` are needed for some columns, and aren't known yet."""
        with self._lock:
            return self.size > 0 and self._rest is None and self.needs_rest(columns)

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

    def chunk(self, columns: Collection[str]) -> Chunk:
        """Return the rows with some columns.

        Args:
            columns: Names of EVERYTHING; `lacks_rest` of them was False.
        """
        if not self.size:
            return Chunk({}, 0)
        with self._lock:
            missing = [name for name in columns if name not in self._columns]
            if missing:
                self._columns |= self._made(missing)
            return Chunk({name: self._columns[name] for name in columns}, self.size)

    def _made(self, names: list[str]) -> dict[str, npt.NDArray[Any]]:
        """Make columns; the caller holds the lock."""
        made: dict[str, npt.NDArray[Any]] = {}
        if not {*_OF_URLS}.isdisjoint(names):
            made |= self._of_urls(self._urls, self._which)
        others = [name for name in names if name not in _OF_URLS]
        if others:
            assert self._rest is not None
            made |= self._index.others(others, self._rest, self._outcomes)
        return made

    def _of_urls(self, numbers: IntArray, which: IntArray) -> dict[str, npt.NDArray[Any]]:
        urls = self._index.urls(numbers)
        return {"url": objects(urls)[which], "url_hash": hashes_of(urls)[which]}


class ResultRows(SpanRows):
    """The same of a span whose rows are kept by how they ended: the rest tells their URLs."""

    WITHOUT_REST = frozenset({*STATISTICS, *_OF_RESULTS})

    def _made(self, names: list[str]) -> dict[str, npt.NDArray[Any]]:
        made: dict[str, npt.NDArray[Any]] = {}
        rest = {"result": self._urls[self._which], **(self._rest or {})}
        if not {*_OF_URLS}.isdisjoint(names):
            made |= self._of_urls(*np.unique(rest["url"].astype(np.int64), return_inverse=True))
        return made | self._index.others([name for name in names if name not in _OF_URLS], rest, self._outcomes)


def _order(moments_ms: IntArray) -> IntArray:
    """Return the order of time of moments inside a day: numbers are sorted in a fifth of what their places take."""
    bits = len(moments_ms).bit_length()
    key = ((moments_ms - moments_ms.min()) << bits) | np.arange(len(moments_ms))
    key.sort()
    order: IntArray = key & ((1 << bits) - 1)
    return order


def places_of(slots: range, start_ms: int, end_ms: int) -> tuple[int, int]:
    """Return which of some spans of five minutes lie in a wider one, as (first, one after the last).

    Args:
        slots: Where they begin, epoch ms, one after the other.
        start_ms: Where the wider one begins, epoch ms.
        end_ms: And where it ends.
    """
    low, high = (-(-(at_ms - slots.start) // slots.step) for at_ms in (start_ms, end_ms))
    return max(0, low), min(len(slots), max(0, high))
