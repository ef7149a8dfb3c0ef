"""Columns of whole numbers cut into blocks of rows: as they are, since unpacking many costs more than reading them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from backports import zstd

from db.results import IntArray

HUNDREDTHS = 100.0
ByteArray = npt.NDArray[np.uint8]
# What a number of three bytes is kept as: most durations and sizes fit, and a quarter of these columns is saved.
_THREE = "<u3"  # the two low ones of each row, then the high one of each


def kind_of(values: npt.NDArray[Any]) -> str:
    """Return the type that a column is kept as, of as few bytes as hold it.

    Args:
        values: Whole numbers; or floats, or numbers below 0, which are kept as they are.
    """
    if values.dtype.kind == "f" or int(values.min(initial=0)) < 0:
        return values.dtype.str
    most = int(values.max(initial=0))
    kinds = (("<u1", 0xFF), ("<u2", 0xFFFF), (_THREE, 0xFFFFFF), ("<u4", 0xFFFFFFFF))
    return next((kind for kind, largest in kinds if most <= largest), "<u8" if values.dtype.kind == "u" else "<i8")


def whole_hundredths(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return durations as whole hundredths (uint32), if that is what each of them is exactly; else as they are.

    Args:
        values: In milliseconds.
    """
    if not (values >= 0).all() or not (values < (1 << 32) / HUNDREDTHS - 1).all():
        return values
    whole = np.round(values * HUNDREDTHS).astype("<u4")
    return whole if (whole / HUNDREDTHS == values).all() else values


def of_hundredths(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the durations that `whole_hundredths` was given, in milliseconds."""
    return values if values.dtype.kind == "f" else values / HUNDREDTHS


def in_blocks(columns: Mapping[str, npt.NDArray[Any]], block_rows: int) -> tuple[dict[str, str], ByteArray]:
    """Return the columns' types, and the bytes of each block (the last one filled up): one column after the other.

    Args:
        columns: Of equal length, by name.
        block_rows: Rows of a block.
    """
    types: dict[str, str] = {}
    parts: list[ByteArray] = []
    for name, values in columns.items():
        types[name] = kind = kind_of(values)
        blocks = -(-len(values) // block_rows)
        padded = np.zeros(blocks * block_rows, dtype="<u4" if kind == _THREE else kind)
        padded[: len(values)] = values
        pieces = [(padded & 0xFFFF).astype("<u2"), (padded >> 16).astype("u1")] if kind == _THREE else [padded]
        parts += [piece.view(np.uint8).reshape(blocks, block_rows * piece.itemsize) for piece in pieces]
    return types, np.concatenate(parts, axis=1)


class RowBlocks:
    """Some blocks, put together.

    Args:
        blocks: What they were made of begins at `skipped`.
        types: Of the columns by name, in their order.
        block_rows: Rows of a block.
        skipped: Bytes before that in each.
        in_planes: An earlier version wrote them: compressed, the lowest byte of each row, the next of each...
    """

    def __init__(
        self, blocks: Sequence[bytes], types: Mapping[str, str], block_rows: int, skipped: int, *, in_planes: bool
    ) -> None:
        if in_planes:
            blocks, skipped = [zstd.decompress(memoryview(block)[skipped:]) for block in blocks], 0
        matrix: ByteArray = np.frombuffer(b"".join(blocks), np.uint8)
        self._matrix = matrix.reshape(len(blocks), -1)[:, skipped:]
        self._types, self._block_rows, self._in_planes = types, block_rows, in_planes

    def columns(self, names: Collection[str], where: IntArray | slice) -> dict[str, npt.NDArray[Any]]:
        """Return columns of some rows, in memory of their own.

        Args:
            names: Which columns.
            where: Which rows of these blocks, counted as if they were one.
        """
        found: dict[str, npt.NDArray[Any]] = {}
        low = 0
        for name, kind in self._types.items():
            width = _width(kind)
            if name in names:
                raw = self._matrix[:, low * self._block_rows : (low + width) * self._block_rows]
                rows = self._of_planes(raw, kind) if self._in_planes else self._as_they_are(raw, kind)
                found[name] = rows.reshape(-1)[where]
            low += width
        return found

    def _of_planes(self, raw: ByteArray, kind: str) -> npt.NDArray[Any]:
        width = np.dtype(kind).itemsize
        whole = np.empty((len(raw), self._block_rows, width), dtype=np.uint8)
        for place in range(width):  # numpy takes five times as long to turn all of it at once
            whole[..., place] = raw[:, place * self._block_rows : (place + 1) * self._block_rows]
        return whole.view(kind)

    def _as_they_are(self, raw: ByteArray, kind: str) -> npt.NDArray[Any]:
        if kind != _THREE:
            return np.ascontiguousarray(raw).view(kind)
        low_bytes = 2 * self._block_rows
        whole = raw[:, low_bytes:].astype("<u4")
        whole <<= 16
        whole |= np.ascontiguousarray(raw[:, :low_bytes]).view("<u2")
        return whole


def _width(kind: str) -> int:
    return 3 if kind == _THREE else np.dtype(kind).itemsize
