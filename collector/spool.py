"""The spool: what can't be delivered now waits on the disk, bounded, also beyond the end of the process."""

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from collector.errors import InvalidMetric
from collector.events import Event, event_from_wire
from collector.run_events import ScraperRun
from collector.segment import CAN_LOCK, SUFFIX, Record, Segment, is_abandoned, size_of
from collector.sinks import Batch

_LEAST_SEGMENT_BYTES = 64 << 10
_MOST_SEGMENT_BYTES = 4 << 20
_SEGMENTS = 256  # that many processes can spool at once, as each needs a file of its own
_LEAST_FILE_BYTES = 4096  # what a file takes on most disks, however little is in it
_ADOPTED_AT_ONCE = 16  # files; the others are for other processes
_LOCK_TRIES = 20
_LOCK_PAUSE_S = 0.01


class Found(NamedTuple):
    """The oldest parcel in a spool, or why there is none to deliver.

    Args:
        segment: Its file.
        record: Its place there.
        batch: What it holds; None when it can't or mustn't be delivered.
        lost: Then why: `spool_torn` (what is on the disk isn't what was written) or `expired`.
    """

    segment: Segment
    record: Record
    batch: Batch | None
    lost: str | None


class Gone(NamedTuple):
    """A batch that a full spool let go.

    Args:
        batch_id: Its id; empty when it can't be read any more.
        metrics: Metrics in it.
        adopted: Whether another process recorded them.
    """

    batch_id: str
    metrics: int
    adopted: bool


def default_folder() -> Path | None:
    """Say where spools are by default: `scrapeboard/spool` in the user's state directory; None when there is none.

    See the XDG Base Directory Specification, `XDG_STATE_HOME`.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    if given and os.path.isabs(given):
        return Path(given) / "scrapeboard" / "spool"
    home = os.path.expanduser("~")
    return Path(home) / ".local" / "state" / "scrapeboard" / "spool" if os.path.isabs(home) else None


def folder_name(target: str) -> str:
    """Name the folder of a target (an app's address): readable, and another one for each."""
    return (
        f"{re.sub('[^A-Za-z0-9.]+', '-', target)[:40].strip('-.')}-{hashlib.sha256(target.encode()).hexdigest()[:12]}"
    )


class Spool:
    """Parcels on the disk for one target, oldest first; one thread at a time uses it (the courier's lock).

    The directory is shared with other processes: each writes files of its own, which it has locked, and takes over
    those of processes that are gone. Nothing is made on the disk before there is something to write.

    Args:
        folder: The target's own.
        max_bytes: How much may lie there, of all processes together.
        max_age_s: What is older isn't delivered any more: the app remembers batch ids for 30 days, so that up to then
            a second delivery is harmless.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_age_s: float) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._segment_bytes = min(max(max_bytes // _SEGMENTS, _LEAST_SEGMENT_BYTES), _MOST_SEGMENT_BYTES)
        self._segments: deque[Segment] = deque()  # oldest first
        self._active: Segment | None = None  # the one that is written to
        self.process_id = os.getpid()

    @property
    def metrics(self) -> int:
        """How many metrics wait in this process's files."""
        return sum(segment.metrics for segment in tuple(self._segments))

    @property
    def adopted(self) -> int:
        """How many of them other processes recorded."""
        return sum(segment.metrics for segment in tuple(self._segments) if segment.adopted)

    @property
    def size_bytes(self) -> int:
        """How large this process's files are, in bytes."""
        return sum(segment.size for segment in tuple(self._segments))

    def put(self, batch: Batch) -> list[Gone]:
        """Write a batch to the disk.

        Returns:
            What had to go for it because the spool was full: the oldest that isn't on its way, or, where this process
            has nothing old, the batch itself.

        Raises:
            OSError: The disk doesn't take it.
        """
        payload = encode(batch)
        count = len(batch.events)
        gone: list[Gone] = []
        active = self._active
        if active is None or active.size + size_of(payload) > self._segment_bytes:
            with self._directory_lock():
                while not self._has_room(size_of(payload)):
                    oldest = next((one for one in self._segments if one is not self._segments[0]), None)
                    if oldest is None or oldest is active:
                        return [*gone, Gone(batch.batch_id, count, False)]
                    gone += self._let_go(oldest)
                active = self._active = self._create()
                self._segments.append(active)
                self._write(active, payload, count)
        else:
            self._write(active, payload, count)
        return gone

    def oldest(self) -> Found | None:
        """Give the parcel that has waited longest; `settle` it when it is delivered or lost.

        Raises:
            OSError: The disk can't be read.
        """
        while self._segments:
            segment = self._segments[0]
            record = segment.oldest()
            if record is None:
                self._finish(segment)
                continue
            if record.written_at_ms and time.time() - record.written_at_ms / 1000 > self._max_age_s:
                return Found(segment, record, None, "expired")
            payload = segment.read(record)
            batch = decode(payload, record.written_at_ms) if payload is not None else None
            return Found(segment, record, batch, None if batch is not None else "spool_torn")
        return None

    def settle(self, found: Found) -> None:
        """Forget a parcel; its file goes with the last one.

        Raises:
            OSError: The disk can't be written: the file stays, and what is in it may be delivered a second time.
        """
        found.segment.settle(found.record)
        if not found.segment.records:
            self._finish(found.segment)

    def adopt(self) -> int:
        """Take over files of processes that are gone; the number of metrics that wait in them.

        Raises:
            OSError: The directory can't be read.
        """
        if not CAN_LOCK:
            return 0
        mine = {segment.path.name for segment in self._segments}
        try:
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(SUFFIX) and name not in mine)
        except FileNotFoundError:
            return 0
        adopted: list[Segment] = []
        for name in names:
            segment = Segment.adopt(self.folder / name)
            if segment is None:
                continue
            if not segment.records:
                segment.close(delete=True)
                continue
            adopted.append(segment)
            if len(adopted) == _ADOPTED_AT_ONCE:
                break
        # What is being read stays in front; files of others are older than what we write next.
        first, rest = list(self._segments)[:1], list(self._segments)[1:]
        self._segments = deque([*first, *sorted([*adopted, *rest], key=lambda one: one.path.name)])
        return sum(segment.metrics for segment in adopted)

    def close(self) -> None:
        """Give all files up, for another process to deliver."""
        for segment in self._segments:
            with contextlib.suppress(OSError):
                segment.close(delete=not segment.records)
        self._segments.clear()
        self._active = None

    def take_over(self, other: "Spool") -> None:
        """Go on with the files of a spool for the same target that this process has used until now."""
        self._segments, self._active = other._segments, other._active
        other._segments, other._active = deque(), None

    def after_fork(self) -> None:
        """Leave the parent's files to the parent."""
        for segment in self._segments:
            segment.forget()
        self._segments.clear()
        self._active = None

    def _write(self, segment: Segment, payload: bytes, count: int) -> None:
        try:
            segment.append(payload, count, time.time_ns() // 1_000_000)
        except OSError:
            if not segment.records:
                self._finish(segment)
            raise

    def _create(self) -> Segment:
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        return Segment.create(self.folder / name)

    def _finish(self, segment: Segment) -> None:
        self._segments.remove(segment)
        if segment is self._active:
            self._active = None
        segment.close(delete=True)

    def _let_go(self, segment: Segment) -> list[Gone]:
        gone: list[Gone] = []
        for record in segment.waiting():
            payload = segment.read(record)
            batch_id = "" if payload is None else payload.partition(b"\n")[0].decode("ascii", "replace")
            gone.append(Gone(batch_id, record.metrics, segment.adopted))
        self._finish(segment)
        return gone

    def _has_room(self, more_bytes: int) -> bool:
        """Say whether a file more may be made.

        Each counts as the full length that it may still get; those of processes that are gone get no longer. Whose they
        are is asked only when it matters: a job that runs every minute leaves hundreds of them while the app is away.
        """
        try:
            with os.scandir(self.folder) as entries:
                found = [(entry.name, _length(entry)) for entry in entries if entry.name.endswith(SUFFIX)]
        except FileNotFoundError:
            found = []
        left = self._max_bytes - max(more_bytes, self._segment_bytes)
        if sum(max(size, self._segment_bytes) for _, size in found) <= left:
            return True
        ours = {segment.path.name for segment in self._segments if segment is not self._active}
        used = 0
        for name, size in found:
            used += max(size, _LEAST_FILE_BYTES)
            if size < self._segment_bytes and name not in ours and not is_abandoned(self.folder / name):
                used += self._segment_bytes - max(size, _LEAST_FILE_BYTES)
            if used > left:
                return False
        return True

    @contextlib.contextmanager
    def _directory_lock(self) -> Iterator[None]:
        """Keep other processes from making files meanwhile; one that is stopped in here is waited for only so long."""
        for folder in (self.folder.parent, self.folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock_file(self.folder / "lock")
        try:
            yield
        finally:
            os.close(lock)


def encode(batch: Batch) -> bytes:
    """Give a batch the form in which it lies on the disk: its id, a line's end, its events as JSON."""
    return f"{batch.batch_id}\n[{batch.text()}]".encode()


def decode(payload: bytes, written_at_ms: int) -> Batch | None:
    """Make the batch again, under the same id; None when that can't be."""
    identity, _, text = payload.partition(b"\n")
    now_ms = max(written_at_ms, time.time_ns() // 1_000_000)  # the clock may have been set back since
    try:
        events: list[Event] = [event_from_wire(wire, now_ms=now_ms) for wire in json.loads(text)]
        batch_id = identity.decode("ascii")
    except (ValueError, RecursionError, InvalidMetric, TypeError):  # written by another version, perhaps
        return None
    runs = tuple(event for event in events if isinstance(event, ScraperRun))
    return Batch(batch_id, tuple(event for event in events if not isinstance(event, ScraperRun)), runs)


def _length(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # delivered meanwhile
        return 0


def _lock_file(path: Path) -> int:
    from fcntl import LOCK_EX, LOCK_NB, flock  # here: `CAN_LOCK` was asked before

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(_LOCK_TRIES):
        try:
            flock(descriptor, LOCK_EX | LOCK_NB)
        except OSError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            break
    return descriptor
