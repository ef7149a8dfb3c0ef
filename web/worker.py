"""gunicorn's worker with threads, patient with slow clients: a thread is for requests that are there, not for waiting.

gunicorn hands every new connection to a thread, which then waits for the request: sixteen connections that say nothing,
or a byte a second, are enough to keep all others out. Here the one loop that accepts also collects each request's head,
and its body when that is small, as nginx does. Bodies that have yet to come get half of the threads at most, and
together with batches of metrics three quarters, so that pages find one; of those that have to wait, no more than a few
hundred may. Answers wait in memory until their clients take them (`web/answering.py`), and the loop writes them, with
more patience than a thread could have: a phone is slow, and a laptop that is closed while it loads a script goes on
with it when it is opened. What takes a thread for longer than any honest client needs is cut off.

Leans on names of gunicorn that are not public; it is pinned, and `tests/web/test_slow_clients.py` tries it for real.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

from web.answering import AnswerSocket

HEAD_S: Final = 15.0  # for a request's head, and its body when it is small
SMALL_BODY_BYTES: Final = 64 * 1024
MOST_HEAD_BYTES: Final = 64 * 1024  # what is longer, gunicorn refuses itself
REQUEST_S: Final = 120.0
SLOWEST_UPLOAD_BYTES_PER_S: Final = 32 * 1024
LINGER_S: Final = 2.0  # for a client to read its last answer and close
# For a client to take an answer that is in memory: so long, and a second for each so many bytes.
ANSWER_S: Final = 600.0
ANSWER_BYTES_PER_S: Final = 1_024
MOST_ANSWERS_BYTES: Final = 128 << 20  # what may wait for all clients together
_TOO_MANY_SAYS: Final = b'{"error":"too many batches wait to be stored: send the same again in a second"}'
TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_TOO_MANY_SAYS), _TOO_MANY_SAYS)
)
BATCH: Final = re.compile(rb"POST /api/ingest[ ?]")
LONG_PATH: Final = re.compile(rb"[A-Z]+ /api/export/")  # these may take long; no more than a few run at a time
DRAIN_S: Final = 2  # what a stopping worker gives to requests that run
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_ASKS_FIRST: Final = re.compile(rb"\r\nexpect:", re.IGNORECASE)


def is_there(said: bytes | bytearray) -> bool:
    """Return whether enough of a request is there for a thread to take it on.

    Args:
        said: What a client has said since its last request.
    """
    end = said.find(b"\r\n\r\n")
    if end < 0:
        return len(said) > MOST_HEAD_BYTES
    head = bytes(said[: end + 2])
    length = _LENGTH.search(head)
    if length is None or _ASKS_FIRST.search(head):
        return True
    wanted = int(length[1])
    return wanted > SMALL_BODY_BYTES or len(said) - end - 4 >= wanted


def comes_slowly(said: bytes) -> bool:
    """Return whether the thread of a request that `is_there` has to read the rest of its body.

    Args:
        said: Its head, at least.
    """
    end = said.find(b"\r\n\r\n")
    length = _LENGTH.search(said[: end + 2])
    chunked = b"\r\ntransfer-encoding:" in said[: end + 2].lower()
    return chunked or (length is not None and len(said) - end - 4 < int(length[1]))


def allowed_s(said: bytes) -> float:
    """Return how long a request may keep its thread.

    Args:
        said: Its head, at least.
    """
    if LONG_PATH.match(said):
        return 3_600.0
    length = _LENGTH.search(said)
    return REQUEST_S + (int(length[1]) if length else 0) / SLOWEST_UPLOAD_BYTES_PER_S


class Conn(TConn):
    """A connection that its worker closes without waiting for the peer.

    Args:
        linger: What closes it when it has been answered.
    """

    def __init__(self, *args: Any, linger: Callable[[Conn], None]) -> None:
        super().__init__(*args)
        self.slow = self.refused = False
        self.give_up_s = 0.0  # when its answer is cut off, if it hasn't been taken by then
        self._linger = linger

    def close(self, graceful: bool = False) -> None:
        """Close it; gracefully: after the peer had the time to read what it was told."""
        if graceful:
            self._linger(self)
        else:
            super().close()


def _has_ended(client: socket.socket) -> bool:
    """Throw away what a peer has said, and say whether that was its last."""
    try:
        return not client.recv(SMALL_BODY_BYTES)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


class PatientWorker(ThreadWorker):
    """A worker whose threads don't wait for requests to come.

    All but the requests themselves runs in the worker's one loop, so nothing here needs a lock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cut_off = 0
        self._said: dict[Any, bytearray] = {}  # connection -> what it has said of its next request
        self._until_s: dict[Any, float] = {}  # connection that has a thread, or waits for one -> when it is cut off
        self._most_bulk = max(1, self.cfg.threads * 3 // 4)
        self._most_slow = max(1, self.cfg.threads // 2)
        self._most_parked: int = getattr(self.app, "settings").ingest_waiting  # noqa: B009 - gunicorn's types don't know
        self._bulk: set[Any] = set()  # connections whose request may keep its thread for long
        self._parked: deque[Any] = deque()  # those that wait for their turn
        self._lingering: deque[tuple[float, Any]] = deque()  # when they are closed, and connections that were answered
        self._taking: set[Any] = set()  # connections whose answer waits in memory, in part, for their clients

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait in the loop for what it says."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self._await(Conn(self.cfg, AnswerSocket.of(sock), address, listener.getsockname(), linger=self._linger))

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Wait in the loop for the next request of a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)
        self.on_pending_socket_readable(conn, client)

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Take what a connection says; once its request is there, a thread gets it."""
        try:
            data = client.recv(SMALL_BODY_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        said = self._said.setdefault(conn, bytearray())
        said += data
        if data and not is_there(said):
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        del self._said[conn]
        if data:
            self._begin(conn, bytes(said))
        else:  # it left before it had asked for anything
            self.nr_conns -= 1
            conn.close()

    def enqueue_req(self, conn: Any) -> None:
        """Take on a request whose beginning came along with the one before."""
        said = conn.parser.unreader.take_buffered()
        if is_there(said):
            self._begin(conn, said)
        else:
            self._await(conn)
            self._said[conn] = bytearray(said)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Note that a thread is free again."""
        self._until_s.pop(conn, None)
        self._bulk.discard(conn)
        following = next((one for one in self._parked if self._may_begin(one)), None)
        if following is not None:
            self._parked.remove(following)
            self._bulk.add(following)
            super().enqueue_req(following)
        conn.give_up_s = time.monotonic() + ANSWER_S + conn.sock.rest_bytes / ANSWER_BYTES_PER_S
        if conn.sock.rest:
            conn.sock.setblocking(False)
            self._taking.add(conn)
            self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._write_on, conn, fs))
            self._bound_answers()
        else:
            super().finish_request(conn, fs)

    def _write_on(self, conn: Any, fs: Any, _client: socket.socket) -> None:
        """Write the rest of an answer that was computed long ago, as much of it as its client takes."""
        try:
            if not conn.sock.write_on():
                return
        except OSError:
            self._give_up(conn)
            return
        self.poller.unregister(conn.sock)
        self._taking.discard(conn)
        super().finish_request(conn, fs)

    def _bound_answers(self) -> None:
        """Cut off who has been taking its answer for longest while too much waits for all together."""
        while sum(one.sock.rest_bytes for one in self._taking) > MOST_ANSWERS_BYTES:
            self._cut_off(min(self._taking, key=lambda one: one.give_up_s))

    def _cut_off(self, conn: Any) -> None:
        self.cut_off += 1
        self.log.warning("an answer was cut off: its client took too long")
        self._give_up(conn)

    def _give_up(self, conn: Any) -> None:
        """Close a connection whose client doesn't take its answer."""
        self._taking.discard(conn)
        conn.sock.forget()
        self.nr_conns -= 1
        self._end(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request, in a thread."""
        if conn.refused:
            conn.sock.sendall(TOO_MANY)
            return False
        return super().handle_request(req, conn)

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that were kept for nothing, but not while their last answer is on its way."""
        now_s = time.monotonic()
        kept: deque[Any] = self.keepalived_conns
        expired = [conn for conn in kept if conn.timeout <= now_s]
        for conn in expired if self.alive and not force else ():
            if now_s < conn.give_up_s and conn.sock.unsent_bytes():
                kept.remove(conn)
                conn.set_timeout()
                kept.append(conn)  # they stand in the order of their time-outs
        super().murder_keepalived(force)  # type: ignore[call-arg]  # its types are of an older gunicorn

    def murder_pending(self) -> None:
        """Close connections whose request didn't come in time, and cut off those that keep a thread for too long."""
        now_s = time.monotonic()
        if not self.alive:  # nobody waits for who hasn't asked for anything
            for conn in self.pending_conns:
                conn.timeout = now_s
        super().murder_pending()
        if len(self._said) > len(self.pending_conns):
            waiting = set(self.pending_conns)
            self._said = {conn: said for conn, said in self._said.items() if conn in waiting}
        while self._lingering and self._lingering[0][0] <= now_s:
            _, conn = self._lingering.popleft()
            if self.alive and now_s < conn.give_up_s and conn.sock.unsent_bytes():
                self._lingering.append((now_s + LINGER_S, conn))
            else:
                self._end(conn)
        for conn in [conn for conn in self._taking if conn.give_up_s <= now_s]:
            self._cut_off(conn)
        for conn in [conn for conn, until_s in self._until_s.items() if until_s <= now_s]:
            del self._until_s[conn]
            self.cut_off += 1
            self.log.warning("a request was cut off: its client took too long")
            with contextlib.suppress(OSError):  # its thread, if it has one, finds it closed
                conn.sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> None:
        """Serve, and give requests that run at the end less time than the process has to end."""
        self.cfg.set("graceful_timeout", DRAIN_S)
        super().run()

    def _await(self, conn: Any) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + HEAD_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _begin(self, conn: Any, said: bytes) -> None:
        conn.sock.setblocking(True)
        if conn.parser is None:
            conn.initialized, conn.parser = True, get_parser(self.cfg, conn.sock, conn.client)
        conn.data_ready = True
        conn.parser.unreader.unread(said)
        self._until_s[conn] = time.monotonic() + allowed_s(said)
        conn.slow = comes_slowly(said)
        if conn.slow or BATCH.match(said):
            if self._may_begin(conn):
                self._bulk.add(conn)
            elif len(self._parked) < self._most_parked:
                self._parked.append(conn)
                return
            else:
                conn.refused = True
        super().enqueue_req(conn)

    def _make_room(self) -> None:
        """Close the connection that has been waiting for longest without asking for anything."""
        for waiting in (self.pending_conns, self.keepalived_conns):
            if waiting:
                conn = waiting.popleft()
                self._said.pop(conn, None)
                self.nr_conns -= 1
                self._end(conn)
                return
        if self._taking:
            self._cut_off(min(self._taking, key=lambda one: one.give_up_s))

    def _may_begin(self, conn: Any) -> bool:
        slow = sum(one.slow for one in self._bulk)
        return len(self._bulk) < self._most_bulk and not (conn.slow and slow >= self._most_slow)

    def _linger(self, conn: Any) -> None:
        """Close a connection whose peer may still read its answer: were it closed at once, that might be lost."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            if _has_ended(conn.sock):  # as what the hub left behind of a viewer's has
                conn.close()
                return
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._throw_away, conn))
        except (OSError, ValueError):  # it is gone, or was handed on
            conn.close()
            return
        self._lingering.append((time.monotonic() + LINGER_S, conn))

    def _throw_away(self, conn: Any, client: socket.socket) -> None:
        if _has_ended(client):
            self._end(conn)

    def _end(self, conn: Any) -> None:
        with contextlib.suppress(OSError, KeyError, ValueError):  # it was closed before
            self.poller.unregister(conn.sock)
        conn.close()
