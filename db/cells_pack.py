"""The bytes that the rollup rows of all sources over a span are kept as: columns and sketches."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from backports import zstd

from db.cells import Cells
from db.columns import Names
from db.labelled_sources import OTHER, Numbers
from db.runs import run_places

_VERSION = 0x0102  # of no breakdown (db.breakdown_pack)
# Many sketches aren't compressed: unpacking all of them took most of the time that some labels' took.
_AS_THEY_ARE = 0x0103
_VERSIONS = (0x0101, _VERSION, _AS_THEY_ARE)  # the first one didn't tell labels apart (db.labelled_sources)
_MANY = 20_000
_LEVEL = 3
# version, bytes that a sketch's count takes and those of a bin, rows, (bin, count) pairs, bytes of the source names
# and of the columns
_HEAD = struct.Struct("<HBBIIII")
_STEP, _WHOLE = np.dtype("<u1"), np.dtype("<u2")  # a bin is told by how far it is from the one before, or by itself
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
    lengths = np.bincount(cells.sketch_row, minlength=len(cells)).astype("<u2")
    parts = [*(columns[name].astype(kind).tobytes() for name, kind in _TYPES.items()), lengths.tobytes()]
    bins, counts = cells.sketch_bin.astype(_WHOLE), cells.sketch_count.astype(_COUNT_TYPES[width])
    head = orjson.dumps([names[code] for code in sources.tolist()])
    version, sketches = _VERSION, b""
    if len(bins) < _MANY:
        parts += [bins.tobytes(), counts.tobytes()]
    else:
        version = _AS_THEY_ARE
        firsts, bins = _steps(bins, lengths)
        parts.append(firsts.tobytes())
        sketches = bins.tobytes() + counts.tobytes()
    body = zstd.compress(b"".join(parts), _LEVEL)
    sizes = (width, bins.itemsize, len(cells), len(bins), len(head), len(body))
    return b"".join((_HEAD.pack(version, *sizes), head, body, sketches))


def names_in(pack: bytes) -> list[str]:
    """Return what bytes call the sources of their rows.

    Args:
        pack: A result of `packed`.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    head = _head_of(pack)[-2]
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
    version, width, bin_width, rows, pairs, head, body = _head_of(pack)
    at = _HEAD.size
    codes = np.array([numbers.code(name) for name in orjson.loads(pack[at : at + head])], dtype=np.int64)
    taken = _Taken(zstd.decompress(pack[at + head : at + head + body]))
    columns: dict[str, Any] = {name: taken.column(kind, rows) for name, kind in _TYPES.items()}
    lengths = taken.column(_WHOLE, rows)
    firsts = taken.column(_WHOLE, rows) if version == _AS_THEY_ARE else None
    if version == _AS_THEY_ARE:
        taken = _Taken(pack, at + head + body)
    in_steps = firsts is not None and bin_width == _STEP.itemsize
    bins = taken.column(_STEP if in_steps else _WHOLE, pairs)
    counts = taken.column(_COUNT_TYPES[width], pairs)
    columns["source"] = codes[columns["source"]]
    own = np.flatnonzero(columns["source"] != OTHER)
    if len(own) < rows:  # before they are turned into what takes more room
        columns = {name: column[own] for name, column in columns.items()}
        begins, lengths = (np.cumsum(lengths, dtype=np.int64) - lengths)[own], lengths[own].astype(np.int64)
        place = run_places(begins, lengths)
        bins, counts = bins[place], counts[place]
        firsts = None if firsts is None else firsts[own]
    if in_steps:
        bins = _of_steps(firsts, bins, lengths)
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


class _Taken:
    """Columns that lie behind one another in some bytes, from a place on."""

    def __init__(self, raw: bytes, at: int = 0) -> None:
        self._raw, self._at = raw, at

    def column(self, kind: np.dtype[Any], size: int) -> Any:
        """Return the next one."""
        found = np.frombuffer(self._raw, kind, size, self._at)
        self._at += size * kind.itemsize
        return found


def _steps(bins: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the first bin of each row, and how far each one is from the one before; as they are where that is far."""
    begins = np.cumsum(lengths, dtype=np.int64) - lengths
    begins = begins[lengths > 0]
    firsts = np.zeros(len(lengths), dtype=_WHOLE)
    firsts[lengths > 0] = bins[begins]
    steps = np.diff(bins.astype(np.int64), prepend=0)
    steps[begins] = 0
    fits = not len(steps) or (steps.min() >= 0 and steps.max() <= np.iinfo(_STEP).max)
    return firsts, steps.astype(_STEP) if fits else bins


def _of_steps(firsts: Any, steps: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the bins of rows."""
    way = np.cumsum(steps, dtype=np.int32)
    begins = np.cumsum(lengths, dtype=np.int64) - lengths
    with_any = lengths > 0
    base = np.zeros(len(lengths), dtype=np.int32)
    base[with_any] = firsts[with_any] - way[begins[with_any]]  # the first step of a row is 0
    way += np.repeat(base, lengths)
    return way


def _head_of(pack: bytes) -> tuple[int, int, int, int, int, int, int]:
    """Return the version, the bytes of a count and of a bin, the rows, the pairs, the bytes of names and of columns."""
    if len(pack) < _HEAD.size or int.from_bytes(pack[:2], "little") not in _VERSIONS:
        raise ValueError(f"not rollup rows of version {_VERSION}; rebuild the rollups")
    version, width, bin_width, rows, pairs, head, body = _HEAD.unpack_from(pack)
    return version, width, bin_width, rows, pairs, head, body
