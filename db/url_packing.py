"""Detail rows of an hour, a quarter or a day made into bytes, brought into an order by their URL."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import xxhash
from backports import zstd

from db import url_layout as layout
from db.chunk import Chunk
from db.columns import Names
from db.hashes import hashes_of
from db.rest_pack import RestPack, RestValues, lines_of
from db.results import IntArray
from db.row_blocks import ByteArray, in_blocks, whole_hundredths

# One with more bytes of URLs isn't made: looking through them would cost more than it saves.
_MOST_URL_BYTES = 8 * 1024 * 1024
# More runs of URLs with the same sources aren't noted.
_MOST_RUNS = 2_000
_LEVEL = 3
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


class TooManyUrlsError(Exception):
    """A span has so many URLs that keeping its rows by these saves nothing."""


class Packing:
    """Takes in the rows of a span by and by, and makes bytes of them: those of one URL side by side.

    Args:
        start_ms: Where the span begins, epoch ms.
        names: What the source numbers stand for.
    """

    VERSION = layout.VERSION
    KEY = "url"  # by which rows are brought into an order
    ROWS: tuple[str, ...] = layout.ROWS
    REST: tuple[str, ...] = layout.REST

    def __init__(self, start_ms: int, names: Names) -> None:
        self._start_ms, self._names = start_ms, names
        self._numbers: dict[str, dict[Any, int]] = {name: {} for name in layout.TOLD}
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
        flags = np.where(rows["scrape"], layout.SCRAPE, 0) | np.where(rows["success"], layout.SUCCESS, 0)
        told = zip(layout.TOLD, (values.urls, *values.told), strict=True)
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
        for kept in (self.ROWS, self.REST):
            values = {name: self._column(name)[order] for name in kept}
            if "duration" in values:
                values["duration"] = whole_hundredths(values["duration"])
            own, matrix = in_blocks(values, layout.BLOCK_ROWS)
            types |= own
            matrices.append(matrix)
        known = {"types": types, "sources": self._names.all(), "slots": self._slots, "owners": self._owners(len(texts))}
        facts = orjson.dumps(known)
        counts = np.bincount(key, minlength=len(self._numbers[self.KEY])).astype("<u4")
        told = {name: orjson.dumps(list(self._numbers[name])) for name in layout.TOLD[1:]}
        hashes = hashes_of(texts).astype("<u8").tobytes()
        kept_once = {"facts": facts, "urls": lines_of(texts), "counts": counts.tobytes(), **told, "hashes": hashes}
        hashed = xxhash.xxh3_64()
        for piece in (*kept_once.values(), *(matrix.tobytes() for matrix in matrices)):
            hashed.update(piece)
        stamp, size = hashed.intdigest(), sum(rows for _, rows in self._slots)
        pieces = [
            kept_once[name] if name in layout.PLAIN else zstd.compress(kept_once[name], _LEVEL)
            for name in layout.PIECES
        ]
        once = b"".join((layout.HEAD.pack(self.VERSION, stamp, size, *map(len, pieces)), *pieces))
        begin = layout.STAMP.pack(stamp)
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


def _narrow(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return whole numbers from 0 on in as few bytes as hold them; others as they are."""
    if values.dtype.kind == "f" or int(values.min(initial=0)) < 0:
        return values
    most = int(values.max(initial=0))
    kind = next((f"<u{size}" for size in (1, 2, 4) if most < 1 << 8 * size), "<i8")
    return values.astype(kind, copy=False)
