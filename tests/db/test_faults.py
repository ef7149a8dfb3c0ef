"""What goes wrong between the store and a real MariaDB: nothing is lost, nothing is stored or told twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Literal

import pymysql
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine

from collector.errors import SinkUnavailable
from collector.events import Metric
from collector.sinks import Delivery
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.follow import Follower
from db.migrate import upgrade
from db.recent import RecentDetail
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import batch, navigation, run, scrape
from tests.proxies import CuttingProxy
from tests.servers import PrivateMariaDB

BATCH = batch(navigation(), scrape(), run(), batch_id="b")


@pytest.fixture(scope="module")
def shaken() -> Iterator[PrivateMariaDB]:
    """A server that these tests treat badly; its user `plain` may do nothing but work in the database."""
    with PrivateMariaDB(options=["--max-connections=12"]) as server:
        server.execute(
            "CREATE DATABASE metrics", "CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'plain'",
            "GRANT ALL ON metrics.* TO plain@'127.0.0.1'",
        )  # fmt: skip
        yield server


@pytest.fixture
def shaky(shaken: PrivateMariaDB) -> Iterator[Engine]:
    """An engine of that user on an empty, migrated database."""
    shaken.execute("DROP DATABASE metrics", "CREATE DATABASE metrics")
    engine = make_engine(url=url_of(shaken.port), busy_timeout_s=1)
    upgrade(engine)
    yield engine
    engine.dispose()


def url_of(*ports: int) -> str:
    return f"mysql://plain:plain@{','.join(f'127.0.0.1:{port}' for port in ports)}/metrics"


def listening(engine: Engine) -> tuple[Store, list[Metric]]:
    store, heard = Store(engine), []
    store.subscribe(heard.extend)
    return store, heard


def counts(engine: Engine) -> tuple[int, ...]:
    """Page metrics, scheduler runs, batches, log entries."""
    tables = ("scraper_page_performance", "scheduler_metrics", "ingest_batches", "ingest_log")
    with engine.connect() as connection:
        return tuple(connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one() for table in tables)


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline_s, "it didn't come"
        time.sleep(0.2)  # MariaDB's table of transactions isn't looked up again for whoever asks more often than that


def before_insert(engine: Engine, table: str, do: Callable[[Connection], object]) -> None:
    """Do something once, in the middle of the next transaction."""
    todo = [do]

    @event.listens_for(engine, "before_cursor_execute")
    def _interfere(connection: Connection, _u: object, statement: str, *_: object) -> None:
        if todo and statement.startswith(f"INSERT INTO {table}"):
            todo.pop()(connection)


def connection_ids(server: PrivateMariaDB) -> list[int]:
    rows = server.execute("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'plain'")
    return [int(str(row[0])) for row in rows]


@pytest.mark.parametrize("table", ["ingest_batches", "scraper_page_performance", "scheduler_metrics", "ingest_log"])
def test_connection_that_is_lost_in_the_middle_of_a_batch_leaves_nothing_of_it(
    shaken: PrivateMariaDB, shaky: Engine, table: str
) -> None:
    store, heard = listening(shaky)

    def kill(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        shaken.execute(f"KILL CONNECTION {driver.thread_id()}")

    before_insert(shaky, table, kill)
    with pytest.raises(SinkUnavailable, match=r"gone away|Lost connection|killed"):
        store.send(BATCH)
    assert counts(shaky) == (0, 0, 0, 0)
    assert store.send(BATCH) == Delivery(3)
    assert store.send(BATCH).duplicate
    assert counts(shaky)[:3] == (2, 1, 1)
    assert heard == list(BATCH.metrics)


def test_server_that_dies_in_the_middle_of_a_batch_has_nothing_of_it(shaken: PrivateMariaDB, shaky: Engine) -> None:
    store, heard = listening(shaky)
    store.send(batch(run()))
    before_insert(shaky, "scheduler_metrics", lambda _: shaken.kill())
    with pytest.raises(SinkUnavailable, match="check that it runs"):
        store.send(BATCH)
    shaken.start()
    assert counts(shaky)[:3] == (0, 1, 1)
    assert store.send(BATCH) == Delivery(3)
    assert counts(shaky)[:3] == (2, 2, 2)
    assert heard == [run(), *BATCH.metrics]


def test_connections_that_the_server_closed_between_batches_cost_nothing(shaken: PrivateMariaDB) -> None:
    shaken.execute("SET GLOBAL wait_timeout = 1", "DROP DATABASE metrics", "CREATE DATABASE metrics")
    engine = make_engine(url=url_of(shaken.port))
    try:
        upgrade(engine)
        store = Store(engine)
        rollups, recent = Rollups(engine), RecentDetail()
        follower = Follower(engine, store)
        recent.load(engine, also=follower.begin)
        assert store.send(BATCH) == Delivery(3)
        wait_until(lambda: connection_ids(shaken) == [])  # they are gone, and the pool doesn't know
        assert store.send(batch(navigation())) == Delivery(1)
        wait_until(lambda: connection_ids(shaken) == [])
        assert rollups.run_once() == 1
        wait_until(lambda: connection_ids(shaken) == [])
        assert follower.poll() == 0
        assert store.health().last_error is None
    finally:
        engine.dispose()
        shaken.execute("SET GLOBAL wait_timeout = 28800")


@pytest.mark.parametrize("when", ["before", "after"])
def test_commit_without_an_answer_is_stored_and_told_once_by_the_retry(
    shaken: PrivateMariaDB, shaky: Engine, when: Literal["before", "after"]
) -> None:
    with CuttingProxy(shaken.port) as proxy:
        engine = make_engine(url=url_of(proxy.port))
        store, heard = listening(engine)
        other, told = listening(shaky)  # another process, which follows the database
        follower = Follower(shaky, other)
        RecentDetail().load(shaky, also=follower.begin)
        store.send(batch(navigation(), batch_id="first"))
        follower.poll()
        proxy.cut(b"COMMIT", when)
        with pytest.raises(SinkUnavailable, match=r"gone away|Lost connection"):
            store.send(BATCH)
        assert proxy.cuts == 1
        wait_until(lambda: counts(shaky)[2] == (2 if when == "after" else 1))
        follower.poll()
        assert store.send(BATCH) == (Delivery(0, duplicate=True) if when == "after" else Delivery(3))
        assert store.send(BATCH) == Delivery(0, duplicate=True)
        follower.poll()
        assert heard == told == [navigation(), *BATCH.metrics]
        assert counts(shaky)[:3] == (3, 1, 2)
        engine.dispose()


def test_real_deadlock_is_tried_again_by_the_store_itself(shaken: PrivateMariaDB, shaky: Engine) -> None:
    store, heard = listening(shaky)
    rival = pymysql.connect(host="127.0.0.1", port=shaken.port, user="plain", password="plain", database="metrics")
    sent: list[Delivery] = []
    sender = threading.Thread(target=lambda: sent.append(store.send(BATCH)))
    with rival, rival.cursor() as cursor:
        # Heavier than the batch, so that it isn't the one that has to give way; and no run may be inserted.
        rows = ", ".join(f"('n{number}', 1)" for number in range(100))
        cursor.execute(f"INSERT INTO rollup_state (name, value) VALUES {rows}")
        cursor.execute("SELECT * FROM scheduler_metrics FOR UPDATE")
        sender.start()
        waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
        wait_until(lambda: shaken.execute(waiting) == [(1,)])
        cursor.execute("INSERT INTO ingest_batches (batch_id, created_at, accepted) VALUES ('b', 1, 1)")
        rival.rollback()
    sender.join(90)
    assert sent == [Delivery(3)]
    assert counts(shaky)[:3] == (2, 1, 1)
    assert heard == list(BATCH.metrics)
    deadlocks = shaken.execute("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")
    assert int(str(deadlocks[0][1])) >= 1


def test_lock_that_isnt_given_up_in_time_is_unavailable_and_leaves_nothing(
    shaken: PrivateMariaDB, shaky: Engine
) -> None:
    store, heard = listening(shaky)
    rival = pymysql.connect(host="127.0.0.1", port=shaken.port, user="plain", password="plain", database="metrics")
    with rival, rival.cursor() as cursor:
        cursor.execute("SELECT * FROM scheduler_metrics FOR UPDATE")
        with pytest.raises(SinkUnavailable, match="Lock wait timeout"):
            store.send(BATCH)
        assert counts(shaky) == (0, 0, 0, 0)
    assert store.send(BATCH) == Delivery(3)
    assert heard == list(BATCH.metrics)


def test_rollups_behind_a_lock_wait_and_are_right_afterwards(shaken: PrivateMariaDB, shaky: Engine) -> None:
    store, rollups = Store(shaky), Rollups(shaky)
    store.subscribe(rollups.mark)
    store.send(BATCH)
    rival = pymysql.connect(host="127.0.0.1", port=shaken.port, user="plain", password="plain", database="metrics")
    with rival, rival.cursor() as cursor:
        cursor.execute("SELECT * FROM scraper_metrics_hourly FOR UPDATE")
        with pytest.raises(DatabaseUnavailable, match="Lock wait timeout"):
            rollups.run_once()
    rollups.run_once()
    with shaky.connect() as connection:
        for table in ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary"):
            total = connection.execute(text(f"SELECT SUM(total_navigations), SUM(total_scrapes) FROM {table}")).one()
            assert tuple(total) == (1, 1)


def test_primary_that_became_read_only_takes_batches_again_when_it_is_writable(
    shaken: PrivateMariaDB, shaky: Engine
) -> None:
    store, heard = listening(shaky)
    assert store.send(batch(navigation(), batch_id="before")) == Delivery(1)
    shaken.execute("SET GLOBAL read_only = 1")
    try:
        for _ in range(3):
            with pytest.raises(SinkUnavailable, match="read-only"):
                store.send(BATCH)
            health = store.ping()  # it can be read, but nothing is stored: an operator must see it
            assert (health.reachable, health.storing) == (True, False)
    finally:
        shaken.execute("SET GLOBAL read_only = 0")
    assert store.send(BATCH) == Delivery(3)
    assert store.health().storing
    assert counts(shaky)[:3] == (3, 1, 2)
    assert heard == [navigation(), *BATCH.metrics]


def test_failover_to_another_server_is_followed_when_the_old_primary_is_read_only(shaken: PrivateMariaDB) -> None:
    with PrivateMariaDB() as second:
        for server in (shaken, second):
            server.execute(
                "DROP DATABASE IF EXISTS metrics", "CREATE DATABASE metrics",
                "CREATE USER IF NOT EXISTS plain@'127.0.0.1' IDENTIFIED BY 'plain'",
                "GRANT ALL ON metrics.* TO plain@'127.0.0.1'",
            )  # fmt: skip
            alone = make_engine(url=url_of(server.port))
            upgrade(alone)
            alone.dispose()
        engine = make_engine(url=url_of(shaken.port, second.port), aside_s=60)
        store = Store(engine)
        store.send(batch(navigation()))
        shaken.execute("SET GLOBAL read_only = 1")
        try:
            with pytest.raises(SinkUnavailable, match="read-only"):
                store.send(BATCH)
            assert store.send(BATCH) == Delivery(3)  # to the other one
            assert second.execute("SELECT COUNT(*) FROM metrics.scraper_page_performance") == [(2,)]
        finally:
            shaken.execute("SET GLOBAL read_only = 0")
            engine.dispose()


def test_server_without_a_free_connection_is_unavailable_until_it_has_one(
    shaken: PrivateMariaDB, shaky: Engine
) -> None:
    shaky.dispose()
    store, heard = listening(shaky)
    taken: list[pymysql.Connection] = []

    def take_all() -> None:
        while True:
            taken.append(pymysql.connect(host="127.0.0.1", port=shaken.port, user="plain", password="plain"))

    with pytest.raises(pymysql.err.OperationalError, match="Too many connections"):
        take_all()
    assert taken
    for ask in (lambda: store.send(BATCH), lambda: Rollups(shaky).run_once(), lambda: RecentDetail().load(shaky)):
        with pytest.raises((SinkUnavailable, DatabaseUnavailable), match="Too many connections"):
            ask()
    for connection in taken:
        connection.close()
    wait_until(lambda: store.ping().reachable)
    assert store.send(BATCH) == Delivery(3)
    assert heard == list(BATCH.metrics)
