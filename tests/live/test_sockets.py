"""The public channel, spoken to over real sockets."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable

import pytest
import websocket

from collector.events import Metric, from_wire
from live.hub import Hub
from tests.live.conftest import Client, LiveServer

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


def subscribed(connect: Connect, *sources: str) -> Client:
    client = connect()
    client.hear_type("connected")
    for source in sources:
        client.say({"type": "subscribe", "scraperSource": source})
        client.hear_type("subscribed")
    return client


def test_a_client_is_greeted_with_its_id_and_the_heartbeat_interval(connect: Connect) -> None:
    hello = connect().hear()
    assert hello["type"] == "connected"
    assert hello["heartbeatIntervalMs"] == 30_000
    assert hello["protocol"] == 1
    assert hello["clientId"]
    assert isinstance(hello["timestamp"], int)


def test_a_batch_has_the_specified_form_to_the_letter(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation(), scrape()])
    message = client.hear()
    assert isinstance(message.pop("timestamp"), int)
    assert message == {
        "type": "metrics_batch",
        "scraperSource": "robinhood",
        "count": 2,
        "seq": 1,
        "metrics": [
            {
                "type": "page_navigation",
                "scraperSource": "robinhood",
                "url": "https://robinhood.com/stocks/AAPL",
                "navigationDurationMs": 150,
                "retryCount": 0,
                "success": True,
                "error": None,
                "recordedAt": 1_702_214_400_000,
            },
            {
                "type": "page_scrape",
                "scraperSource": "robinhood",
                "url": "https://robinhood.com/stocks/AAPL",
                "scrapeDurationMs": 200,
                "itemsExtracted": 5,
                "success": True,
                "error": None,
                "recordedAt": 1_702_214_401_000,
            },
        ],
    }


def test_a_subscriber_gets_only_its_source(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation("cnbc")])
    live_server.channel.publish([navigation("robinhood")])
    assert client.hear_type("metrics_batch")["scraperSource"] == "robinhood"


def test_a_star_subscriber_gets_every_source_and_scheduler_runs_once_each(
    connect: Connect, live_server: LiveServer
) -> None:
    client = subscribed(connect, "*", "robinhood")
    live_server.channel.publish([navigation("robinhood"), navigation("cnbc"), run("nightly")])
    heard = [client.hear_type("metrics_batch") for _ in range(3)]
    assert [batch["scraperSource"] for batch in heard] == ["robinhood", "cnbc", "scheduler:nightly"]
    assert heard[2]["metrics"][0] == {
        "type": "scheduler",
        "schedulerName": "nightly",
        "executionDurationMs": 12,
        "itemsProcessed": 3,
        "success": True,
        "error": None,
        "recordedAt": 1_702_214_401_000,
    }
    client.say({"type": "ping"})
    client.hear_type("pong")  # nothing came twice


def test_the_seq_of_a_source_counts_its_batches(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "*")
    for _ in range(3):
        live_server.channel.publish([navigation("a"), navigation("b")])
    seen: dict[str, list[int]] = {"a": [], "b": []}
    metrics = 0
    while metrics < 6:
        batch = client.hear_type("metrics_batch")
        seen[batch["scraperSource"]].append(batch["seq"])
        metrics += batch["count"]
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in seen.values())


def test_more_than_a_hundred_metrics_travel_in_several_batches(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation(duration_ms=n) for n in range(250)])
    batches = [client.hear_type("metrics_batch") for _ in range(3)]
    assert [batch["count"] for batch in batches] == [100, 100, 50]
    assert [m["navigationDurationMs"] for batch in batches for m in batch["metrics"]] == list(range(250))


def test_unsubscribe_ends_the_batches(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    client.say({"type": "unsubscribe", "scraperSource": "robinhood", "correlationId": "u-1"})
    assert client.hear_type("unsubscribed")["correlationId"] == "u-1"
    live_server.channel.publish([navigation()])
    client.say({"type": "ping"})
    client.hear_type("pong")


def test_status_tells_what_the_client_is_to_the_server(connect: Connect) -> None:
    client = subscribed(connect, "b", "a")
    client.say({"type": "status", "correlationId": 7})
    status = client.hear_type("status")
    assert status["subscriptions"] == ["a", "b"]
    assert status["correlationId"] == 7
    assert status["sent"] == 3
    assert status["dropped"] == 0
    assert status["server"] == {"connections": 1}
    assert status["clientId"]
    assert status["connectedAt"] > 0


@pytest.mark.parametrize(("said", "heard"), [("ping", "pong"), ("heartbeat", "heartbeat_ack")])
def test_signs_of_life_are_answered(connect: Connect, said: str, heard: str) -> None:
    client = subscribed(connect)
    client.say({"type": said, "correlationId": "x"})
    assert client.hear_type(heard)["correlationId"] == "x"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("no json", "bad_json"),
        ("[1]", "bad_message"),
        ('"text"', "bad_message"),
        ("{}", "unknown_type"),
        ('{"type":"dance"}', "unknown_type"),
        ('{"type":["subscribe"]}', "unknown_type"),
        ('{"type":"subscribe"}', "bad_source"),
        ('{"type":"subscribe","scraperSource":"  "}', "bad_source"),
        ('{"type":"subscribe","scraperSource":7}', "bad_source"),
        (json.dumps({"type": "subscribe", "scraperSource": "x" * 200}), "bad_source"),
        ('{"type":"subscribe","scraperSource":"a","since":"7"}', "bad_since"),
        ('{"type":"subscribe","scraperSource":"a","since":-1}', "bad_since"),
        ('{"type":"subscribe","scraperSource":"a","since":true}', "bad_since"),
        ('{"type":"ping","correlationId":' + "[" * 500 + "]" * 500 + "}", "bad_correlation_id"),
    ],
)
def test_a_message_that_cannot_be_understood_gets_an_error_and_the_connection_stays(
    connect: Connect, said: str, code: str
) -> None:
    client = subscribed(connect)
    client.say(said)
    error = client.hear_type("error")
    assert error["code"] == code
    assert error["message"]
    client.say({"type": "ping"})
    client.hear_type("pong")


def test_ten_errors_in_ten_seconds_end_the_connection(connect: Connect) -> None:
    client = subscribed(connect)
    for _ in range(10):
        client.say("nonsense")
    for _ in range(10):
        client.hear_type("error")
    assert client.close_code() == 1008


def test_a_message_over_64_kib_gets_an_error_and_close_1009(connect: Connect) -> None:
    client = subscribed(connect)
    client.say("x" * (64 * 1024 + 1))
    assert client.hear_type("error")["code"] == "too_big"
    assert client.close_code() == 1009


def test_a_message_of_64_kib_in_fragments_is_taken_and_a_bigger_one_is_not(connect: Connect) -> None:
    client = subscribed(connect)
    body = json.dumps({"type": "ping", "pad": "x" * 60_000})
    client.ws.send_frame(websocket.ABNF.create_frame(body[:30_000], websocket.ABNF.OPCODE_TEXT, 0))
    client.ws.send_frame(websocket.ABNF.create_frame(body[30_000:], websocket.ABNF.OPCODE_CONT, 1))
    client.hear_type("pong")
    client.ws.send_frame(websocket.ABNF.create_frame("y" * 60_000, websocket.ABNF.OPCODE_TEXT, 0))
    client.ws.send_frame(websocket.ABNF.create_frame("y" * 60_000, websocket.ABNF.OPCODE_CONT, 0))
    assert client.hear_type("error")["code"] == "too_big"
    assert client.close_code() == 1009


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (bytes([0x81, 4]) + b"ping", 1002),  # unmasked
        (bytes([0xC1, 0x80]) + b"\0\0\0\0", 1002),  # a reserved bit
        (bytes([0x83, 0x80]) + b"\0\0\0\0", 1002),  # an opcode that doesn't exist
        (bytes([0x81, 0x82]) + b"\0\0\0\0" + b"\xc3\x28", 1007),  # bad UTF-8
        (bytes([0x82, 0x81]) + b"\0\0\0\0" + b"x", 1003),  # binary
        (bytes([0x89, 0xFE]) + struct.pack("!H", 200) + b"\0\0\0\0" + b"x" * 200, 1002),  # a ping too long
    ],
)
def test_a_broken_frame_is_answered_with_the_close_code_of_the_rfc(connect: Connect, frame: bytes, code: int) -> None:
    client = subscribed(connect)
    client.ws.sock.sendall(frame)
    assert client.close_code() == code


def test_a_resumed_subscription_gets_what_it_missed(connect: Connect, live_server: LiveServer) -> None:
    first = subscribed(connect, "robinhood")
    for n in range(4):
        live_server.channel.publish([navigation(duration_ms=n)])
        first.hear_type("metrics_batch")  # one batch each, not coalesced
    second = connect()
    second.hear_type("connected")
    second.say({"type": "subscribe", "scraperSource": "robinhood", "since": 2})
    assert second.hear_type("subscribed")["seq"] == 4
    assert [second.hear_type("metrics_batch")["seq"] for _ in range(2)] == [3, 4]


def test_a_resumed_subscription_is_told_of_a_gap_when_batches_are_gone(
    connect: Connect, live_server: LiveServer
) -> None:
    first = subscribed(connect, "robinhood")
    for n in range(12):  # the ring holds 8
        live_server.channel.publish([navigation(duration_ms=n)])
        first.hear_type("metrics_batch")
    for since in (1, 99):
        second = connect()
        second.hear_type("connected")
        second.say({"type": "subscribe", "scraperSource": "robinhood", "since": since})
        second.hear_type("subscribed")
        assert second.hear_type("gap")["scraperSource"] == "robinhood"


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [("https://ok.example", True), ("https://evil.example", False), ("null", False), (None, True), ("same", True)],
)
def test_browsers_of_other_sites_are_refused(live_server: LiveServer, origin: str | None, welcome: bool) -> None:
    given = f"http://127.0.0.1:{live_server.port}" if origin == "same" else origin
    options = {"suppress_origin": True} if given is None else {"origin": given}
    if welcome:
        ws = websocket.create_connection(live_server.url, timeout=10, **options)
        assert json.loads(ws.recv())["type"] == "connected"
        ws.shutdown()
    else:
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(live_server.url, timeout=10, **options)


def test_an_open_connection_costs_no_thread(connect: Connect) -> None:
    subscribed(connect, "a")
    before = threading.active_count()
    for _ in range(20):
        subscribed(connect, "a")
    # Handshake threads of the development server end when the hub has taken over.
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(5)
    assert threading.active_count() <= before


def test_a_client_that_stops_reading_is_told_of_the_gap_and_slows_nobody(
    connect: Connect, live_server: LiveServer
) -> None:
    live_server.hub.outbox_limit_bytes = 200_000
    stuck, reader = subscribed(connect, "robinhood"), subscribed(connect, "robinhood")
    total = 0
    while live_server.hub.frames_dropped == 0:
        live_server.channel.publish([navigation(duration_ms=n) for n in range(100)])
        total += reader.hear_type("metrics_batch")["count"]
        assert total < 3_000_000  # bounded, should the kernel's buffers be huge
    while True:  # the stuck one reads again: what it missed is announced
        message = stuck.hear()
        if message["type"] == "gap":
            break
        assert message["type"] == "metrics_batch"
    assert message["scraperSource"] == "robinhood"


def test_a_frame_larger_than_the_outbox_reaches_who_reads_and_deafens_nobody(
    connect: Connect, live_server: LiveServer
) -> None:
    live_server.hub.outbox_limit_bytes = 1_000
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation() for _ in range(100)])
    assert client.hear_type("metrics_batch")["count"] == 100
    client.say({"type": "ping"})
    client.hear_type("pong")


def test_pings_of_who_never_reads_do_not_fill_the_memory(
    connect: Connect, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, heard = live_server.hub, threading.Event()
    hub.outbox_limit_bytes = 10_000
    client = subscribed(connect)
    (connection,) = hub.ask(lambda: list(hub.connections), timeout_s=5)
    monkeypatch.setattr(connection.handler, "on_text", lambda *_: heard.set())
    pings = (bytes([0x89, 0xFD]) + b"\0\0\0\0" + b"x" * 125) * 500
    for _ in range(400):  # the kernel's buffers are full long before
        client.ws.sock.sendall(pings)
        if hub.outbox_high_water_bytes > 2 * hub.outbox_limit_bytes:
            break
    client.say({"type": "ping"})
    assert heard.wait(10)
    assert 0 < hub.outbox_high_water_bytes <= hub.outbox_limit_bytes + 200


def test_a_mistake_in_a_handler_ends_that_connection_only(
    connect: Connect, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, other = subscribed(connect), subscribed(connect)
    connections = live_server.hub.ask(lambda: list(live_server.hub.connections), timeout_s=5)
    handler = connections[0].handler

    def broken(*_: object) -> None:
        raise ValueError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(handler, "on_text", broken)
        client.say({"type": "ping"})
        assert client.close_code() == 1011
    assert "a mistake" in caplog.text
    other.say({"type": "ping"})
    other.hear_type("pong")


def test_a_dead_peer_is_dropped_and_its_subscription_with_it(connect: Connect, live_server: LiveServer) -> None:
    client, other = subscribed(connect, "robinhood"), subscribed(connect, "robinhood")
    client.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(client.ws.sock.detach())
    live_server.channel.publish([navigation()])
    other.hear_type("metrics_batch")
    assert live_server.hub.ask(lambda: len(live_server.channel.subscribers["robinhood"]), timeout_s=5) == 1


def test_silent_clients_are_pinged_and_closed(hub: Hub, connect: Connect) -> None:
    hub.ping_interval_s, hub.silence_limit_s = 0.0, 3600.0
    client = subscribed(connect)
    opcode, _ = client.ws.recv_data(control_frame=True)
    assert opcode == websocket.ABNF.OPCODE_PING
    hub.ping_interval_s, hub.silence_limit_s = 3600.0, 0.0
    with pytest.raises((websocket.WebSocketConnectionClosedException, ConnectionError)):
        client.close_code()


def test_one_connection_too_many_is_asked_to_come_later(connect: Connect, live_server: LiveServer) -> None:
    first = subscribed(connect)
    live_server.hub.max_connections = 1
    assert connect().close_code() == 1013
    assert live_server.hub.refused == 1
    first.say({"type": "ping"})
    first.hear_type("pong")


def test_stopping_the_hub_says_going_away_after_what_was_queued(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation()])
    live_server.hub.call(live_server.hub._begin_stop)
    client.hear_type("metrics_batch")
    assert client.close_code() == 1001


def test_a_client_of_an_earlier_life_is_told_of_the_gap(live_server: LiveServer, connect: Connect) -> None:
    live_server.channel._first_seq = live_server.channel._forgotten_order = live_server.channel._order = 1_000
    first = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation()])
    assert first.hear_type("metrics_batch")["seq"] == 1_001
    for source, since, kind in (("robinhood", 17, "gap"), ("robinhood", 1_000, "metrics_batch"), ("*", 17, "gap")):
        second = connect()
        second.hear_type("connected")
        second.say({"type": "subscribe", "scraperSource": source, "since": since})
        assert second.hear_type("subscribed")["seq"] == 1_001
        second.hear_type(kind)


def test_what_was_missed_is_a_gap_when_it_is_more_than_a_client_can_take(
    live_server: LiveServer, connect: Connect
) -> None:
    live_server.hub.outbox_limit_bytes = 1_000
    first = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation() for _ in range(20)])
    first.hear_type("metrics_batch")
    second = connect()
    second.hear_type("connected")
    second.say({"type": "subscribe", "scraperSource": "robinhood", "since": 0})
    second.hear_type("subscribed")
    second.hear_type("gap")


def test_the_ring_is_bounded_by_bytes_too(live_server: LiveServer, connect: Connect) -> None:
    live_server.channel.ring_bytes = 700
    first = subscribed(connect, "robinhood")
    for n in range(5):
        live_server.channel.publish([navigation(duration_ms=n)])
        first.hear_type("metrics_batch")
    assert live_server.hub.ask(lambda: live_server.channel.missed("robinhood", 1), timeout_s=5) is None
    assert len(live_server.hub.ask(lambda: live_server.channel.missed("robinhood", 4), timeout_s=5) or ()) == 1
