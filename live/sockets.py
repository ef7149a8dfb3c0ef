"""`/ws/metrics`: the public channel over flask-sock, for programs that want the metrics as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, request
from flask_sock import Sock
from wsproto.frame_protocol import CloseReason

from live import protocol
from live.channel import Channel
from live.connection import Connection, NoReaderThread
from live.frames import text_frame
from live.handshake import guard_handshakes
from live.hub import Hub

ERRORS_ALLOWED = 10
ERRORS_WINDOW_S = 10.0
# A status lists all subscriptions and counts everything: more work than other messages (see live.reading.Pace).
STATUS_COST = 10.0


@dataclass(slots=True)
class Client:
    """What the channel remembers of one connection."""

    subscriptions: set[str] = field(default_factory=set)
    errors_s: deque[float] = field(default_factory=lambda: deque(maxlen=ERRORS_ALLOWED))


class MetricsSocket:
    """Answer the requests of SPEC section 5 (a handler of the hub)."""

    def __init__(self, channel: Channel, server_stats: Callable[[], dict[str, Any]]) -> None:
        self.channel = channel
        self.hub: Hub = channel.hub
        self.server_stats = server_stats

    def on_open(self, connection: Connection) -> None:
        """Greet the client with its id and the heartbeat's interval."""
        connection.state = Client()
        self._answer(
            connection,
            "connected",
            {
                "clientId": connection.client_id,
                "heartbeatIntervalMs": protocol.HEARTBEAT_INTERVAL_MS,
                "protocol": protocol.PROTOCOL_VERSION,
            },
        )

    def on_text(self, connection: Connection, text: str) -> None:
        """Answer one request; a bad one gets an error, ten bad ones in ten seconds end the connection."""
        try:
            self._do(connection, protocol.parse_request(text))
        except protocol.RequestError as problem:
            self._answer(
                connection,
                "error",
                {"code": problem.code, "message": problem.message},
                correlation_id=problem.correlation_id,
            )
            client: Client = connection.state
            client.errors_s.append(time.monotonic())
            if len(client.errors_s) == ERRORS_ALLOWED and client.errors_s[-1] - client.errors_s[0] <= ERRORS_WINDOW_S:
                self.hub.close(connection, CloseReason.POLICY_VIOLATION, "too many errors")

    def on_too_big(self, connection: Connection) -> None:
        """Say what the limit is before the connection closes."""
        self._answer(
            connection,
            "error",
            {"code": "too_big", "message": f"a message has at most {protocol.MAX_MESSAGE_BYTES} bytes"},
        )

    def on_too_fast(self, connection: Connection) -> None:
        """Say what the limit is before the connection closes."""
        pace = self.hub.pace
        self._answer(
            connection,
            "error",
            {"code": "too_many_messages", "message": f"at most {pace.per_s:.0f} messages a second, or one in pieces"},
        )

    def on_drained(self, connection: Connection) -> None:
        """Tell a client that reads again that it missed batches."""
        client: Client = connection.state
        for source in sorted(client.subscriptions):
            self._answer(connection, "gap", {"scraperSource": source, "seq": self.channel.seq(source)})

    def on_close(self, connection: Connection) -> None:
        """Forget the client's subscriptions."""
        client: Client = connection.state
        for source in client.subscriptions:
            self.channel.unsubscribe(source, connection)

    def _do(self, connection: Connection, asked: protocol.ClientRequest) -> None:
        client: Client = connection.state
        if asked.type == "subscribe" and asked.source is not None:
            if len(client.subscriptions) >= protocol.MAX_SUBSCRIPTIONS and asked.source not in client.subscriptions:
                self.hub.refused.add("subscriptions: too many of one client")
                raise protocol.RequestError(
                    "too_many_subscriptions",
                    f'at most {protocol.MAX_SUBSCRIPTIONS} subscriptions a client; use "*" for all sources',
                    asked.correlation_id,
                )
            if not self.channel.subscribe(asked.source, connection):
                self.hub.refused.add("subscriptions: too many of all clients")
                raise protocol.RequestError(
                    "too_many_subscriptions",
                    'all clients together have too many subscriptions; use "*" for all sources, or try again later',
                    asked.correlation_id,
                )
            client.subscriptions.add(asked.source)
            seq = self.channel.seq(asked.source)
            self._answer(
                connection,
                "subscribed",
                {"scraperSource": asked.source, "seq": seq},
                correlation_id=asked.correlation_id,
            )
            if asked.since is not None:
                missed = self.channel.missed(asked.source, asked.since)
                if missed is None:
                    self._answer(connection, "gap", {"scraperSource": asked.source, "seq": seq})
                for payload in missed or ():
                    self.hub.write(connection, text_frame(payload))
        elif asked.type == "unsubscribe" and asked.source is not None:
            client.subscriptions.discard(asked.source)
            self.channel.unsubscribe(asked.source, connection)
            self._answer(
                connection, "unsubscribed", {"scraperSource": asked.source}, correlation_id=asked.correlation_id
            )
        elif asked.type == "status":
            self.hub.charge(connection, STATUS_COST)
            self._answer(
                connection,
                "status",
                {
                    "clientId": connection.client_id,
                    "subscriptions": sorted(client.subscriptions),
                    "connectedAt": connection.connected_at_ms,
                    "sent": connection.sent,
                    "dropped": connection.dropped,
                    "server": self.server_stats(),
                },
                correlation_id=asked.correlation_id,
            )
        else:
            reply = "pong" if asked.type == "ping" else "heartbeat_ack"
            self._answer(connection, reply, correlation_id=asked.correlation_id)

    def _answer(
        self, connection: Connection, kind: str, fields: dict[str, Any] | None = None, *, correlation_id: Any = None
    ) -> None:
        self.hub.write(connection, text_frame(protocol.answer(kind, fields, correlation_id=correlation_id)))


def serve_metrics_socket(app: Flask, handler: MetricsSocket, *, allowed_origins: tuple[str, ...]) -> None:
    """Register `/ws/metrics` on a Flask app whose flask-sock options name `NoReaderThread`.

    Args:
        app: the Flask app.
        handler: what answers the clients.
        allowed_origins: browser origins that may connect besides the app's own.
    """
    use_hub_for_sockets(app)
    sock = Sock(app)

    guard_handshakes(app, "/ws/metrics", allowed_origins, handler.hub.refused)

    @sock.route("/ws/metrics")  # type: ignore[untyped-decorator]  # flask-sock has no types
    def metrics(ws: Any) -> None:
        handler.hub.adopt(ws, handler, max_message_bytes=protocol.MAX_MESSAGE_BYTES)


def use_hub_for_sockets(app: Flask) -> None:
    """Let flask-sock only shake hands: no reader thread, and no compression that every frame would pay for."""
    app.config["SOCK_SERVER_OPTIONS"] = {"thread_class": NoReaderThread}

    def refuse_extensions() -> None:
        if "websocket" in request.headers.get("Upgrade", "").lower():
            request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)

    if not app.extensions.get("scrapeboard-hub"):
        app.extensions["scrapeboard-hub"] = True
        app.before_request(refuse_extensions)
