"""A run of detail rows as numpy arrays, with what was looked for in its texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from db.hashes import NO_ERROR, hash_of
from db.labels import by_key, have
from db.results import IntArray
from db.url_search import UrlSearch, having

BoolArray: TypeAlias = npt.NDArray[np.bool_]
CodeArray: TypeAlias = npt.NDArray[np.int32]
ObjectArray: TypeAlias = npt.NDArray[np.object_]

# Names and types of the columns; a number that is missing is -1.
DTYPES: dict[str, Any] = {
    "created_at_ms": np.int64,
    "source": np.int32,
    "scrape": np.bool_,
    "duration_ms": np.float64,
    "success": np.bool_,
    "items": np.int64,
    "retry_count": np.int32,
    "data_size": np.int64,
    "status_code": np.int16,
    "outcome": np.int32,
    "url": np.object_,
    "error": np.object_,
    "url_hash": np.uint64,
    "error_hash": np.uint64,
    "labels": np.object_,
    "fields": np.object_,
    "run_id": np.object_,
}

URL_NUMBER = "url_number"  # a column that some rows have besides
# Rows of packs (db.filtered_rows) have no hashes, but what these are of.
_HASHED = {"url_hash": "url", "error_hash": "error_kind"}
_Test = Callable[[list[Any]], Iterable[bool]]
_MAX_SEARCHES = 8
# Rows that were picked from no more than this many times as many may hold on to these: most share their columns.
_MANY_TIMES = 4


class _Having(dict[str | None, bool]):
    """Says of labels whether they are those that are asked for: many rows have the same."""

    def __init__(self, wanted: Sequence[frozenset[str]]) -> None:
        super().__init__()
        self._wanted = wanted

    def __missing__(self, text: str | None) -> bool:
        found = self[text] = have(text, self._wanted)
        return found


class Made(dict[str, npt.NDArray[Any]]):
    """Arrays that are made when they are first asked for.

    Args:
        names: Of all of them.
        make: Makes one.
    """

    def __init__(self, names: Collection[str], make: Callable[[str], npt.NDArray[Any]]) -> None:
        super().__init__()
        self._names = names
        self._make = make

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        found = self[name] = self._make(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._names or super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        return iter([*self._names, *(name for name in dict.__iter__(self) if name not in self._names)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> Any:
        """Return all of them."""
        return [(name, self[name]) for name in self]


class _Picked(Made):
    """Some rows of arrays: who narrows rows looks at few of their columns.

    Args:
        whole: The arrays.
        rows: Which rows of them, int64[n] or a slice with both ends.
        names: Which of the arrays; None for all.
        picked_of: How many rows these were picked from, which they hold on to.
    """

    def __init__(
        self,
        whole: Mapping[str, npt.NDArray[Any]],
        rows: IntArray | slice,
        names: Collection[str] | None = None,
        *,
        picked_of: int = 0,
    ) -> None:
        super().__init__(tuple(whole) if names is None else names, lambda name: whole[name][rows])
        self._whole = whole
        self._rows = rows
        self.picked_of = picked_of

    def part(self, low: int, high: int) -> _Picked:
        """Return the rows low..high of these."""
        rows = self._rows
        rows = slice(rows.start + low, rows.start + high) if isinstance(rows, slice) else rows[low:high]
        return _Picked(self._whole, rows, self._names, picked_of=self.picked_of)


class Chunk:
    """A run of rows in time order; rows below `size` never change, the arrays may have room for more.

    Args:
        arrays: One array for each name of DTYPES (or some of them), of equal length >= size.
        size: Number of rows.
    """

    __slots__ = ("_found", "arrays", "search", "size", "url_numbers", "urls")

    def __init__(self, arrays: dict[str, npt.NDArray[Any]], size: int) -> None:
        self.arrays = arrays
        self.size = size
        # What was looked for -> which of the first rows have it: a page that searches asks again after every batch.
        self._found: dict[Hashable, BoolArray] = {}
        # Of rows in memory: what looks for texts in their URLs, and the numbers that it gave these.
        self.search: UrlSearch | None = None
        self.url_numbers: dict[int, npt.NDArray[np.int32]] = {}
        # Of rows that know which of few URLs each has (URL_NUMBER): returns these (db.url_texts.UrlTexts).
        self.urls: Callable[[], Any] | None = None

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return a column; one of hashes is made where there is none.

        Args:
            name: A name of DTYPES.
        """
        if name not in self.arrays and name in _HASHED:
            texts = self.arrays[_HASHED[name]][: self.size].tolist()
            numbers = {text: NO_ERROR if text is None else hash_of(text) for text in set(texts)}
            self.arrays[name] = np.array([numbers[text] for text in texts], dtype=np.uint64)
        return self.arrays[name][: self.size]

    def view(self) -> Chunk:
        """Return the rows as they are now, sharing memory and what is known of them: later ones don't show."""
        chunk = Chunk(self.arrays, self.size)
        chunk._found, chunk.search, chunk.url_numbers = self._found, self.search, self.url_numbers
        chunk.urls = self.urls
        return chunk

    def with_in_url(self, text: str) -> BoolArray:
        """Return which rows have a text in their URL, bool[size].

        Args:
            text: In small letters; the URL's own don't matter.
        """
        return self._where(("url", text), partial(having, text))

    def with_text(self, column: str, text: str) -> BoolArray:
        """Return which rows have exactly a text, bool[size].

        Args:
            column: `url` or `run_id`.
            text: The text.
        """
        return self._where((column, ("all", text)), lambda values: [value == text for value in values])

    def with_labels(self, wanted: Sequence[str]) -> BoolArray:
        """Return which rows have labels, bool[size].

        Args:
            wanted: As for `db.labels.by_key`.
        """
        sets = by_key(wanted)
        return self._where(("labels", tuple(wanted)), lambda values: map(_Having(sets).__getitem__, values))

    def _where(self, question: tuple[str, Hashable], test: _Test) -> BoolArray:
        """Return which rows fulfil a test, which the question (its column first) stands for."""
        known = self._found.get(question)
        if known is None or len(known) < self.size:
            done = 0 if known is None else len(known)
            new = np.fromiter(test(self.arrays[question[0]][done : self.size].tolist()), np.bool_, self.size - done)
            known = new if known is None else np.concatenate((known, new))
            self._remember(question, known)
        return known[: self.size]

    def _remember(self, question: tuple[str, Hashable], found: BoolArray) -> None:
        while len(self._found) >= _MAX_SEARCHES:
            self._found.pop(next(iter(self._found)), None)
        self._found[question] = found

    @classmethod
    def of_columns(cls, columns: dict[str, Sequence[Any]]) -> Chunk:
        """Make a chunk from plain sequences, sorting it by time if it isn't (rows of one moment keep their order)."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        size = len(columns["created_at_ms"])
        for name, values in columns.items():
            array = np.empty(size, dtype=DTYPES[name])
            array[:] = values
            arrays[name] = array
        times = arrays["created_at_ms"]
        if size > 1 and bool((times[1:] < times[:-1]).any()):
            order = np.argsort(times, kind="stable")
            arrays = {name: array[order] for name, array in arrays.items()}
        return cls(arrays, size)

    def times(self) -> IntArray:
        """Return the moments of the rows, int64[size] in epoch milliseconds, rising."""
        times: IntArray = self.arrays["created_at_ms"][: self.size]
        return times

    def part(self, low: int, high: int) -> Chunk:
        """Return the rows low..high as a chunk that shares memory with this one."""
        arrays = self.arrays
        if isinstance(arrays, Made):
            some = arrays.part(low, high) if isinstance(arrays, _Picked) else _Picked(arrays, slice(low, high))
            return self._with_urls(Chunk(some, high - low))
        chunk = Chunk({name: array[low:high] for name, array in arrays.items()}, high - low)
        chunk._found = {
            question: found[low:high] for question, found in list(self._found.items()) if len(found) >= high
        }
        chunk.search = self.search
        chunk.url_numbers = {
            generation: numbers[low:high]
            for generation, numbers in list(self.url_numbers.items())
            if len(numbers) >= high
        }
        return chunk

    def picked(self, mask: BoolArray) -> Chunk:
        """Return the rows that a mask picks; they hold on to all of these, so they mustn't be kept.

        Args:
            mask: bool[size].
        """
        rows = np.flatnonzero(mask)
        if len(rows) == self.size:
            return self
        return self._with_urls(Chunk(_Picked(self.arrays, rows, picked_of=self.size), len(rows)))

    def _with_urls(self, some: Chunk) -> Chunk:
        some.urls = self.urls
        return some

    def only(self, names: Collection[str]) -> Chunk:
        """Return the rows with some of their columns; they share memory with these.

        Args:
            names: Which columns.
        """
        if isinstance(self.arrays, Made):
            return Chunk(_Picked(self.arrays, slice(0, self.size), names), self.size)
        return Chunk({name: self.arrays[name] for name in names}, self.size)

    def apart(self) -> Chunk:
        """Return the same rows without the ones that they were picked from, unless they are many of these."""
        few = isinstance(self.arrays, _Picked) and self.arrays.picked_of > _MANY_TIMES * self.size
        return Chunk(dict(self.arrays.items()), self.size) if few else self

    def chosen(self, mask: npt.NDArray[Any]) -> Chunk:
        """Return the rows that a boolean mask or an array of indices picks."""
        arrays = {name: array[: self.size][mask] for name, array in self.arrays.items()}
        return Chunk(arrays, len(arrays["created_at_ms"]))


def look_in_urls(chunks: Sequence[Chunk], text: str) -> None:
    """Look for a text in the URLs of rows in memory, which `with_in_url` then knows: in each URL once.

    Args:
        chunks: Those that know nothing of it yet are looked through.
        text: In small letters.
    """
    question = ("url", text)
    new: dict[UrlSearch, list[Chunk]] = {}
    for chunk in chunks:
        if chunk.search is not None and question not in chunk._found:
            new.setdefault(chunk.search, []).append(chunk)
    for search, some in new.items():
        for chunk, found in zip(some, search.find(text, some), strict=True):
            chunk._remember(question, found)
