"""Two apps behind Debian's nginx, with the configuration that the documentation shows."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

from collector.sinks import HttpSink
from live.client import MetricsClient
from tests.apps import PrivateApp
from tests.live.nodes import Viewer
from tests.servers import PrivateNginx, PrivateRedis
from tests.web.test_two_apps import wait_until
from tests.web.test_two_apps_with_redis import make_batch, urls


@pytest.fixture
def apps(tmp_path: Path) -> Iterator[list[PrivateApp]]:
    with PrivateRedis() as redis:
        apps = [PrivateApp(f"sqlite:///{tmp_path / 'metrics.db'}", REDIS_URL=redis.url) for _ in range(2)]
        threads = [threading.Thread(target=app.start) for app in apps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(90)
        yield apps
        for app in apps:
            app.__exit__(None, None, None)


@pytest.fixture
def nginx(apps: list[PrivateApp]) -> Iterator[PrivateNginx]:
    with PrivateNginx((apps[0].port, apps[1].port)) as server:
        yield server


def connections(app: PrivateApp) -> int:
    return int(app.get("/api/stats")["channel"]["connections"])


def test_a_client_behind_nginx_moves_to_the_other_app_when_its_own_is_killed_and_misses_nothing(
    apps: list[PrivateApp], nginx: PrivateNginx
) -> None:
    channel = nginx.url.replace("http", "ws") + "/ws/metrics"
    viewers = [Viewer(channel, "*") for _ in range(2)]
    wait_until(lambda: [connections(app) for app in apps] == [1, 1], "nginx doesn't share the sockets out")
    client = MetricsClient(nginx.url, first_wait_s=0.05)
    heard: list[str] = []
    gaps: list[object] = []
    client.on("metrics", lambda batch: heard.extend(metric["url"] for metric in batch["metrics"]))
    client.on("gap", gaps.append)
    client.subscribe("*")
    assert client.connect()
    sink = HttpSink(nginx.url)
    batches = [make_batch(f"first-{n}") for n in range(10)]
    for batch in batches:
        sink.send(batch)
    for viewer in viewers:
        assert viewer.hear(30) == urls(*batches)
        assert viewer.gaps + viewer.wrong == []
    wait_until(lambda: sorted(heard) == urls(*batches), "the client doesn't hear everything")
    carrying = next(app for app in apps if connections(app) == 2)
    carrying.kill()
    for n in range(10, 20):
        batches.append(make_batch(f"first-{n}"))
        sink.send(batches[-1])
    wait_until(lambda: sorted(heard) == urls(*batches), "the client doesn't go on at the other app")
    assert gaps == []
    client.disconnect()
    sink.close()
    for viewer in viewers:
        viewer.leave()


def test_pages_and_both_sockets_work_through_nginx(apps: list[PrivateApp], nginx: PrivateNginx) -> None:
    for path in ("/", "/_dash-layout", "/api/health", "/api/realtime"):
        with urllib.request.urlopen(nginx.url + path, timeout=60) as answer:
            assert answer.status == 200
    for path in ("/ws/metrics", "/_dash-ws-callback"):
        address = nginx.url.replace("http", "ws") + path
        websocket.create_connection(address, timeout=90, origin=nginx.url).close()  # as a browser says it
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            websocket.create_connection(address, timeout=90, origin="http://elsewhere.test")
