"""The hub: one loop that owns every WebSocket after its handshake, so that an open connection costs no thread.

flask-sock shakes hands on a server thread, then `Hub.adopt` takes the TCP socket over. All connection state is
touched by the loop's thread only, therefore nothing here needs a lock; other threads use `call` and `send`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from wsproto.connection import Connection as Protocol_
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

log = logging.getLogger(__name__)
READ_BYTES = 65536
T = TypeVar("T")


class Handler(Protocol):
    """What a channel does with its connections; every method runs in the hub's loop and must not block."""

    def on_open(self, connection: Connection) -> None:
        """Greet a new connection."""

    def on_text(self, connection: Connection, text: str) -> None:
        """Take one whole text message."""

    def on_too_big(self, connection: Connection) -> None:
        """A message was larger than allowed; the hub closes the connection with 1009 afterwards."""

    def on_drained(self, connection: Connection) -> None:
        """The connection missed frames, and can take some again: say so or send a snapshot."""

    def on_close(self, connection: Connection) -> None:
        """Forget the connection."""


class Connection:
    """One WebSocket: its socket, its parser and its bounded outbox (bytes the kernel couldn't take yet)."""

    __slots__ = (
        "client_id",
        "close_deadline",
        "connected_at_ms",
        "dropped",
        "handler",
        "last_heard_s",
        "last_ping_s",
        "max_message_bytes",
        "outbox",
        "outbox_bytes",
        "overflowed",
        "partial",
        "partial_bytes",
        "protocol",
        "sent",
        "sock",
        "state",
    )

    def __init__(self, sock: socket.socket, handler: Handler, max_message_bytes: int) -> None:
        self.sock = sock
        self.handler = handler
        self.max_message_bytes = max_message_bytes
        self.protocol = Protocol_(ConnectionType.SERVER)
        self.client_id = uuid.uuid4().hex
        self.connected_at_ms = time.time_ns() // 1_000_000
        self.last_heard_s = self.last_ping_s = time.monotonic()
        self.close_deadline: float | None = None
        self.sent = self.dropped = 0
        self.outbox: deque[memoryview] = deque()
        self.outbox_bytes = 0
        self.overflowed = False
        self.partial: list[str] = []
        self.partial_bytes = 0
        self.state: Any = None  # the handler's own


class Hub:
    """Own all sockets in one thread: read, write without blocking, ping, and close the dead."""

    def __init__(
        self,
        *,
        outbox_limit_bytes: int = 1 << 20,
        ping_interval_s: float = 30.0,
        silence_limit_s: float = 60.0,
        close_wait_s: float = 2.0,
        max_connections: int | None = None,
    ) -> None:
        self.outbox_limit_bytes = outbox_limit_bytes
        self.ping_interval_s = ping_interval_s
        self.silence_limit_s = silence_limit_s
        self.close_wait_s = close_wait_s
        self.max_connections = _room_for_sockets() if max_connections is None else max_connections
        self.refused = 0
        self.connections: set[Connection] = set()
        self.frames_sent = self.bytes_sent = self.frames_dropped = self.outbox_high_water_bytes = 0
        self._stopping = False
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)

    # Any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Run a function in the loop soon; calls from one thread keep their order. Ignored once the hub stopped."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(function, *args)

    def ask(self, function: Callable[[], T], *, timeout_s: float) -> T:
        """Run a function in the loop and return its result, from any other thread.

        Raises:
            TimeoutError: the loop didn't come to it in time, or has stopped.
        """
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(function())
            except Exception as exc:  # noqa: BLE001 - it belongs to the caller
                answer.set_exception(exc)

        self.call(run)
        return answer.result(timeout_s)

    def send(self, connection: Connection, frame: bytes) -> None:
        """Send one encoded frame to one connection, from any thread."""
        self.call(self.write, connection, frame)

    def adopt(self, ws: Any, handler: Handler, *, max_message_bytes: int) -> None:
        """Take a connection over from flask-sock's handshake thread.

        The hub keeps a duplicate of the TCP socket; the web server's own descriptor is pointed at a dead one, so
        that its close can't touch the viewer.

        Args:
            ws: the simple-websocket `Server` after its handshake (made with `NoReaderThread`).
            handler: the channel that the connection belongs to.
            max_message_bytes: larger messages close the connection with 1009.
        """
        if len(self.connections) >= self.max_connections:
            # Without a free descriptor the web server couldn't even accept: it would end, and every viewer with it.
            self.refused += 1
            ws.close(CloseReason.TRY_AGAIN_LATER, "too many connections")
            return
        server_sock: socket.socket = ws.sock
        own = server_sock.dup()
        dead, other = socket.socketpair()
        other.close()
        os.dup2(dead.fileno(), server_sock.fileno())
        dead.close()
        ws.connected = False  # flask-sock closes what is connected
        own.setblocking(False)
        with contextlib.suppress(OSError):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.call(self._open, Connection(own, handler, max_message_bytes))

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close every connection with 1001 (going away) after what is queued has been written, and end the loop."""
        self.call(self._begin_stop)
        self._thread.join(timeout_s)

    # The loop's thread -----------------------------------------------------------------------------------------

    def write(self, connection: Connection, frame: bytes) -> None:
        """Write one frame without blocking; what doesn't fit waits in the outbox, an overflow drops the frame."""
        if connection not in self.connections or connection.close_deadline is not None:
            return
        # A frame of any size may go while nothing waits: were it dropped, no later drain would lift `overflowed`.
        full = bool(connection.outbox) and connection.outbox_bytes + len(frame) > self.outbox_limit_bytes
        if connection.overflowed or full:
            connection.overflowed = True
            connection.dropped += 1
            self.frames_dropped += 1
            return
        connection.sent += 1
        self.frames_sent += 1
        self._push(connection, frame)

    def close(self, connection: Connection, code: int, reason: str = "") -> None:
        """Start the closing handshake; the socket goes when the peer answers or after `close_wait_s`."""
        if connection not in self.connections or connection.close_deadline is not None:
            return
        try:
            frame = connection.protocol.send(CloseConnection(code=code, reason=reason))
        except LocalProtocolError:
            self._drop(connection)
            return
        connection.close_deadline = time.monotonic() + self.close_wait_s
        self._push(connection, frame)
        self._loop.call_later(self.close_wait_s, self._drop, connection)

    def call_later(self, delay_s: float, function: Callable[..., object], *args: Any) -> None:
        """Run a function in the loop after a while; to be called in the loop."""
        self._loop.call_later(delay_s, function, *args)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_later(1.0, self._watch)
        self._loop.run_forever()
        self._loop.close()

    def _open(self, connection: Connection) -> None:
        if self._stopping:
            connection.sock.close()
            return
        self.connections.add(connection)
        self._loop.add_reader(connection.sock, self._readable, connection)
        connection.handler.on_open(connection)

    def _push(self, connection: Connection, frame: bytes) -> None:
        self.bytes_sent += len(frame)
        if not connection.outbox:
            try:
                taken = connection.sock.send(frame)
            except BlockingIOError:
                taken = 0
            except OSError:
                self._drop(connection)
                return
            if taken == len(frame):
                return
            self._loop.add_writer(connection.sock, self._writable, connection)
            connection.outbox.append(memoryview(frame)[taken:])
            connection.outbox_bytes += len(frame) - taken
        else:
            connection.outbox.append(memoryview(frame))
            connection.outbox_bytes += len(frame)
        self.outbox_high_water_bytes = max(self.outbox_high_water_bytes, connection.outbox_bytes)

    def _writable(self, connection: Connection) -> None:
        try:
            while connection.outbox:
                head = connection.outbox[0]
                taken = connection.sock.send(head)
                connection.outbox_bytes -= taken
                if taken < len(head):
                    connection.outbox[0] = head[taken:]
                    return
                connection.outbox.popleft()
        except BlockingIOError:
            return
        except OSError:
            self._drop(connection)
            return
        self._loop.remove_writer(connection.sock)
        if connection.overflowed:
            connection.overflowed = False
            connection.handler.on_drained(connection)

    def _readable(self, connection: Connection) -> None:
        try:
            data = connection.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.last_heard_s = time.monotonic()
        try:
            connection.protocol.receive_data(data)
            for event in connection.protocol.events():
                if not self._handle(connection, event):
                    return
        except LocalProtocolError:
            self._drop(connection)
        except Exception:  # a handler's mistake ends this connection, with a code that says whose fault it was
            log.exception("a message could not be handled")
            self.close(connection, CloseReason.INTERNAL_ERROR, "internal error")

    def _handle(self, connection: Connection, event: Any) -> bool:
        """Handle one parsed event; False ends the reading of this connection."""
        if connection.close_deadline is not None and not isinstance(event, CloseConnection):
            return True  # we are closing: whatever else still arrives is not for us
        if isinstance(event, TextMessage):
            if event.data:  # empty fragments weigh nothing, but a list of millions of them would
                connection.partial.append(event.data)
            connection.partial_bytes += len(event.data.encode())
            if connection.partial_bytes > connection.max_message_bytes:
                connection.handler.on_too_big(connection)
                self.close(connection, CloseReason.MESSAGE_TOO_BIG, "message too big")
                return False
            if event.message_finished:
                text = "".join(connection.partial)
                connection.partial, connection.partial_bytes = [], 0
                connection.handler.on_text(connection, text)
        elif isinstance(event, BytesMessage):
            self.close(connection, CloseReason.UNSUPPORTED_DATA, "text messages only")
            return False
        elif isinstance(event, Ping):
            # Who pings without reading would fill our memory with pongs; a later ping is answered again.
            if connection.outbox_bytes <= self.outbox_limit_bytes:
                self._push(connection, connection.protocol.send(event.response()))
        elif isinstance(event, CloseConnection):
            # Either the peer's own close (answer it) or the parser's verdict on a broken frame (tell the peer).
            with contextlib.suppress(LocalProtocolError):
                self._push(connection, connection.protocol.send(event.response()))
            self._drop(connection)
            return False
        elif isinstance(event, Pong):
            pass  # last_heard_s has been renewed, which is all a pong is for
        return connection in self.connections

    def _drop(self, connection: Connection) -> None:
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self._loop.remove_reader(connection.sock)
        self._loop.remove_writer(connection.sock)
        connection.sock.close()
        connection.outbox.clear()
        connection.handler.on_close(connection)

    def _watch(self) -> None:
        """Ping the silent and close the dead; once a second."""
        now = time.monotonic()
        for connection in list(self.connections):
            silence = now - connection.last_heard_s
            if silence > self.silence_limit_s:
                self._drop(connection)
            elif (
                min(silence, now - connection.last_ping_s) >= self.ping_interval_s and connection.close_deadline is None
            ):
                connection.last_ping_s = now
                with contextlib.suppress(LocalProtocolError):
                    self._push(connection, connection.protocol.send(Ping()))
        self._loop.call_later(1.0, self._watch)

    def _begin_stop(self) -> None:
        self._stopping = True
        for connection in list(self.connections):
            self.close(connection, CloseReason.GOING_AWAY, "server is shutting down")
        deadline = time.monotonic() + self.close_wait_s
        self._end_when_empty(deadline)

    def _end_when_empty(self, deadline: float) -> None:
        if not self.connections or time.monotonic() > deadline:
            for connection in list(self.connections):
                self._drop(connection)
            self._loop.stop()
        else:
            self._loop.call_later(0.02, self._end_when_empty, deadline)


def _room_for_sockets() -> int:
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
