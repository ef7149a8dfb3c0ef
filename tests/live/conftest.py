"""A real Flask server on a free port with the public channel on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import websocket
from flask import Flask
from werkzeug.serving import make_server

from live.channel import Channel
from live.hub import Hub
from live.sockets import MetricsSocket, serve_metrics_socket


@dataclass
class LiveServer:
    """The served channel and how to reach it."""

    hub: Hub
    channel: Channel
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/metrics"


class Client:
    """A WebSocket client that speaks JSON; every wait has an end."""

    def __init__(self, url: str, **options: Any) -> None:
        self.ws = websocket.create_connection(url, timeout=90, **options)

    def say(self, message: Any) -> None:
        self.ws.send(message if isinstance(message, str) else json.dumps(message))

    def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self.ws.recv())
        return message

    def hear_type(self, kind: str) -> dict[str, Any]:
        message = self.hear()
        assert message["type"] == kind, message
        return message

    def close_code(self) -> int:
        """Read until the server's close frame and return its code."""
        while True:
            opcode, data = self.ws.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(close_wait_s=1.0)
    hub.start()
    yield hub
    hub.stop()


@contextmanager
def serving(hub: Hub) -> Iterator[LiveServer]:
    """Serve the public channel of a hub."""
    app = Flask("live-test")
    channel = Channel(hub, ring_batches=8)
    serve_metrics_socket(
        app,
        MetricsSocket(channel, lambda: {"connections": len(hub.connections)}),
        allowed_origins=("https://ok.example",),
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield LiveServer(hub, channel, server.server_port)
    server.shutdown()
    thread.join(90)
    server.server_close()


@pytest.fixture
def live_server(hub: Hub) -> Iterator[LiveServer]:
    with serving(hub) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server() -> Iterator[LiveServer]:
    """One server for all tests of a module: for those that leave nothing behind."""
    hub = Hub(close_wait_s=1.0)
    hub.start()
    with serving(hub) as server:
        yield server
    hub.stop()


@pytest.fixture
def connect(live_server: LiveServer) -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connect(**options: Any) -> Client:
        client = Client(live_server.url, **options)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.ws.shutdown()
