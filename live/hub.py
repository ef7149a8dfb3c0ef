"""The hub: one loop that owns every WebSocket after its handshake, so that an open connection costs no thread.

flask-sock shakes hands on a server thread, then `Hub.adopt` takes the TCP socket over. All connection state is
touched by the loop's thread only, therefore nothing here needs a lock; other threads use `call` and `send`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextvars import Context
from typing import Any, TypeVar

import numpy as np
from wsproto.events import CloseConnection, Ping
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from live.batch_write import MOST_PIECES, BatchWriter, Results, make_batch_writer
from live.connection import Connection, Handler, room_for_sockets, take_over
from live.meter import Durations
from live.outboxes import ALL_LIMIT_BYTES, Outboxes
from live.reading import Pace, Reading
from live.tally import Tally

LAG_INTERVAL_S = 0.25
PING = bytes((0x89, 0))  # the frame of an empty one; a parser that would make it takes more memory than all else
# A handshake leaves ten kilobytes of circles behind; Python looks for those when there are 50,000 objects more.
HANDSHAKES_A_SWEEP = 200
T = TypeVar("T")


class Hub:
    """Own all sockets in one thread: read, write without blocking, ping, and close the dead."""

    def __init__(
        self,
        *,
        outbox_limit_bytes: int = 1 << 20,
        outboxes_limit_bytes: int = ALL_LIMIT_BYTES,
        ping_interval_s: float = 30.0,
        silence_limit_s: float = 60.0,
        close_wait_s: float = 2.0,
        max_connections: int | None = None,
        writer: BatchWriter | None = None,
        pace: Pace = Pace(),
    ) -> None:
        self.outbox_limit_bytes = outbox_limit_bytes
        self.ping_interval_s = ping_interval_s
        self.silence_limit_s = silence_limit_s
        self.close_wait_s = close_wait_s
        self.max_connections = room_for_sockets() if max_connections is None else max_connections
        self.refused, self.ended = Tally(), Tally()
        self.send_times, self.lags = Durations(), Durations()
        self.pace = pace
        self._reading = Reading(self)
        self.connections: set[Connection] = set()
        self.outboxes = Outboxes(outboxes_limit_bytes)
        self.frames_sent = self.bytes_sent = self.frames_dropped = self.pongs_dropped = 0
        self._stopping = False
        self._opened = 0
        self._writer = writer or make_batch_writer()
        self._loop = asyncio.SelectorEventLoop()
        # Not the caller's: the loop would keep it, and with it a handshake's whole HTTP request, as long as the viewer.
        self._context = Context()
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)

    # Any thread ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the loop's thread."""
        self._thread.start()

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Run a function in the loop soon; calls from one thread keep their order. Ignored once the hub stopped."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(function, *args, context=self._context)

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
            self.refused.add("connections: too many are open")
            ws.close(CloseReason.TRY_AGAIN_LATER, "too many connections")
            return
        own = take_over(ws.sock)
        ws.connected = False  # flask-sock closes what is connected
        self.call(self._open, Connection(own, handler, max_message_bytes))

    def stop(self, timeout_s: float = 5.0) -> None:
        """Close every connection with 1001 (going away) after what is queued has been written, and end the loop."""
        if self._thread.ident is None:  # never started: nobody else closes what was opened for the loop
            self._loop.close()
            self._writer.close()
            return
        self.call(self._begin_stop)
        self._thread.join(timeout_s)

    # The loop's thread -----------------------------------------------------------------------------------------

    def write(self, connection: Connection, frame: bytes, count: int = 1) -> None:
        """Write a frame, or some, without blocking; what doesn't fit waits in the outbox, an overflow drops it all."""
        if connection not in self.connections or connection.close_deadline is not None:
            return
        # A frame of any size may go while nothing waits: were it dropped, no later drain would lift `overflowed`.
        full = bool(connection.outbox) and connection.outbox_bytes + len(frame) > self.outbox_limit_bytes
        if connection.overflowed or full:
            connection.overflowed = True
            connection.dropped += count
            self.frames_dropped += count
            return
        connection.sent += count
        self.frames_sent += count
        self.push(connection, frame, count)

    def write_all(self, connections: Iterable[Connection], frame: bytes, count: int = 1) -> None:
        """Write the same to many connections in one go.

        Args:
            connections: Each gets it as `write` would give it.
            frame: The encoded frame, or some one after the other.
            count: How many they are.
        """
        began_s = time.perf_counter()
        ready = self._ready(connections, lambda connection: self.write(connection, frame, count))
        if ready:
            self._written(ready, self._writer.write([one.descriptor for one in ready], frame), lambda _: frame, count)
            self.send_times.add(time.perf_counter() - began_s)

    def write_filled(
        self, connections: Sequence[Connection], pieces: Sequence[bytes], fillings: Sequence[bytes]
    ) -> None:
        """Write to many connections frames that differ only in what fills the gaps between their pieces.

        Args:
            connections: n connections; one that stands for several pages is there as often.
            pieces: What the frames have in common.
            fillings: n texts of the same length.
        """
        began_s = time.perf_counter()
        first: dict[Connection, bytes] = {}
        rest = []
        for connection, filling in zip(connections, fillings, strict=True):
            if connection in first or len(pieces) > MOST_PIECES:
                rest.append((connection, filling.join(pieces)))
            else:
                first[connection] = filling
        ready = self._ready(first, lambda connection: self.write(connection, first[connection].join(pieces)))
        if ready:
            own = b"".join(first[connection] for connection in ready)
            results = self._writer.write_between([one.descriptor for one in ready], pieces, own)
            self._written(ready, results, lambda connection: first[connection].join(pieces))
        for connection, frame in rest:
            self.write(connection, frame)
        self.send_times.add(time.perf_counter() - began_s)

    def close(self, connection: Connection, code: int, reason: str = "") -> None:
        """Start the closing handshake; the socket goes when the peer answers or after `close_wait_s`."""
        if connection not in self.connections or connection.close_deadline is not None:
            return
        try:
            frame = connection.protocol.send(CloseConnection(code=code, reason=reason))
        except LocalProtocolError:
            self.drop(connection)
            return
        self.ended.add(reason or str(code))
        self._give_time(connection)
        self.push(connection, frame)

    def finish(self, connection: Connection) -> None:
        """Hear nothing more of a connection that was told why it ends.

        It is read on until it ends its side: a socket that is closed with something unread in it is reset, and what
        it was told is lost.
        """
        connection.finished = True
        self._give_time(connection)
        self._end_our_side(connection)

    def charge(self, connection: Connection, cost: float) -> None:
        """Let a connection pay for more work than its messages cost anyway (see live.reading.Pace)."""
        self._reading.charge(connection, cost)

    def pong(self, connection: Connection, ping: Ping) -> None:
        """Answer a ping; not that of one who pings without reading: pongs would fill our memory. A later one is."""
        if connection.outbox_bytes <= self.outbox_limit_bytes:
            self.push(connection, connection.protocol.send(ping.response()))
        else:
            self.pongs_dropped += 1

    def read_later(self, connection: Connection, function: Callable[[Connection], object]) -> None:
        """Go on with what was read of a connection after the others' turn, and read no more of it until then."""
        if not connection.turn_waits:
            connection.turn_waits = True
            self._loop.remove_reader(connection.sock)
        self._loop.call_soon(function, connection)

    def read_on(self, connection: Connection) -> None:
        """Read again what comes on a connection that had to wait for its turn."""
        if connection.turn_waits and connection in self.connections:
            connection.turn_waits = False
            self._loop.add_reader(connection.sock, self._reading.readable, connection)

    def call_later(self, delay_s: float, function: Callable[..., object], *args: Any) -> None:
        """Run a function in the loop after a while; to be called in the loop."""
        self._loop.call_later(delay_s, function, *args)

    def _give_time(self, connection: Connection) -> None:
        """Drop a connection after a while, whatever its peer does."""
        if connection.close_deadline is None:
            connection.close_deadline = time.monotonic() + self.close_wait_s
            self._loop.call_later(self.close_wait_s, self.drop, connection)

    def _end_our_side(self, connection: Connection) -> None:
        if connection.finished and not connection.outbox:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_WR)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.call_later(1.0, self._watch)
        self._measure_lag(self._loop.time())
        self._loop.run_forever()
        self._loop.close()
        self._writer.close()

    def _open(self, connection: Connection) -> None:
        if self._stopping:
            connection.sock.close()
            return
        self.connections.add(connection)
        self._opened += 1
        if self._opened % HANDSHAKES_A_SWEEP == 0:
            gc.collect(0)
        self._loop.add_reader(connection.sock, self._reading.readable, connection)
        connection.handler.on_open(connection)

    def push(self, connection: Connection, frame: bytes, count: int = 0) -> None:
        """Write a frame, whatever the outbox holds already; `count`: how many are missed when it is dropped later."""
        self.bytes_sent += len(frame)
        if not connection.outbox:
            try:
                taken = connection.sock.send(frame)
            except BlockingIOError:
                taken = 0
            except OSError:
                self.drop(connection)
                return
            if taken == len(frame):
                return
            self._keep(connection, frame, taken, count)
            return
        self.outboxes.put(connection, frame, count=count)

    def _ready(self, connections: Iterable[Connection], otherwise: Callable[[Connection], None]) -> list[Connection]:
        """Return the connections that nothing waits for; do something else with the others."""
        ready = []
        for connection in connections:
            if connection.outbox or connection.overflowed or connection.close_deadline is not None:
                otherwise(connection)
            elif connection in self.connections:
                ready.append(connection)
        return ready

    def _written(
        self,
        connections: Sequence[Connection],
        results: Results,
        frame_of: Callable[[Connection], bytes],
        count: int = 1,
    ) -> None:
        """Take note of what a batch of writes came to: what a connection couldn't take goes into its outbox."""
        length = len(frame_of(connections[0]))
        self.frames_sent += count * len(connections)
        self.bytes_sent += length * len(connections)
        for connection in connections:
            connection.sent += count
        for place in np.flatnonzero(results != length).tolist():
            connection, taken = connections[place], int(results[place])
            if taken < 0 and taken not in (-errno.EAGAIN, -errno.EINTR):
                self.drop(connection)
            else:
                self._keep(connection, frame_of(connection), max(0, taken), count)

    def _keep(self, connection: Connection, frame: bytes, taken: int, count: int) -> None:
        """Put the rest of a frame into the empty outbox of a connection that took only a part of it."""
        self._loop.add_writer(connection.sock, self._writable, connection)
        self.outboxes.put(connection, frame, taken=taken, count=count)

    def _writable(self, connection: Connection) -> None:
        try:
            self.outboxes.write(connection, connection.sock.send)
        except BlockingIOError:
            return
        except OSError:
            self.drop(connection)
            return
        if connection.outbox:
            return
        self._loop.remove_writer(connection.sock)
        self._end_our_side(connection)
        if connection.overflowed:
            connection.overflowed = False
            connection.handler.on_drained(connection)

    def drop(self, connection: Connection) -> None:
        """Forget a connection at once, without a word."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self._loop.remove_reader(connection.sock)
        self._loop.remove_writer(connection.sock)
        connection.sock.close()
        self.outboxes.forget(connection)
        connection.handler.on_close(connection)

    def _watch(self) -> None:
        """Ping the silent and close the dead; once a second."""
        now = time.monotonic()
        for connection in list(self.connections):
            silence = now - connection.last_heard_s
            if silence > self.silence_limit_s:
                self.ended.add("silent for too long")
                self.drop(connection)
            elif (
                min(silence, now - connection.last_ping_s) >= self.ping_interval_s and connection.close_deadline is None
            ):
                connection.last_ping_s = now
                self.push(connection, PING)
        self._loop.call_later(1.0, self._watch)

    def _measure_lag(self, due_s: float) -> None:
        """Note how late the loop is at what is due; what it was late for isn't made up for."""
        now_s = self._loop.time()
        self.lags.add(now_s - due_s)
        self._loop.call_at(now_s + LAG_INTERVAL_S, self._measure_lag, now_s + LAG_INTERVAL_S)

    def _begin_stop(self) -> None:
        self._stopping = True
        for connection in list(self.connections):
            self.close(connection, CloseReason.GOING_AWAY, "server is shutting down")
        deadline = time.monotonic() + self.close_wait_s
        self._end_when_empty(deadline)

    def _end_when_empty(self, deadline: float) -> None:
        if not self.connections or time.monotonic() > deadline:
            for connection in list(self.connections):
                self.drop(connection)
            self._loop.stop()
        else:
            self._loop.call_later(0.02, self._end_when_empty, deadline)
