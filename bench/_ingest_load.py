"""The load of `bench.ingest`, in a process of its own: posts pre-encoded batches and times each answer.

Reads one JSON object on standard input (port, batch_size, connections, first_row, rows), says `ready` in one line when
everything is encoded and connected, begins at the next line, and prints one JSON object.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
import uuid
from collections import deque

import orjson

from bench.store_rows import metrics
from collector.events import to_wire

SPREAD_S = 10.0  # the metrics were recorded over so many seconds, up to the present

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def requests(rows: int, batch_size: int, seed: int) -> deque[bytes]:
    """Return the requests, head and body, as a collector sends them; metrics in the order of their recording."""
    now_ms = time.time_ns() // 1_000_000
    made = metrics(rows, seed=seed)
    wires = [to_wire(metric) for metric in made]
    for number, wire in enumerate(wires):
        wire["recordedAt"] = int(now_ms - 1000 * SPREAD_S * (1 - number / rows))
    found: deque[bytes] = deque()
    for first in range(0, rows, batch_size):
        body = orjson.dumps({"batchId": uuid.uuid4().hex, "metrics": wires[first : first + batch_size]})
        head = (
            "POST /api/ingest HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"User-Agent: scrapeboard-collector\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


def answer(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Read one answer; returns its status and its JSON."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError(f"the app closed the connection after {data!r}")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    while length is not None and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return int(head[9:12]), orjson.loads(body)


class Sender(threading.Thread):
    """Posts what is left of the shared requests over one connection.

    Args:
        port: Where the app listens.
        waiting: The requests of all senders.
    """

    def __init__(self, port: int, waiting: deque[bytes]) -> None:
        super().__init__()
        self.connection = socket.create_connection(("127.0.0.1", port))
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = waiting
        self.answers_ms: list[float] = []
        self.acknowledged = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        """Send until nothing is left; one request at a time."""
        while not self.wrong:
            try:
                request = self.waiting.popleft()
            except IndexError:
                return
            started_s = time.perf_counter()
            self.connection.sendall(request)
            status, said = answer(self.connection)
            self.answers_ms.append(1000 * (time.perf_counter() - started_s))
            if status != 202 or said.get("duplicate"):
                self.wrong.append(f"{status} {said}")
            else:
                self.acknowledged += int(str(said["accepted"]))


def main() -> None:
    """Do what standard input says."""
    order = json.loads(sys.stdin.readline())
    waiting = requests(order["rows"], order["batch_size"], order["seed"])
    senders = [Sender(order["port"], waiting) for _ in range(order["connections"])]
    print("ready", flush=True)
    sys.stdin.readline()
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    took_s = time.perf_counter() - started_s
    report = {
        "acknowledged": sum(sender.acknowledged for sender in senders),
        "took_s": took_s,
        "own_cpu_s": time.process_time() - started_cpu_s,
        "answers_ms": sorted(each for sender in senders for each in sender.answers_ms),
        "wrong": [words for sender in senders for words in sender.wrong],
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
