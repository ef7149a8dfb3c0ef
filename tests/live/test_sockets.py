"""The public channel, spoken to over real sockets."""

from __future__ import annotations

import json

import pytest
import websocket

from tests.live.conftest import LiveServer
from tests.live.speaking import Connect, navigation, run, scrape, subscribed


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
    ("origin", "welcome"),
    [("https://ok.example", True), ("https://evil.example", False), ("null", False), (None, True), ("same", True)],
)
def test_browsers_of_other_sites_are_refused(live_server: LiveServer, origin: str | None, welcome: bool) -> None:
    given = f"http://127.0.0.1:{live_server.port}" if origin == "same" else origin
    options = {"suppress_origin": True} if given is None else {"origin": given}
    if welcome:
        ws = websocket.create_connection(live_server.url, timeout=90, **options)
        assert json.loads(ws.recv())["type"] == "connected"
        ws.shutdown()
    else:
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(live_server.url, timeout=90, **options)
