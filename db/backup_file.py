"""The backup's file format: zstd over lines of JSON, readable with `zstd -dc FILE`.

The first line is the header (format, schema, columns and expected rows of each table), then come lines of rows, and the
last line has the rows and the checksum of each table: a file without it was cut off.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from backports import zstd

from db.errors import BadBackup
from db.portable import Checksum, coded
from db.rows import Row

FORMAT = 1
_MAX_LINE_BYTES = 256 << 20  # far above a chunk of the longest rows; bounds what a damaged file makes us read
_LEVEL = 3
# The stream carries a checksum of its own: what the tables' checksums don't cover (the header, the names of columns) is
# found to be damaged too, before anything is replaced.
_OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: _LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says."""

    schema: str
    made_at_ms: int
    columns: dict[str, list[str]]  # by table
    rows: dict[str, int]  # by table


@dataclass(slots=True)
class BackupWriter:
    """Writes one file; made by `write_backup`. Its methods raise BadBackup when the disk doesn't take it."""

    _path: Path
    _stream: Any
    _sums: dict[str, Checksum] = field(default_factory=dict)

    def header(self, header: Header) -> None:
        """Write the first line.

        Args:
            header: What it says.
        """
        self._sums = {name: Checksum() for name in header.columns}
        self._line({
            "scrapeboardBackup": FORMAT, "schema": header.schema, "madeAt": header.made_at_ms,
            "columns": header.columns, "rows": header.rows,
        })  # fmt: skip

    def rows(self, table: str, rows: Sequence[Row]) -> None:
        """Write some rows.

        Args:
            table: One of the header's.
            rows: Portable rows, in the order of the header's columns.
        """
        self._sums[table].add(rows)
        self._line({"table": table, "rows": rows})

    def end(self) -> dict[str, int]:
        """Write the last line.

        Returns:
            Rows by table.
        """
        self._line({"end": {name: {"rows": found.rows, "checksum": found.hex()} for name, found in self._sums.items()}})
        return {name: found.rows for name, found in self._sums.items()}

    def _line(self, value: object) -> None:
        try:
            self._stream.write(coded(value) + b"\n")
        except OSError as exc:  # said here, before who reads a database takes it for trouble over there
            raise _cannot_write(self._path, exc) from exc


@contextmanager
def write_backup(path: Path) -> Iterator[BackupWriter]:
    """Write a file that is there whole or not at all: beside it first (`FILE.part`), synced, then renamed.

    Args:
        path: Where; a file that is there is replaced at the end of the block.

    Yields:
        The writer.

    Raises:
        BadBackup: The file can't be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as raw:
            with zstd.ZstdFile(raw, "wb", options=_OPTIONS) as stream:
                yield BackupWriter(path, stream)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(path)
        _sync_directory(path.parent)
    except OSError as exc:
        raise _cannot_write(path, exc) from exc
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> BadBackup:
    return BadBackup(str(path), f"can't be written: {error.strerror or error}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class BackupReader:
    """Reads one file from its beginning: the header at once, then `rows`.

    Args:
        path: The file.

    Raises:
        BadBackup: It isn't there, is no backup, or was made by a newer program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sums: dict[str, Checksum] = {}
        self._stream: zstd.ZstdFile | None = None
        try:
            self._raw = path.open("rb")
        except OSError as exc:
            raise BadBackup(str(path), f"can't be read: {exc.strerror or exc}") from exc
        try:
            self.header = self._header()
        except BaseException:
            self._raw.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """Read all rows, and make sure at the end that they are those that were written.

        Yields:
            (table, portable rows in the order of the header's columns).

        Raises:
            BadBackup: The file is damaged or ends early; known before the last of the rows was used, or after it.
        """
        self.sums = {name: Checksum() for name in self.header.columns}
        while True:
            line = self._line()
            if "end" in line:
                break
            table, rows = line.get("table"), line.get("rows")
            if table not in self.sums or not isinstance(rows, list):
                raise self._damaged("a line of it makes no sense")
            width = len(self.header.columns[table])
            if any(not isinstance(row, list) or len(row) != width for row in rows):
                raise self._damaged(f"a row of {table} makes no sense")
            try:
                decoded = [tuple(_decoded(value) for value in row) for row in rows]
            except (KeyError, TypeError, ValueError) as exc:
                raise self._damaged(f"a value of {table} makes no sense") from exc
            self.sums[table].add(decoded)
            yield table, decoded
        wanted = {name: {"rows": found.rows, "checksum": found.hex()} for name, found in self.sums.items()}
        if line["end"] != wanted:
            raise self._damaged("its rows aren't those that were written (count or checksum)")

    def _header(self) -> Header:
        first = self._raw.read(4)
        self._raw.seek(0)
        if first != b"\x28\xb5\x2f\xfd":  # what every zstd frame begins with
            raise BadBackup(str(self.path), "is no backup of Scrapeboard")
        self._stream = zstd.ZstdFile(self._raw, "rb")
        line = self._line()
        version = line.get("scrapeboardBackup")
        if not isinstance(version, int):
            raise BadBackup(str(self.path), "is no backup of Scrapeboard")
        if version > FORMAT:
            raise BadBackup(str(self.path), f"has format {version}, this program knows {FORMAT}; use a newer one")
        try:
            return Header(
                schema=str(line["schema"]),
                made_at_ms=int(line["madeAt"]),
                columns={str(name): [str(column) for column in columns] for name, columns in line["columns"].items()},
                rows={str(name): int(count) for name, count in line["rows"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise self._damaged("its header makes no sense") from exc

    def _line(self) -> dict[str, Any]:
        assert self._stream is not None
        try:
            text = self._stream.readline(_MAX_LINE_BYTES)
            line = orjson.loads(text) if text.endswith(b"\n") else None
        except (OSError, EOFError, zstd.ZstdError, orjson.JSONDecodeError) as exc:
            raise self._damaged("it is damaged or was cut off") from exc
        if not isinstance(line, dict):
            raise self._damaged("it is damaged or was cut off")
        return line

    def _damaged(self, why: str) -> BadBackup:
        return BadBackup(str(self.path), f"can't be used, {why}; use another one")


def _decoded(value: Any) -> Any:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value
