"""A server that accepts every batch without looking at it: what `bench.collector_throughput` compares the app with.

It prints its port and serves until it is killed.
"""

from __future__ import annotations

import re
import socket
import threading

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BODY = b'{"accepted":1,"duplicate":false}'
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY


def serve(connection: socket.socket) -> None:
    """Answer one connection."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            more = connection.recv(1 << 18)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        left = (int(found[1]) if found else 0) - len(body)
        while left > 0:
            left -= len(connection.recv(min(left, 1 << 18)))
        data = b""
        connection.sendall(_ANSWER)


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
