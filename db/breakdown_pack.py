"""The bytes that groups are kept as in the database: columns and texts, compressed apart from each other."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from backports import zstd

from db.breakdown import COLUMNS, OTHERS, Groups, texts_of
from db.columns import Names
from db.hashes import HashArray

_VERSION = 1
_LEVEL = 3
_MAX_TEXTS = 4
# version, groups, bytes of the source names, of the columns and of the texts
_HEAD = struct.Struct("<HIIII")
# One column after the other: alike numbers side by side compress best. Times count from the start of the span.
_TYPES: dict[str, Any] = {
    "value": np.dtype("<u8"),
    "source": np.dtype("<u2"),
    "scrape": np.dtype("?"),
    "success": np.dtype("?"),
    "count": np.dtype("<u4"),
    "items": np.dtype("<i8"),
    "data_size": np.dtype("<i8"),
    "sum_ms": np.dtype("<f8"),
    "max_ms": np.dtype("<f8"),
    "first_ms": np.dtype("<u4"),
    "last_ms": np.dtype("<u4"),
}
assert tuple(_TYPES) == COLUMNS


@dataclass(frozen=True, slots=True, eq=False)
class PackedTexts:
    """Texts of values, unpacked when one is asked for: few ever are."""

    value: HashArray  # of the groups, rising unless an earlier version packed them
    packed: bytes  # of the distinct ones, rising
    known: dict[str, HashArray] = field(default_factory=dict)  # what was looked for before

    def find(self, wanted: Collection[int]) -> dict[int, str]:
        """Return the texts of those wanted values that are known here."""
        some = np.sort(np.fromiter(wanted, np.uint64, len(wanted)))
        found = self._distinct
        at = np.searchsorted(found, some)
        here = np.flatnonzero(at < len(found))
        here = here[found[at[here]] == some[here]]
        if not len(here):
            return {}
        text = self._texts(len(found))
        return {int(some[index]): text(int(at[index])) for index in here.tolist()}

    def holding(self, text: str) -> HashArray:
        """Return the values whose text has another in it, whatever the size of its letters."""
        if text not in self.known:
            value = self._distinct
            texts = self._texts(len(value))
            if len(self.known) >= _MAX_TEXTS:
                self.known.clear()
            self.known[text] = found = value[[text in texts(index).lower() for index in range(len(value))]]
            return found
        return self.known[text]

    @property
    def _distinct(self) -> HashArray:
        """The distinct values, rising."""
        value = self.value
        if len(value) and bool((value[1:] < value[:-1]).any()):  # packed by an earlier version
            value = np.sort(value)
        first = np.ones(len(value), dtype=np.bool_)
        first[1:] = value[1:] != value[:-1]
        found: HashArray = value[first & (value != OTHERS)]
        return found

    def _texts(self, size: int) -> Callable[[int], str]:
        """Return what gives the text of each of the distinct values, of which there are so many, by its place."""
        raw = zstd.decompress(self.packed)
        ends = 4 * size + np.cumsum(np.frombuffer(raw[: 4 * size], "<u4"), dtype=np.int64)
        begins = np.concatenate(([4 * size], ends[:-1]))
        return lambda index: raw[begins[index] : ends[index]].decode("utf-8", "surrogatepass")


def packed(groups: Groups, start_ms: int, names: Names) -> bytes:
    """Return groups as bytes.

    Args:
        groups: Of less than 49 days.
        start_ms: Where their span begins, epoch ms.
        names: What their source numbers stand for.
    """
    # By value: then texts are found without sorting them first, and added up with less of a search.
    groups = groups.chosen(np.argsort(groups.value, kind="stable"))
    sources, source = np.unique(groups.source, return_inverse=True)
    columns = {name: getattr(groups, name) for name in COLUMNS}
    columns |= {"source": source, "first_ms": groups.first_ms - start_ms, "last_ms": groups.last_ms - start_ms}
    body = zstd.compress(b"".join(columns[name].astype(kind).tobytes() for name, kind in _TYPES.items()), _LEVEL)
    value = np.unique(groups.value[groups.value != OTHERS])
    texts = texts_of(groups, value.tolist())
    encoded = [texts[one].encode("utf-8", "surrogatepass") for one in value.tolist()]
    lengths = np.array([len(text) for text in encoded], dtype="<u4").tobytes()
    tail = zstd.compress(lengths + b"".join(encoded), _LEVEL)
    head = orjson.dumps([names[code] for code in sources.tolist()])
    return b"".join((_HEAD.pack(_VERSION, len(groups), len(head), len(body), len(tail)), head, body, tail))


def unpacked(pack: bytes, start_ms: int, names: Names) -> Groups:
    """Return the groups that bytes hold.

    Args:
        pack: A result of `packed`.
        start_ms: Where their span begins, epoch ms.
        names: Gives sources their numbers.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    if len(pack) < _HEAD.size or pack[:2] != _VERSION.to_bytes(2, "little"):
        raise ValueError(f"not a breakdown of version {_VERSION}; rebuild the rollups")
    _, size, head, body, tail = _HEAD.unpack_from(pack)
    at = _HEAD.size
    codes = np.array([names.code(name) for name in orjson.loads(pack[at : at + head])], dtype=np.int32)
    raw, low = zstd.decompress(pack[at + head : at + head + body]), 0
    columns: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        columns[name] = np.frombuffer(raw, kind, size, low)
        low += size * kind.itemsize
    for name in ("count", "first_ms", "last_ms"):
        columns[name] = columns[name].astype(np.int64)
    columns["first_ms"] += start_ms
    columns["last_ms"] += start_ms
    columns["source"] = codes[columns["source"]]
    texts = PackedTexts(columns["value"], pack[at + head + body : at + head + body + tail])
    return Groups(**columns, texts=(texts,))
