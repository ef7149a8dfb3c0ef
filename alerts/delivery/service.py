"""The thread that sends notifications: in the process that evaluates the rules, each channel on a lane of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from alerts.channels import ChannelSecret, lenient_channel, secret_of
from alerts.delivery.attempt import DEADLINE_S, Attempt, Hanging
from alerts.delivery.lane import LONGEST_MS, MOST_LOOKED_AT, Lane, Send
from alerts.delivery.parcel import Parcel
from alerts.delivery.sending import send
from alerts.texts import Texts
from db.alert_rows import Waiting
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.errors import DatabaseError

_log = logging.getLogger(__name__)

# Tests and dead letters that are sent again are put into the outbox by other processes, too.
_LOOK_S: Final = 2.0
_MOST_LANES: Final = 16  # that send at the same time


class DeliveryService:
    """Sends what waits in the outbox, at least once.

    A notification leaves the outbox when its receiver took it. Whoever is ended between the two sends it again, under
    the same id; nothing is lost.

    Args:
        tables: Where notifications wait and channels are kept.
        leads: Says whether this process is the one that sends: the one that evaluates the rules.
        texts: Who writes.
        send: Makes an attempt.
        clock_ms: The present in epoch milliseconds.
        monotonic_s: A clock that nobody sets, seconds.
        deadline_s: How long an attempt may take.
    """

    def __init__(
        self,
        tables: AlertTables,
        *,
        leads: Callable[[], bool],
        texts: Texts,
        send: Send | None = None,
        clock_ms: Callable[[], int] = now_ms,
        monotonic_s: Callable[[], float] = time.monotonic,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.texts = texts
        self._leads = leads
        self._send: Send = send or partial(_send_with, texts, deadline_s)
        self._deadline_s = deadline_s
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        self._outbox = tables.outbox
        self._settings = tables.settings
        self._turn: int | None = None
        self._lanes: dict[str, Lane] = {}  # touched by this service's thread only; replaced as a whole for readers
        self._waiting: Mapping[str, Waiting] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.problems: dict[str, str] = {}  # of channels whose settings can't be read as they are, by id
        self.failures = 0  # looks that found the database away, or failed

    def start(self) -> None:
        """Send in a background thread, until `stop`."""
        assert self._thread is None, "notifications are sent already"
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="alert-delivery", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the thread; what isn't sent stays in the outbox.

        Args:
            timeout_s: How long to wait for attempts that are under way. One that goes on is made again by whoever
                sends next: it isn't known whether it arrived.
        """
        deadline_s = time.monotonic() + timeout_s
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None
        for lane in list(self._lanes.values()):
            lane.join(max(0.0, deadline_s - time.monotonic()))

    def wake(self) -> None:
        """Say that there is something in the outbox."""
        self._wake.set()

    def stats(self) -> dict[str, Any]:
        """Return what this process did so far, by channel; what waits is known to the one that sends."""
        lanes, waiting = dict(self._lanes), self._waiting
        channels = {}
        for id in sorted({*lanes, *waiting}):
            done = asdict(lanes[id].stats) if id in lanes else {}
            channels[id] = {
                "sent": done.get("sent", 0),
                "messages": done.get("messages", 0),
                "failed": done.get("failed", 0),
                "dead": done.get("dead", 0),
                "waiting": waiting[id].count if id in waiting else 0,
                "hanging": lanes[id].hanging.number if id in lanes else 0,
                "lastSentMs": done.get("last_sent_ms"),
                "lastError": done.get("last_error", ""),
            }
        return {"sending": self._leads(), "failures": self.failures, "channels": channels}

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = _LOOK_S
            self._wake.clear()
            try:
                if self._leads():
                    wait_s = self.once()
                else:
                    self._waiting = {}
            except DatabaseError as exc:
                self.failures += 1
                _log.warning("notifications wait: %s", exc)
            except Exception:  # noqa: BLE001 - a bug must not end the delivery for good
                self.failures += 1
                _log.exception("notifications could not be sent")
            self._wake.wait(wait_s)

    def once(self) -> float:
        """Look what is due, and let the lanes of those channels send.

        Returns:
            How long to wait until the next look, seconds.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        self._read_settings()
        self._waiting = waiting = self._outbox.waiting_by_channel()
        now, now_s = self._clock_ms(), self._monotonic_s()
        wait_s = _LOOK_S
        for id, one in waiting.items():
            lane = self._lanes.get(id) or self._new_lane(id)
            if lane.busy:
                continue  # it says when it has come to its end
            # What is to wait longer than anything does was told so before the clock was set back.
            wait_ms = one.next_at_ms - now if one.next_at_ms - now <= LONGEST_MS else 0
            due_s = max(wait_ms / 1000, lane.rest_until_s - now_s)
            if min(one.count, MOST_LOOKED_AT) == lane.idle_count:
                due_s = max(due_s, lane.idle_until_s - now_s)
            if due_s <= 0 and sum(other.busy for other in self._lanes.values()) < _MOST_LANES:
                lane.start()
            elif due_s > 0:
                wait_s = min(wait_s, due_s)
        return max(0.01, wait_s)

    def _may_send(self) -> bool:
        return self._leads() and not self._stop.is_set()

    def _new_lane(self, id: str) -> Lane:
        lane = Lane(
            id,
            self._outbox,
            self._send,
            may_send=self._may_send,
            clock_ms=self._clock_ms,
            monotonic_s=self._monotonic_s,
            deadline_s=self._deadline_s,
            freed=self._wake.set,
        )
        self._lanes = {**self._lanes, id: lane}
        return lane

    def _read_settings(self) -> None:
        turn, _ = self._settings.turns()
        if turn == self._turn:
            return
        found = {}
        problems = {}
        for row in self._settings.all("channels"):
            channel, problem = lenient_channel(row.id, row.document)
            found[row.id] = channel
            if problem:
                problems[row.id] = problem
                _log.warning("%s; the usual words are used instead", problem)
        for id in {*found, *self._lanes}:
            lane = self._lanes.get(id) or self._new_lane(id)
            lane.set(found.get(id), secret_of(self._settings.secret(id)) if id in found else secret_of(""))
        self.problems = problems
        self._turn = turn


def _send_with(
    texts: Texts,
    deadline_s: float,
    parcel: Parcel,
    secret: ChannelSecret,
    *,
    hanging: Hanging,
    late: Callable[[Attempt], object],
) -> Attempt:
    return send(parcel, secret, texts, deadline_s=deadline_s, hanging=hanging, late=late)
