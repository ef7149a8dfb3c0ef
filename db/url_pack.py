"""The bytes that an hour's, a quarter's or a day's detail rows are kept as by URL: whoever looks for one reads few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
from backports import zstd

from db import url_layout as layout
from db.chunk import DTYPES, ObjectArray
from db.columns import Names
from db.hashes import ENCODING, NO_ERROR, HashArray, hash_of, hashes_of
from db.letters import lowered
from db.rest_pack import objects, of_lines
from db.results import IntArray
from db.row_blocks import RowBlocks, of_hundredths
from db.runs import run_places

_IN_PLANES, _TOLD_TOGETHER = 0x0401, 0x0403  # earlier versions
# Where columns stand in what rows tell of their results and runs.
_OF_RESULTS = {"retry_count": 1, "status_code": 2, "outcome": 3, "error_kind": 4, "error_hash": 4}
_OF_RUNS = {"run_id": 0, "labels": 1}
# What is kept for each column, but for those of URLs.
KEPT_FOR = {
    "created_at_ms": "at", "source": "source", "scrape": "flags", "success": "flags", "items": "items",
    "duration_ms": "duration", "data_size": "data_size", "fields": "fields",
    **dict.fromkeys(_OF_RESULTS, "result"), **dict.fromkeys(_OF_RUNS, "run"),
}  # fmt: skip
_ESCAPED = b"\\"
_Columns = dict[str, npt.NDArray[Any]]
# All URLs of a span as they are kept -> the numbers of those that were looked for.
SeenUrls: TypeAlias = dict[bytes, IntArray]


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
            first = int(self.places[0]) % layout.BLOCK_ROWS
            return slice(first, first + len(self.places))
        numbers = np.zeros(max(self.blocks, default=0) + 1, dtype=np.int64)
        numbers[self.blocks] = np.arange(len(self.blocks))
        block, place = np.divmod(self.places, layout.BLOCK_ROWS)
        found: IntArray = numbers[block] * layout.BLOCK_ROWS + place
        return found


class UrlIndex:
    """What is kept once for a span; each part is unpacked when it is asked for.

    Args:
        pack: `db.url_packing.UrlPacks.once`.
        start_ms: Where the span begins, epoch ms.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """

    VERSION = layout.VERSION
    OLD_VERSIONS = (_IN_PLANES, _TOLD_TOGETHER)  # those in planes first
    ROWS: tuple[str, ...] = layout.ROWS
    REST: tuple[str, ...] = layout.REST
    OLD_REST: tuple[str, ...] = layout.OLD_REST

    def __init__(self, pack: bytes, start_ms: int) -> None:
        version = int.from_bytes(pack[:2], "little")
        head, names = layout.HEAD, list(layout.PIECES)
        self._in_rows, self._in_rest = self.ROWS, self.REST
        if version in self.OLD_VERSIONS:
            head, names = layout.OLD_HEAD, list(layout.OLD_PIECES)
            self._in_rows, self._in_rest = layout.OF_EACH, self.OLD_REST
        elif len(pack) < head.size or version != self.VERSION:
            raise ValueError(f"not rows of version {self.VERSION}; rebuild the rollups")
        _, self._stamp, self.size, *sizes = head.unpack_from(pack)
        self._in_planes = version == self.OLD_VERSIONS[0]
        self._start_ms = start_ms
        bounds = pairwise(accumulate([head.size, *sizes]))
        self._pieces = {name: pack[low:high] for name, (low, high) in zip(names, bounds, strict=True)}

    @cached_property
    def slots(self) -> dict[int, int]:
        """How many rows it has of five minutes, by their start in epoch ms."""
        return dict(self._facts["slots"])

    @property
    def sources(self) -> list[str]:
        """What it calls the sources of its rows."""
        names: list[str] = self._facts["sources"]
        return names

    @property
    def tells_results(self) -> bool:
        """Whether how rows ended is known without `rest`: an earlier version kept it there."""
        return "result" in self._in_rows

    def rows_with(self, needle: str, url: str, seen: SeenUrls | None = None) -> Found:
        """Return which rows have a text in their URL, and are of a certain one if given.

        Args:
            needle: In small letters; "" for any.
            url: This very URL; "" for any.
            seen: What was looked through for the same before, and is taken note of: many a scraper visits the same
                pages every day.
        """
        seen = {} if seen is None else seen
        lines = self._pieces["urls"]
        if lines not in seen:
            seen[lines] = self._urls_with(needle, url)
        return self._found(seen[lines])

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
        own = layout.STAMP.pack(self._stamp)
        return all(block.startswith(own) for block in blocks)

    def rows(self, blocks: Sequence[bytes], where: IntArray | slice) -> _Columns:
        """Return what is kept of some rows for statistics: what `statistic` and `others` make columns of.

        Args:
            blocks: Of `db.url_packing.UrlPacks.rows`, in their order.
            where: Which rows of these blocks, counted as if they were one.
        """
        return self._columns(blocks, self._in_rows, where)

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
        return rows["flags"] & {"scrape": layout.SCRAPE, "success": layout.SUCCESS}[name] > 0

    def rest(self, blocks: Sequence[bytes], where: IntArray | slice) -> _Columns:
        """Return which of the told texts some rows have, and how much data: what `others` makes columns of.

        Args:
            blocks: Of `db.url_packing.UrlPacks.rest`, in their order.
            where: Which rows of these blocks, counted as if they were one.
        """
        return self._columns(blocks, self._in_rest, where)

    def others(self, names: Iterable[str], rest: _Columns, outcomes: Names) -> _Columns:
        """Return other columns of some rows, as `db.columns.DTYPES` has them, or `error_kind`.

        Args:
            names: Which, of those that have nothing to do with URLs.
            rest: What `rest` or `rows` returned, with what is kept for these columns (KEPT_FOR).
            outcomes: Gives outcomes their numbers.
        """
        found: _Columns = {}
        for name in names:
            if name == "data_size":
                found[name] = rest[name].astype(np.int64) - 1
            elif name in _OF_RESULTS:
                values = [result[_OF_RESULTS[name]] for result in self._results]
                if name == "outcome":
                    values = [-1 if outcome is None else outcomes.code(outcome) for outcome in values]
                elif name == "error_hash":
                    values = [NO_ERROR if kind is None else hash_of(kind) for kind in values]
                array = objects(values) if name == "error_kind" else np.array(values, DTYPES[name])
                found[name] = array[rest["result"]]
            elif name == "fields":
                found[name] = objects(self._told("fields"))[rest[name]]
            else:
                found[name] = objects([pair[_OF_RUNS[name]] for pair in self._told("run")])[rest["run"]]
        return found

    def url_hashes(self, numbers: IntArray) -> HashArray:
        """Return the hashes (db.hashes) of URLs.

        Args:
            numbers: Which, rising.
        """
        if "hashes" in self._pieces:
            hashes: HashArray = np.frombuffer(self._piece("hashes"), "<u8")[numbers]
            return hashes.astype(np.uint64, copy=False)
        return hashes_of(self.url_texts(numbers))

    def url_texts(self, numbers: IntArray) -> ObjectArray:
        """Return the texts of URLs.

        Args:
            numbers: Which, rising.
        """
        lines = self._url_lines()
        if lines.startswith(_ESCAPED):
            return objects(of_lines(lines.decode(*ENCODING)))[numbers]
        # Only those are cut out that were asked for: of many URLs, few are.
        begins = np.append(_line_ends(lines), len(lines))
        bounds = zip((begins[numbers] + 1).tolist(), begins[numbers + 1].tolist(), strict=True)
        encoded = [lines[low:high] for low, high in bounds]
        return objects(b"\n".join(encoded).decode(*ENCODING).split("\n") if encoded else [])

    def _found(self, keys: IntArray) -> Found:
        """Return the rows of some URLs, by their numbers."""
        every = self._counts
        ends, counts = np.cumsum(every), every[keys]
        places = run_places(ends[keys] - counts, counts)
        if _follow_each_other(places):  # such as those of all URLs of a domain
            blocks = list(range(int(places[0]) // layout.BLOCK_ROWS, int(places[-1]) // layout.BLOCK_ROWS + 1))
        else:
            blocks = np.flatnonzero(np.bincount(places // layout.BLOCK_ROWS)).tolist()
        return Found(places, keys, np.repeat(np.arange(len(keys)), counts), blocks)

    def _columns(self, blocks: Sequence[bytes], names: Sequence[str], where: IntArray | slice) -> _Columns:
        types = {name: self._facts["types"][name] for name in names}
        found = RowBlocks(blocks, types, layout.BLOCK_ROWS, layout.STAMP.size, in_planes=self._in_planes)
        return found.columns(names, where)

    def _urls_with(self, needle: str, url: str) -> IntArray:
        """Return the numbers of URLs that have a text in them (in small letters) and are a certain one if given."""
        lines = self._url_lines()
        if lines.startswith(_ESCAPED) or "\n" in needle:  # line ends in URLs are rare
            texts = of_lines(lines.decode(*ENCODING))
            own = [number for number, text in enumerate(texts) if needle in text.lower() and url in ("", text)]
            return np.array(own, dtype=np.int64)
        if url:
            own_line = b"\n" + url.encode(*ENCODING) + b"\n"
            place = (lines + b"\n").find(own_line) if "\n" not in url else -1
            return np.array([lines.count(b"\n", 0, place)] if place >= 0 and needle in url.lower() else [], np.int64)
        low = lowered(lines) if lines.isascii() else lines.decode(*ENCODING).lower().encode(*ENCODING)
        wanted = needle.encode(*ENCODING)
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
        return self._piece("urls")

    @cached_property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = orjson.loads(self._piece("facts"))
        return facts

    @cached_property
    def _results(self) -> list[Any]:
        """How rows ended, each way once: there are few."""
        return self._told("result")

    def _told(self, name: str) -> list[Any]:
        """Return what a column of numbers of texts stands for, unpacked for the moment: a day has many runs."""
        if name in self._pieces:
            texts: list[Any] = orjson.loads(self._piece(name))
            return texts
        together: list[list[Any]] = orjson.loads(self._piece("told"))
        return together[layout.TOLD[1:].index(name)]

    @property
    def _counts(self) -> IntArray:
        return np.frombuffer(self._piece("counts"), "<u4").astype(np.int64)

    def _piece(self, name: str) -> bytes:
        piece = self._pieces[name]
        return piece if name in layout.PLAIN else zstd.decompress(piece)


def _follow_each_other(places: IntArray) -> bool:
    """Say whether rising places have no hole between them."""
    return len(places) > 0 and int(places[-1]) - int(places[0]) == len(places) - 1


def _line_ends(lines: bytes) -> IntArray:
    return np.flatnonzero(np.frombuffer(lines, np.uint8) == ord("\n"))
