"""Several app processes, one channel: every batch goes through a Redis stream and reaches all viewers in its order.

What is committed is published to the stream, which numbers it; every process, the one that it came from too, brings to
its viewers what it reads there. While Redis is away each process numbers for itself: its own commits reach its viewers
at once, those of others when the database's follower finds them. Whoever finds a commit publishes it, whether its
process still lives or not; a commit has one key, so that the stream takes it once and a viewer gets it once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from typing import Any, Final

from live.carried import Commit, delivery, new_metrics, outgoing, published
from live.channel import Channel
from live.commits import Commits
from live.numbers import STEP, private_base, shared_base
from live.stream import Message, RedisStream, Standing, StreamLost

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.1  # between two attempts to reach Redis; doubles up to the longest
_LONGEST_PAUSE_S: Final = 3.0
_ASK_TIMEOUT_S: Final = 5.0
_MEANWHILE: Final = 1_000_000  # numbers that this process may give while it joins


class Backplane:
    """Joins a process' channel with those of the other processes on the same stream.

    Args:
        stream: The stream.
        channel: The channel; nobody else publishes to it.
        wake: Called when other processes' metrics came, from a thread of this class; has to be quick.
        is_own: Whether a commit is this process' own, by its key.
        coalesce_s: Commits leave at once when nothing left for this long, else they wait so long for others.
        clock_s: The wall clock, epoch seconds.
    """

    def __init__(
        self,
        stream: RedisStream,
        channel: Channel,
        *,
        wake: Callable[[], object] = lambda: None,
        is_own: Callable[[str], bool] = lambda _key: False,
        coalesce_s: float = 0.03,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._stream = stream
        self._channel = channel
        self._wake = wake
        self._is_own = is_own
        self._coalesce_s = coalesce_s
        self._clock_s = clock_s
        # Protects everything below, and the order of what the channel is told; never held while Redis is asked.
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._joined = False  # the stream can be read and written
        self._alone = True  # the channel's numbers are this process' own; what is published goes to its viewers only
        self._numbers_seen = (
            False  # there may be clients that know numbers; before the first one, there is no going back
        )
        self._era = ""
        self._order = 0  # of the era: what the channel has of it
        self._last_id = b"0-0"
        self._turn = 0  # changes with every joining: what was read before it counts no more
        self._commits = Commits()
        self._away_since_ms: int | None = None
        self._reason = "not asked yet"
        self._counts = dict.fromkeys(("published", "received", "repeated", "alone", "joined", "lost", "failures"), 0)
        self._join_lock = threading.Lock()  # one thread at a time joins; held while Redis is asked
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=f"backplane-{name}", daemon=True)
            for name, run in (("publish", self._keep_publishing), ("read", self._keep_reading))
        ]

    # Any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Join the stream, or note that Redis is away, and start the threads; the hub runs already."""
        if not self._join(0):
            with self._lock:
                self._numbers_seen = True
                self._channel.hub.call(self._restart_alone)
                self._note_loss(self._reason)
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Publish what waits, bring it to this process' viewers and end the threads.

        Args:
            timeout_s: How long Redis gets for it.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._lock:
            self._news.wait_for(lambda: not self._commits or not self._joined, timeout_s)
            self._stopping.set()
            self._news.notify_all()
            self._go_alone()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.1, deadline_s - time.monotonic()))
        self._stream.close()

    def publish(self, commits: Sequence[Commit]) -> None:
        """Take what has just been committed, by this process or another one; quick, calls keep their order.

        Args:
            commits: Commits; those that came before are known by their keys.
        """
        with self._lock:
            self._commits.add(commits)
            self._news.notify_all()

    def status(self) -> dict[str, Any]:
        """Return how it stands with Redis, for the health check."""
        with self._lock:
            if self._joined:
                return {"status": "ok"}
            return {"status": "unreachable", "unreachableSince": self._away_since_ms, "error": self._reason}

    def stats(self) -> dict[str, Any]:
        """Return what was counted."""
        with self._lock:
            return {**self._counts, "waiting": len(self._commits), "status": "ok" if self._joined else "unreachable"}

    # The publishing thread -------------------------------------------------------------------------------------

    def _keep_publishing(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                self._news.wait_for(lambda: self._commits.pending or self._stopping.is_set())
                if not self._joined:
                    self._go_alone()
                    continue
                group, era, turn = self._commits.next_group(), self._era, self._turn
            try:
                self._publish(group, era, turn)
            except Exception:
                with self._lock:
                    self._counts["failures"] += 1
                    for commit in group:  # what can't be encoded can't be sent in another way either
                        self._commits.give_up(commit.key)
                log.exception("%d commits could not be published", len(group))
            self._stopping.wait(self._coalesce_s)

    def _publish(self, group: Sequence[Commit], era: str, turn: int) -> None:
        attempts = 0
        while group:
            batches = outgoing(group)
            try:
                answer = self._stream.publish(era, batches)
            except StreamLost as exc:
                attempts += 1
                if attempts == 1 and not exc.timed_out:
                    continue  # perhaps only this connection is gone; what is on the stream isn't taken twice
                with self._lock:
                    if turn == self._turn:
                        self._note_loss(str(exc))
                        self._go_alone()
                return
            if answer.era_ended:
                if not self._join(turn):  # joining publishes them again
                    self._lose(self._reason, turn)
                return
            left = [commit for commit in group if commit.key not in answer.told] if answer.told else []
            with self._lock:
                if turn == self._turn:
                    there = [commit for commit in group if not answer.told or commit.key in answer.told]
                    self._commits.expect(there, answer.order)
                    self._commits.give_up_due(self._order)
                self._counts["published"] += 0 if answer.told else len(batches)
            group = left

    # The reading thread ----------------------------------------------------------------------------------------

    def _keep_reading(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            with self._lock:
                joined, turn = self._joined, self._turn
            try:
                if joined:
                    self._read(turn)
                    continue
                well = self._join(turn)
            except Exception as exc:  # something on the stream that can't be understood: without Redis it goes on
                well = False
                with self._lock:
                    self._counts["failures"] += 1
                log.exception("reading from Redis failed")
                self._lose(f"{type(exc).__name__}: {exc}", turn)
            if not well:
                self._stopping.wait(pause_s)
            pause_s = _FIRST_PAUSE_S if well else min(2 * pause_s, _LONGEST_PAUSE_S)

    def _read(self, turn: int) -> None:
        with self._lock:
            after, era, order = self._last_id, self._era, self._order
        try:
            messages = self._stream.read(after)
            # Nothing for a while: is it the same stream, or one that lost its data meanwhile?
            behind = not messages and self._stream.position() != (era, order)
        except StreamLost as exc:
            if not self._stopping.is_set() and not self._join(turn):
                self._lose(str(exc), turn)
            return
        with self._lock:
            if turn != self._turn or not self._joined:
                return
            behind = behind or self._take(messages) < len(messages)
        if behind and not self._join(turn):
            self._lose(self._reason, turn)

    # Under the lock --------------------------------------------------------------------------------------------

    def _take(self, messages: Sequence[Message]) -> int:
        """Bring messages to the viewers as long as each follows the one before; return how many did."""
        deliveries = []
        others = False
        for message in messages:
            if message.era != self._era or message.order != self._order + 1:
                break
            group = (message.era, message.group)
            deliveries.append(delivery(message, partial(self._commits.is_new, group)))
            self._counts["repeated"] += deliveries[-1].shown is not None
            for key, _ in message.keys:
                self._commits.bring(key, group)
                others = others or not self._is_own(key)
            self._order, self._last_id = message.order, message.id
        if deliveries:
            self._counts["received"] += len(deliveries)
            self._channel.hub.call(self._channel.deliver, deliveries)
            self._commits.give_up_due(self._order)
            self._news.notify_all()
        if others:
            self._wake()
        return len(deliveries)

    def _take_alone(self, messages: Sequence[Message]) -> None:
        """Bring what is new of an ended era under the numbers of this process, before these end, too."""
        for message in messages:
            group = (message.era, message.group)
            self._channel.publish(new_metrics(message, partial(self._commits.is_new, group)))
            for key, _ in message.keys:
                self._commits.bring(key, group)

    def _go_alone(self) -> None:
        """Bring to this process' viewers at once what waits, under numbers of its own."""
        if self._commits and not self._alone:
            self._alone = True
            self._channel.hub.call(self._restart_alone)
        for commit in self._commits.take_all():
            self._counts["alone"] += 1
            self._channel.publish(commit.metrics)
        self._news.notify_all()

    def _restart_alone(self) -> None:
        """Give the channel numbers of this process; in the hub's loop."""
        base = private_base(self._clock_s(), self._channel.seq("*"))
        self._channel.restart(base=base, order=base, seqs={}, history=())

    def _lose(self, reason: str, turn: int | None = None) -> None:
        """Note that Redis is away; only when something waits do the viewers get other numbers."""
        with self._lock:
            if turn in (None, self._turn):
                self._note_loss(reason)
                self._go_alone()

    def _note_loss(self, reason: str) -> None:
        self._reason = reason
        if self._joined or self._away_since_ms is None:
            self._joined = False
            self._counts["lost"] += 1
            self._away_since_ms = int(self._clock_s() * 1000)
            log.warning(
                "Redis at %s is away (%s): viewers here see what this process takes in at once, what others take in "
                "as soon as it is found in the database",
                self._stream.where,
                reason,
            )

    # Joining ---------------------------------------------------------------------------------------------------

    def _join(self, turn: int) -> bool:
        """Join the stream, and go on where this process stopped if that can be.

        Args:
            turn: The turn that the caller knows; another thread may have joined since.

        Returns:
            Whether the stream was joined.
        """
        with self._join_lock:
            while not self._stopping.is_set():
                with self._lock:
                    if turn != self._turn and self._joined:
                        return True
                    alone, era, order, last_id = self._alone, self._era, self._order, self._last_id
                try:
                    above = self._highest() + _MEANWHILE if alone and self._numbers_seen else 0
                    base = shared_base(self._clock_s(), max(above, order))
                    standing = self._stream.join(base=base, above=above, step=STEP)
                    if not alone and standing.era != era and standing.base < order:
                        # Begun by a process that had seen less than this one, after Redis lost its data.
                        standing = self._stream.join(base=base, above=order, step=STEP)
                    missed = list(self._stream.between(last_id, standing.last_id)) if era else []
                    tail = self._tail(standing)
                except (StreamLost, TimeoutError) as exc:
                    with self._lock:
                        self._reason = str(exc) or "the channel is busy"
                    return False
                with self._lock:
                    if alone != self._alone:
                        continue  # something had to be brought meanwhile, under other numbers
                    taken = 0 if alone else self._take(missed)
                    ended = [message for message in missed[taken:] if message.era != standing.era]
                    if ended and not alone:
                        # Of eras that came and went unseen: nobody reads them again, so they are brought before.
                        self._alone = True
                        self._channel.hub.call(self._restart_alone)
                        self._take_alone(ended)
                        self._last_id = ended[-1].id
                        continue  # with numbers above those that this gave
                    self._take_alone(ended)
                    if alone or (self._era, self._order) != (standing.era, standing.order):
                        self._restart(standing, tail)
                    self._note_joining()
                    return True
            return False

    def _highest(self) -> int:
        return self._channel.hub.ask(lambda: self._channel.seq("*"), timeout_s=_ASK_TIMEOUT_S)

    def _tail(self, standing: Standing) -> list[Message]:
        """Return the newest messages of the era, oldest first, without a hole; as many as the channel's ring holds."""
        newest: list[Message] = []
        bytes_left = self._channel.ring_bytes
        for message in self._stream.backwards(standing.last_id):
            bytes_left -= len(message.metrics)
            expected = standing.order - len(newest)
            if (message.era, message.order) != (standing.era, expected) or bytes_left < 0:
                break
            newest.append(message)
            if len(newest) == self._channel.ring_batches:
                break
        return newest[::-1]

    def _restart(self, standing: Standing, tail: Sequence[Message]) -> None:
        """Give the channel the era's numbers; then bring what its viewers don't have."""
        after = self._order if standing.era == self._era else standing.base
        if not self._era:  # nobody was there: it is all history
            after = standing.order
            for message in tail:
                for key, _ in message.keys:
                    self._commits.bring(key, (message.era, message.group))
        had = takewhile(lambda one: one.order <= after or all(self._commits.is_told(key) for key, _ in one.keys), tail)
        history = [published(message) for message in had]
        news = tail[len(history) :]
        seqs = dict(standing.seqs)
        for message in reversed(news):
            seqs[message.source] = message.seq - 1
        self._era, self._last_id, self._alone = standing.era, standing.last_id, False
        self._order = standing.order - len(news)
        restart = partial(self._channel.restart, base=standing.base, order=self._order, seqs=seqs, history=history)
        self._channel.hub.call(restart)
        self._take(news)

    def _note_joining(self) -> None:
        self._turn += 1
        self._numbers_seen = True
        # What hasn't come goes to the stream, perhaps again: it is taken once.
        self._commits.publish_again()
        self._counts["joined"] += 1
        if self._away_since_ms is not None:
            log.warning("Redis at %s is back", self._stream.where)
        self._joined, self._away_since_ms = True, None
        self._news.notify_all()
        self._wake()
