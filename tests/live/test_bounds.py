"""How much one client may ask for: who sends too much is told and closed, and the others don't notice."""

from __future__ import annotations

import json

import pytest

from live import protocol
from live.hub import Hub
from live.reading import Pace
from tests.live.conftest import LiveServer
from tests.live.framing import CONTINUATION, PING, PONG, TEXT, Peer, chopped, close, frame, said
from tests.live.speaking import Connect, subscribed

TOO_FAST = [("text", "error", "too_many_messages"), ("close", 1008)]


@pytest.fixture
def strict(hub: Hub) -> Hub:
    """A hub whose patience is over soon, and doesn't grow while a slow machine runs the test."""
    hub.pace = Pace(per_s=0.0, most=200.0)
    return hub


@pytest.mark.parametrize(
    "flood",
    [
        [frame(PONG) * 300],
        [frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 300],
        [frame(TEXT, b"x" * 60_000, fin=False), *[frame(CONTINUATION, b"", fin=False)] * 300],
        [frame(TEXT, b'{"type":"status"}') * 30],
        [frame(TEXT, said(pad=60_000)) * 20],
        [(frame(PONG) * 100)[:-1], frame(PONG)[-1:] + frame(PONG) * 200],
    ],
    ids=["pongs", "empty fragments", "empty fragments of a large message", "statuses", "large messages", "two packets"],
)
def test_who_sends_too_much_is_told_and_closed_and_the_next_is_served(
    strict: Hub, live_server: LiveServer, flood: list[bytes]
) -> None:
    with Peer(live_server.port) as peer:
        peer.send(*flood)
        heard = [one for one in peer.hear_all() if one[1] not in ("connected", "status", "pong")]
        assert heard == TOO_FAST
    with Peer(live_server.port) as other:
        other.send(frame(TEXT, said("still there")))
        assert other.hear_until(("text", "pong", "still there"))
    assert live_server.hub.ended.counts() == {"too many messages": 1}


def test_pings_are_answered_until_there_are_too_many(strict: Hub, live_server: LiveServer) -> None:
    with Peer(live_server.port) as peer:
        peer.send(frame(PING, b"p") * 300)
        heard = peer.hear_all()[1:]
    assert heard[-2:] == TOO_FAST
    assert set(heard[:-2]) == {("pong", b"p")}
    assert 150 < len(heard) < 210


def test_a_message_in_a_thousand_packets_costs_as_much_as_it_makes_work(strict: Hub, live_server: LiveServer) -> None:
    strict.pace = Pace(per_s=0.0, most=20.0, packet=1.0)
    with Peer(live_server.port) as peer:
        assert peer.hear()[1] == "connected"
        for chunk in chopped(frame(TEXT, said(pad=4_000)), 40):
            peer.send(chunk)
            strict.ask(lambda: None, timeout_s=90)  # or they might come together
        assert peer.hear_all() == TOO_FAST


def test_who_is_told_why_hears_it_though_it_sends_on(live_server: LiveServer) -> None:
    with Peer(live_server.port) as peer:
        peer.send(frame(3), *[frame(TEXT, b"x" * 60_000)] * 50)  # closed with something unread, it would be a reset
        assert peer.hear_all()[1:] == [("close", 1002)]
    assert live_server.hub.ended.counts() == {"broken frames": 1}


def test_a_client_that_comes_back_with_all_of_its_subscriptions_at_once_is_welcome(live_server: LiveServer) -> None:
    names = [f"source-{n}" for n in range(protocol.MAX_SUBSCRIPTIONS)]
    asked = [{"type": "subscribe", "scraperSource": name, "since": 0} for name in names]
    with Peer(live_server.port) as peer:
        peer.send(b"".join(frame(TEXT, json.dumps(one).encode()) for one in asked))
        peer.send(frame(TEXT, said("all")))
        heard = peer.hear_until(("text", "pong", "all"))
        assert [one[1] for one in heard[1:]] == ["subscribed"] * len(names)
        peer.send(frame(TEXT, b'{"type":"subscribe","scraperSource":"one too many"}'))
        assert peer.hear() == ("text", "error", "too_many_subscriptions")
        peer.send(close(1000))
        assert peer.hear_all() == [("close", 1000)]
    assert live_server.hub.refused.counts() == {"subscriptions: too many of one client": 1}


def test_all_clients_together_may_have_so_many_subscriptions_and_who_leaves_makes_room(
    connect: Connect, live_server: LiveServer
) -> None:
    live_server.channel.most_subscriptions = 3
    first, second = subscribed(connect, "a", "b"), subscribed(connect, "a")
    second.say({"type": "subscribe", "scraperSource": "b"})
    assert second.hear_type("error")["code"] == "too_many_subscriptions"
    second.say({"type": "subscribe", "scraperSource": "a"})  # that it has already
    second.hear_type("subscribed")
    first.say({"type": "unsubscribe", "scraperSource": "b"})
    first.hear_type("unsubscribed")
    first.say({"type": "unsubscribe", "scraperSource": "b"})  # again is harmless
    first.hear_type("unsubscribed")
    second.say({"type": "subscribe", "scraperSource": "b"})
    second.hear_type("subscribed")
    assert live_server.hub.ask(lambda: live_server.channel.subscriptions, timeout_s=90) == 3
