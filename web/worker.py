"""gunicorn's worker with threads, patient with slow clients: a thread is for requests that are there, not for waiting.

gunicorn hands every new connection to a thread, which then waits for the request: sixteen connections that say nothing,
or a byte a second, are enough to keep all others out. Here the one loop that accepts also collects each request's head,
and its body when that is small, as nginx does. What takes a thread for longer than any honest client needs is cut off.

Leans on names of gunicorn that are not public; it is pinned, and `tests/web/test_slow_clients.py` tries it for real.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from collections import deque
from functools import partial
from typing import Any, Final

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_S: Final = 15.0  # for a request's head, and its body when it is small
SMALL_BODY_BYTES: Final = 64 * 1024
MOST_HEAD_BYTES: Final = 64 * 1024  # what is longer, gunicorn refuses itself
REQUEST_S: Final = 120.0
SLOWEST_UPLOAD_BYTES_PER_S: Final = 32 * 1024
LONG_PATH: Final = re.compile(rb"[A-Z]+ /api/export/")  # these may take long; no more than a few run at a time
DRAIN_S: Final = 3  # what a stopping worker gives to requests that run
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


def is_small(said: bytes) -> bool:
    """Return whether a request that `is_there` is there as a whole, so that no thread waits for the rest of it.

    Args:
        said: Its head, at least.
    """
    end = said.find(b"\r\n\r\n")
    length = _LENGTH.search(said[: end + 2])
    chunked = b"\r\ntransfer-encoding:" in said[: end + 2].lower()
    return not chunked and (length is None or len(said) - end - 4 >= int(length[1]))


def allowed_s(said: bytes) -> float:
    """Return how long a request may keep its thread.

    Args:
        said: Its head, at least.
    """
    if LONG_PATH.match(said):
        return 3_600.0
    length = _LENGTH.search(said)
    return REQUEST_S + (int(length[1]) if length else 0) / SLOWEST_UPLOAD_BYTES_PER_S


class PatientWorker(ThreadWorker):
    """A worker whose threads don't wait for requests to come.

    A large body is read by the thread that its request is for; no more than three quarters of the threads do that at
    the same time. All but the requests themselves runs in the worker's one loop, so nothing here needs a lock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cut_off = 0
        self._said: dict[Any, bytearray] = {}  # connection -> what it has said of its next request
        self._until_s: dict[Any, float] = {}  # connection that has a thread, or waits for one -> when it is cut off
        self._most_large = max(1, self.cfg.threads * 3 // 4)
        self._large: set[Any] = set()  # connections whose thread reads a large body
        self._parked: deque[Any] = deque()  # those that wait for their turn to do so

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait in the loop for what it says."""
        try:
            sock, address = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        self._await(TConn(self.cfg, sock, address, listener.getsockname()))

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
        self._large.discard(conn)
        if self._parked and len(self._large) < self._most_large:
            following = self._parked.popleft()
            self._large.add(following)
            super().enqueue_req(following)
        super().finish_request(conn, fs)

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
        if not is_small(said):
            if len(self._large) >= self._most_large:
                self._parked.append(conn)
                return
            self._large.add(conn)
        super().enqueue_req(conn)
