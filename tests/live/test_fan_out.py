"""One frame for many viewers, by both ways of writing it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from live import frames
from live.batch_write import EachCallWriter, OneCallWriter
from live.hub import Hub
from live.renderers import Renderers
from tests.live.conftest import Client, LiveServer
from tests.live.speaking import Connect, narrow, navigation, subscribed

WRITERS = {
    "one call": OneCallWriter,
    "several calls": lambda: OneCallWriter(capacity=4, most=4),
    "one by one": EachCallWriter,
}


@pytest.fixture(params=WRITERS)
def hub(request: pytest.FixtureRequest) -> Iterator[Hub]:
    hub = Hub(close_wait_s=1.0, writer=WRITERS[request.param](), outbox_limit_bytes=200_000)
    hub.start()
    yield hub
    hub.stop()


def test_every_viewer_gets_every_batch_in_order_whoever_comes_goes_or_stops_reading(
    connect: Connect, live_server: LiveServer
) -> None:
    readers = [subscribed(connect, "robinhood") for _ in range(20)]
    goes, stuck = subscribed(connect, "robinhood"), subscribed(connect, "robinhood")
    narrow(live_server.hub, stuck)
    rounds = 0
    while live_server.hub.frames_dropped == 0:  # until the stuck one's outbox is full
        live_server.channel.publish([navigation(duration_ms=n) for n in range(100)])
        rounds += 1
        assert {reader.hear_type("metrics_batch")["seq"] for reader in readers} == {rounds}
        if rounds == 3:
            goes.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            goes.ws.sock.close()  # a reset, without a word
        assert rounds < 5_000  # bounded, should the kernel's buffers be huge
    seqs = []
    while (message := stuck.hear())["type"] == "metrics_batch":
        seqs.append(message["seq"])
    assert message["type"] == "gap"
    assert seqs == list(range(1, len(seqs) + 1))
    assert live_server.hub.bytes_sent > 0
    assert live_server.hub.ask(lambda: len(live_server.hub.connections), timeout_s=90) == 21


def test_each_page_gets_frames_with_its_own_id_also_those_of_one_browser(connect: Connect, hub: Hub) -> None:
    browsers: list[Client] = [connect() for _ in range(3)]
    for browser in browsers:
        browser.hear_type("connected")
    connections = sorted(hub.connections, key=lambda connection: connection.sock.getpeername()[1])
    browsers.sort(key=lambda browser: browser.ws.sock.getsockname()[1])
    renderers = Renderers(hub)
    # The last browser has three pages, one of them with an id of another length.
    pages = {"a" * 36: 0, "b" * 36: 1, "c" * 36: 2, "d" * 36: 2, "short": 2}
    for name, place in pages.items():
        renderers.seen(name, connections[place])
    two = frames.join_messages([frames.set_props("one", {"x": 1}), frames.set_props("two", {"y": "é" * 100})])
    renderers.send([*pages, "nobody"], two)
    for place, browser in enumerate(browsers):
        told = [json.loads(browser.ws.recv()) for name in pages if pages[name] == place]
        assert {message["rendererId"] for messages in told for message in messages} == {
            name for name in pages if pages[name] == place
        }
        assert all([message["payload"]["componentId"] for message in messages] == ["one", "two"] for messages in told)


def test_what_lands_together_comes_together_and_to_each_what_it_asked_for(
    connect: Connect, live_server: LiveServer
) -> None:
    asked = {"*": ["*"], "one": ["robinhood"], "two": ["cnbc", "robinhood"]}
    clients = {name: subscribed(connect, *sources) for name, sources in asked.items()}
    for _ in range(3):
        live_server.channel.publish([navigation("cnbc"), *[navigation() for _ in range(250)], navigation("reuters")])
    wanted = {"cnbc": [1, 2, 3], "robinhood": list(range(1, 10)), "reuters": [1, 2, 3]}
    for name, client in clients.items():
        mine = {source: seqs for source, seqs in wanted.items() if {source, "*"} & set(asked[name])}
        heard: dict[str, list[int]] = {source: [] for source in mine}
        while heard != mine:
            message = client.hear_type("metrics_batch")
            heard[message["scraperSource"]].append(message["seq"])
            assert heard[message["scraperSource"]] == mine[message["scraperSource"]][: message["seq"]]
        client.say({"type": "status"})
        greetings = 1 + len(asked[name])
        assert client.hear_type("status")["sent"] == greetings + sum(map(len, mine.values()))


def test_what_comes_while_the_channel_rests_leaves_together(connect: Connect, live_server: LiveServer) -> None:
    channel, client = live_server.channel, subscribed(connect, "*")

    def publish() -> None:
        channel._rests_until_s = float("inf")
        channel.coalesce_s = 3600
        for source in ("robinhood", "cnbc", "robinhood"):
            channel._take([navigation(source)])
        channel._take(
            [navigation("reuters") for _ in range(100)]
        )  # a full batch: it leaves, and takes the others along

    live_server.hub.ask(publish, timeout_s=90)
    told = [client.hear_type("metrics_batch") for _ in range(3)]
    assert {message["scraperSource"]: message["count"] for message in told} == {
        "robinhood": 2,
        "cnbc": 1,
        "reuters": 100,
    }
