"""One channel's way out: its notifications leave one after the other, and no other channel waits for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from alerts.channels import Channel, ChannelSecret
from alerts.delivery.attempt import DEADLINE_S, Attempt, Hanging
from alerts.delivery.pacing import LONGEST_ASKED_S, MOST_ATTEMPTS, TokenBucket, rest_after, wait_after
from alerts.delivery.parcel import Parcel, parcel_of
from alerts.delivery.redact import redacted
from db.alert_outbox import Outbox
from db.alert_rows import DeliveryRow
from db.errors import DatabaseError

_log = logging.getLogger(__name__)

MOST_TOGETHER: Final = 50  # notifications in one message
MOST_LOOKED_AT: Final = 500
_CLAIMED: Final = 1.25  # deadlines: so long nobody else tries what is being tried
_TROUBLED: Final = 3  # so many failures in a row mean the channel, not a message
_MOST_HANGING: Final = 3  # attempts of one channel that never ended; a further one would only join them
# Nothing waits longer than this; what is to wait longer was told so before the clock was set back.
LONGEST_MS: Final = int(2 * LONGEST_ASKED_S * 1000)


class Send(Protocol):
    """Makes one attempt (`alerts.delivery.sending.send`)."""

    def __call__(
        self, parcel: Parcel, secret: ChannelSecret, *, hanging: Hanging, late: Callable[[Attempt], object]
    ) -> Attempt:
        """Return what became of it; never raises."""


@dataclass(slots=True)
class LaneStats:
    """What one channel did in this process.

    Args:
        sent: Notifications that arrived.
        messages: Messages that they arrived in.
        failed: Attempts that failed.
        dead: Notifications that were given up.
        last_sent_ms: When one last arrived, epoch ms; None when none did.
        last_error: Why the last attempt failed, "" when it didn't.
    """

    sent: int = 0
    messages: int = 0
    failed: int = 0
    dead: int = 0
    last_sent_ms: int | None = None
    last_error: str = ""


class Lane:
    """Sends what waits for one channel.

    Args:
        channel_id: Which channel.
        outbox: Where notifications wait.
        send: Makes an attempt.
        may_send: Says whether this process is still the one that sends.
        clock_ms: The present in epoch milliseconds.
        monotonic_s: A clock that nobody sets, seconds.
        deadline_s: How long an attempt may take.
        freed: Called when the lane has come to its end.
    """

    def __init__(
        self,
        channel_id: str,
        outbox: Outbox,
        send: Send,
        *,
        may_send: Callable[[], bool],
        clock_ms: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
        deadline_s: float = DEADLINE_S,
        freed: Callable[[], object] = lambda: None,
    ) -> None:
        self.channel_id = channel_id
        self.stats = LaneStats()
        self.hanging = Hanging()
        self.rest_until_s = 0.0
        # While no more waits than at the last look, there is nothing to do before this moment.
        self.idle_until_s = 0.0
        self.idle_count = 0
        self._outbox = outbox
        self._send = send
        self._may_send = may_send
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        self._claim_ms = int(_CLAIMED * deadline_s * 1000)
        self._freed = freed
        self._channel: Channel | None = None
        self._secret = ChannelSecret()
        self._bucket: TokenBucket | None = None
        self._failures = 0  # in a row
        self._busy = False
        self._apart = False  # a message of several was refused: perhaps because of one of them
        self._thread: threading.Thread | None = None

    def set(self, channel: Channel | None, secret: ChannelSecret) -> None:
        """Take over what was decided about the channel.

        Args:
            channel: The channel, None when there is none of this id any more.
            secret: Its address.
        """
        before = self._channel
        changed = secret != self._secret or channel != before
        if channel is not None and (
            before is None or (before.per_minute, before.burst) != (channel.per_minute, channel.burst)
        ):
            self._bucket = TokenBucket(channel.per_minute, channel.burst)
        self._channel, self._secret = channel, secret
        if changed:  # what failed before may go now
            self._failures, self.rest_until_s, self.idle_until_s = 0, 0.0, 0.0

    @property
    def busy(self) -> bool:
        """Whether it is sending."""
        return self._busy

    def start(self) -> None:
        """Send what is due in a thread of its own, unless it does so already."""
        if not self._busy:
            self._busy = True
            self._thread = threading.Thread(target=self._run, name="alert-lane", daemon=True)
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait until the attempt that is under way has ended.

        Args:
            timeout_s: For how long.
        """
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while self._may_send() and self._monotonic_s() >= self.rest_until_s and self.once():
                pass
        except DatabaseError as exc:
            self.rest_until_s = self._monotonic_s() + rest_after(_TROUBLED)
            _log.warning("notifications of the channel %s wait: %s", self.channel_id, exc)
        except Exception:  # noqa: BLE001 - a bug must not end the delivery for good
            self.rest_until_s = self._monotonic_s() + rest_after(10)
            _log.exception("notifications of the channel %s could not be sent", self.channel_id)
        finally:
            self._busy = False
            self._freed()

    def once(self) -> bool:
        """Send one message, if there is something to send and it may go now.

        Returns:
            Whether to look for more at once.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        rows = self._outbox.waiting(self.channel_id, MOST_LOOKED_AT)
        ready = self._ready(rows)
        if not ready:
            self._idle(rows)
            return False
        ready = self._without_unusable(ready)
        channel, bucket = self._channel, self._bucket
        if not ready or channel is None or bucket is None:
            return bool(ready)
        now_s = self._monotonic_s()
        tokens = bucket.tokens(now_s)
        if tokens < 1:
            self.rest_until_s = now_s + bucket.wait_s()
            return False
        # The last token takes all that is left, in one message.
        several = tokens < 2 and len(ready) > 1 and not self._apart
        chosen = ready[:MOST_TOGETHER] if several else [_next(ready)]
        until_ms = self._clock_ms() + self._claim_ms
        if not self._outbox.claim(chosen, until_ms):
            return True
        bucket.take()
        return self._attempt(channel, chosen)

    def _idle(self, rows: Sequence[DeliveryRow]) -> None:
        """Note that nothing is ready: what waits behind another of its group would be looked at all the time."""
        now = self._clock_ms()
        first_ms = min((row.next_at_ms for row in rows if row.next_at_ms > now), default=now)
        self.idle_until_s = self._monotonic_s() + (first_ms - now) / 1000
        self.idle_count = len(rows)

    def _ready(self, rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
        """Return what is due; of one group nothing overtakes what was to be told before it."""
        now = self._clock_ms()
        held: set[tuple[str, str]] = set()
        found = []
        for row in rows:
            group = (row.rule_id, row.group_key)
            if group not in held and (row.next_at_ms <= now or row.next_at_ms > now + LONGEST_MS):
                found.append(row)
            else:
                held.add(group)
        if not rows:
            self._apart = False
        return found

    def _without_unusable(self, rows: list[DeliveryRow]) -> list[DeliveryRow]:
        """Give up what can't be sent, whoever it was for; tests go where nothing else goes, too."""
        channel = self._channel
        usable = []
        for row in rows:
            why = ""
            if channel is None:
                why = "the channel was deleted"
            elif not channel.enabled and row.what != "test":
                why = "the channel is switched off"
            elif self.hanging.number >= _MOST_HANGING:
                why = ""  # judged by the attempt, which is spared
            else:
                try:
                    parcel_of(channel, [row])
                except (KeyError, TypeError, ValueError) as exc:
                    why = f"it can't be read ({type(exc).__name__}): another version of the program wrote it"
            if why:
                self._give_up(row, why)
            else:
                usable.append(row)
        return usable

    def _attempt(self, channel: Channel, rows: Sequence[DeliveryRow]) -> bool:
        if self.hanging.number >= _MOST_HANGING:
            attempt = Attempt(False, f"{self.hanging.number} earlier attempts still haven't ended")
        else:
            ids = [row.id for row in rows]
            attempt = self._send(
                parcel_of(channel, rows), self._secret, hanging=self.hanging, late=lambda late: self._late(late, ids)
            )
        if attempt.delivered:
            self._arrived([row.id for row in rows])
            if self._failures >= _TROUBLED:
                self._outbox.hurry(self.channel_id)  # it takes messages again: nothing needs to wait any longer
            self._failures = 0
            return True
        error = redacted(attempt.error, self._secret)
        self._failures += 1
        self.stats.failed += 1
        self.stats.last_error = error
        several = len(rows) > 1
        for row in rows:
            if (attempt.permanent and not several) or row.attempts + 1 >= MOST_ATTEMPTS:
                self._give_up(row, error)
                continue
            wait_s = wait_after(row.attempts + 1, asked_s=attempt.retry_after_s)
            self._outbox.failed(row.id, error, next_at_ms=self._clock_ms() + int(wait_s * 1000))
        if attempt.permanent:
            self._apart = self._apart or several
            self._failures -= 1  # it answers: the next message may well be taken
            return True
        asked_s = min(attempt.retry_after_s or 0.0, LONGEST_ASKED_S)
        self.rest_until_s = self._monotonic_s() + max(rest_after(self._failures), asked_s)
        _log.warning("the channel %s takes no notifications: %s", self.channel_id, error)
        return False

    def _late(self, attempt: Attempt, ids: Sequence[int]) -> None:
        """Note what arrived when nobody waited for it any more, so that it isn't sent again."""
        if attempt.delivered:
            try:
                self._arrived(ids)
            except DatabaseError as exc:
                _log.warning("a notification arrived late, and may be sent again: %s", exc)

    def _arrived(self, ids: Sequence[int]) -> None:
        for id in ids:
            self._outbox.sent(id)
        self.stats.sent += len(ids)
        self.stats.messages += 1
        self.stats.last_sent_ms = self._clock_ms()
        self.stats.last_error = ""

    def _give_up(self, row: DeliveryRow, why: str) -> None:
        self._outbox.failed(row.id, why, next_at_ms=None)
        self.stats.dead += 1
        self.stats.last_error = why
        _log.warning("a notification for the channel %s is given up: %s", self.channel_id, why)


def _next(ready: Sequence[DeliveryRow]) -> DeliveryRow:
    """Return what goes first: what was tried least, so that nobody waits behind what nobody takes."""
    firsts = {(row.rule_id, row.group_key): row for row in reversed(ready)}  # of each group
    return min(firsts.values(), key=lambda row: (row.attempts, row.id))
