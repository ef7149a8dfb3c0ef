"""Two apps on one database: each shows what the other one took in, and together they do the work once."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket
from sqlalchemy.engine import Engine

from bench._acknowledged import Acknowledged
from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.sinks import Batch, HttpSink
from db.clock import now_ms
from db.engine import begin_writing, opened
from db.migrate import current_revision, known_revisions
from db.state import MAINTAINED_MS, read_state, write_state
from db.store import Store
from tests.apps import PrivateApp
from tests.warm_start import start_app

DAY_MS = 86_400_000


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.05)


class Listener:
    """A client of `/ws/metrics` that hears everything."""

    def __init__(self, app: PrivateApp) -> None:
        self.urls: list[str] = []
        self._socket = websocket.create_connection(app.url.replace("http", "ws") + "/ws/metrics", timeout=90)
        self._hear("connected")
        self._socket.send(json.dumps({"type": "subscribe", "scraperSource": "*"}))
        self._hear("subscribed")

    def hear_until(self, count: int) -> None:
        """Wait for so many metrics."""
        while len(self.urls) < count:
            self._hear("metrics_batch")

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _hear(self, kind: str) -> None:
        message = json.loads(self._socket.recv())
        while message["type"] not in (kind, "gap"):
            message = json.loads(self._socket.recv())
        assert message["type"] == kind, message
        self.urls += [metric.get("url", metric.get("schedulerName")) for metric in message.get("metrics", ())]


@pytest.fixture
def two_apps(database_url: str) -> Iterator[list[PrivateApp]]:
    """Two apps that started at the same moment, on a database that was maintained last nine days ago."""
    apps = [PrivateApp(database_url), PrivateApp(database_url)]
    starting = [threading.Thread(target=app.start) for app in apps]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(150)
    yield apps
    for app in apps:
        app.__exit__(None, None, None)


@pytest.fixture
def old(engine: Engine) -> Batch:
    """Metrics that must go tonight."""
    old_ms = now_ms() - 9 * DAY_MS
    batch = Batch("old", tuple(navigation("old", f"old-{n}", old_ms + n, "old") for n in range(500)))
    Store(engine).send(batch)
    with begin_writing(engine) as connection:
        write_state(connection, MAINTAINED_MS, old_ms)
    return batch


def navigation(source: str, name: str, at_ms: int, batch_id: str | None = None) -> PageNavigation:
    return PageNavigation(source, f"https://x.test/{name}", 12.25, True, 1, None, 200, at_ms, batch_id)


def make_batch(sender: str, number: int) -> Batch:
    at_ms, batch_id = now_ms(), f"{sender}-{number}"
    metrics: list[Metric] = [
        navigation(sender, f"{batch_id}-0", at_ms, batch_id),
        navigation("both", f"{batch_id}-1", at_ms - number * 30_000, batch_id),
        PageScrape("both", f"https://x.test/{batch_id}-2", 4.5, number, number % 3 > 0, None, 9, None, at_ms, batch_id),
        SchedulerRun(f"https://x.test/{batch_id}-3", 1.0, True, 1, None, sender, at_ms, batch_id),
    ]
    return Batch(batch_id, tuple(metrics))


def exported(app: PrivateApp, name: str) -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{app.url}/api/export/{name}.csv?from=now-1h", timeout=60) as answer:
        return list(csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig"))))


def test_what_one_of_two_apps_takes_in_both_show_and_the_night_is_worked_once(
    engine: Engine, old: Batch, two_apps: list[PrivateApp]
) -> None:
    apps, listeners = two_apps, [Listener(app) for app in two_apps]
    acknowledged = Acknowledged()
    acknowledged.add(old)
    wanted: list[str] = []

    def send(number_of_app: int) -> None:
        sink, other = HttpSink(apps[number_of_app].url), HttpSink(apps[1 - number_of_app].url)
        for number in range(25):
            batch = make_batch(f"sender{number_of_app}", number)
            assert sink.send(batch).accepted == 4
            assert other.send(batch).duplicate  # a scraper that repeats itself at the other app
            acknowledged.add(batch)
            wanted.extend(f"https://x.test/{batch.batch_id}-{n}" for n in range(4))
        sink.close()
        other.close()

    senders = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join(60)
    assert len(wanted) == 200
    for listener in listeners:
        listener.hear_until(200)
        assert sorted(listener.urls) == sorted(wanted)
        listener.close()
    for name in ("overview-throughput", "overview-totals", "overview-events"):
        wait_until(functools.partial(same, apps, name), f"the apps show different {name}")

    def maintained_ms() -> int:
        with engine.connect() as connection:
            return read_state(connection)[MAINTAINED_MS]

    wait_until(lambda: maintained_ms() > now_ms() - DAY_MS, "nobody maintained")
    done_ms = maintained_ms()
    # Everything but the old rows themselves, whose rollups are there.
    right = {"batches_lost": 1}
    wait_until(lambda: {k: n for k, n in acknowledged.differences(engine).items() if n} == right, "rollups differ")
    assert maintained_ms() == done_ms
    assert not any("Traceback" in app.log() or "WARNING" in app.log() for app in apps)


def same(apps: list[PrivateApp], name: str) -> bool:
    first, second = (exported(app, name) for app in apps)
    return first == second != []


def test_two_processes_that_migrate_an_empty_database_together_both_succeed(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "SCRAPEBOARD_DATABASE_URL": database_url}
    with (tmp_path / "said").open("wb") as said:
        processes = [start_app(environment, said, "migrate") for _ in range(4)]
        assert [process.wait(200) for process in processes] == [0] * 4
    assert (tmp_path / "said").read_text() == ""
    with opened(database_url) as engine:
        assert current_revision(engine) == known_revisions()[0]
