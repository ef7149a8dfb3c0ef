"""Parquet files: a sheet with typed columns, written while it is read, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, Final

from charts.sheet import Cells, Field, Kind, Sheet, plain

if TYPE_CHECKING:
    from arro3.core import DataType, RecordBatch, Schema

_ROW_GROUP_ROWS: Final = 50_000
_PIECE_BYTES: Final = 256 << 10
_PIECES_AHEAD: Final = 8


def parquet_chunks(sheet: Sheet) -> Iterator[bytes]:
    """Write a sheet as Parquet: times as timestamp[ms, UTC], zstd, a row group for every 50,000 rows.

    A thread writes, at most two megabytes ahead of who reads; it ends with the iterator.

    Args:
        sheet: What to write.

    Yields:
        The file's bytes.
    """
    pipe = _Pipe()
    writer = threading.Thread(target=_write, args=(sheet, pipe), name="parquet", daemon=True)
    writer.start()
    try:
        yield from pipe.read()
    finally:
        pipe.leave()
        writer.join()


class _ReaderLeftError(Exception):
    """Nobody reads what is written any more."""


class _Pipe:
    """A file to write to, for a library that wants one, whose bytes another thread takes out."""

    def __init__(self) -> None:
        # Carries bytes, then None or what went wrong; bounded, so that the writer waits for a slow reader.
        self._pieces: Queue[bytes | BaseException | None] = Queue(_PIECES_AHEAD)
        self._left = threading.Event()
        self._piece = bytearray()
        self._written = 0

    def write(self, data: bytes) -> int:
        """Take bytes; when nobody wants them any more they are dropped: the library panics where a file fails."""
        self._piece += data
        self._written += len(data)
        if len(self._piece) >= _PIECE_BYTES:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._piece:
            self._put(bytes(self._piece))
            self._piece.clear()

    def tell(self) -> int:
        """Return how much was written."""
        return self._written

    def seek(self, offset: int, whence: int = 0) -> int:
        """Refuse: the writer looks whether there is a `seek`, and never calls it."""
        raise OSError(f"a pipe can't seek to {offset}, {whence}")

    def end(self, problem: BaseException | None) -> None:
        """Say that this is all, or what went wrong."""
        if problem is None:
            self.flush()
        self._put(problem)

    def read(self) -> Iterator[bytes]:
        """Return what is written, until its end; raises what went wrong."""
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def leave(self) -> None:
        """Let the writer end with its next rows, also when it waits for room now."""
        self._left.set()
        while True:
            try:
                self._pieces.get_nowait()
            except Empty:
                return

    @property
    def left(self) -> bool:
        """Whether nobody reads any more."""
        return self._left.is_set()

    def _put(self, piece: bytes | BaseException | None) -> None:
        if not self.left:
            self._pieces.put(piece)


def _write(sheet: Sheet, pipe: _Pipe) -> None:
    # Imported late: a program that never exports doesn't carry 15 MB of it.
    from arro3.core import RecordBatchReader
    from arro3.io import write_parquet

    problems: list[Exception] = []
    schema = _schema(sheet.fields)

    def batches() -> Iterator[RecordBatch]:
        try:
            for rows in sheet.chunks():
                if pipe.left:
                    raise _ReaderLeftError
                yield _batch(schema, sheet.fields, rows)
        except Exception as exc:
            problems.append(exc)  # the library passes on no more than its text
            raise

    try:
        write_parquet(
            RecordBatchReader.from_batches(schema, batches()),
            pipe,  # type: ignore[arg-type]  # all of a file that is needed
            compression="zstd(3)",
            max_row_group_size=_ROW_GROUP_ROWS,
            created_by="Scrapeboard",
        )
    except Exception as exc:  # noqa: BLE001 - the reader raises it, or has left
        pipe.end(problems[0] if problems else exc)
    else:
        pipe.end(None)


def _type(kind: Kind) -> DataType:
    from arro3.core import DataType

    types = {
        "text": DataType.utf8(),
        "time": DataType.timestamp("ms", tz="UTC"),
        "whole": DataType.int64(),
        "number": DataType.float64(),
        "flag": DataType.bool(),
    }
    return types[kind]


def _schema(fields: Sequence[Field]) -> Schema:
    from arro3.core import Field as ArrowField
    from arro3.core import Schema

    names: dict[str, int] = {}
    columns = []
    for field in fields:  # readers want names that differ
        again = names[field.name] = names.get(field.name, 0) + 1
        name = field.name if again == 1 else f"{field.name} ({again})"
        columns.append(ArrowField(name, _type(field.kind), nullable=True))
    return Schema(columns)


def _batch(schema: Schema, fields: Sequence[Field], rows: Sequence[Cells]) -> RecordBatch:
    from arro3.core import RecordBatch

    columns = [_array(field.kind, values) for field, values in zip(fields, zip(*rows, strict=True), strict=True)]
    return RecordBatch.from_arrays(columns, schema=schema)


def _array(kind: Kind, values: Sequence[object]) -> Any:
    from arro3.core import Array, DataType

    cells = list(plain(kind, values))
    if kind == "time":
        return Array(cells, type=DataType.int64()).cast(_type("time"))
    return Array(cells, type=_type(kind))
