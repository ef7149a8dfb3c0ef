"""flask-sock as people use it: a thread a viewer, and `ws.send` in a loop."""

from __future__ import annotations

import sys
import threading
from typing import Any

from flask import Flask
from flask_sock import Sock
from simple_websocket import ConnectionClosed  # type: ignore[import-untyped]

from bench.channel.control import obey
from bench.channel.gunicorn_served import MOST_THREADS, serve
from bench.channel.wire import payload


class Naive:
    """The app, as gunicorn serves it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.server = Flask("naive")
        self.viewers: list[Any] = []
        sock = Sock(self.server)

        @sock.route("/")  # type: ignore[untyped-decorator]  # flask-sock has no types
        def viewer(ws: Any) -> None:
            self.viewers.append(ws)
            while True:
                ws.receive()

    def start(self) -> None:
        """Listen to the bench."""
        threading.Thread(
            target=obey, args=(self.port, self.publish), kwargs={"stats": lambda: {"viewers": len(self.viewers)}}
        ).start()

    def stop(self, timeout_s: float) -> None:
        """Leave everything to the end of the process."""

    def publish(self, number: int) -> None:
        """Send a batch to everybody."""
        text = payload(number).decode()
        for ws in self.viewers:
            try:
                ws.send(text)
            except (OSError, ConnectionClosed):
                continue


if __name__ == "__main__":
    serve(Naive, threads=max(MOST_THREADS, int(sys.argv[1])) + 64)
