"""The ledger: what became of every metric that a collector was given, and its figures for people."""

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypedDict, TypeVar

from collector.entries import Entry
from collector.parcel import Account

T = TypeVar("T")

_MOST_LOOKS = 10_000


class MetricsStats(TypedDict):
    """A collector's own figures; `recorded + adopted == flushed + dropped + pending + left_on_disk` always holds.

    Keys:
        pending: Metrics that wait in the queue, on the disk, or are on their way.
        recorded: Metrics that record calls were given since this process began.
        flushed: Metrics that every sink has persisted.
        dropped: Metrics that are lost, in all.
        dropped_by_reason: The same by reason: `queue_full`, `invalid` (wrong types or values), `rejected` (the app
            didn't keep it), `refused` (the app took no batch at all, a wrong token for instance), `sink_error` (a sink
            raised something unforeseen again and again), `closed` (recorded after the close or not delivered before),
            `sink_full` (one of several sinks was away for too long), `spool_full` (the oldest in a full spool),
            `spool_torn` (what lies on the disk isn't what was written), `expired` (in the spool for too long),
            `internal_error` (a bug of the collector).
        last_flush: When the last batch was delivered, epoch milliseconds; None before the first.
        last_error: What went wrong last, in one line; None when nothing did.
        spool_size: How many of the pending ones are in the spool on the disk.
        spool_bytes: How large this process's files there are, in bytes.
        adopted: Metrics taken over from the spool of processes that are gone.
        left_on_disk: Metrics left in the spool for another process: at the end, or because `configure` named another
            app.
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
    spool_bytes: int
    adopted: int
    left_on_disk: int
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
        self._adopted = 0
        self._adopted_waiting = 0
        self._left = 0
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
            with suppress(IndexError):  # a record call may just drop the last one
                for _ in range(min(most, len(self._queue))):
                    entries.append(self._queue.popleft())
            self._taken += len(entries)
            self._in_flight += len(entries)
        return entries

    def drop(self, reason: str, count: int = 1) -> None:
        """Settle metrics in flight that are in no parcel: they are lost."""
        with self._change():
            self._in_flight -= count
            self._dropped[reason] += count

    def finish(self, account: Account, lost: Mapping[int, str], *, now_ms: int | None = None) -> None:
        """Note what one sink made of a parcel; with the last of them it is settled.

        Args:
            account: Of own metrics.
            lost: By place: what this sink didn't keep, and why.
            now_ms: When it was delivered, epoch milliseconds; None when it wasn't.
        """
        with self._change():
            for place, reason in lost.items():
                account.lost.setdefault(place, reason)
            account.missing -= 1
            if account.missing <= 0:
                self._in_flight -= account.size
                if account.left:
                    self._left += account.size
                else:
                    self._settle(account.size, Counter(account.lost.values()), now_ms)

    def share(self, account: Account, more: int, *, anew: bool) -> None:
        """Change how many sinks still have to take a parcel; `anew`: what the former ones made of it is forgotten."""
        with self._change():
            account.missing += more
            if anew:
                account.lost.clear()

    def settle_spooled(self, count: int, lost: Mapping[str, int], *, adopted: bool, now_ms: int | None = None) -> None:
        """Settle metrics that come from the spool and belong to no parcel in memory.

        Args:
            count: How many.
            lost: How many of them are lost, by reason.
            adopted: Whether another process recorded them.
            now_ms: When they were delivered, epoch milliseconds; None when they weren't.
        """
        with self._change():
            if adopted:
                self._adopted_waiting -= count
            else:
                self._in_flight -= count
            self._settle(count, Counter(lost), now_ms)

    def adopt(self, count: int) -> None:
        """Note metrics taken over from a process that is gone."""
        with self._change():
            self._adopted += count
            self._adopted_waiting += count

    def leave(self, own: int, adopted: int) -> None:
        """Settle metrics that stay on the disk for another process."""
        with self._change():
            self._in_flight -= own
            self._adopted_waiting -= adopted
            self._left += own + adopted

    def _settle(self, count: int, lost: Counter[str], now_ms: int | None) -> None:
        kept = count - lost.total()
        self._dropped += lost
        self._flushed += kept
        if kept and now_ms is not None:
            self._batches += 1
            self._last_flush_ms = now_ms

    def retry(self) -> None:
        """Count an attempt that is made again."""
        with self._change():
            self._retries += 1

    def ticket(self) -> tuple[int, int]:
        """Say how many entries there have been, in the queue or taken from it, and how many are pending now."""
        return self._look(lambda: (self._taken + len(self._queue), len(self._queue) + self._in_flight))

    def is_settled(self, ticket: int | None) -> bool:
        """Say whether the first `ticket` entries are delivered or lost; None: all, and what was adopted."""
        if ticket is None:
            return self._look(lambda: not (self._queue or self._in_flight or self._adopted_waiting))
        return self._look(lambda: self._taken - self._in_flight >= ticket or not (self._queue or self._in_flight))

    def lost(self) -> int:
        """Say how many metrics are lost after they had been in the queue."""
        return self._look(lambda: self._dropped.total())

    def stats(self) -> MetricsStats:
        """Count everything; see `MetricsStats`."""
        return self._look(self._stats)

    def _stats(self) -> MetricsStats:
        dropped = self._dropped + Counter(queue_full=self.full.value(), closed=self.late.value())
        pending = len(self._queue) + self._in_flight + self._adopted_waiting
        return MetricsStats(
            pending=pending,
            recorded=self._flushed + dropped.total() + pending + self._left - self._adopted,
            flushed=self._flushed,
            dropped=dropped.total(),
            dropped_by_reason=dict(sorted(dropped.items())),
            last_flush=self._last_flush_ms,
            last_error=self.last_error,
            spool_size=0,  # these two are filled in by who knows the spools
            spool_bytes=0,
            adopted=self._adopted,
            left_on_disk=self._left,
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
