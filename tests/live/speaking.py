"""What tests of the public channel say: metrics of each kind, and a client that has subscribed."""

from __future__ import annotations

import socket
from collections.abc import Callable

from collector.events import Metric, from_wire
from live.hub import Hub
from tests.live.conftest import Client

Connect = Callable[..., Client]
NOW_MS = 1_702_214_500_000


def navigation(source: str = "robinhood", duration_ms: float = 150) -> Metric:
    return from_wire(
        {
            "type": "page_navigation",
            "scraperSource": source,
            "url": "https://robinhood.com/stocks/AAPL",
            "navigationDurationMs": duration_ms,
            "recordedAt": 1_702_214_400_000,
        },
        now_ms=NOW_MS,
    )


def scrape(source: str = "robinhood") -> Metric:
    return from_wire(
        {
            "type": "page_scrape",
            "scraperSource": source,
            "url": "https://robinhood.com/stocks/AAPL",
            "scrapeDurationMs": 200,
            "itemsExtracted": 5,
            "recordedAt": 1_702_214_401_000,
        },
        now_ms=NOW_MS,
    )


def run(name: str = "nightly") -> Metric:
    return from_wire(
        {
            "type": "scheduler",
            "schedulerName": name,
            "executionDurationMs": 12,
            "itemsProcessed": 3,
            "recordedAt": 1_702_214_401_000,
        },
        now_ms=NOW_MS,
    )


def narrow(hub: Hub, client: Client) -> None:
    """Keep the kernel's buffers of a connection small: when the client doesn't read, they are soon full."""

    def at_our_end() -> None:
        for connection in hub.connections:
            if connection.sock.getpeername() == client.ws.sock.getsockname():
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)

    client.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    hub.ask(at_our_end, timeout_s=90)


def subscribed(connect: Connect, *sources: str) -> Client:
    client = connect()
    client.hear_type("connected")
    for source in sources:
        client.say({"type": "subscribe", "scraperSource": source})
        client.hear_type("subscribed")
    return client
