"""The Python client of the public channel, against a real server."""

from __future__ import annotations

import queue
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request

from live.client import EVENTS, MetricsClient
from tests.live.conftest import LiveServer
from tests.live.speaking import navigation, run

Make = Callable[..., MetricsClient]


class Heard:
    """The events of a client in their order; every wait has an end."""

    def __init__(self, client: MetricsClient, *events: str) -> None:
        self._queue: queue.Queue[tuple[str, dict[str, Any]]] = queue.Queue()
        for event in events or EVENTS:
            client.on(event, lambda message, event=event: self._queue.put((event, message)))

    def next(self, wanted: str) -> dict[str, Any]:
        """Return the next event of a kind, leaving out others before it."""
        while True:
            event, message = self._queue.get(timeout=90)
            if event == wanted:
                return message


@pytest.fixture
def client_of(live_server: LiveServer) -> Iterator[Make]:
    made: list[MetricsClient] = []

    def make(url: str = live_server.url, **options: Any) -> MetricsClient:
        client = MetricsClient(url, **{"first_wait_s": 0.02, "longest_wait_s": 0.05, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.disconnect()


def cut_off(server: LiveServer) -> None:
    """Close every connection from the server's side, and wait until it did."""
    done = threading.Event()

    def close() -> None:
        for connection in list(server.hub.connections):
            server.hub.close(connection, 1001, "test")
        done.set()

    server.hub.call(close)
    assert done.wait(90)


def test_client_is_connected_once_the_server_has_greeted(client_of: Make) -> None:
    client = client_of()
    assert not client.is_connected
    assert client.connect()
    assert client.is_connected
    assert client.client_info["clientId"]
    assert client.client_info["protocol"] == 1
    client.disconnect()
    assert not client.is_connected
    assert client.client_info["clientId"] is None


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_address_of_the_app_will_do(client_of: Make, live_server: LiveServer, scheme: str) -> None:
    assert client_of(f"{scheme}://127.0.0.1:{live_server.port}").connect()


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="starts with ws://"):
        MetricsClient("127.0.0.1:8050")


def test_subscriber_gets_batches_and_the_last_hundred_metrics_are_kept(
    client_of: Make, live_server: LiveServer
) -> None:
    client = client_of()
    heard = Heard(client)
    client.subscribe("robinhood")  # before there is a connection
    client.connect()
    assert heard.next("subscribed")["scraperSource"] == "robinhood"
    live_server.channel.publish([navigation(duration_ms=n) for n in range(130)] + [navigation("cnbc")])
    first, second = heard.next("metrics"), heard.next("metrics")
    assert (first["count"], second["count"], second["seq"]) == (100, 30, first["seq"] + 1)
    kept = client.get_metrics("robinhood")
    assert [metric["navigationDurationMs"] for metric in kept] == list(range(30, 130))
    assert client.get_recent_metrics("robinhood", 2) == kept[-2:]
    assert client.get_recent_metrics("robinhood", 0) == []
    assert client.get_metrics("cnbc") == []


def test_everything_brings_scheduler_runs_too(client_of: Make, live_server: LiveServer) -> None:
    client = client_of()
    heard = Heard(client)
    client.connect()
    client.subscribe()
    heard.next("subscribed")
    live_server.channel.publish([navigation("cnbc"), run()])
    assert {heard.next("metrics")["scraperSource"] for _ in range(2)} == {"cnbc", "scheduler:nightly"}


def test_unsubscribed_source_sends_nothing_more(client_of: Make, live_server: LiveServer) -> None:
    client = client_of()
    heard = Heard(client)
    client.connect()
    client.subscribe("robinhood")
    client.subscribe("cnbc")
    client.unsubscribe("robinhood")
    heard.next("unsubscribed")
    live_server.channel.publish([navigation("robinhood"), navigation("cnbc")])
    assert heard.next("metrics")["scraperSource"] == "cnbc"
    assert client.client_info["subscriptions"] == ["cnbc"]


def test_status_is_an_answer_and_an_event(client_of: Make) -> None:
    client = client_of()
    heard = Heard(client)
    client.connect()
    client.subscribe("robinhood")
    status = client.request_status()
    assert status is not None
    assert status["subscriptions"] == ["robinhood"]
    assert status["clientId"] == client.client_info["clientId"]
    assert heard.next("status") == status


def test_status_without_a_connection_is_none(client_of: Make) -> None:
    assert client_of().request_status(timeout_s=0.01) is None


def test_handler_may_ask_and_disconnect_without_waiting_for_itself(client_of: Make) -> None:
    client = client_of()
    heard = Heard(client, "status", "disconnect")
    client.on("connect", lambda _: client.request_status())
    client.on("status", lambda _: client.disconnect())
    client.connect()
    heard.next("status")
    assert heard.next("disconnect")["reason"]


def test_handler_that_raises_stops_neither_the_next_nor_the_client(
    client_of: Make, live_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of()
    client.on("metrics", lambda message: message["nothing of this name"])
    heard = Heard(client)
    client.connect()
    client.subscribe("robinhood")
    heard.next("subscribed")
    live_server.channel.publish([navigation()])
    assert heard.next("metrics")["count"] == 1
    assert client.client_info["handlerErrors"] == 1
    assert client.is_connected
    assert "a handler of metrics failed" in caplog.text


def test_handler_that_was_taken_off_is_not_called(client_of: Make, live_server: LiveServer) -> None:
    client = client_of()
    called: list[object] = []
    handler = client.on("metrics", called.append)
    client.off("metrics", handler)
    client.off("metrics", handler)
    heard = Heard(client)
    client.connect()
    client.subscribe("robinhood")
    heard.next("subscribed")
    live_server.channel.publish([navigation()])
    heard.next("metrics")
    assert called == []


def test_unknown_event_is_refused(client_of: Make) -> None:
    with pytest.raises(ValueError, match="use one of connect, disconnect"):
        client_of().on("mertics", print)


def test_cut_connection_is_made_anew_and_misses_nothing(client_of: Make, live_server: LiveServer) -> None:
    client = client_of()
    heard = Heard(client, "subscribed", "metrics", "gap")
    client.on("disconnect", lambda _: live_server.channel.publish([navigation(duration_ms=2)]))
    client.connect()
    client.subscribe("robinhood")
    heard.next("subscribed")
    live_server.channel.publish([navigation(duration_ms=1)])
    heard.next("metrics")
    first_id = client.client_info["clientId"]
    cut_off(live_server)
    assert heard.next("metrics")["metrics"][0]["navigationDurationMs"] == 2
    assert client.client_info["clientId"] != first_id
    assert client.client_info["connections"] == 2
    assert [metric["navigationDurationMs"] for metric in client.get_metrics("robinhood")] == [1, 2]


def test_what_the_server_no_longer_has_is_announced_as_a_gap(client_of: Make, live_server: LiveServer) -> None:
    client = client_of()
    heard = Heard(client, "subscribed", "gap")
    client.on(
        "disconnect",
        lambda _: [live_server.channel.publish([navigation()] * 100) for _ in range(20)],  # the ring keeps 8
    )
    client.connect()
    client.subscribe("robinhood")
    heard.next("subscribed")
    cut_off(live_server)
    assert heard.next("gap")["scraperSource"] == "robinhood"


@pytest.mark.parametrize("followed", [("*",), ("a", "b"), ("*", "a")])
def test_every_batch_comes_once_or_is_announced_as_missed(
    client_of: Make, live_server: LiveServer, followed: tuple[str, ...]
) -> None:
    client, rng = client_of(), random.Random(3)
    got: list[tuple[str, int]] = []
    gaps: list[str] = []
    client.on("metrics", lambda batch: got.append((batch["scraperSource"], batch["seq"])))
    client.on("gap", lambda gap: gaps.append(gap["scraperSource"]))
    client.connect()
    for source in followed:
        client.subscribe(source)
    assert client.request_status() is not None
    sent = dict.fromkeys("ab", 0)
    for _ in range(40):
        # What is published while a client is away fits into the ring: nothing may be missing then.
        for _ in range(rng.randrange(1, 4)):
            source = rng.choice("ab")
            live_server.channel.publish([navigation(source)] * 100)  # a full batch leaves at once
            sent[source] += 1
        if rng.random() < 0.4:
            cut_off(live_server)
        while client.request_status(timeout_s=0.2) is None:
            pass
    assert gaps == []
    for source in "ab":
        assert [seq for name, seq in got if name == source] == list(range(1, sent[source] + 1))


def test_client_gives_up_after_so_many_attempts_and_says_so(client_of: Make) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = client_of(f"ws://127.0.0.1:{unused.getsockname()[1]}/ws/metrics", max_attempts=3)
        heard = Heard(client)
        assert not client.connect()
        error = heard.next("error")
    assert error["code"] == "gave_up"
    assert "3 attempts" in error["message"]
    assert client.client_info["attempts"] == 3


def test_lost_connection_is_no_attempt_in_vain(client_of: Make, live_server: LiveServer) -> None:
    client = client_of(max_attempts=1)
    heard = Heard(client, "connect", "error")
    assert client.connect()
    heard.next("connect")
    cut_off(live_server)
    heard.next("connect")
    assert client.client_info["attempts"] == 0


def test_client_that_gave_up_can_be_told_to_try_again(client_of: Make, live_server: LiveServer) -> None:
    client = client_of(f"http://127.0.0.1:{live_server.port}/no-such-channel", max_attempts=1)
    client.subscribe("robinhood")
    assert not client.connect()
    client.url = live_server.url
    heard = Heard(client)
    assert client.connect()
    heard.next("subscribed")


def test_server_that_falls_silent_is_given_up(client_of: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet_and_fall_silent() -> None:
            taken, _ = listening.accept()
            protocol = WSConnection(ConnectionType.SERVER)
            protocol.receive_data(taken.recv(65_536))
            for event in protocol.events():
                if isinstance(event, Request):
                    taken.sendall(protocol.send(AcceptConnection()))
            hello = b'{"type":"connected","clientId":"c","heartbeatIntervalMs":30000,"protocol":1}'
            taken.sendall(bytes([0x81, len(hello)]) + hello)
            silent.append(taken)

        silent: list[socket.socket] = []
        thread = threading.Thread(target=greet_and_fall_silent, daemon=True)
        thread.start()
        client = client_of(f"ws://127.0.0.1:{listening.getsockname()[1]}/ws/metrics", heartbeat_timeout_s=0.4)
        heard = Heard(client)
        assert client.connect()
        assert "ping" in heard.next("disconnect")["reason"]
        thread.join(90)
        silent[0].close()
