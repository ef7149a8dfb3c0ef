"""The opening handshake: what is none gets an answer that says so, and no traceback."""

from __future__ import annotations

import http.client

import pytest

from tests.live.conftest import LiveServer

GOOD = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def answer(port: int, changes: dict[str, str | None]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    connection.putrequest("GET", "/ws/metrics", skip_host=True, skip_accept_encoding=True)
    for name, value in {**GOOD, **changes}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    got = connection.getresponse()
    if got.status != 101:
        got.read()
    connection.close()
    return got


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 101),
        ({"Connection": "keep-alive, Upgrade"}, 101),
        ({"Upgrade": "WebSocket"}, 101),
        ({"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=99"}, 101),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "close"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
        ({"Sec-WebSocket-Key": "!" * 24}, 400),
        ({"Host": None}, 400),
        ({"Origin": "https://evil.example"}, 403),
    ],
)
def test_a_handshake_is_whole_or_told_what_it_lacks(
    shared_server: LiveServer, changes: dict[str, str | None], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    got = answer(shared_server.port, changes)
    assert got.status == status
    if status == 426:
        assert got.headers["Sec-WebSocket-Version"] == "13"
    assert "Traceback" not in caplog.text
