"""Pages that read from a replica: never less than what was stored, and still there when a server is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.engine import make_engine
from db.errors import BadDatabaseUrl
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.replica import make_read_engine
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run
from tests.servers import PrivateMariaDB

pytestmark = pytest.mark.xdist_group("replica")  # one pair of servers for all


class Replicated(PrivateMariaDB):
    """A server with a binary log and a number of its own."""

    number = 1

    def command(self) -> list[str]:
        words = [word for word in super().command() if word != "--skip-log-bin"]
        return [*words, f"--server-id={self.number}", "--log-bin=log", "--log-basename=log", "--gtid-strict-mode=ON"]


@dataclass
class Pair:
    """A primary, its replica, and the engines of an app."""

    primary: PrivateMariaDB
    replica: PrivateMariaDB
    writing: Engine
    reading: Engine

    def port(self) -> int:
        """Return which server answers a read."""
        with self.reading.connect() as connection:
            return int(connection.execute(text("SELECT @@port")).scalar_one())

    def wait_for_replica(self) -> None:
        """Return when reads go to the replica."""
        deadline_s = time.monotonic() + 120
        while self.port() != self.replica.port:
            assert time.monotonic() < deadline_s, "nobody goes to the replica"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PrivateMariaDB, PrivateMariaDB]]:
    """A primary and its replica."""
    with Replicated() as primary:
        second = Replicated()
        second.number = 2
        with second as replica:
            position = primary.execute("SELECT @@gtid_binlog_pos")[0][0]
            replica.execute(
                "RESET MASTER",
                f"SET GLOBAL gtid_slave_pos = '{position}'",
                f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, MASTER_USER='{primary.user}', "
                f"MASTER_PASSWORD='{primary.password}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
                "START SLAVE",
            )
            yield primary, replica


@pytest.fixture
def pair(servers: tuple[PrivateMariaDB, PrivateMariaDB]) -> Iterator[Pair]:
    primary, replica = servers
    primary.execute("CREATE DATABASE metrics")
    writing = make_engine(url=primary.url("metrics"))
    upgrade(writing)
    reading = make_read_engine(
        url=replica.url("metrics"), primary_url=primary.url("metrics"), primary=writing, aside_s=0.2
    )
    made = Pair(primary, replica, writing, reading)
    made.wait_for_replica()
    yield made
    for engine in (writing, reading):
        engine.dispose()
    primary.execute("DROP DATABASE metrics")


def test_what_was_just_stored_is_there_in_a_read_from_the_replica(pair: Pair) -> None:
    store = Store(pair.writing)
    queries = Queries(pair.reading, RecentDetail(), clock_ms=lambda: NOON_MS)
    for number in range(1, 51):
        store.send(batch(navigation(at_ms=NOON_MS + number), run(at_ms=NOON_MS + number)))
        assert len(queries.events(None, limit=1000)) == 2 * number
        assert queries.last_recorded_ms() == NOON_MS + number
    pair.wait_for_replica()


def test_replica_that_lags_is_not_read_until_it_has_caught_up(pair: Pair) -> None:
    store = Store(pair.writing)
    queries = Queries(pair.reading, RecentDetail(), clock_ms=lambda: NOON_MS)
    pair.replica.execute("STOP SLAVE SQL_THREAD")
    try:
        for number in range(1, 4):
            store.send(batch(navigation(at_ms=NOON_MS + number)))
            assert queries.last_recorded_ms() == NOON_MS + number
        assert pair.port() == pair.primary.port
    finally:
        pair.replica.execute("START SLAVE")
    pair.wait_for_replica()
    assert queries.last_recorded_ms() == NOON_MS + 3


def test_reads_go_on_without_the_replica_and_without_the_primary(pair: Pair) -> None:
    store = Store(pair.writing)
    queries = Queries(pair.reading, RecentDetail(), clock_ms=lambda: NOON_MS)
    store.send(batch(navigation()))
    assert queries.last_recorded_ms() == NOON_MS
    pair.replica.kill()
    try:
        assert queries.last_recorded_ms() == NOON_MS
        assert pair.port() == pair.primary.port
    finally:
        pair.replica.start()
    pair.wait_for_replica()
    pair.primary.kill()
    try:
        assert queries.last_recorded_ms() == NOON_MS
        assert pair.port() == pair.replica.port
    finally:
        pair.primary.start()


def test_sqlite_has_no_replicas(engine: Engine, database_url: str) -> None:
    other = "sqlite:///x.db" if engine.dialect.name != "sqlite" else "mysql://u:p@127.0.0.1/metrics"
    with pytest.raises(BadDatabaseUrl, match="only MySQL and MariaDB"):
        make_read_engine(url=other, primary_url=database_url, primary=engine)
