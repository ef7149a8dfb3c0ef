"""The Python client of the public channel: follow metrics as they come, from any program, without an event loop."""

from __future__ import annotations

import logging
import random
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Literal, get_args

import orjson
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from live.protocol import EVERYTHING, now_ms
from live.resume import Resume

log = logging.getLogger(__name__)

Message = dict[str, Any]
Handler = Callable[[Message], object]
Event = Literal["connect", "disconnect", "metrics", "error", "status", "subscribed", "unsubscribed", "gap"]
EVENTS: Final[tuple[str, ...]] = get_args(Event)
KEPT_METRICS: Final = 100
_EVENT_OF: Final = {
    "connected": "connect",
    "metrics_batch": "metrics",
    "error": "error",
    "status": "status",
    "subscribed": "subscribed",
    "unsubscribed": "unsubscribed",
    "gap": "gap",
}


class MetricsClient:
    """Follow sources of an app's `/ws/metrics`; reconnect, resubscribe and resume by itself.

    Handlers run on the client's own thread, one after the other; one that raises is logged and counted in
    `client_info`, and the next runs. Every method may be called from any thread, from a handler too.

    >>> client = MetricsClient("ws://127.0.0.1:8050/ws/metrics")
    >>> client.on("metrics", lambda batch: print(batch["scraperSource"], batch["count"]))
    >>> client.subscribe("robinhood")

    Args:
        url: The channel, for instance `ws://127.0.0.1:8050/ws/metrics`; `http(s)://host:port` of the app will do.
        max_attempts: How often in a row a connection is tried before the client gives up with an `error` event.
        first_wait_s: The pause before the second attempt; it doubles each time, with jitter.
        longest_wait_s: The longest pause.
        heartbeat_timeout_s: A server that is silent for so long is given up, and the connection made anew.
        headers: Sent with the handshake, for instance for a proxy that wants to know who comes.
    """

    def __init__(
        self,
        url: str = "ws://127.0.0.1:8050/ws/metrics",
        *,
        max_attempts: int = 10,
        first_wait_s: float = 0.5,
        longest_wait_s: float = 30.0,
        heartbeat_timeout_s: float = 60.0,
        headers: dict[str, str] | None = None,
    ) -> None:
        if max_attempts < 1:
            raise ValueError(f"max_attempts must be at least 1, got {max_attempts}")
        self.url = _socket_url(url)
        self.max_attempts = max_attempts
        self.first_wait_s = first_wait_s
        self.longest_wait_s = longest_wait_s
        self.heartbeat_timeout_s = heartbeat_timeout_s
        self._headers = dict(headers or {})
        self._lock = threading.RLock()  # protects everything below but the events, which protect themselves
        self._handlers: defaultdict[str, list[Handler]] = defaultdict(list)
        self._resume = Resume()
        self._metrics: defaultdict[str, deque[Message]] = defaultdict(lambda: deque(maxlen=KEPT_METRICS))
        self._asked: dict[str, tuple[threading.Event, list[Message]]] = {}  # correlation id -> who waits for its answer
        self._socket: ClientConnection | None = None
        self._thread: threading.Thread | None = None
        self._info: Message = {}
        self._attempts = self._connections = self._handler_errors = 0
        self._settled = threading.Event()  # connected, or given up
        self._stopping = threading.Event()

    def connect(self, timeout_s: float = 10.0) -> bool:
        """Connect, and stay connected until `disconnect`.

        Args:
            timeout_s: How long to wait for the first connection; it is tried further in the background.

        Returns:
            Whether the channel is open now.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopping.clear()
                self._settled.clear()
                self._attempts = 0
                self._thread = threading.Thread(target=self._run, name="metrics-client", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not threading.current_thread():
            self._settled.wait(timeout_s)
        return self.is_connected

    def disconnect(self, timeout_s: float = 5.0) -> None:
        """Close the connection and forget no subscription: `connect` goes on where this stopped.

        Args:
            timeout_s: How long to wait for the client's thread.
        """
        self._stopping.set()
        with self._lock:
            socket, thread = self._socket, self._thread
        if socket is not None:
            socket.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    close = disconnect

    def __enter__(self) -> MetricsClient:
        """Connect."""
        self.connect()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Disconnect."""
        self.disconnect()

    def subscribe(self, source: str = EVERYTHING, *, since: int | None = None) -> None:
        """Follow a source, now or as soon as the channel is open, and again after every reconnect.

        Args:
            source: A scraper's name, `scheduler:<job>`, or `*` for all.
            since: A `seq` received before: what came after it is sent first, or a `gap` says that it is gone.
        """
        with self._lock:
            self._resume.follow(source, since)
            self._send({"type": "subscribe", "scraperSource": source, **({} if since is None else {"since": since})})

    def unsubscribe(self, source: str = EVERYTHING) -> None:
        """Follow a source no longer; its last metrics are still known.

        Args:
            source: As it was subscribed.
        """
        with self._lock:
            self._resume.leave(source)
            self._send({"type": "unsubscribe", "scraperSource": source})

    def request_status(self, timeout_s: float = 5.0) -> Message | None:
        """Ask the server what it knows of this client; a `status` event brings the answer, too.

        Args:
            timeout_s: How long to wait for the answer. A handler never waits: it would be waiting for itself.

        Returns:
            The status message, None when none came in time.
        """
        correlation_id, answered, answers = uuid.uuid4().hex, threading.Event(), list[Message]()
        with self._lock:
            self._asked[correlation_id] = (answered, answers)
            thread = self._thread
            sent = self._send({"type": "status", "correlationId": correlation_id})
        if sent and thread is not threading.current_thread():
            answered.wait(timeout_s)
        with self._lock:
            if answered.is_set() or not sent or thread is not threading.current_thread():
                self._asked.pop(correlation_id, None)
        return answers[0] if answers else None

    def get_metrics(self, source: str) -> list[Message]:
        """Return the last metrics of a source, the oldest first, at most 100, as they came over the wire.

        Args:
            source: A scraper's name or `scheduler:<job>`.
        """
        with self._lock:
            return list(self._metrics.get(source, ()))

    def get_recent_metrics(self, source: str, n: int = 10) -> list[Message]:
        """Return the last `n` metrics of a source, the oldest first.

        Args:
            source: A scraper's name or `scheduler:<job>`.
            n: How many at most; no more than 100 are known.
        """
        return self.get_metrics(source)[-n:] if n > 0 else []

    def on(self, event: str, handler: Handler) -> Handler:
        """Call a handler with the message of each such event.

        Args:
            event: One of `EVENTS`.
            handler: Called with the server's message (`disconnect` and `error`: a message of the client's own).

        Returns:
            The handler, for `off`.

        Raises:
            ValueError: There is no such event.
        """
        if event not in EVENTS:
            raise ValueError(f"there is no event {event!r}: use one of {', '.join(EVENTS)}")
        with self._lock:
            self._handlers[event].append(handler)
        return handler

    def off(self, event: str, handler: Handler | None = None) -> None:
        """Call a handler no longer.

        Args:
            event: The event.
            handler: Which; all of the event's when None. One that isn't there is no error.
        """
        with self._lock:
            kept = [] if handler is None else [one for one in self._handlers[event] if one != handler]
            self._handlers[event] = kept

    @property
    def is_connected(self) -> bool:
        """Whether the channel is open and the server has greeted."""
        with self._lock:
            return self._socket is not None and bool(self._info.get("clientId"))

    @property
    def client_info(self) -> Message:
        """What is known of the connection: clientId, connectedAt, subscriptions, attempts, connections, errors."""
        with self._lock:
            return {
                "clientId": None,
                "connectedAt": None,
                "protocol": None,
                "heartbeatIntervalMs": None,
                **self._info,
                "url": self.url,
                "connected": self.is_connected,
                "subscriptions": self._resume.sources(),
                "attempts": self._attempts,
                "connections": self._connections,
                "handlerErrors": self._handler_errors,
            }

    # The client's own thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            before = self._connections
            reason = self._follow()
            if self._stopping.is_set():
                break
            with self._lock:
                if self._connections == before:  # else a connection was lost, and nothing has been tried in vain yet
                    self._attempts += 1
                attempts = self._attempts
            if attempts >= self.max_attempts:
                said = f"gave up after {attempts} attempts in a row: {reason}"
                self._tell("error", {"type": "error", "code": "gave_up", "message": said, "timestamp": now_ms()})
                break
            wait_s = min(self.longest_wait_s, self.first_wait_s * 2 ** max(0, attempts - 1))
            self._stopping.wait(wait_s * random.uniform(0.5, 1.0))
        self._settled.set()

    def _follow(self) -> str:
        """Hold one connection as long as it lives; return why it ended."""
        half_s = self.heartbeat_timeout_s / 2
        try:
            with connect(
                self.url,
                additional_headers=self._headers,
                open_timeout=min(10.0, self.heartbeat_timeout_s),
                ping_interval=half_s,
                ping_timeout=half_s,
                close_timeout=2.0,
                max_size=None,
                compression=None,
            ) as socket:
                with self._lock:
                    self._socket = socket
                if self._stopping.is_set():
                    return "disconnected"
                reason = self._read(socket)
        except (OSError, WebSocketException) as exc:
            reason = f"{type(exc).__name__}: {exc}"
        with self._lock:
            was_open = bool(self._info.get("clientId"))
            self._socket, self._info = None, {}
        if was_open:
            self._tell("disconnect", {"type": "disconnect", "reason": reason, "timestamp": now_ms()})
        return reason

    def _read(self, socket: ClientConnection) -> str:
        try:
            for text in socket:
                try:
                    message = orjson.loads(text)
                except orjson.JSONDecodeError:
                    message = None
                if isinstance(message, dict):
                    self._take(message)
                else:
                    log.warning("the server of %s sent what is no message: %.80r", self.url, text)
        except ConnectionClosed as exc:
            return str(exc)
        return "the server closed the connection" if not self._stopping.is_set() else "disconnected"

    def _take(self, message: Message) -> None:
        kind = message.get("type")
        with self._lock:
            if kind == "connected":
                self._info = {key: value for key, value in message.items() if key not in ("type", "timestamp")}
                self._info["connectedAt"] = now_ms()
                self._attempts = 0
                self._connections += 1
                for asked in self._resume.requests():
                    self._send(asked)
            elif kind == "metrics_batch":
                if not self._resume.is_new(message):
                    return
                self._metrics[str(message.get("scraperSource"))].extend(message.get("metrics", ()))
            elif kind in ("subscribed", "gap"):
                self._resume.told(message)
            waiting = self._asked.pop(str(message.get("correlationId")), None)
        if waiting is not None:
            waiting[1].append(message)
            waiting[0].set()
        if kind == "connected":
            self._settled.set()
        event = _EVENT_OF.get(str(kind))
        if event is not None:
            self._tell(event, message)

    def _tell(self, event: str, message: Message) -> None:
        with self._lock:
            handlers = list(self._handlers[event])
        for handler in handlers:
            try:
                handler(message)
            except Exception:
                with self._lock:
                    self._handler_errors += 1
                log.exception("a handler of %s failed", event)

    def _send(self, message: Message) -> bool:
        """Send what the open channel takes; what can't go now goes with the next connection."""
        if self._socket is None or not self._info.get("clientId"):
            return False
        try:
            self._socket.send(orjson.dumps(message).decode())
        except (OSError, WebSocketException):
            return False  # the reading thread notices, too, and connects anew
        return True


def _socket_url(url: str) -> str:
    """Return the channel's address for the app's, too."""
    for scheme, other in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(scheme):
            url = other + url.removeprefix(scheme)
    if not url.startswith(("ws://", "wss://")):
        raise ValueError(f"{url!r} is no address of a channel: it starts with ws://, wss://, http:// or https://")
    host = url.split("://", 1)[1]
    return url if "/" in host.rstrip("/") else f"{url.rstrip('/')}/ws/metrics"
