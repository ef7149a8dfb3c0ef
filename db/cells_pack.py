"""The bytes that the rollup rows of all sources over a span are kept as: columns and sketches, compressed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import orjson
from backports import zstd

from db.cells import Cells
from db.columns import Names
from db.labelled_sources import OTHER, Numbers
from db.runs import run_places

_VERSION = 0x0102  # of no breakdown (db.breakdown_pack)
_VERSIONS = (0x0101, _VERSION)  # the first one didn't tell labels apart (db.labelled_sources)
_LEVEL = 3
# version, bytes that a sketch's count takes, rows, (bin, count) pairs, bytes of the source names and of the columns
_HEAD = struct.Struct("<HHIIII")
# One column after the other: alike numbers side by side compress best. A start counts from that of the span.
_TYPES: dict[str, Any] = {
    "start_ms": np.dtype("<u4"),
    "source": np.dtype("<u2"),
    "navigations": np.dtype("<u4"),
    "scrapes": np.dtype("<u4"),
    "successes": np.dtype("<u4"),
    "items": np.dtype("<i8"),
    "last_seen_ms": np.dtype("<i8"),
    "last_ok_ms": np.dtype("<i8"),
    "sum_ms": np.dtype("<f8"),
    "min_ms": np.dtype("<f8"),
    "max_ms": np.dtype("<f8"),
}
_COUNT_TYPES: dict[int, Any] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


def packed(cells: Cells, start_ms: int, names: Names) -> bytes:
    """Return rollup rows as bytes.

    Args:
        cells: Rows of less than 49 days, with rising `sketch_row`.
        start_ms: Where their span begins, epoch ms.
        names: What their source numbers stand for, as db.labelled_sources has it.
    """
    sources, source = np.unique(cells.source, return_inverse=True)
    columns: dict[str, Any] = {name: getattr(cells, name) for name in _TYPES}
    columns |= {"start_ms": cells.start_ms - start_ms, "source": source}
    most = int(cells.sketch_count.max()) if len(cells.sketch_count) else 0
    width = next(width for width in _COUNT_TYPES if most < 1 << 8 * width)
    parts = [columns[name].astype(kind).tobytes() for name, kind in _TYPES.items()]
    parts += [
        np.bincount(cells.sketch_row, minlength=len(cells)).astype("<u2").tobytes(),
        cells.sketch_bin.astype("<u2").tobytes(),
        cells.sketch_count.astype(_COUNT_TYPES[width]).tobytes(),
    ]
    body = zstd.compress(b"".join(parts), _LEVEL)
    head = orjson.dumps([names[code] for code in sources.tolist()])
    return b"".join((
        _HEAD.pack(_VERSION, width, len(cells), len(cells.sketch_bin), len(head), len(body)), head, body,
    ))  # fmt: skip


def names_in(pack: bytes) -> list[str]:
    """Return what bytes call the sources of their rows.

    Args:
        pack: A result of `packed`.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    _, _, _, head, _ = _head_of(pack)
    names: list[str] = orjson.loads(pack[_HEAD.size : _HEAD.size + head])
    return names


def unpacked(pack: bytes, start_ms: int, numbers: Numbers) -> Cells:
    """Return the rollup rows that bytes hold, in the order that they were packed in, without those of OTHER sources.

    Args:
        pack: A result of `packed`.
        start_ms: Where their span begins, epoch ms.
        numbers: Those of sources.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    width, rows, pairs, head, body = _head_of(pack)
    at = _HEAD.size
    codes = np.array([numbers.code(name) for name in orjson.loads(pack[at : at + head])], dtype=np.int64)
    raw, low = zstd.decompress(pack[at + head : at + head + body]), 0

    def taken(kind: Any, count: int) -> Any:
        nonlocal low
        column = np.frombuffer(raw, kind, count, low)
        low += count * kind.itemsize
        return column

    columns: dict[str, Any] = {name: taken(kind, rows) for name, kind in _TYPES.items()}
    lengths = taken(np.dtype("<u2"), rows)
    bins, counts = taken(np.dtype("<u2"), pairs), taken(_COUNT_TYPES[width], pairs)
    columns["source"] = codes[columns["source"]]
    own = np.flatnonzero(columns["source"] != OTHER)
    if len(own) < rows:  # before they are turned into what takes more room
        columns = {name: column[own] for name, column in columns.items()}
        begins, lengths = (np.cumsum(lengths, dtype=np.int64) - lengths)[own], lengths[own].astype(np.int64)
        place = run_places(begins, lengths)
        bins, counts = bins[place], counts[place]
    for name, kind in _TYPES.items():
        if kind.kind != "f":
            columns[name] = columns[name].astype(np.int64, copy=False)
    columns["start_ms"] += start_ms
    # Made of detail rows, each kind by itself; where of old tables, nobody can tell any more.
    columns["seen_since_ms"] = columns["last_seen_ms"]
    return Cells(
        **columns,
        sketch_row=np.repeat(np.arange(len(own), dtype=np.int32), lengths),
        sketch_bin=bins.astype(np.int16),
        # Whole numbers up to 2^24 are exact in 32 bits.
        sketch_count=counts.astype(
            np.float32 if width < 4 or not len(counts) or counts.max() < 1 << 24 else np.float64
        ),
    )


def _head_of(pack: bytes) -> tuple[int, int, int, int, int]:
    """Return the bytes that a count takes, how many rows and pairs there are, and the bytes of names and of columns."""
    if len(pack) < _HEAD.size or int.from_bytes(pack[:2], "little") not in _VERSIONS:
        raise ValueError(f"not rollup rows of version {_VERSION}; rebuild the rollups")
    _, width, rows, pairs, head, body = _HEAD.unpack_from(pack)
    return width, rows, pairs, head, body
