"""The bytes that groups are kept as in the database: columns and texts, compressed apart from each other."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
from backports import zstd

from db.breakdown import COLUMNS, OTHERS, Groups, of_columns, texts_of
from db.cells import SLOT_MS
from db.columns import Names
from db.hashes import HashArray
from db.labelled_sources import OTHER, Numbers
from db.row_blocks import RowBlocks, in_blocks, of_hundredths, whole_hundredths
from db.told_texts import ToldTexts

_VERSION = 2
_AS_THEY_ARE = 3  # of many groups: their columns aren't compressed, which takes longer than all else that is asked
_VERSIONS = (1, _VERSION, _AS_THEY_ARE)  # the first one didn't tell labels apart (db.labelled_sources)
_MANY = 1_000
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
    told: ToldTexts = field(default_factory=ToldTexts)

    def find(self, wanted: Collection[int]) -> dict[int, str]:
        """Return the texts of those wanted values that are known here."""
        return self.told.find(wanted, self._unpacked)

    def _unpacked(self, wanted: Collection[int]) -> dict[int, str]:
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
        names: What their source numbers stand for, as db.labelled_sources has it.
    """
    # By value: then texts are found without sorting them first, and added up with less of a search.
    groups = groups.chosen(np.argsort(groups.value, kind="stable"))
    sources, source = np.unique(groups.source, return_inverse=True)
    columns = {name: getattr(groups, name) for name in COLUMNS}
    columns |= {"source": source, "first_ms": groups.first_ms - start_ms, "last_ms": groups.last_ms - start_ms}
    version, body = _VERSION, b""
    # Those of five minutes are most of all that is kept, and few are ever asked for at once.
    if len(groups) >= _MANY and int(groups.last_ms.max()) - start_ms > SLOT_MS:
        version, body = _AS_THEY_ARE, _as_they_are(columns)
    else:
        body = zstd.compress(b"".join(columns[name].astype(kind).tobytes() for name, kind in _TYPES.items()), _LEVEL)
    value = np.unique(groups.value[groups.value != OTHERS])
    texts = texts_of(groups, value.tolist())
    encoded = [texts[one].encode("utf-8", "surrogatepass") for one in value.tolist()]
    lengths = np.array([len(text) for text in encoded], dtype="<u4").tobytes()
    tail = zstd.compress(lengths + b"".join(encoded), _LEVEL)
    head = orjson.dumps([names[code] for code in sources.tolist()])
    return b"".join((_HEAD.pack(version, len(groups), len(head), len(body), len(tail)), head, body, tail))


def names_in(pack: bytes) -> list[str]:
    """Return what bytes call the sources of their groups.

    Args:
        pack: A result of `packed`.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    _, head, _, _ = _head_of(pack)
    names: list[str] = orjson.loads(pack[_HEAD.size : _HEAD.size + head])
    return names


def unpacked(pack: bytes, start_ms: int, numbers: Numbers) -> Groups:
    """Return the groups that bytes hold, without those of OTHER sources (db.labelled_sources).

    Args:
        pack: A result of `packed`.
        start_ms: Where their span begins, epoch ms.
        numbers: Those of sources.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    return unpacked_all([(start_ms, pack)], numbers)[0]


def unpacked_all(packs: Sequence[tuple[int, bytes]], numbers: Numbers) -> list[Groups]:
    """Return the groups that each of some packs holds: many small ones cost little more than one.

    Args:
        packs: (where the span begins in epoch ms, a result of `packed`).
        numbers: Those of sources.

    Returns:
        The groups of each, without those of OTHER sources (db.labelled_sources); they share memory with the others'.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    known: dict[bytes, list[int]] = {}
    together = iter(_unpacked_together([pair for pair in packs if not _is_as_it_is(pair[1])], numbers, known))
    return [
        _unpacked_alone(start_ms, pack, numbers, known) if _is_as_it_is(pack) else next(together)
        for start_ms, pack in packs
    ]


def _unpacked_alone(start_ms: int, pack: bytes, numbers: Numbers, known: dict[bytes, list[int]]) -> Groups:
    size, head, _, tail = _head_of(pack)
    body_at, tail_at = _HEAD.size + head, len(pack) - tail
    end = pack.index(b"\n", body_at) + 1
    types = orjson.loads(pack[body_at:end])
    blocks, every = RowBlocks([pack[:tail_at]], types, size, end, in_planes=False), slice(0, size)
    codes = np.array(_codes_of(pack[_HEAD.size : body_at], numbers, known), dtype=np.int32)
    own = blocks.columns(("value", "source"), every)
    values = own["value"].astype(np.uint64, copy=False)  # of all groups: their texts are told by these
    chosen = np.flatnonzero(codes[own["source"]] != OTHER)
    own = blocks.columns(COLUMNS, every if len(chosen) == size else chosen)
    own |= {"max_ms": of_hundredths(own["max_ms"]), "source": codes[own["source"]]}
    own |= {name: own[name].astype(np.int64, copy=False) for name in ("count", "items", "data_size")}
    own |= {name: own[name].view(np.bool_) for name in ("scrape", "success")}
    own |= {name: own[name].astype(np.int64) + start_ms for name in ("first_ms", "last_ms")}
    own["value"] = own["value"].astype(np.uint64, copy=False)
    return of_columns([own[name] for name in COLUMNS], (PackedTexts(values, pack[tail_at:]),))


def _unpacked_together(
    packs: Sequence[tuple[int, bytes]], numbers: Numbers, known: dict[bytes, list[int]]
) -> list[Groups]:
    sizes: list[int] = []
    first_codes: list[int] = []  # where the sources of each pack begin among all of them
    codes: list[int] = []
    raws: list[bytes] = []
    texts: list[bytes] = []
    for _, pack in packs:
        size, head, body, tail = _head_of(pack)
        body_at = _HEAD.size + head
        sizes.append(size)
        first_codes.append(len(codes))
        codes += _codes_of(pack[_HEAD.size : body_at], numbers, known)
        raws.append(zstd.decompress(pack[body_at : body_at + body]))
        texts.append(pack[body_at + body : body_at + body + tail])
    columns: dict[str, Any] = {}
    begins = [0] * len(raws)
    for name, kind in _TYPES.items():
        ends = [low + size * kind.itemsize for low, size in zip(begins, sizes, strict=True)]
        joined = [raw[low:high] for raw, low, high in zip(raws, begins, ends, strict=True)]
        columns[name] = np.frombuffer(b"".join(joined), kind)
        begins = ends
    starts_ms = np.repeat(np.array([start_ms for start_ms, _ in packs], dtype=np.int64), sizes)
    columns["count"] = columns["count"].astype(np.int64)
    columns["first_ms"] = columns["first_ms"] + starts_ms
    columns["last_ms"] = columns["last_ms"] + starts_ms
    place = columns["source"] + np.repeat(np.array(first_codes, dtype=np.int64), sizes)
    columns["source"] = np.array(codes, dtype=np.int32)[place]
    values = columns["value"]  # of all groups: their texts are told by these
    bounds = own_bounds = np.cumsum([0, *sizes])
    chosen = np.flatnonzero(columns["source"] != OTHER)
    if len(chosen) < len(values):  # all at once: the groups of some labels are cut out of hundreds of packs
        columns = {name: column[chosen] for name, column in columns.items()}
        own_bounds = np.searchsorted(chosen, bounds)
    whole = [columns[name] for name in COLUMNS]
    found: list[Groups] = []
    cuts = zip(texts, pairwise(bounds.tolist()), pairwise(own_bounds.tolist()), strict=True)
    for text, (begin, end), (low, high) in cuts:
        found.append(of_columns([column[low:high] for column in whole], (PackedTexts(values[begin:end], text),)))
    return found


def _as_they_are(columns: dict[str, Any]) -> bytes:
    """Return columns as bytes of as few as hold each, after a line that says how many these are."""
    narrow = columns | {"max_ms": whole_hundredths(columns["max_ms"])}
    for name, kind in _TYPES.items():
        if kind == np.dtype("?"):
            narrow[name] = narrow[name].astype(np.uint8)
    types, matrix = in_blocks({name: narrow[name] for name in COLUMNS}, len(narrow["value"]))
    return orjson.dumps(types) + b"\n" + matrix.tobytes()


def _is_as_it_is(pack: bytes) -> bool:
    return pack[:2] == _AS_THEY_ARE.to_bytes(2, "little")


def _codes_of(sources: bytes, numbers: Numbers, known: dict[bytes, list[int]]) -> list[int]:
    """Return the numbers of the sources that a pack has, which many packs have alike."""
    if sources not in known:
        known[sources] = [numbers.code(name) for name in orjson.loads(sources)]
    return known[sources]


def _head_of(pack: bytes) -> tuple[int, int, int, int]:
    """Return how many groups there are, and the bytes of their source names, columns and texts."""
    if len(pack) < _HEAD.size or int.from_bytes(pack[:2], "little") not in _VERSIONS:
        raise ValueError(f"not a breakdown of version {_VERSION}; rebuild the rollups")
    _, size, head, body, tail = _HEAD.unpack_from(pack)
    return size, head, body, tail
