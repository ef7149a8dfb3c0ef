"""Two apps on one database and one Redis: the same channel at both, whoever of the three dies."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from collector.errors import SinkError
from collector.events import PageNavigation
from collector.sinks import Batch, HttpSink
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from db.store import Store
from tests.apps import PrivateApp
from tests.live.nodes import Viewer
from tests.proxies import CuttingProxy
from tests.servers import PrivateRedis
from tests.web.test_two_apps import wait_until


@pytest.fixture
def redis() -> Iterator[PrivateRedis]:
    with PrivateRedis() as server:
        yield server


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[..., list[PrivateApp]]]:
    """Starts apps on one database, each with its own way to Redis."""
    apps: list[PrivateApp] = []

    def run(*redis_urls: str) -> list[PrivateApp]:
        apps.extend(PrivateApp(database_url, REDIS_URL=url) for url in redis_urls)
        threads = [threading.Thread(target=app.start) for app in apps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(150)
        return apps

    yield run
    for app in apps:
        app.__exit__(None, None, None)


def view(app: PrivateApp, source: str = "*", since: int | None = None) -> Viewer:
    return Viewer(app.url.replace("http", "ws") + "/ws/metrics", source, since)


def make_batch(name: str, metrics: int = 3) -> Batch:
    at_ms = now_ms()
    pages = [
        PageNavigation(source, f"https://x.test/{name}/{n}", 1.5, True, 0, None, 200, at_ms, None)
        for n, source in zip(range(metrics), itertools.cycle(("both", name.split("-")[0])), strict=False)
    ]
    return Batch(name, tuple(pages))


def urls(*batches: Batch) -> list[str]:
    return sorted(metric.url for batch in batches for metric in batch.metrics)  # type: ignore[union-attr]


def redis_status(app: PrivateApp) -> str:
    return str(app.get("/api/health")["redis"]["status"])


class Sender:
    """Sends batches to an app until it is told to stop, each until somebody has taken it."""

    def __init__(self, name: str, apps: list[PrivateApp]) -> None:
        self.name = name
        self.taken: list[Batch] = []
        self._sinks = [HttpSink(app.url) for app in apps]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> list[Batch]:
        self._stop.set()
        self._thread.join()
        for sink in self._sinks:
            sink.close()
        return self.taken

    def sent_more(self, batches: int = 5) -> None:
        """Wait until so many more have been taken."""
        wanted = len(self.taken) + batches
        wait_until(lambda: len(self.taken) >= wanted, f"{self.name} doesn't get rid of its batches")

    def _run(self) -> None:
        for number in itertools.count():
            batch = make_batch(f"{self.name}-{number}")
            for sink in itertools.cycle(self._sinks):
                try:
                    sink.send(batch)
                except SinkError:
                    continue
                self.taken.append(batch)
                break
            if self._stop.wait(0.01):
                return


def test_both_apps_have_one_channel_and_nothing_is_lost_when_redis_or_an_app_is_killed(
    redis: PrivateRedis, database_url: str, start: Callable[..., list[PrivateApp]]
) -> None:
    apps = start(redis.url, redis.url)
    wait_until(lambda: [redis_status(app) for app in apps] == ["ok"] * 2, "the apps don't find Redis")
    viewers = [view(app) for app in apps]
    senders = [Sender("first", apps), Sender("second", apps[::-1])]
    for sender in senders:
        sender.sent_more()
    moved = Viewer(viewers[0].url, "both")
    moved.hear(1)
    since = moved.leave()
    viewers[1].hear_url(moved.urls[-1])  # who is ahead of the app that it comes to is told of a gap
    moved = view(apps[1], "both", since)  # the other app goes on where this one stopped
    moved.hear(10)
    assert moved.gaps == []

    redis.kill()
    for sender in senders:
        sender.sent_more()
    wait_until(lambda: [redis_status(app) for app in apps] == ["unreachable"] * 2, "the apps don't miss Redis")
    assert all(app.get("/api/health")["status"] == "ok" for app in apps)
    redis.start()
    wait_until(lambda: [redis_status(app) for app in apps] == ["ok"] * 2, "the apps don't find Redis again")
    for sender in senders:
        sender.sent_more()

    apps[0].kill()
    left = viewers[0].leave()
    senders[0].sent_more()  # takes the other app
    apps[0].start()
    back = view(apps[0], "*", left)
    elsewhere = view(apps[1], "*", left)
    for sender in senders:
        sender.sent_more()
    sent = [batch for sender in senders for batch in sender.stop()]
    straight = make_batch("straight-1")  # a scraper that writes into the database
    engine = make_engine(url=database_url)
    upgrade(engine)
    Store(engine).send(straight)
    engine.dispose()
    wanted = urls(*sent, straight)
    assert viewers[1].hear(len(wanted)) == wanted  # each once, through everything
    back.hear_url(wanted[-1])
    for viewer in (back, elsewhere):
        # On a busy machine the app that starts may give up joining Redis at first; then one gap is announced.
        assert len(viewer.gaps) <= 1
        if not viewer.gaps:
            viewer.hear(len(wanted) - len(viewers[0].urls))
            assert sorted(viewers[0].urls + viewer.urls) == wanted
    assert [viewer.wrong for viewer in (*viewers, moved, back, elsewhere)] == [[]] * 5
    for app in apps:
        assert "Traceback" not in app.log()
        wait_until(lambda app=app: app.get("/api/stats")["redis"]["waiting"] == 0, "something waits for Redis")
    for viewer in (*viewers, moved, back, elsewhere):
        viewer.leave()


def test_an_app_that_is_cut_off_from_redis_and_the_others_show_each_others_metrics_all_the_same(
    redis: PrivateRedis, start: Callable[..., list[PrivateApp]]
) -> None:
    with CuttingProxy(redis.port) as proxy:
        apps = start(f"redis://127.0.0.1:{proxy.port}/0", redis.url)
        viewers = [view(app) for app in apps]
        sinks = [HttpSink(app.url) for app in apps]
        batches = [make_batch(f"before-{n}") for n in range(2)]
        for sink, batch in zip(sinks, batches, strict=True):
            sink.send(batch)
        for viewer in viewers:
            viewer.hear(6)
        proxy.refuse()
        batches += [make_batch(f"cut-{n}") for n in range(2)]
        for sink, batch in zip(sinks, batches[2:], strict=True):
            sink.send(batch)
        for viewer in viewers:
            assert viewer.hear(12) == urls(*batches)
        wait_until(lambda: [redis_status(app) for app in apps] == ["unreachable", "ok"], "only one misses Redis")
        proxy.accept()
        wait_until(lambda: redis_status(apps[0]) == "ok", "the app doesn't find Redis again")
        batches += [make_batch(f"after-{n}") for n in range(2)]
        for sink, batch in zip(sinks, batches[4:], strict=True):
            sink.send(batch)
            sink.close()
        for viewer in viewers:
            assert viewer.hear(18) == urls(*batches)
            assert viewer.wrong == []
            viewer.leave()


def test_a_redis_url_that_cant_be_used_stops_the_start_with_one_line(redis: PrivateRedis, database_url: str) -> None:
    with pytest.raises(Exception, match="did not start") as caught:
        PrivateApp(database_url, REDIS_URL=redis.url.replace("://", "://:geheim@") + "?nonsense=1").start()
    said = str(caught.value).splitlines()
    assert len(said) == 2, said
    assert said[1].startswith("scrapeboard: SCRAPEBOARD_REDIS_URL can't be used")
    assert "geheim" not in said[1]
