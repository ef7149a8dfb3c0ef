"""The public channel's state: who listens to which source, what waits to be sent, and the ring of what was.

Everything but `publish` and `stats` runs in the hub's loop, so nothing here needs a lock.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from collector.events import Event
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
    count: int  # metrics


@dataclass(frozen=True, slots=True)
class Delivery:
    """One batch that was numbered elsewhere, and what those who listen now get of it."""

    published: Published
    shown: bytes | None = None  # a payload with less in it, for who had the rest before under another number


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
        most_subscriptions: int = 500_000,
    ) -> None:
        """Set up an empty channel.

        Args:
            hub: the loop that owns the sockets.
            coalesce_s: a batch leaves at once when its source was idle for this long, else it waits that long.
            ring_batches: how many sent batches are kept at most for clients that come back with `since`.
            ring_bytes: how many bytes they may have together.
            first_seq: seqs go on after this one; at least the newest of an earlier life of the program, so that a
                client that comes back with a `since` of that life is told of the gap.
            most_subscriptions: of all clients together; each takes memory, and anybody may name any source.
        """
        self.hub = hub
        self.coalesce_s = coalesce_s
        self.subscribers: defaultdict[str, set[Connection]] = defaultdict(set)
        self.batches_published = self.metrics_published = 0
        self.subscriptions = 0
        self.most_subscriptions = most_subscriptions
        self.ring_batches = ring_batches
        self.ring_bytes = ring_bytes
        self._first_seq = first_seq
        self._seq: dict[str, int] = {}
        self._order = first_seq
        self._ring: deque[Published] = deque()
        self._ring_size = 0  # bytes
        self._forgotten: dict[str, int] = {}  # source -> seq of its newest batch that left the ring
        self._forgotten_order = first_seq
        self._waiting: defaultdict[str, list[Event]] = defaultdict(list)
        self._last_sent_s: defaultdict[str, float] = defaultdict(float)
        self._due: set[str] = set()

    def publish(self, metrics: Sequence[Event]) -> None:
        """Take metrics and messages about runs that were just committed, from any thread; calls keep their order."""
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

    def subscribe(self, source: str, connection: Connection) -> bool:
        """Send a source's batches to a connection from now on; False when there are too many subscriptions already."""
        if connection in self.subscribers.get(source, ()):
            return True
        if self.subscriptions >= self.most_subscriptions:
            return False
        self.subscribers[source].add(connection)
        self.subscriptions += 1
        return True

    def unsubscribe(self, source: str, connection: Connection) -> None:
        """Send them no longer."""
        listeners = self.subscribers.get(source)
        if listeners is not None and connection in listeners:
            listeners.discard(connection)
            self.subscriptions -= 1
            if not listeners:
                del self.subscribers[source]

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Bring batches that were numbered elsewhere; each follows the one before without a hole."""
        for delivery in deliveries:
            self._bring(delivery.published, delivery.shown)

    def restart(self, *, base: int, order: int, seqs: Mapping[str, int], history: Sequence[Published]) -> None:
        """Go on with other numbers, and tell every subscription where it stands now.

        Args:
            base: The seq of sources that aren't named.
            order: The place of the newest batch of all.
            seqs: The seqs of the newest batch of each source.
            history: The newest batches in their order, up to `order`, for clients that come back with `since`.
        """
        self.flush()
        self._first_seq, self._order, self._seq = base, order, dict(seqs)
        self._ring.clear()
        self._ring_size = 0
        self._forgotten, self._forgotten_order = dict(seqs), order - len(history)
        for batch in reversed(history):
            self._forgotten[batch.source] = batch.seq - 1
        for batch in history:
            self._remember(batch)
        for source, listeners in list(self.subscribers.items()):
            fields = {"scraperSource": source, "seq": self.seq(source)}
            self.hub.write_all(list(listeners), text_frame(protocol.answer("gap", fields)))

    def flush(self) -> None:
        """Send what waits for company."""
        for source in list(self._waiting):
            self._flush(source)

    def _take(self, metrics: list[Event]) -> None:
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

    def _send(self, source: str, metrics: list[Event]) -> None:
        seq = self.seq(source) + 1
        payload = protocol.batch(source, seq, metrics)
        self._bring(Published(self._order + 1, source, seq, payload, len(metrics)))

    def _bring(self, batch: Published, shown: bytes | None = None) -> None:
        self._order, self._seq[batch.source] = batch.order, batch.seq
        self.batches_published += 1
        self.metrics_published += batch.count
        self._remember(batch)
        everything = self.subscribers.get(protocol.EVERYTHING, set())
        listeners = self.subscribers.get(batch.source, set()) | everything
        self.hub.write_all(listeners, text_frame(batch.payload if shown is None else shown))

    def _remember(self, batch: Published) -> None:
        self._ring.append(batch)
        self._ring_size += len(batch.payload)
        while len(self._ring) > self.ring_batches or self._ring_size > self.ring_bytes:
            oldest = self._ring.popleft()
            self._ring_size -= len(oldest.payload)
            self._forgotten[oldest.source] = oldest.seq
            self._forgotten_order = oldest.order
