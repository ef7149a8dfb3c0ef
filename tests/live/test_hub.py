"""The hub: whatever one connection does or sends, the others don't notice."""

from __future__ import annotations

import os
import socket
import struct
import threading

import pytest
import websocket

from live.hub import Hub
from live.reading import Pace
from tests.live.conftest import LiveServer
from tests.live.speaking import Connect, narrow, navigation, subscribed


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


def test_an_open_connection_costs_no_thread(connect: Connect) -> None:
    subscribed(connect, "a")
    before = threading.active_count()
    for _ in range(20):
        subscribed(connect, "a")
    # Handshake threads of the development server end when the hub has taken over.
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(90)
    assert threading.active_count() <= before


def test_a_client_that_stops_reading_is_told_of_the_gap_and_slows_nobody(
    connect: Connect, live_server: LiveServer
) -> None:
    live_server.hub.outbox_limit_bytes = 200_000
    stuck, reader = subscribed(connect, "robinhood"), subscribed(connect, "robinhood")
    narrow(live_server.hub, stuck)
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
    hub.outbox_limit_bytes, hub.pace = 10_000, Pace(most=1e9)
    client = subscribed(connect)
    (connection,) = hub.ask(lambda: list(hub.connections), timeout_s=90)
    monkeypatch.setattr(connection.handler, "on_text", lambda *_: heard.set())
    pings = (bytes([0x89, 0xFD]) + b"\0\0\0\0" + b"x" * 125) * 500
    for _ in range(400):  # the kernel's buffers are full long before
        client.ws.sock.sendall(pings)
        if hub.outboxes.high_water_bytes > 2 * hub.outbox_limit_bytes:
            break
    client.say({"type": "ping"})
    assert heard.wait(90)
    assert 0 < hub.outboxes.high_water_bytes <= hub.outbox_limit_bytes + 200


def test_a_mistake_in_a_handler_ends_that_connection_only(
    connect: Connect, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client, other = subscribed(connect), subscribed(connect)
    connections = live_server.hub.ask(lambda: list(live_server.hub.connections), timeout_s=90)
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
    assert live_server.hub.ask(lambda: len(live_server.channel.subscribers["robinhood"]), timeout_s=90) == 1


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
    assert live_server.hub.refused.counts() == {"connections: too many are open": 1}
    first.say({"type": "ping"})
    first.hear_type("pong")


def test_stopping_the_hub_says_going_away_after_what_was_queued(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    live_server.channel.publish([navigation()])
    live_server.hub.call(live_server.hub._begin_stop)
    client.hear_type("metrics_batch")
    assert client.close_code() == 1001


def test_when_all_outboxes_together_are_too_full_the_fullest_gets_the_gap_and_the_others_get_everything(
    connect: Connect, live_server: LiveServer
) -> None:
    hub = live_server.hub
    hub.outboxes.limit_bytes = 150_000
    far_behind, behind, reader = (subscribed(connect, source) for source in ("much", "little", "much"))
    for client in (far_behind, behind):
        narrow(hub, client)
    rows = [navigation(source="little") for _ in range(100)]
    total = 0
    while not hub.ask(lambda: hub.outboxes.held_bytes, timeout_s=90):  # until the kernel takes no more of it
        live_server.channel.publish(rows)
        total += len(rows)
    while hub.ask(lambda: hub.outboxes.frames_dropped, timeout_s=90) == 0:
        live_server.channel.publish([navigation(source="much", duration_ms=n) for n in range(100)])
        reader.hear_type("metrics_batch")
    assert hub.frames_dropped == 0  # none of them was too full by itself
    message = far_behind.hear()
    while message["type"] == "metrics_batch":  # what the kernel had taken
        message = far_behind.hear()
    assert (message["type"], message["scraperSource"]) == ("gap", "much")
    heard = 0
    while heard < total:
        heard += behind.hear_type("metrics_batch")["count"]
    assert hub.ask(lambda: (hub.outboxes.held_bytes, hub.outboxes.limit_bytes), timeout_s=90) == (0, 150_000)


def test_a_hub_that_never_ran_gives_back_what_it_holds() -> None:
    hub = Hub()
    hub.stop()
    assert hub._loop.is_closed()
    hub.call(hub._begin_stop)  # nobody is left to tell
