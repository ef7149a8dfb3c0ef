"""The hub's reading side: what peers send is parsed in small portions, and who sends too much is told and closed."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from live.connection import Connection

if TYPE_CHECKING:
    from live.hub import Hub

log = logging.getLogger(__name__)

READ_BYTES: Final = 65_536
# So many frames of one connection are handled before the others' turn: two or three milliseconds.
FRAMES_A_TURN: Final = 64
BROKEN: Final = {
    CloseReason.PROTOCOL_ERROR: "broken frames",
    CloseReason.INVALID_FRAME_PAYLOAD_DATA: "text that is not UTF-8",
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How much one peer may say: an allowance that is used up by what it sends, and grows again with time.

    A frame costs one, and so does each piece of `bytes_each` that arrives. That a packet came costs something, too:
    who sends a message in ten thousand packets makes ten thousand times the work.

    Args:
        per_s: What the allowance grows by each second.
        most: Where it ends to grow; a client that comes back subscribes to all of its sources at once.
        bytes_each: Bytes.
        packet: What a packet costs.
    """

    per_s: float = 100.0
    most: float = 2_500.0
    bytes_each: int = 4_096
    packet: float = 0.05


class Reading:
    """Read what the peers of a hub send; all of it runs in the hub's loop."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def readable(self, connection: Connection) -> None:
        """Take what has come on a connection."""
        try:
            data = connection.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.hub.drop(connection)
            return
        if connection.finished:  # it is read only so that its last words from us aren't lost in a reset
            return
        connection.last_heard_s = time.monotonic()
        self.charge(connection, self.hub.pace.packet + len(data) / self.hub.pace.bytes_each)
        try:
            connection.protocol.receive_data(data)
        except LocalProtocolError:
            self.hub.drop(connection)
            return
        self._advance(connection)

    def charge(self, connection: Connection, cost: float) -> bool:
        """Let a connection pay for the work that it makes; False when it can't any more."""
        pace, now_s = self.hub.pace, time.monotonic()
        grown = (now_s - connection.allowance_at_s) * pace.per_s
        before = pace.most if connection.allowance is None else min(pace.most, connection.allowance + grown)
        connection.allowance, connection.allowance_at_s = before - cost, now_s
        return connection.allowance >= 0

    def _advance(self, connection: Connection) -> None:
        """Handle frames that are there; when there are many, the rest after the others' turn."""
        if connection not in self.hub.connections or connection.finished:
            return
        try:
            for _ in range(FRAMES_A_TURN):
                event = next(connection.protocol.events(), None)
                if event is None:
                    self.hub.read_on(connection)
                    return
                if not self._handle(connection, event):
                    self.hub.read_on(connection)
                    return
        except LocalProtocolError:
            self.hub.drop(connection)
            return
        except Exception:  # a handler's mistake ends this connection, with a code that says whose fault it was
            log.exception("a message could not be handled")
            self.hub.close(connection, CloseReason.INTERNAL_ERROR, "internal error")
        self.hub.read_later(connection, self._advance)

    def _handle(self, connection: Connection, event: Any) -> bool:
        """Handle one parsed event; False when nothing more of what is there may be handled."""
        paid = not getattr(event, "frame_finished", True) or self.charge(connection, 1)
        if isinstance(event, CloseConnection):
            self._closed(connection, event)
            return False
        if not paid:
            self._too_fast(connection)
            return False
        if connection.close_deadline is not None:
            return True  # we are closing: whatever else still arrives is not for us
        if isinstance(event, TextMessage):
            return self._text(connection, event)
        if isinstance(event, BytesMessage):
            self.hub.close(connection, CloseReason.UNSUPPORTED_DATA, "text messages only")
            self.hub.finish(connection)
            return False
        if isinstance(event, Ping):
            self.hub.pong(connection, event)
        # A pong has renewed last_heard_s, which is all that it is for.
        return connection in self.hub.connections

    def _text(self, connection: Connection, event: TextMessage) -> bool:
        if event.data:  # empty fragments weigh nothing, but a list of millions of them would
            connection.partial.append(event.data)
        connection.partial_bytes += len(event.data.encode())
        if connection.partial_bytes > connection.max_message_bytes:
            connection.partial, connection.partial_bytes = [], 0
            connection.handler.on_too_big(connection)
            self.hub.close(connection, CloseReason.MESSAGE_TOO_BIG, "message too big")
            self.hub.finish(connection)
            return False
        if event.message_finished:
            text = "".join(connection.partial)
            connection.partial, connection.partial_bytes = [], 0
            connection.handler.on_text(connection, text)
        return connection in self.hub.connections

    def _too_fast(self, connection: Connection) -> None:
        if connection.close_deadline is None:
            connection.handler.on_too_fast(connection)
            self.hub.close(connection, CloseReason.POLICY_VIOLATION, "too many messages")
        self.hub.finish(connection)

    def _closed(self, connection: Connection, event: CloseConnection) -> None:
        """Answer the peer's close, or tell it the parser's verdict on a broken frame."""
        state = connection.protocol.state
        if state is ConnectionState.CLOSED:  # it has answered ours
            self.hub.drop(connection)
            return
        if state is not ConnectionState.REMOTE_CLOSING:
            self.hub.ended.add(BROKEN.get(CloseReason(event.code), "broken frames"))
        with contextlib.suppress(LocalProtocolError):
            self.hub.push(connection, connection.protocol.send(event.response()))
        self.hub.finish(connection)
