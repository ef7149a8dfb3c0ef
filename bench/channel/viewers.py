"""N viewers in a process of their own: one loop that counts frames and notes when the last viewer has each batch.

It parses no JSON: it walks over the frames' heads and looks for the batch's mark near a frame's end. Compressed frames
show no mark: there the n-th frame is taken for the n-th batch, and a few viewers inflate theirs to prove it.

Commands, a line each on standard input, answered with a line of JSON: `connect N FIRST` (the first batch that they
will get), `expect FIRST COUNT TIMEOUT_S`,
`stuck` (one more that stops reading), `read on` (it reads again, and tells what it found).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import select
import socket
import sys
import time
import uuid
import zlib
from typing import Any

from bench.channel.wire import MARK, MARKS, SOURCE, TAIL_BYTES, masked

BUFFER_BYTES = 1 << 18
AT_ONCE = 32  # handshakes that are under way
INFLATING = 4  # viewers that look into compressed frames
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Origin: http://127.0.0.1:{port}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n{extensions}\r\n"
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"  # as Chromium says it


class Viewer:
    """One connection: what isn't a whole frame yet, and which batch comes next."""

    __slots__ = ("gaps", "greeted", "inflate", "next", "ready", "rest", "sock", "source")

    def __init__(self, sock: socket.socket, source: str, first: int, *, greeted: bool) -> None:
        self.sock = sock
        self.source = source  # what it listens to
        self.greeted = greeted  # HTTP is over
        self.ready = greeted
        self.rest = b""
        self.next = first
        self.gaps = 0
        self.inflate: Any = None


class Viewers:
    """The loop.

    Args:
        options: See `main`.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.all: dict[int, Viewer] = {}
        self.poll = select.epoll()
        self.poll.register(0, select.EPOLLIN)
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.to_connect = self.first = 0
        self.under_way = 0
        self.begun_ns = 0
        self.connecting = False
        self.heard: dict[int, int] = {}  # batch -> how many viewers have it
        self.last_ns: dict[int, int] = {}
        self.expected: tuple[int, int, float] | None = None
        self.wrong = self.closed = 0
        self.same: tuple[bytes, list[int]] = (b"", [])
        self.stuck: Viewer | None = None
        self.reading_on = False
        self.cpu_s = 0.0

    def run(self) -> None:
        """Loop until standard input ends."""
        while True:
            timeout_s = 0.02 if self.expected or self.reading_on else 1.0
            for descriptor, _event in self.poll.poll(timeout_s, 256):
                if descriptor == 0:
                    self._command()
                else:
                    self._read(descriptor)
            if self.connecting:
                self._connect()
            if self.expected is not None:
                self._look()
            if self.reading_on and self.stuck is not None and self.stuck.gaps:
                self.reading_on = False
                self._say({"gaps": self.stuck.gaps, "closed": self.closed})

    def _command(self) -> None:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        word, *rest = line.split()
        if word == "connect":
            self.to_connect, self.first = int(rest[0]), int(rest[1])
            self.begun_ns = time.monotonic_ns()
            self.connecting = True
        elif word == "expect":
            first, count, timeout_s = int(rest[0]), int(rest[1]), float(rest[2])
            self.expected = (first, count, time.monotonic() + timeout_s)
        elif word == "stuck":
            self.stuck = self._open("*", buffer_bytes=4_096)
        elif word == "read" and self.stuck is not None:
            self.reading_on = True
            self.poll.register(self.stuck.sock.fileno(), select.EPOLLIN)

    # Connecting --------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        while self.to_connect and self.under_way < AT_ONCE:
            self.to_connect -= 1
            self._open(SOURCE)
        if not self.to_connect and not self.under_way:
            self.connecting = False
            self._say({"connected": len(self.all), "took_s": (time.monotonic_ns() - self.begun_ns) / 1e9})

    def _open(self, source: str, buffer_bytes: int = 0) -> Viewer:
        sock = socket.socket()
        if buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        sock.connect(("127.0.0.1", self.options.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        kind = self.options.kind
        viewer = self.all[sock.fileno()] = Viewer(sock, source, self.first, greeted=kind == "raw")
        if kind != "raw":
            extensions = DEFLATE if self.options.deflate else ""
            text = UPGRADE.format(path=self.options.path, port=self.options.port, extensions=extensions)
            sock.sendall(text.encode())
            self.under_way += 1
        if self.options.deflate and len(self.all) <= INFLATING:
            viewer.inflate = zlib.decompressobj(-15)
        sock.setblocking(False)
        self.poll.register(sock.fileno(), select.EPOLLIN)
        return viewer

    def _greet(self, viewer: Viewer, data: bytes) -> bytes:
        """Take the answer to the handshake; returns what came after it."""
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            viewer.rest = data
            return b""
        if b" 101 " not in head[:20]:
            raise ConnectionError(f"no handshake: {head[:200]!r}")
        viewer.greeted = True
        if self.options.kind == "metrics":
            request: dict[str, Any] = {"type": "subscribe", "scraperSource": viewer.source}
            viewer.sock.send(masked(json.dumps(request).encode()))
        elif self.options.kind == "dash":
            payload = {"output": self.options.output, "outputs": None, "inputs": [], "changedPropIds": []}
            payload["state"] = [{"id": "bench-state", "property": "data", "value": None}]
            request = {"type": "callback_request", "rendererId": str(uuid.uuid4()), "requestId": "1"}
            viewer.sock.send(masked(json.dumps(request | {"payload": payload}).encode()))
        else:
            self._be_ready(viewer)
        return rest

    def _be_ready(self, viewer: Viewer) -> None:
        viewer.ready = True
        self.under_way -= 1
        if viewer is self.stuck:
            self.poll.unregister(viewer.sock.fileno())
            self._say({"stuck": True})

    # Reading -----------------------------------------------------------------------------------------------------

    def _read(self, descriptor: int) -> None:
        viewer = self.all[descriptor]
        try:
            size = viewer.sock.recv_into(self.buffer)
        except BlockingIOError:
            return
        except OSError:
            size = 0
        if not size:
            self.closed += 1
            self.poll.unregister(descriptor)
            return
        if viewer.greeted and not viewer.rest:
            used = self._walk(viewer, self.buffer, size)
            if used < size:
                viewer.rest = bytes(self.view[used:size])
            return
        data = viewer.rest + self.view[:size]
        viewer.rest = b""
        if not viewer.greeted:
            data = self._greet(viewer, data)
        if viewer.greeted and data:
            viewer.rest = data[self._walk(viewer, data, len(data)) :]

    def _walk(self, viewer: Viewer, data: bytes | bytearray, size: int) -> int:
        """Count the whole frames; returns where the last one ends."""
        at = 0
        while size - at >= 2:
            length = data[at + 1]
            begin = at + 2
            if length == 126:
                begin = at + 4
                length = int.from_bytes(data[at + 2 : begin], "big")
            elif length == 127:
                begin = at + 10
                length = int.from_bytes(data[at + 2 : begin], "big")
            end = begin + length
            if end > size:
                break
            kind = data[at] & 15
            if kind == 9:
                viewer.sock.send(masked(bytes(data[begin:end]), opcode=10))
            elif kind < 3:
                self._frame(viewer, data, begin, end, compressed=bool(data[at] & 64))
            at = end
        return at

    def _frame(self, viewer: Viewer, data: bytes | bytearray, begin: int, end: int, *, compressed: bool) -> None:
        if compressed:
            found = [viewer.next]
            if viewer.inflate is not None:
                text = viewer.inflate.decompress(bytes(data[begin:end]) + b"\0\0\xff\xff")
                found = [int(number) for number in MARKS.findall(text)[-1:]]
            if not viewer.ready:  # the answer to what it said
                self._be_ready(viewer)
            else:
                self._note(viewer, found[0])
            return
        if self.options.every_mark:
            frame = bytes(data[begin:end])
            if frame != self.same[0]:  # all viewers get the same bytes
                self.same = (frame, list(dict.fromkeys(map(int, MARKS.findall(frame)))))
            for number in self.same[1]:
                self._note(viewer, number)
            if self.same[1]:
                return
        else:
            place = data.rfind(MARK, max(begin, end - TAIL_BYTES), end)
            if place >= 0:
                self._note(viewer, int(data[place + 5 : place + 13]))
                return
        if not viewer.ready:
            wanted = b'"subscribed"' if self.options.kind == "metrics" else b"callback_response"
            if data.find(wanted, begin, end) >= 0:
                self._be_ready(viewer)
        elif data.find(b'"gap"', begin, end) >= 0:
            viewer.gaps += 1

    def _note(self, viewer: Viewer, number: int) -> None:
        if number != viewer.next and viewer is not self.stuck:
            self.wrong += 1
        viewer.next = number + 1
        if viewer is not self.stuck:
            self.heard[number] = self.heard.get(number, 0) + 1
            self.last_ns[number] = time.monotonic_ns()

    # Telling -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Answer `expect` when everybody has everything, or time is over."""
        assert self.expected is not None
        first, count, until_s = self.expected
        viewers = len(self.all) - (self.stuck is not None)
        numbers = range(first, first + count)
        whole = all(self.heard.get(number, 0) >= viewers for number in numbers)
        if not whole and time.monotonic() < until_s:
            return
        self.expected = None
        now_s = time.process_time()
        self._say(
            {
                "last_ns": [self.last_ns.get(number, 0) for number in numbers],
                "missing": sum(viewers - self.heard.get(number, 0) for number in numbers),
                "wrong_order": self.wrong,
                "closed": self.closed,
                "cpu_s": now_s - self.cpu_s,
            }
        )
        self.cpu_s = now_s

    def _say(self, answer: dict[str, Any]) -> None:
        print(json.dumps(answer), flush=True)


def main() -> None:
    """View."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--kind", choices=("raw", "plain", "metrics", "dash"), default="plain")
    parser.add_argument("--output", default="", help="the callback that makes a Dash page listen")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--every-mark", action="store_true", help="a frame holds many marks")
    options = parser.parse_args()
    gc.disable()
    Viewers(options).run()


if __name__ == "__main__":
    main()
