"""Two apps on one database: the one that evaluates alert rules is killed, and the other one goes on where it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.engine import Engine

from alerts.defaults import DEFAULT_RULES
from collector.sinks import HttpSink
from db.alert_outbox import Outbox
from db.alert_settings import AlertSettings
from db.alert_store import AlertStore
from db.clock import now_ms
from db.engine import make_engine
from db.migrate import upgrade
from tests.alerts.simulator import pages
from tests.apps import PrivateApp
from tests.db.samples import batch
from tests.servers import PrivateMariaDB

RULE = {"id": "low", "name": "Low", "what": "success_rate", "threshold": 50, "window": "1m", "min_samples": 5}


@pytest.fixture
def engine_of_apps(mariadb: PrivateMariaDB) -> Engine:
    mariadb.execute("CREATE DATABASE failover")
    made = make_engine(url=mariadb.url("failover"))
    upgrade(made)
    settings = AlertSettings(made)
    settings.put_all("rules", {rule.id: {**rule.document(), "enabled": False} for rule in DEFAULT_RULES}, by="test")
    settings.put("rules", "low", RULE, by="test")
    settings.put("channels", "ops", {"name": "Ops"}, by="test")
    return made


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.1)


@pytest.mark.timeout(300)
def test_after_the_evaluating_app_was_killed_the_other_one_tells_what_is_new_and_nothing_twice(
    mariadb: PrivateMariaDB, engine_of_apps: Engine
) -> None:
    engine = engine_of_apps
    apps = [PrivateApp(mariadb.url("failover"), start_timeout_s=120) for _ in range(2)]
    starting = [threading.Thread(target=app.start) for app in apps]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join(120)
    try:

        def leads(app: PrivateApp) -> bool:
            return bool(app.get("/api/stats")["channel"]["alertLeader"])

        def told() -> list[tuple[str, str]]:
            rows = Outbox(engine).newest()
            return sorted((row.what, entry["key"]) for row in rows for entry in row.document["firing"] if entry["new"])

        def send(app: PrivateApp, source: str, failing: float, count: int = 10) -> None:
            sink = HttpSink(app.url)
            sink.send(
                batch(*pages(source, now_ms(), count, failing=failing, url=f"https://{source}.example", error=source))
            )
            sink.close()

        wait_until(lambda: any(map(leads, apps)), "nobody evaluates")
        evaluating, other = sorted(apps, key=leads, reverse=True)
        assert not leads(other)
        send(other, "shop", failing=1)
        wait_until(lambda: told() == [("firing", "shop")], "the first alert isn't told")
        evaluating.kill()
        send(other, "shop", failing=1)
        send(other, "news", failing=1)
        wait_until(lambda: ("firing", "news") in told(), "the other app doesn't take over")
        assert leads(other)
        send(other, "shop", failing=0, count=200)
        send(other, "news", failing=0, count=200)
        store = AlertStore(engine)
        wait_until(lambda: len(store.history(0, now_ms() + 1, whats=("resolved",))) == 2, "they aren't resolved")
        assert told() == [("firing", "news"), ("firing", "shop")]
        fired = [row.key for row in store.history(0, now_ms() + 1, whats=("firing",))]
        assert sorted(fired) == ["news", "shop"]
    finally:
        for app in apps:
            app.__exit__(None, None, None)
        engine.dispose()
