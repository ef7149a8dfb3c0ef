"""App processes as far as the backplane sees them: hub, channel and socket each, on one Redis; and viewers of them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from flask import Flask
from websocket import WebSocketException, WebSocketTimeoutException
from werkzeug.serving import make_server

from collector.events import Metric, PageNavigation
from live.backplane import Backplane
from live.channel import Channel
from live.hub import Hub
from live.sockets import MetricsSocket, serve_metrics_socket
from live.stream import RedisStream
from tests.live.conftest import Client
from tests.live.speaking import NOW_MS

WAIT_S = 90.0


@dataclass(frozen=True)
class Commit:
    """What a database would say was stored."""

    key: str
    metrics: Sequence[Metric]


def commit(key: str, *sources: str, times: int = 1) -> Commit:
    """Return a commit with a metric for each source (each so many times), whose URL says where it comes from."""
    names = [(source, n) for n in range(times) for source in sources]
    return Commit(
        key, [PageNavigation(s, f"{key}/{s}/{n}", 1, True, 0, None, 200, NOW_MS, None, None) for s, n in names]
    )


def urls(*commits: Commit) -> list[str]:
    """Return what viewers of everything should get, in order of name."""
    return sorted(metric.url for one in commits for metric in one.metrics)  # type: ignore[union-attr]


def wait_until_equal(viewers: Sequence[Viewer]) -> None:
    """Wait until viewers of everything stand at the same place of the order."""
    deadline_s = time.monotonic() + WAIT_S
    while len(set(places := [viewer.at for viewer in viewers])) > 1:
        assert time.monotonic() < deadline_s, places
        threading.Event().wait(0.02)  # nobody sets it: only a pause


class Node:
    """One process."""

    def __init__(self, url: str, *, name: str = "test", patience_s: float = 2.0, **bounds: int) -> None:
        self.hub = Hub(close_wait_s=0.5)
        self.channel = Channel(self.hub)
        self.stream = RedisStream(url, name=name, patience_s=patience_s, **bounds)
        self.woken = threading.Event()
        self.backplane = Backplane(self.stream, self.channel, wake=self.woken.set)
        app = Flask("node")
        serve_metrics_socket(app, MetricsSocket(self.channel, dict), allowed_origins=())
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.viewers: list[Viewer] = []

    def __enter__(self) -> Self:
        self.hub.start()
        self.backplane.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for viewer in self.viewers:
            viewer.leave()
        self.backplane.stop(1.0)
        self.hub.stop()
        self._server.shutdown()
        self._thread.join(90)
        self._server.server_close()

    def publish(self, *commits: Commit) -> None:
        self.backplane.publish(commits)

    def view(self, source: str = "*", since: int | None = None) -> Viewer:
        viewer = Viewer(f"ws://127.0.0.1:{self._server.server_port}/ws/metrics", source, since)
        self.viewers.append(viewer)
        return viewer

    def wait_for_status(self, status: str) -> None:
        """Wait until the backplane says so."""
        done = threading.Event()
        while self.backplane.status()["status"] != status:
            assert not done.wait(0.02)  # nobody sets it: only a pause


class Viewer:
    """A client that writes down what it gets, and what is wrong with the numbers."""

    def __init__(self, url: str, source: str, since: int | None = None) -> None:
        self.url = url
        self.source = source
        self.batches: list[dict[str, Any]] = []
        self.gaps: list[int] = []
        self.wrong: list[str] = []
        self._news = threading.Condition()  # protects the lists
        self._client = Client(url)
        self._client.hear_type("connected")
        asked = {"type": "subscribe", "scraperSource": source}
        self._client.say(asked if since is None else {**asked, "since": since})
        self.first = self._client.hear_type("subscribed")["seq"]
        # What it knows: its place in the order (`*`), or the seq of its source.
        self.at = self.first if since is None else since
        self._highest = self.at
        self._seqs: dict[str, int] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def urls(self) -> list[str]:
        """Every metric that came."""
        with self._news:
            return self._urls()

    def _urls(self) -> list[str]:
        return [metric["url"] for batch in self.batches for metric in batch["metrics"]]

    def hear(self, count: int) -> list[str]:
        """Wait for so many metrics and return them, by name."""
        with self._news:
            assert self._news.wait_for(lambda: sum(batch["count"] for batch in self.batches) >= count, WAIT_S), (
                count, self.batches[-1:], self.gaps,
            )  # fmt: skip
        return sorted(self.urls)

    def hear_url(self, url: str) -> None:
        """Wait for a metric."""
        with self._news:
            assert self._news.wait_for(lambda: url in self._urls(), WAIT_S), url

    def hear_gap(self, count: int = 1) -> None:
        """Wait for so many gaps."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.gaps) >= count, WAIT_S)

    def leave(self) -> int:
        """Go, and return where it stopped."""
        with contextlib.suppress(OSError, AttributeError):  # left before
            self._client.ws.sock.shutdown(socket.SHUT_RDWR)  # ends the thread's reading
        self._thread.join(90)
        self._client.ws.shutdown()
        return self.at

    def _listen(self) -> None:
        while True:
            try:
                message = self._client.hear()
            except WebSocketTimeoutException:  # nothing came for a while: it listens on
                continue
            except (OSError, WebSocketException, ValueError):
                return
            with self._news:
                self._take(message)
                self._news.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "gap":
            self.gaps.append(message["seq"])
            self.at = message["seq"]
            self._seqs.clear()
        else:
            source, seq = message["scraperSource"], message["seq"]
            self.batches.append(message)
            if message["count"] != len(message["metrics"]):
                self.wrong.append(f"{message['count']} metrics announced in {message}")
            if self._seqs.get(source, seq - 1) != seq - 1:
                self.wrong.append(f"{source} {self._seqs[source]} -> {seq}")
            self._seqs[source] = seq
            self.at = self.at + 1 if self.source == "*" else seq
        if self.at < self._highest:
            self.wrong.append(f"back from {self._highest} to {self.at}")
        self._highest = max(self._highest, self.at)
