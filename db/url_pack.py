"""The bytes that an hour's, a quarter's or a day's detail rows are kept as by URL: whoever looks for one reads few."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import xxhash
from backports import zstd

from db.chunk import DTYPES, Chunk
from db.columns import Names
from db.hashes import NO_ERROR, hash_of
from db.rest_pack import RestPack, RestValues, lines_of, objects, of_lines
from db.results import IntArray
from db.row_blocks import ByteArray, RowBlocks, in_blocks, of_hundredths, whole_hundredths

URLS = "urls"  # the dimension of what is kept once for a span, beside the breakdowns
URL_ROWS = "urls.rows"  # of its rows, a block in each; they begin a millisecond after one another
URL_REST = "urls.rest"  # and of what statistics don't need of them
BLOCK_ROWS = 1024
# One with more bytes of URLs isn't made: looking through them would cost more than it saves.
_MOST_URL_BYTES = 8 * 1024 * 1024
_VERSION = 0x0403  # of no other pack
_IN_PLANES = 0x0401  # an earlier one
_LEVEL = 3
# More runs of URLs with the same sources aren't noted.
_MOST_RUNS = 2_000
# version, what its blocks begin with, rows, bytes of the facts, of the URLs, of their rows and of the other texts
_HEAD = struct.Struct("<HQQIIII")
_STAMP = struct.Struct("<Q")
_ROWS = ("at", "source", "flags", "items", "duration")
_TOLD = ("url", "result", "run", "fields")  # columns of numbers of texts
_REST = ("result", "run", "fields", "data_size")
# Where columns stand in what rows tell of their results and runs.
_OF_RESULTS = {"retry_count": 1, "status_code": 2, "outcome": 3, "error_kind": 4, "error_hash": 4}
_OF_RUNS = {"run_id": 0, "labels": 1}
# What is kept for each column, but for those of URLs.
KEPT_FOR = {
    "created_at_ms": "at", "source": "source", "scrape": "flags", "success": "flags", "items": "items",
    "duration_ms": "duration", "data_size": "data_size", "fields": "fields",
    **dict.fromkeys(_OF_RESULTS, "result"), **dict.fromkeys(_OF_RUNS, "run"),
}  # fmt: skip
_ESCAPED, _UTF8 = b"\\", ("utf-8", "surrogatepass")
_SCRAPE, _SUCCESS = 1, 2
_Columns = dict[str, npt.NDArray[Any]]


class UrlPacks(NamedTuple):
    """What `Packing` makes of a span."""

    once: bytes  # what `UrlIndex` reads
    rows: list[bytes]  # by block
    rest: list[bytes]


class Five(NamedTuple):
    """The rows of five minutes: where they begin (epoch ms), their row pack's, and the rest of them."""

    start_ms: int
    rows: Chunk
    rest: RestPack


class Found(NamedTuple):
    """Which rows of a span have a URL that was looked for."""

    places: IntArray  # rising within each URL
    urls: IntArray  # the numbers of these
    which: IntArray  # of them each row has
    blocks: list[int]  # that hold the rows, rising

    @property
    def where(self) -> IntArray | slice:
        """The places, counted as if these blocks were all there are."""
        if _follow_each_other(self.places):
            first = int(self.places[0]) % BLOCK_ROWS
            return slice(first, first + len(self.places))
        numbers = np.zeros(max(self.blocks, default=0) + 1, dtype=np.int64)
        numbers[self.blocks] = np.arange(len(self.blocks))
        found: IntArray = numbers[self.places // BLOCK_ROWS] * BLOCK_ROWS + self.places % BLOCK_ROWS
        return found


class TooManyUrlsError(Exception):
    """A span has so many URLs that keeping its rows by these saves nothing."""


class Packing:
    """Takes in the rows of a span by and by, and makes bytes of them: those of one URL side by side.

    Args:
        start_ms: Where the span begins, epoch ms.
        names: What the source numbers stand for.
    """

    VERSION = _VERSION
    KEY = "url"  # by which rows are brought into an order
    REST = _REST

    def __init__(self, start_ms: int, names: Names) -> None:
        self._start_ms, self._names = start_ms, names
        self._numbers: dict[str, dict[Any, int]] = {name: {} for name in _TOLD}
        self._url_bytes = 0
        self._slots: list[tuple[int, int]] = []
        self._found: list[_Columns] = []

    def add(self, part: Five, values: RestValues) -> None:
        """Take in the rows of five minutes, after those of the ones before.

        Args:
            part: The five minutes.
            values: `part.rest.values()`.

        Raises:
            TooManyUrlsError: It is not to be done.
        """
        self._slots.append((part.start_ms, part.rows.size))
        chosen = self._chosen(values)
        if not len(chosen):
            return
        rows = {name: column[chosen] for name, column in part.rows.arrays.items()}
        flags = np.where(rows["scrape"], _SCRAPE, 0) | np.where(rows["success"], _SUCCESS, 0)
        told = zip(_TOLD, (values.urls, *values.told), strict=True)
        self._found.append({
            "at": (rows["created_at_ms"] - self._start_ms).astype(np.uint32), "source": _narrow(rows["source"]),
            "flags": flags.astype(np.uint8), "items": _narrow(rows["items"]), "duration": rows["duration_ms"],
            "data_size": _narrow(values.data_size[chosen] + 1),
            **{name: self._numbered(name, texts, values.codes[name][chosen]) for name, texts in told},
        })  # fmt: skip

    def packs(self) -> UrlPacks:
        """Return the bytes."""
        types: dict[str, str] = {}
        matrices: list[ByteArray] = []
        texts = sorted(self._numbers["url"])
        place = np.empty(len(texts), dtype=np.uint16 if len(texts) < 1 << 16 else np.uint32)
        place[[self._numbers["url"][text] for text in texts]] = np.arange(len(texts))
        for columns in self._found:
            columns["url"] = place[columns["url"]]
        key = self._column(self.KEY)
        order = np.argsort(key, kind="stable")  # rows of one stay in time order
        for kept in (_ROWS, self.REST):
            values = {name: self._column(name)[order] for name in kept}
            if "duration" in values:
                values["duration"] = whole_hundredths(values["duration"])
            own, matrix = in_blocks(values, BLOCK_ROWS)
            types |= own
            matrices.append(matrix)
        known = {"types": types, "sources": self._names.all(), "slots": self._slots, "owners": self._owners(len(texts))}
        facts = orjson.dumps(known)
        counts = np.bincount(key, minlength=len(self._numbers[self.KEY])).astype("<u4")
        told = orjson.dumps([list(self._numbers[name]) for name in _TOLD[1:]])
        pieces = [facts, lines_of(texts), counts.tobytes(), told]
        hashed = xxhash.xxh3_64()
        for piece in (*pieces, *(matrix.tobytes() for matrix in matrices)):
            hashed.update(piece)
        stamp, size = hashed.intdigest(), sum(rows for _, rows in self._slots)
        pieces = [zstd.compress(piece, _LEVEL) for piece in pieces]
        once = b"".join((_HEAD.pack(self.VERSION, stamp, size, *map(len, pieces)), *pieces))
        begin = _STAMP.pack(stamp)
        rows_of, rest_of = ([begin + block.tobytes() for block in matrix] for matrix in matrices)
        return UrlPacks(once, rows_of, rest_of)

    def _chosen(self, values: RestValues) -> IntArray:
        """Return which rows are taken in."""
        return np.arange(len(values.codes["url"]))

    def _owners(self, urls: int) -> list[tuple[int, list[int]]] | None:
        """Return how many URLs, in their order, the same sources have rows of, and which; None where it isn't kept."""
        pairs = np.unique(self._column("url").astype(np.int64) << 32 | self._column("source"))
        sources = (pairs & 0xFFFFFFFF).tolist()
        begins = np.searchsorted(pairs >> 32, np.arange(urls + 1)).tolist()
        found: list[tuple[int, list[int]]] = []
        for own, run in groupby(range(urls), key=lambda url: sources[begins[url] : begins[url + 1]]):
            if len(found) == _MOST_RUNS:
                return None
            found.append((sum(1 for _ in run), own))
        return found

    def _numbered(self, name: str, texts: Sequence[Any], codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the numbers that texts have in the whole span, of those that rows have."""
        numbers = self._numbers[name]
        used, which = np.unique(codes, return_inverse=True)
        own = [tuple(text) if isinstance(text, list) else text for text in map(texts.__getitem__, used.tolist())]
        if name == "url":
            self._url_bytes += sum(len(url) + 1 for url in own if url not in numbers)
            if self._url_bytes > _MOST_URL_BYTES:
                raise TooManyUrlsError
        return _narrow(np.array([numbers.setdefault(text, len(numbers)) for text in own]))[which]

    def _column(self, name: str) -> npt.NDArray[Any]:
        parts = [columns[name] for columns in self._found]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)


class UrlIndex:
    """What is kept once for a span; each part is unpacked when it is asked for.

    Args:
        pack: `Packing.packs().once`.
        start_ms: Where the span begins, epoch ms.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """

    VERSION = Packing.VERSION
    IN_PLANES = _IN_PLANES
    REST = Packing.REST

    def __init__(self, pack: bytes, start_ms: int) -> None:
        version = int.from_bytes(pack[:2], "little")
        if len(pack) < _HEAD.size or version not in (self.VERSION, self.IN_PLANES):
            raise ValueError(f"not rows of version {self.VERSION}; rebuild the rollups")
        _, self._stamp, self.size, *sizes = _HEAD.unpack_from(pack)
        self._in_planes = version == self.IN_PLANES
        self._start_ms = start_ms
        ends = np.cumsum([_HEAD.size, *sizes]).tolist()
        self._parts = [pack[low:high] for low, high in pairwise(ends)]

    @cached_property
    def slots(self) -> dict[int, int]:
        """How many rows it has of five minutes, by their start in epoch ms."""
        return dict(self._facts["slots"])

    @property
    def sources(self) -> list[str]:
        """What it calls the sources of its rows."""
        names: list[str] = self._facts["sources"]
        return names

    def rows_with(self, needle: str, url: str) -> Found:
        """Return which rows have a text in their URL, and are of a certain one if given.

        Args:
            needle: In small letters; "" for any.
            url: This very URL; "" for any.
        """
        return self._found(self._urls_with(needle, url))

    def sources_of(self, urls: IntArray) -> tuple[set[str], set[str]] | None:
        """Return which sources have rows of some URLs, and which ones of others; None where that isn't known.

        Args:
            urls: Their numbers.
        """
        owners: list[tuple[int, list[int]]] | None = self._facts.get("owners")
        if owners is None:
            return None
        ends = np.cumsum([size for size, _ in owners])
        found = np.bincount(np.searchsorted(ends, urls, side="right"), minlength=len(owners)).tolist()
        those = {source for (_, own), count in zip(owners, found, strict=True) if count for source in own}
        others = {source for (size, own), count in zip(owners, found, strict=True) if count < size for source in own}
        return {self.sources[source] for source in those}, {self.sources[source] for source in others}

    def is_of(self, blocks: Iterable[bytes]) -> bool:
        """Say whether blocks were written together with this."""
        own = _STAMP.pack(self._stamp)
        return all(block.startswith(own) for block in blocks)

    def rows(self, blocks: Sequence[bytes], where: IntArray | slice) -> _Columns:
        """Return what is kept of some rows for statistics: what `statistic` makes columns of.

        Args:
            blocks: Of `UrlPacks.rows`, in their order.
            where: Which rows of these blocks, counted as if they were one.
        """
        return self._columns(blocks, _ROWS, where)

    def statistic(self, name: str, rows: _Columns, names: Names) -> npt.NDArray[Any]:
        """Return a column of statistics (`db.detail.STATISTICS`) of some rows.

        Args:
            name: Which column.
            rows: What `rows` returned, in any order.
            names: Gives sources their numbers.
        """
        if name == "created_at_ms":
            return rows["at"].astype(np.int64) + self._start_ms
        if name == "source":
            return np.array([names.code(name) for name in self.sources], dtype=np.int32)[rows["source"]]
        if name == "duration_ms":
            return of_hundredths(rows["duration"])
        if name == "items":
            return rows["items"].astype(np.int64)
        return rows["flags"] & {"scrape": _SCRAPE, "success": _SUCCESS}[name] > 0

    def rest(self, blocks: Sequence[bytes], where: IntArray | slice) -> _Columns:
        """Return which of the told texts some rows have, and how much data: what `others` makes columns of.

        Args:
            blocks: Of `UrlPacks.rest`, in their order.
            where: Which rows of these blocks, counted as if they were one.
        """
        return self._columns(blocks, self.REST, where)

    def others(self, names: Iterable[str], rest: _Columns, outcomes: Names) -> _Columns:
        """Return other columns of some rows, as `db.columns.DTYPES` has them, or `error_kind`.

        Args:
            names: Which, of those that have nothing to do with URLs.
            rest: What `rest` returned.
            outcomes: Gives outcomes their numbers.
        """
        results, runs, fields = self._told
        found: _Columns = {}
        for name in names:
            if name == "data_size":
                found[name] = rest[name].astype(np.int64) - 1
            elif name in _OF_RESULTS:
                values = [result[_OF_RESULTS[name]] for result in results]
                if name == "outcome":
                    values = [-1 if outcome is None else outcomes.code(outcome) for outcome in values]
                elif name == "error_hash":
                    values = [NO_ERROR if kind is None else hash_of(kind) for kind in values]
                array = objects(values) if name == "error_kind" else np.array(values, DTYPES[name])
                found[name] = array[rest["result"]]
            elif name == "fields":
                found[name] = objects(fields)[rest[name]]
            else:
                found[name] = objects([pair[_OF_RUNS[name]] for pair in runs])[rest["run"]]
        return found

    def urls(self, numbers: IntArray) -> list[str]:
        """Return URLs.

        Args:
            numbers: Which, rising.
        """
        lines = self._url_lines()
        if lines.startswith(_ESCAPED):
            texts = of_lines(lines.decode(*_UTF8))
            return [texts[number] for number in numbers.tolist()]
        # Only those are made that were asked for: of many URLs, few are.
        begins = np.append(_line_ends(lines), len(lines))
        bounds = zip((begins[numbers] + 1).tolist(), begins[numbers + 1].tolist(), strict=True)
        return [lines[low:high].decode(*_UTF8) for low, high in bounds]

    def _found(self, keys: IntArray) -> Found:
        """Return the rows of some URLs, by their numbers."""
        every = self._counts
        ends, counts = np.cumsum(every), every[keys]
        # The places of one URL after those of another: each begins where its rows do.
        places = np.repeat(ends[keys] - np.cumsum(counts), counts)
        places += np.arange(len(places))
        if _follow_each_other(places):  # such as those of all URLs of a domain
            blocks = list(range(int(places[0]) // BLOCK_ROWS, int(places[-1]) // BLOCK_ROWS + 1))
        else:
            blocks = np.flatnonzero(np.bincount(places // BLOCK_ROWS)).tolist()
        return Found(places, keys, np.repeat(np.arange(len(keys)), counts), blocks)

    def _columns(self, blocks: Sequence[bytes], names: Sequence[str], where: IntArray | slice) -> _Columns:
        types = {name: self._facts["types"][name] for name in names}
        return RowBlocks(blocks, types, BLOCK_ROWS, _STAMP.size, in_planes=self._in_planes).columns(names, where)

    def _urls_with(self, needle: str, url: str) -> IntArray:
        """Return the numbers of URLs that have a text in them (in small letters) and are a certain one if given."""
        lines = self._url_lines()
        if lines.startswith(_ESCAPED) or "\n" in needle:  # line ends in URLs are rare
            texts = of_lines(lines.decode(*_UTF8))
            own = [number for number, text in enumerate(texts) if needle in text.lower() and url in ("", text)]
            return np.array(own, dtype=np.int64)
        if url:
            own_line = b"\n" + url.encode(*_UTF8) + b"\n"
            place = (lines + b"\n").find(own_line) if "\n" not in url else -1
            return np.array([lines.count(b"\n", 0, place)] if place >= 0 and needle in url.lower() else [], np.int64)
        low = lines.lower() if lines.isascii() else lines.decode(*_UTF8).lower().encode(*_UTF8)
        wanted = needle.encode(*_UTF8)
        found, at = list[int](), low.find(wanted)
        while at >= 0:  # once in each URL, which a line end is before
            found.append(at)
            end = low.find(b"\n", at + 1)
            at = low.find(wanted, end) if end >= 0 else -1
        if not found:
            return np.empty(0, dtype=np.int64)
        return np.searchsorted(_line_ends(low), found, side="right") - 1

    def _url_lines(self) -> bytes:
        """Return all URLs, unpacked for the moment: there may be megabytes of them."""
        return zstd.decompress(self._parts[1])

    @cached_property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = orjson.loads(zstd.decompress(self._parts[0]))
        return facts

    @property
    def _told(self) -> tuple[list[Any], list[Any], list[Any]]:
        results, runs, fields = orjson.loads(zstd.decompress(self._parts[3]))
        return results, runs, fields

    @property
    def _counts(self) -> IntArray:
        return np.frombuffer(zstd.decompress(self._parts[2]), "<u4").astype(np.int64)


def _follow_each_other(places: IntArray) -> bool:
    """Say whether rising places have no hole between them."""
    return len(places) > 0 and int(places[-1]) - int(places[0]) == len(places) - 1


def _line_ends(lines: bytes) -> IntArray:
    return np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers from 0 on in as few bytes as hold them; others as they are."""
    if values.dtype.kind == "f" or int(values.min(initial=0)) < 0:
        return values
    most = int(values.max(initial=0))
    kind = next((f"<u{size}" for size in (1, 2, 4) if most < 1 << 8 * size), "<i8")
    return values.astype(kind, copy=False)
