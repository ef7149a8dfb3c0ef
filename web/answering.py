"""The server's end of an HTTP connection: an answer waits here for a slow client, and no thread with it."""

from __future__ import annotations

import array
import fcntl
import select
import socket
import sys
import time
from collections import deque
from typing import Any, Final

# Of an answer that comes in pieces, an export, so much waits; then its thread does: it may be longer than our memory.
STREAM_BYTES: Final = 256 * 1024
SLOWEST_DOWNLOAD_BYTES_PER_S: Final = 8 * 1024
PACE_WINDOW_S: Final = 60.0
_UNSENT: Final = 0x5411 if sys.platform == "linux" else None  # TIOCOUTQ; elsewhere it says something else, or nothing


class AnswerSocket(socket.socket):
    """A client's socket that takes whole answers at once, and keeps what the kernel can't take yet.

    The thread that answers a request writes to it; then it belongs to the worker's loop. Never both, so it has no lock.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rest: deque[memoryview] = deque()
        self.rest_bytes = 0
        self.stream_bytes = STREAM_BYTES
        self.slowest_bytes_per_s = SLOWEST_DOWNLOAD_BYTES_PER_S
        self.pace_window_s = PACE_WINDOW_S

    @classmethod
    def of(cls, accepted: socket.socket) -> AnswerSocket:
        """Make one of an accepted connection's, which is no longer of use."""
        return cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())

    def dup(self) -> socket.socket:  # type: ignore[override]  # who takes the connection over wants no answers kept
        """Return a plain socket of the same connection."""
        return socket.socket(self.family, self.type, self.proto, fileno=socket.dup(self.fileno()))

    def sendall(self, data: Any, _flags: int = 0, /) -> None:
        """Write all of it, now or when the client takes it.

        Raises:
            TimeoutError: The client takes a long answer too slowly for a thread to wait for it.
            OSError: The client is gone.
        """
        try:
            if self.rest_bytes > self.stream_bytes:
                self._wait_for_room()
            self._keep(memoryview(data).cast("B"))
            self.write_on()
        except OSError:
            self.forget()
            raise

    def write_on(self) -> bool:
        """Write what waits, as much of it as the kernel takes now; return whether that was all.

        Raises:
            OSError: The client is gone.
        """
        while self.rest:
            head = self.rest[0]
            try:
                taken = self.send(head, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return False
            self.rest_bytes -= taken
            if taken < len(head):
                self.rest[0] = head[taken:]
                return False
            self.rest.popleft()
        return True

    def forget(self) -> None:
        """Throw away what waits."""
        self.rest.clear()
        self.rest_bytes = 0

    def unsent_bytes(self) -> int:
        """Return how much the kernel has taken and the client hasn't; 0 where that can't be told."""
        if _UNSENT is None or self.fileno() < 0:
            return 0
        answer = array.array("i", [0])
        try:
            fcntl.ioctl(self.fileno(), _UNSENT, answer, True)
        except OSError:  # it is gone
            return 0
        return answer[0]

    def _keep(self, data: memoryview) -> None:
        if data:
            self.rest.append(data)
            self.rest_bytes += len(data)

    def _wait_for_room(self) -> None:
        """Wait until less waits, as long as the client takes it at a fair pace."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        began_s, began_bytes = time.monotonic(), self.rest_bytes + self.unsent_bytes()
        while not self.write_on() and self.rest_bytes > self.stream_bytes // 2:
            left_s = began_s + self.pace_window_s - time.monotonic()
            if left_s <= 0:
                now_bytes = self.rest_bytes + self.unsent_bytes()
                if began_bytes - now_bytes < self.slowest_bytes_per_s * self.pace_window_s:
                    raise TimeoutError("the client takes its answer too slowly")
                began_s, began_bytes, left_s = time.monotonic(), now_bytes, self.pace_window_s
            poll.poll(1_000 * left_s)
