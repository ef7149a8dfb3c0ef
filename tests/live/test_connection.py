"""What a connection keeps while nothing is said on it, and that it is all there again when something is."""

from __future__ import annotations

import gc
import socket
import weakref
from contextvars import ContextVar, copy_context

import pytest

from live.connection import Connection
from live.hub import Hub
from tests.live.conftest import Client, LiveServer
from tests.live.framing import CLOSE, TEXT, frame
from tests.live.speaking import Connect, subscribed

PING = frame(TEXT, b'{"type":"ping"}')


def the_connection(server: LiveServer) -> Connection:
    (connection,) = server.hub.ask(lambda: list(server.hub.connections), timeout_s=90)
    return connection


def ping(client: Client) -> None:
    client.say({"type": "ping"})
    client.hear_type("pong")


def test_a_parser_is_there_only_while_a_message_is_on_its_way(connect: Connect, live_server: LiveServer) -> None:
    client = subscribed(connect, "robinhood")
    connection = the_connection(live_server)
    assert live_server.hub.ask(lambda: connection._parser, timeout_s=90) is None
    client.ws.sock.sendall(PING + PING)
    client.hear_type("pong")
    client.hear_type("pong")
    assert live_server.hub.ask(lambda: connection._parser, timeout_s=90) is None
    assert connection.outbox is None


@pytest.mark.parametrize("cut", range(1, len(PING), 3))
def test_a_message_in_two_pieces_is_understood_and_so_is_the_next_one(
    connect: Connect, live_server: LiveServer, cut: int
) -> None:
    client = subscribed(connect)
    connection = the_connection(live_server)
    client.ws.sock.sendall(PING + PING[:cut])
    client.hear_type("pong")
    assert live_server.hub.ask(lambda: connection._parser, timeout_s=90) is not None
    client.ws.sock.sendall(PING[cut:])
    client.hear_type("pong")
    ping(client)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_whole_frames_are_told_from_parts_of_them(size: int) -> None:
    one = frame(TEXT, b"x" * size)
    for whole in (one, one + PING, PING + one):
        connection = Connection(socket.socket(), None, 1 << 20)  # type: ignore[arg-type]  # nothing is handled
        connection.receive(whole)
        connection.rest()
        assert connection._parser is None
        connection.receive(whole[:-1])
        connection.rest()
        assert connection._parser is not None
        connection.sock.close()


def test_the_peers_close_is_answered_and_ours_is_heard_out_without_a_parser(
    connect: Connect, live_server: LiveServer
) -> None:
    closing, closed = subscribed(connect), subscribed(connect)
    closing.ws.sock.sendall(frame(CLOSE, (1000).to_bytes(2, "big")))
    assert closing.close_code() == 1000
    closing.ws.shutdown()
    for connection in live_server.hub.ask(lambda: list(live_server.hub.connections), timeout_s=90):
        live_server.hub.call(live_server.hub.close, connection, 1001, "bye")
    assert closed.close_code() == 1001


def test_the_loop_keeps_nothing_of_who_calls_it(hub: Hub) -> None:
    class Request:
        """Stands for what a web framework keeps in the context of its thread."""

    variable: ContextVar[Request] = ContextVar("request")
    context = copy_context()
    context.run(variable.set, Request())
    kept = weakref.ref(context[variable])
    context.run(hub.call, hub.call_later, 3600, print)
    hub.ask(lambda: None, timeout_s=90)
    del context
    gc.collect()
    assert kept() is None
