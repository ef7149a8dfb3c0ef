"""Our hub, channel and `/ws/metrics`, as the program wires them, on gunicorn; the writer can be chosen."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from flask import Flask

from bench.channel.control import obey
from bench.channel.gunicorn_served import serve
from bench.channel.own_process import ProcessWriter
from bench.channel.wire import FLOOD, metrics
from live.batch_write import BatchWriter, EachCallWriter, OneCallWriter
from live.channel import Channel
from live.hub import Hub
from live.sockets import MetricsSocket, serve_metrics_socket
from web.serve import look_for_cycles_less_often

WRITERS: dict[str, type[BatchWriter]] = {"one": OneCallWriter, "each": EachCallWriter, "process": ProcessWriter}


class Ours:
    """The app, as gunicorn serves it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.writer = WRITERS[sys.argv[1]]()
        self.hub = Hub(writer=self.writer)
        self.channel = Channel(self.hub)
        self.server = Flask("ours")
        serve_metrics_socket(self.server, MetricsSocket(self.channel, self.stats), allowed_origins=())

    def start(self) -> None:
        """Start the hub, and listen to the bench."""
        self.hub.start()
        look_for_cycles_less_often()
        pids = [self.writer.process.pid] if isinstance(self.writer, ProcessWriter) else []
        asked = {"stats": self.stats, "flood": self.flood, "pids": pids}
        threading.Thread(target=obey, args=(self.port, self.publish), kwargs=asked).start()

    def stop(self, timeout_s: float) -> None:
        """Leave everything to the end of the process."""

    def publish(self, number: int) -> None:
        """Do what the store does after a commit."""
        self.channel.publish(metrics(number))

    def flood(self) -> None:
        """Send to who listens to everything, until a frame is dropped."""
        number = 0
        while not self.hub.frames_dropped and number < 20_000:
            self.channel.publish(metrics(number, FLOOD))
            number += 1
            if number % 100 == 0:
                time.sleep(0.05)  # let the loop send them

    def stats(self) -> dict[str, Any]:
        """Return what the hub counts."""
        return {
            "viewers": len(self.hub.connections),
            "dropped": self.hub.frames_dropped,
            "outbox_high_water_bytes": self.hub.outboxes.high_water_bytes,
            "outbox_limit_bytes": self.hub.outbox_limit_bytes,
        }


if __name__ == "__main__":
    serve(Ours, threads=16)
