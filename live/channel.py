"""The public channel's state: who listens to which source, what waits to be sent, and the ring of what was.

Everything but `publish` and `stats` runs in the hub's loop, so nothing here needs a lock.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from collector.events import Event
from live import protocol
from live.connection import Connection
from live.frames import text_frame
from live.hub import Hub

SHORTEST_REST_S = 0.005
WRITE_BYTES = 65_536  # frames are joined up to about so many: what a connection can't take at once has to be kept


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
            coalesce_s: how long a metric waits at most for others. It leaves at once when nothing left for as long as
                sending took the last time: with few viewers nothing waits, with many sending is half of the work.
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
        self._rests_until_s = 0.0
        self._is_due = False  # what waits will be sent

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
        self._bring(deliveries)

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

    def _take(self, metrics: list[Event]) -> None:
        full = False
        for metric in metrics:
            waiting = self._waiting[protocol.topic(metric)]
            waiting.append(metric)
            full = full or len(waiting) >= protocol.MAX_BATCH
        wait_s = self._rests_until_s - time.monotonic()
        if full or wait_s <= 0:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            self.hub.call_later(wait_s, self.flush)

    def flush(self) -> None:
        """Send everything that waits for company: who listens to many sources gets all of it in one write."""
        self._is_due = False
        if not self._waiting:  # a full batch took it along before its time had come
            return
        began_s = time.monotonic()
        waiting, self._waiting = self._waiting, defaultdict(list)
        order = self._order
        deliveries = []
        for source, metrics in waiting.items():
            seq = self.seq(source)
            for start in range(0, len(metrics), protocol.MAX_BATCH):
                order, seq = order + 1, seq + 1
                some = metrics[start : start + protocol.MAX_BATCH]
                deliveries.append(Delivery(Published(order, source, seq, protocol.batch(source, seq, some), len(some))))
        self._bring(deliveries)
        ended_s = time.monotonic()
        # Where others want the processor, too, it takes longer: then it is done less often, which is what helps.
        self._rests_until_s = ended_s + min(self.coalesce_s, max(SHORTEST_REST_S, ended_s - began_s))

    def _bring(self, deliveries: Sequence[Delivery]) -> None:
        of_source: defaultdict[str, list[bytes]] = defaultdict(list)
        of_all = []
        for delivery in deliveries:
            batch = delivery.published
            self._order, self._seq[batch.source] = batch.order, batch.seq
            self.batches_published += 1
            self.metrics_published += batch.count
            self._remember(batch)
            frame = text_frame(batch.payload if delivery.shown is None else delivery.shown)
            of_source[batch.source].append(frame)
            of_all.append(frame)
        nobody: Set[Connection] = frozenset()
        everything = self.subscribers.get(protocol.EVERYTHING, nobody)
        self._write(list(everything), of_all)
        for source, some in of_source.items():
            self._write(list(self.subscribers.get(source, nobody) - everything), some)

    def _write(self, listeners: list[Connection], some: Sequence[bytes]) -> None:
        """Write frames, as many at once as are worth it."""
        if not listeners:
            return
        first = size = 0
        for after, frame in enumerate(some, 1):
            size += len(frame)
            if size >= WRITE_BYTES or after == len(some):
                self.hub.write_all(listeners, b"".join(some[first:after]), after - first)
                first, size = after, 0

    def _remember(self, batch: Published) -> None:
        self._ring.append(batch)
        self._ring_size += len(batch.payload)
        while len(self._ring) > self.ring_batches or self._ring_size > self.ring_bytes:
            oldest = self._ring.popleft()
            self._ring_size -= len(oldest.payload)
            self._forgotten[oldest.source] = oldest.seq
            self._forgotten_order = oldest.order
