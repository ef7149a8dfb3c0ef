"""Coming back to the public channel: what was missed, or that it is gone."""

from __future__ import annotations

from tests.live.conftest import LiveServer
from tests.live.speaking import Connect, navigation, subscribed


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
    assert live_server.hub.ask(lambda: live_server.channel.missed("robinhood", 1), timeout_s=90) is None
    assert len(live_server.hub.ask(lambda: live_server.channel.missed("robinhood", 4), timeout_s=90) or ()) == 1
