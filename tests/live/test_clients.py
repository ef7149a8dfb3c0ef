"""Clients as people use them, unchanged: Python's `websockets`, which offers compression without being asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync

from tests.live.conftest import LiveServer
from tests.live.speaking import navigation

SUBSCRIBE = json.dumps({"type": "subscribe", "scraperSource": "*"})


def told(message: str | bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(message)
    return said


def test_websockets_with_threads_works_unchanged(live_server: LiveServer) -> None:
    with connect_sync(live_server.url) as client:
        assert told(client.recv(90))["type"] == "connected"
        client.send(SUBSCRIBE)
        assert told(client.recv(90))["type"] == "subscribed"
        live_server.channel.publish([navigation(duration_ms=n) for n in range(250)])
        assert [told(client.recv(90))["count"] for _ in range(3)] == [100, 100, 50]
        assert client.ping().wait(90)
        client.send(iter(('{"type":', '"ping"}')))  # in fragments
        assert told(client.recv(90))["type"] == "pong"
        client.send("x" * 70_000)
        assert told(client.recv(90))["code"] == "too_big"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(90)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


def test_websockets_with_asyncio_works_unchanged_and_is_told_when_the_server_ends(live_server: LiveServer) -> None:
    async def talk() -> int:
        async with connect_async(live_server.url) as client:
            assert told(await client.recv())["type"] == "connected"
            await client.send(SUBSCRIBE)
            assert told(await client.recv())["type"] == "subscribed"
            live_server.channel.publish([navigation()])
            assert told(await client.recv())["metrics"][0]["navigationDurationMs"] == 150
            await (await client.ping())
            live_server.hub.call(live_server.hub._begin_stop)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            return closed.value.rcvd.code

    assert asyncio.run(asyncio.wait_for(talk(), 90)) == 1001
