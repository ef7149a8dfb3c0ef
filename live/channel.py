"""The public channel's state: who listens to which source, what waits to be sent, and the ring of what was.

Everything but `publish` and `stats` runs in the hub's loop, so nothing here needs a lock.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from collector.events import Metric
from live import protocol
from live.connection import Connection
from live.frames import text_frame
from live.hub import Hub


@dataclass(frozen=True, slots=True)
class Published:
    """One batch that went out: its place in the channel's order, its source's seq, and its JSON."""

    order: int
    source: str
    seq: int
    payload: bytes


class Channel:
    """Bring each persisted metric to whoever subscribed to its source, in the order of its commits."""

    def __init__(
        self,
        hub: Hub,
        *,
        coalesce_s: float = 0.03,
        ring_batches: int = 2_000,
        ring_bytes: int = 32 << 20,
        first_seq: int = 0,
    ) -> None:
        """Set up an empty channel.

        Args:
            hub: the loop that owns the sockets.
            coalesce_s: a batch leaves at once when its source was idle for this long, else it waits that long.
            ring_batches: how many sent batches are kept at most for clients that come back with `since`.
            ring_bytes: how many bytes they may have together.
            first_seq: seqs go on after this one; at least the newest of an earlier life of the program, so that a
                client that comes back with a `since` of that life is told of the gap.
        """
        self.hub = hub
        self.coalesce_s = coalesce_s
        self.subscribers: defaultdict[str, set[Connection]] = defaultdict(set)
        self.batches_published = self.metrics_published = 0
        self.ring_batches = ring_batches
        self.ring_bytes = ring_bytes
        self._first_seq = first_seq
        self._seq: dict[str, int] = {}
        self._order = first_seq
        self._ring: deque[Published] = deque()
        self._ring_size = 0  # bytes
        self._forgotten: dict[str, int] = {}  # source -> seq of its newest batch that left the ring
        self._forgotten_order = first_seq
        self._waiting: defaultdict[str, list[Metric]] = defaultdict(list)
        self._last_sent_s: defaultdict[str, float] = defaultdict(float)
        self._due: set[str] = set()

    def publish(self, metrics: Sequence[Metric]) -> None:
        """Take metrics that have just been committed, from any thread; calls keep their order."""
        self.hub.call(self._take, list(metrics))

    def seq(self, source: str) -> int:
        """Return the seq of the newest batch of a source (for `*`: of the whole channel)."""
        return self._order if source == protocol.EVERYTHING else self._seq.get(source, self._first_seq)

    def missed(self, source: str, since: int) -> list[bytes] | None:
        """Return the batches after `since`; None when some are gone, or are more than a client could take at once."""
        everything = source == protocol.EVERYTHING
        forgotten = self._forgotten_order if everything else self._forgotten.get(source, self._first_seq)
        if not forgotten <= since <= self.seq(source):
            return None
        if everything:
            payloads = [item.payload for item in self._ring if item.order > since]
        else:
            payloads = [item.payload for item in self._ring if item.source == source and item.seq > since]
        return payloads if sum(map(len, payloads)) <= self.hub.outbox_limit_bytes else None

    def subscribe(self, source: str, connection: Connection) -> None:
        """Send a source's batches to a connection from now on."""
        self.subscribers[source].add(connection)

    def unsubscribe(self, source: str, connection: Connection) -> None:
        """Send them no longer."""
        listeners = self.subscribers.get(source)
        if listeners is not None:
            listeners.discard(connection)
            if not listeners:
                del self.subscribers[source]

    def _take(self, metrics: list[Metric]) -> None:
        touched: dict[str, None] = {}
        for metric in metrics:
            source = protocol.topic(metric)
            self._waiting[source].append(metric)
            touched[source] = None
        now = time.monotonic()
        for source in touched:
            wait_s = self._last_sent_s[source] + self.coalesce_s - now
            if wait_s <= 0 or len(self._waiting[source]) >= protocol.MAX_BATCH:
                self._flush(source)
            elif source not in self._due:
                self._due.add(source)
                self.hub.call_later(wait_s, self._flush, source)

    def _flush(self, source: str) -> None:
        self._due.discard(source)
        waiting = self._waiting.pop(source, [])
        if not waiting:  # a full batch went before its time had come
            return
        for start in range(0, len(waiting), protocol.MAX_BATCH):
            self._send(source, waiting[start : start + protocol.MAX_BATCH])
        self._last_sent_s[source] = time.monotonic()

    def _send(self, source: str, metrics: list[Metric]) -> None:
        seq = self._seq[source] = self.seq(source) + 1
        self._order += 1
        self.batches_published += 1
        self.metrics_published += len(metrics)
        payload = protocol.batch(source, seq, metrics)
        frame = text_frame(payload)
        self._ring.append(Published(self._order, source, seq, payload))
        self._ring_size += len(payload)
        while len(self._ring) > self.ring_batches or self._ring_size > self.ring_bytes:
            oldest = self._ring.popleft()
            self._ring_size -= len(oldest.payload)
            self._forgotten[oldest.source] = oldest.seq
            self._forgotten_order = oldest.order
        self.hub.write_all(
            self.subscribers.get(source, set()) | self.subscribers.get(protocol.EVERYTHING, set()), frame
        )
