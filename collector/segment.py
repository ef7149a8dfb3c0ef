"""One file of a spool: parcels one after the other, each with its length and checksum, written by one process."""

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows: without locks nobody knows whose file it is, so there is no spool
    fcntl = None  # type: ignore[assignment]

# marker, length of the payload, metrics in it, when it was written (epoch ms), checksum of the three and the payload
_HEADER = struct.Struct(">4sIIQI")
_CHECKED = struct.Struct(">IIQ")
_WAITING = b"SBm1"
_SETTLED = b"SBx1"  # overwrites the marker when nobody has to deliver it any more
_MARKERS = (_WAITING, _SETTLED)
_MOST_METRICS = 100_000  # what a torn header says beyond isn't believed
_SEARCH_BYTES = 1 << 20

SUFFIX = ".spool"
CAN_LOCK = fcntl is not None


class Record(NamedTuple):
    """A parcel's place in its file.

    Args:
        offset: Where it begins, in bytes.
        end: Where the next one begins.
        metrics: Metrics in it.
        written_at_ms: Epoch milliseconds.
        waiting: Whether it still has to be delivered.
        whole: False when it can't be: the write was torn.
    """

    offset: int
    end: int
    metrics: int
    written_at_ms: int
    waiting: bool
    whole: bool


def size_of(payload: bytes) -> int:
    """Say how many bytes a payload takes in a file."""
    return _HEADER.size + len(payload)


def is_abandoned(path: Path) -> bool:
    """Say whether a file's process is gone, so that nobody writes to it any more; one that isn't there is, too."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        _lock(descriptor)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


class Segment:
    """A file that this process has locked, and what in it still has to be delivered.

    The lock is the process's life: it goes with it, however it ends.

    Args:
        path: The file.
        descriptor: Opened for reading and writing, and locked.
        adopted: Whether another process wrote it.
    """

    __slots__ = ("_descriptor", "_next", "adopted", "metrics", "path", "records", "size")

    def __init__(self, path: Path, descriptor: int, *, adopted: bool = False) -> None:
        self.path = path
        self.adopted = adopted
        self._descriptor = descriptor
        self.size = 0
        self.metrics = 0  # still to be delivered
        self.records = 0
        self._next = 0  # where to read on

    @classmethod
    def create(cls, path: Path) -> "Segment":
        """Make a new file, readable by its owner alone.

        Raises:
            OSError: It can't be made or locked.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> "Segment | None":
        """Take over the file of a process that is gone; None when its process lives or another one was faster.

        Raises:
            OSError: It can't be read.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            _lock(descriptor)
        except OSError:  # somebody has it
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_nlink == 0:  # delivered and deleted between our open and our lock
            os.close(descriptor)
            return None
        segment = cls(path, descriptor, adopted=True)
        try:
            segment._survey()
        except OSError:
            os.close(descriptor)
            raise
        return segment

    def append(self, payload: bytes, count: int, now_ms: int) -> None:
        """Write a parcel in one call, whole or not at all.

        Raises:
            OSError: The disk is full, read-only, gone; what was written of it is taken back.
        """
        checksum = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(len(payload), count, now_ms)))
        data = _HEADER.pack(_WAITING, len(payload), count, now_ms, checksum) + payload
        try:
            written = os.pwrite(self._descriptor, data, self.size)
            if written != len(data):
                raise OSError(28, f"only {written} of {len(data)} bytes were written")  # 28: ENOSPC
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)
        self.metrics += count
        self.records += 1

    def oldest(self) -> Record | None:
        """Give the oldest parcel that still waits, without its content; None when there is none."""
        while (record := self._walk(self._next)) is not None:
            if record.waiting:
                return record
            self._next = record.end
        return None

    def read(self, record: Record) -> bytes | None:
        """Read a parcel's content; None when its checksum says that it isn't what was written."""
        data = os.pread(self._descriptor, record.end - record.offset, record.offset)
        if len(data) < _HEADER.size or not record.whole:
            return None
        _, length, count, written_at_ms, checksum = _HEADER.unpack_from(data)
        payload = data[_HEADER.size :]
        if len(payload) != length:
            return None
        right = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, count, written_at_ms)))
        return payload if right == checksum else None

    def settle(self, record: Record) -> None:
        """Note on the disk that nobody has to deliver a parcel any more; not to be told would only double the work."""
        self._next = max(self._next, record.end)
        self.metrics -= record.metrics
        self.records -= 1
        os.pwrite(self._descriptor, _SETTLED, record.offset)

    def waiting(self) -> list[Record]:
        """Give all parcels that still wait."""
        found: list[Record] = []
        offset = self._next
        while (record := self._walk(offset)) is not None:
            if record.waiting:
                found.append(record)
            offset = record.end
        return found

    def close(self, *, delete: bool) -> None:
        """Give the file up: deleted when nothing is left in it, else for another process to adopt."""
        try:
            if delete:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def forget(self) -> None:
        """Close the descriptor in a forked child; the lock stays the parent's."""
        os.close(self._descriptor)

    def _survey(self) -> None:
        self.size = os.fstat(self._descriptor).st_size
        found = self.waiting()
        self.records = len(found)
        self.metrics = sum(record.metrics for record in found)

    def _walk(self, offset: int) -> Record | None:
        """Give the record at an offset; where there is none, what lies until the next one counts as torn."""
        if offset >= self.size:
            return None
        header = os.pread(self._descriptor, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            return Record(offset, self.size, 0, 0, True, False)
        marker, length, count, written_at_ms, _ = _HEADER.unpack(header)
        end = offset + _HEADER.size + length
        if marker in _MARKERS and end <= self.size and count <= _MOST_METRICS:
            return Record(offset, end, count, written_at_ms, marker == _WAITING, True)
        known = marker in _MARKERS and count <= _MOST_METRICS
        return Record(
            offset, self._next_marker(offset + 1), count if known else 0, written_at_ms if known else 0, True, False
        )

    def _next_marker(self, offset: int) -> int:
        while offset < self.size:
            data = os.pread(self._descriptor, _SEARCH_BYTES, offset)
            places = [place for place in map(data.find, _MARKERS) if place >= 0]
            if places:
                return offset + min(places)
            offset += max(1, len(data) - len(_WAITING) + 1)
        return self.size


def _lock(descriptor: int) -> None:
    if fcntl is None:
        raise OSError("this system has no file locks")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
