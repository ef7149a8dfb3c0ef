"""The bytes that the detail rows of five minutes are kept as beside their table: what statistics need of them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
from backports import zstd
from sqlalchemy.engine import Connection

from db.cells import SLOT_MS
from db.chunk import Chunk
from db.columns import DetailColumns, Names
from db.stored_packs import stored_packs

ROWS = "rows"  # the dimension that these are kept as, beside the breakdowns
_VERSION = 0x0201  # of no breakdown and of no rollup rows (db.breakdown_pack, db.cells_pack)
_LEVEL = 3
# version, rows, bytes of the source names and of the columns
_HEAD = struct.Struct("<HIII")
# One column after the other: alike numbers side by side compress best. A moment counts from the one before it.
_TYPES: dict[str, Any] = {
    "created_at_ms": np.dtype("<u4"),
    "source": np.dtype("<u2"),
    "flags": np.dtype("<u1"),
    "items": np.dtype("<i8"),
    "duration_ms": np.dtype("<f8"),
}
_SCRAPE, _SUCCESS = 1, 2


def packed(rows: DetailColumns, start_ms: int) -> bytes:
    """Return detail rows as bytes, exactly as they are.

    Args:
        rows: Rows of less than 49 days, in time order, with the columns of statistics.
        start_ms: Where their span begins, epoch ms.
    """
    sources, source = np.unique(rows.source, return_inverse=True)
    columns: dict[str, Any] = {
        "created_at_ms": np.diff(rows.created_at_ms, prepend=start_ms),
        "source": source,
        "flags": np.where(rows.scrape, _SCRAPE, 0) | np.where(rows.success, _SUCCESS, 0),
        "items": rows.items,
        "duration_ms": rows.duration_ms,
    }
    body = zstd.compress(b"".join(columns[name].astype(kind).tobytes() for name, kind in _TYPES.items()), _LEVEL)
    head = orjson.dumps([rows.source_names[code] for code in sources.tolist()])
    return b"".join((_HEAD.pack(_VERSION, len(rows), len(head), len(body)), head, body))


def unpacked(pack: bytes, start_ms: int, names: Names) -> Chunk:
    """Return the detail rows that bytes hold, in their order.

    Args:
        pack: A result of `packed`.
        start_ms: Where their span begins, epoch ms.
        names: Gives sources their numbers.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """
    if len(pack) < _HEAD.size or pack[:2] != _VERSION.to_bytes(2, "little"):
        raise ValueError(f"not detail rows of version {_VERSION}; rebuild the rollups")
    _, size, head, body = _HEAD.unpack_from(pack)
    at = _HEAD.size
    codes = np.array([names.code(name) for name in orjson.loads(pack[at : at + head])], dtype=np.int32)
    raw, low = zstd.decompress(pack[at + head : at + head + body]), 0
    columns: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        columns[name] = np.frombuffer(raw, kind, size, low)
        low += size * kind.itemsize
    flags = columns.pop("flags")
    return Chunk(
        columns
        | {
            "created_at_ms": np.cumsum(columns["created_at_ms"], dtype=np.int64) + start_ms,
            "source": codes[columns["source"]],
            "scrape": flags & _SCRAPE > 0,
            "success": flags & _SUCCESS > 0,
        },
        size,
    )


def read_row_packs(connection: Connection, starts: Sequence[int], names: Names) -> dict[int, Chunk]:
    """Read the rows of some spans of five minutes.

    Args:
        connection: An open connection.
        starts: Where they begin, epoch ms.
        names: Gives sources their numbers.

    Returns:
        Rows by start; a pack that isn't there is left out.
    """
    packs = stored_packs(connection, ROWS, SLOT_MS, starts)
    return {start_ms: unpacked(pack, start_ms, names) for start_ms, pack in packs}
