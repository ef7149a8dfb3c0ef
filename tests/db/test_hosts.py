"""Several servers behind one engine: the first that can be used, and another one when it is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db.engine import connect_or_explain, make_engine
from db.errors import BadDatabaseUrl, DatabaseUnavailable, unavailable_as_ours
from db.hosts import Host, Hosts, split_hosts
from tests.servers import PrivateMariaDB, free_port


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("mysql://u:p@a:1,b:2/d?x=1", ["mysql://u:p@a:1/d?x=1", "mysql://u:p@b:2/d?x=1"]),
        ("mariadb://a, b/d", ["mariadb://a/d", "mariadb://b/d"]),
        ("mysql+pymysql://u:p%2C@a/d", ["mysql+pymysql://u:p%2C@a/d"]),
        ("sqlite:///a,b.db", ["sqlite:///a,b.db"]),
        ("nonsense", ["nonsense"]),
    ],
)
def test_every_server_of_a_url_gets_a_url(url: str, parts: list[str]) -> None:
    assert split_hosts(url) == parts


def test_wrong_port_is_explained_without_the_password() -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        make_engine(url="mysql://u:s3cret@a:1,b:many/d")
    assert "s3cret" not in str(caught.value)


class Server:
    """A driver's connection to a server that is as one says."""

    def __init__(self, name: str, state: dict[str, str]) -> None:
        self.name, self.state = name, state

    def cursor(self) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        self.asked = "wsrep_ready" if "wsrep_ready" in statement else "wsrep_on"
        if self.state[self.name] == "dying":
            raise pymysql.err.OperationalError(2013, "Lost connection")

    def fetchone(self) -> tuple[str, str]:
        joining = self.state[self.name] == "joining"
        return (self.asked, "ON" if joining and self.asked == "wsrep_on" else "OFF")

    def close(self) -> None:
        pass


class Driver:
    """A driver without a network."""

    Error = pymysql.err.Error
    OperationalError = pymysql.err.OperationalError

    def __init__(self, **state: str) -> None:
        self.state = state
        self.tried: list[str] = []

    def connect(self, *, name: str) -> Any:
        self.tried.append(name)
        if self.state[name] == "away":
            raise pymysql.err.OperationalError(2003, f"Can't connect to {name}")
        return Server(name, self.state)


def hosts_of(driver: Driver, clock_s: list[float], *, checked: str = "") -> Hosts:
    return Hosts(
        [Host(name, {"name": name}, name in checked) for name in driver.state],
        driver,
        is_current=lambda connection: driver.state[connection.name] != "behind",
        aside_s=5,
        clock_s=lambda: clock_s[0],
    )


@pytest.mark.parametrize("state", ["away", "joining", "dying"])
def test_server_that_cannot_be_used_is_tried_again_after_a_while(state: str) -> None:
    driver, clock_s = Driver(a=state, b="well"), [0.0]
    hosts = hosts_of(driver, clock_s)
    assert hosts.connect()[0].name == "b"
    driver.tried.clear()
    assert hosts.connect()[0].name == "b"
    assert driver.tried == ["b"]
    driver.state["a"], clock_s[0] = "well", 6.0
    assert hosts.connect()[0].name == "a"


def test_all_are_tried_when_all_have_failed_and_all_are_named() -> None:
    driver = Driver(a="away", b="joining", c="away")
    hosts = hosts_of(driver, [0.0])
    for _ in range(2):
        driver.tried.clear()
        with pytest.raises(pymysql.err.OperationalError, match="None of the servers a, b, c can be used; the last one"):
            hosts.connect()
        assert sorted(driver.tried) == ["a", "b", "c"]
    driver.state["b"] = "well"
    assert hosts.connect()[0].name == "b"


def test_lagging_server_is_left_and_returned_to() -> None:
    driver, clock_s = Driver(replica="well", primary="well"), [0.0]
    hosts = hosts_of(driver, clock_s, checked="replica")
    replica, connection = hosts.connect()
    assert (replica.name, hosts.may_stay(replica, connection)) == ("replica", True)
    driver.state["replica"] = "behind"
    assert not hosts.may_stay(replica, connection)
    primary, other = hosts.connect()
    assert (primary.name, hosts.may_stay(primary, other)) == ("primary", True)
    clock_s[0] = 6.0
    assert not hosts.may_stay(primary, other)  # the replica may have caught up
    assert hosts.connect()[0].name == "primary"  # it hasn't
    assert hosts.may_stay(primary, other)


@pytest.fixture
def second() -> Iterator[PrivateMariaDB]:
    """A server beside the session's one, to be killed."""
    with PrivateMariaDB() as server:
        server.execute("CREATE DATABASE two_hosts")
        yield server


def test_engine_goes_to_the_next_server_when_the_first_is_killed(
    mariadb: PrivateMariaDB, second: PrivateMariaDB
) -> None:
    mariadb.execute("CREATE DATABASE IF NOT EXISTS two_hosts")
    place = f"127.0.0.1:{second.port},127.0.0.1:{mariadb.port},127.0.0.1:{free_port()}"
    engine = make_engine(url=f"mysql://{mariadb.user}:{mariadb.password}@{place}/two_hosts", aside_s=0.1)

    def port() -> int:
        with unavailable_as_ours(engine), engine.connect() as connection:
            return int(connection.execute(text("SELECT @@port")).scalar_one())

    assert port() == second.port
    second.kill()
    assert port() == mariadb.port
    second.start()
    assert port() == mariadb.port  # a connection that works is kept
    for _ in range(100):  # a server that has just been brought back may refuse once more, and be aside once more
        engine.dispose()
        if port() == second.port:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the first server was never used again")
    second.kill()
    engine.dispose()
    alone = make_engine(url=f"mysql://u:s3cret@127.0.0.1:{second.port},127.0.0.1:{free_port()}/two_hosts")
    with pytest.raises(DatabaseUnavailable, match=f"None of the servers 127.0.0.1:{second.port}, 127"):
        connect_or_explain(alone)
    mariadb.execute("DROP DATABASE two_hosts")


def test_node_that_fell_out_of_its_cluster_is_left(mariadb: PrivateMariaDB) -> None:
    place = f"127.0.0.1:{mariadb.port}"
    engine = make_engine(url=f"mysql://{mariadb.user}:{mariadb.password}@{place},{place}/mysql")
    said = "SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = 1047, MESSAGE_TEXT = 'WSREP has not yet prepared node'"
    with engine.connect() as connection:
        with pytest.raises(OperationalError) as caught:
            connection.execute(text(said))
        assert caught.value.connection_invalidated
    engine.dispose()
