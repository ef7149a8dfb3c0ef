"""A pooled connection to a real MariaDB is asked no more than it takes, and what is wrong with it is noticed."""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.pooled import spare_round_trips
from tests.servers import PrivateMariaDB


class Pooled:
    """An engine with one connection, and a clock that tests set."""

    def __init__(self, server: PrivateMariaDB) -> None:
        self.now_s = 100.0
        self.server = server
        url = server.url("pooled").replace("mysql://", "mysql+pymysql://")
        self.engine: Engine = create_engine(
            url, pool_size=1, max_overflow=0, pool_pre_ping=False, pool_reset_on_return=None
        )
        spare_round_trips(self.engine, clock_s=lambda: self.now_s)

    def asked(self) -> dict[str, int]:
        """Return how often the connection was asked what, since it was opened; asking adds a rollback for the next."""
        with self.engine.connect() as connection:
            rows = connection.execute(text(r"SHOW SESSION STATUS LIKE 'Com\_%'")).all()
        return {name[4:]: int(count) for name, count in rows if int(count)}

    def insert(self, value: int) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO t VALUES ({value})")

    def id(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())


@pytest.fixture
def pooled(mariadb: PrivateMariaDB) -> Iterator[Pooled]:
    mariadb.execute("CREATE OR REPLACE DATABASE pooled", "CREATE TABLE pooled.t (a INTEGER PRIMARY KEY)")
    found = Pooled(mariadb)
    yield found
    found.engine.dispose()
    mariadb.execute("DROP DATABASE pooled")


def test_a_transaction_costs_its_statements_and_a_commit(pooled: Pooled) -> None:
    before = pooled.asked()
    for value in range(5):
        pooled.insert(value)
    after = pooled.asked()
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name)} == {
        "insert": 5, "commit": 5, "show_status": 1, "rollback": 1,  # the last two by asking
    }  # fmt: skip


def test_a_connection_that_was_idle_for_long_is_pinged(pooled: Pooled) -> None:
    pings = pooled.asked().get("admin_commands", 0)
    pooled.now_s += 4.9
    assert pooled.asked().get("admin_commands", 0) == pings
    pooled.now_s += 5.1
    assert pooled.asked()["admin_commands"] == pings + 1


@pytest.mark.parametrize("idle_s", [0.0, 60.0])
def test_a_connection_that_the_server_has_ended_costs_nobody_an_error(pooled: Pooled, idle_s: float) -> None:
    first = pooled.id()
    with pooled.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    ended = select.poll()
    ended.register(driver._sock, select.POLLIN)
    pooled.server.execute(f"KILL CONNECTION {first}")
    assert ended.poll(120_000)  # a kill is a wish
    pooled.now_s += idle_s
    pooled.insert(1)
    assert pooled.id() != first


def test_what_a_failed_statement_leaves_open_is_rolled_back(pooled: Pooled) -> None:
    pooled.insert(1)
    first = pooled.id()

    def fail(_: Connection) -> None:
        raise RuntimeError("no rollback by SQLAlchemy's connection")

    event.listen(pooled.engine, "rollback", fail)
    with pytest.raises((RuntimeError, DBAPIError)), pooled.engine.begin() as connection:
        # The first answer in this transaction is an error; it says nothing of the lock that is held now.
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    event.remove(pooled.engine, "rollback", fail)
    open_now = f"SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = {first}"
    assert pooled.server.execute(open_now) == [(0,)]
    pooled.server.execute("DELETE FROM pooled.t WHERE a = 1")  # nobody holds it
    assert pooled.id() == first
