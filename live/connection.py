"""One WebSocket of the hub: its socket, its parser and its outbox; and what a channel does with it."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from wsproto.connection import Connection as Protocol_
from wsproto.connection import ConnectionType


class Handler(Protocol):
    """What a channel does with its connections; every method runs in the hub's loop and must not block."""

    def on_open(self, connection: Connection) -> None:
        """Greet a new connection."""

    def on_text(self, connection: Connection, text: str) -> None:
        """Take one whole text message."""

    def on_too_big(self, connection: Connection) -> None:
        """A message was larger than allowed; the hub closes the connection with 1009 afterwards."""

    def on_too_fast(self, connection: Connection) -> None:
        """The connection sent more than it may; the hub closes it with 1008 afterwards."""

    def on_drained(self, connection: Connection) -> None:
        """The connection missed frames, and can take some again: say so or send a snapshot."""

    def on_close(self, connection: Connection) -> None:
        """Forget the connection."""


class Connection:
    """One WebSocket: its socket, its parser and its bounded outbox (bytes the kernel couldn't take yet).

    Thousands of them are open and say and need nothing: what takes memory is there only while it is in use.
    """

    __slots__ = (
        "_awaits_more",
        "_parser",
        "allowance",
        "allowance_at_s",
        "client_id",
        "close_deadline",
        "connected_at_ms",
        "descriptor",
        "dropped",
        "finished",
        "handler",
        "last_heard_s",
        "last_ping_s",
        "max_message_bytes",
        "outbox",
        "outbox_bytes",
        "overflowed",
        "partial",
        "partial_bytes",
        "sent",
        "sock",
        "state",
        "turn_waits",
    )

    def __init__(self, sock: socket.socket, handler: Handler, max_message_bytes: int) -> None:
        self.sock = sock
        self.descriptor = sock.fileno()
        self.handler = handler
        self.max_message_bytes = max_message_bytes
        self._parser: Protocol_ | None = None
        self._awaits_more = False  # the parser holds a part of a message
        self.client_id = uuid.uuid4().hex
        self.connected_at_ms = time.time_ns() // 1_000_000
        self.last_heard_s = self.last_ping_s = self.allowance_at_s = time.monotonic()
        self.allowance: float | None = None  # what it may still send (live.reading); None: it hasn't sent anything yet
        self.turn_waits = False  # more of it has been read than was handled: the reader pauses
        self.close_deadline: float | None = None
        self.finished = False  # nothing more is heard of it: what it still sends is thrown away
        self.sent = self.dropped = 0
        # What waits, and how many frames each is; there while something does (live.outboxes keeps it).
        self.outbox: deque[tuple[memoryview, int]] | None = None
        self.outbox_bytes = 0
        self.overflowed = False
        self.partial: list[str] = []
        self.partial_bytes = 0
        self.state: Any = None  # the handler's own

    @property
    def protocol(self) -> Protocol_:
        """Return what takes the peer's frames apart, made when it is needed."""
        if self._parser is None:
            self._parser = Protocol_(ConnectionType.SERVER)
        return self._parser

    def receive(self, data: bytes) -> None:
        """Give the parser what the peer sent.

        Raises:
            LocalProtocolError: the connection is closed already.
        """
        self._awaits_more = self._awaits_more or not _is_whole(data)
        self.protocol.receive_data(data)

    def rest(self) -> None:
        """Forget the parser when everything that was received has been handled and nothing is known to follow."""
        if not self._awaits_more and self.close_deadline is None:
            self._parser = None


def _is_whole(data: bytes) -> bool:
    """Say whether a peer's bytes are messages of one frame each, and end where a frame ends (RFC 6455, section 5.2)."""
    at, size = 0, len(data)
    while at + 6 <= size and data[at] & 0x80:
        length = data[at + 1] & 0x7F
        at += 6  # with the mask
        if length == 126:
            length = int.from_bytes(data[at - 4 : at - 2], "big")
            at += 2
        elif length == 127:
            length = int.from_bytes(data[at - 4 : at + 4], "big")
            at += 8
        at += length
    return at == size


def take_over(server_sock: socket.socket) -> socket.socket:
    """Return a duplicate of a web server's socket that doesn't block, and point the server's own at a dead one."""
    own = server_sock.dup()
    dead, other = socket.socketpair()
    other.close()
    os.dup2(dead.fileno(), server_sock.fileno())
    dead.close()
    own.setblocking(False)
    with contextlib.suppress(OSError):
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return own


def room_for_sockets() -> int:
    """Return how many connections leave a quarter of the process's open files for everything else."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, files - files // 4 - 64)


class NoReaderThread:
    """Stands in for simple-websocket's reader thread: the hub reads instead."""

    name = "(_thread)"

    def __init__(self, target: Callable[[], None] | None = None) -> None:
        del target

    def start(self) -> None:
        """Start nothing."""
