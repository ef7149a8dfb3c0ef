"""The ledger: what became of every metric that a collector was given, and its figures for people."""

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypedDict, TypeVar

from collector.entries import Entry

T = TypeVar("T")

_MOST_LOOKS = 10_000


class MetricsStats(TypedDict):
    """A collector's own figures; `recorded == flushed + dropped + pending` always holds.

    Keys:
        pending: Metrics that wait in the queue or are on their way.
        recorded: Metrics that record calls were given since this process began.
        flushed: Metrics that every sink has persisted.
        dropped: Metrics that are lost, in all.
        dropped_by_reason: The same by reason: `queue_full`, `invalid` (wrong types or values), `rejected` (the app
            didn't keep it), `refused` (the app took no batch at all, a wrong token for instance), `sink_error` (a sink
            raised something unforeseen again and again), `closed` (recorded after the close or not delivered before),
            `internal_error` (a bug of the collector).
        last_flush: When the last batch was delivered, epoch milliseconds; None before the first.
        last_error: What went wrong last, in one line; None when nothing did.
        spool_size: Metrics in the spool on disk; always 0 as long as there is none.
        batches: Batches delivered.
        retries: Attempts that were made again because a sink was away.
    """

    pending: int
    recorded: int
    flushed: int
    dropped: int
    dropped_by_reason: dict[str, int]
    last_flush: int | None
    last_error: str | None
    spool_size: int
    batches: int
    retries: int


class Tally:
    """A counter that any thread, signal handler or finalizer may advance and read without a lock."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps = itertools.count()

    def advance(self) -> None:
        """Count one more."""
        next(self._steps)  # one C call: atomic

    def value(self) -> int:
        """Say how many were counted."""
        # The one way to look at an itertools.count without advancing it, in every Python version: "count(5)".
        return int(repr(self._steps)[6:-1])


class Ledger:
    """Counts for one process; the worker's thread writes, anybody reads.

    Readers take no lock: a signal handler may flush in the middle of somebody's look, and if that somebody held a lock
    the worker could never settle what the handler waits for. Instead, the version is odd while something is being
    written, and whoever looks does so again until it was even and the same before and after (a sequence lock).

    Args:
        queue: The worker's queue: what is in it is pending.
    """

    def __init__(self, queue: deque[Entry]) -> None:
        self._queue = queue
        self._writing = threading.Lock()  # protects the counters, with removals from the queue's left end; no reader's
        self._version = 0
        self._taken = 0
        self._in_flight = 0
        self._flushed = 0
        self._dropped: Counter[str] = Counter()
        self._batches = 0
        self._retries = 0
        self._last_flush_ms: int | None = None
        self.last_error: str | None = None
        self.full = Tally()  # dropped by record calls: the queue was full
        self.late = Tally()  # dropped by record calls: the collector was closed

    def take(self, most: int) -> list[Entry]:
        """Move the oldest entries from the queue into flight."""
        entries: list[Entry] = []
        with self._change():
            while self._queue and len(entries) < most:
                try:
                    entries.append(self._queue.popleft())
                except IndexError:  # a record call has just dropped the last one
                    break
            self._taken += len(entries)
            self._in_flight += len(entries)
        return entries

    def drop(self, reason: str) -> None:
        """Settle one metric in flight: it is lost."""
        with self._change():
            self._in_flight -= 1
            self._dropped[reason] += 1

    def abandon(self, reason: str) -> None:
        """Settle whatever is in flight: it is lost."""
        with self._change():
            if self._in_flight:
                self._dropped[reason] += self._in_flight
                self._in_flight = 0

    def deliver(self, kept: int, lost: Iterable[str], *, now_ms: int) -> None:
        """Settle a batch: so many metrics are persisted, the others are lost for these reasons."""
        reasons = Counter(lost)
        with self._change():
            self._dropped += reasons
            self._flushed += kept
            self._in_flight -= kept + reasons.total()
            if kept:
                self._batches += 1
                self._last_flush_ms = now_ms

    def retry(self) -> None:
        """Count an attempt that is made again."""
        with self._change():
            self._retries += 1

    def ticket(self) -> tuple[int, int]:
        """Say how many entries there have been, in the queue or taken from it, and how many are pending now."""
        return self._look(lambda: (self._taken + len(self._queue), len(self._queue) + self._in_flight))

    def is_settled(self, ticket: int) -> bool:
        """Say whether the first `ticket` entries are delivered or lost."""
        return self._look(lambda: self._taken - self._in_flight >= ticket or not (self._queue or self._in_flight))

    def lost(self) -> int:
        """Say how many metrics are lost after they had been in the queue."""
        return self._look(lambda: self._dropped.total())

    def stats(self) -> MetricsStats:
        """Count everything; see `MetricsStats`."""
        return self._look(self._stats)

    def _stats(self) -> MetricsStats:
        dropped = self._dropped + Counter(queue_full=self.full.value(), closed=self.late.value())
        pending = len(self._queue) + self._in_flight
        return MetricsStats(
            pending=pending,
            recorded=self._flushed + dropped.total() + pending,
            flushed=self._flushed,
            dropped=dropped.total(),
            dropped_by_reason=dict(sorted(dropped.items())),
            last_flush=self._last_flush_ms,
            last_error=self.last_error,
            spool_size=0,
            batches=self._batches,
            retries=self._retries,
        )

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._writing:
            self._version += 1
            try:
                yield
            finally:
                self._version += 1

    def _look(self, look: Callable[[], T]) -> T:
        for _ in range(_MOST_LOOKS):
            version = self._version
            if version % 2 == 0:
                try:
                    found = look()
                except RuntimeError:  # a dict that was growing while it was read
                    continue
                if self._version == version:
                    return found
            time.sleep(0)  # gives way to the writer
        return look()  # the writer is this very thread, interrupted by a signal handler: no better answer will come
