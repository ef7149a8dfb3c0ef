"""Engines mean the same on both databases, and explain what is wrong with an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from db.engine import begin_writing, connect_or_explain, make_engine, opened
from db.errors import BadDatabaseUrl, DatabaseUnavailable
from tests.servers import PrivateMariaDB, free_port


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_every_spelling_of_mysql_uses_pymysql(scheme: str) -> None:
    engine = make_engine(url=f"{scheme}://user:secret@127.0.0.1/metrics")
    assert (engine.dialect.name, engine.driver) == ("mysql", "pymysql")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "can't be read"),
        ("postgresql://user:secret@localhost/metrics", "postgresql"),
        ("mysql://user:secret@localhost", "names no database"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
    ],
)
def test_bad_url_says_what_to_write_and_hides_the_password(url: str, said: str) -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        make_engine(url=url)
    assert said in str(caught.value)
    assert "sqlite:///path" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_sqlite_makes_its_directory(tmp_path: Path) -> None:
    engine = make_engine(url=f"sqlite:///{tmp_path}/not/yet/there.db")
    connect_or_explain(engine)
    engine.dispose()
    assert (tmp_path / "not/yet/there.db").exists()


def test_sqlite_keeps_a_write_ahead_log_and_syncs_every_commit(tmp_path: Path) -> None:
    engine = make_engine(url=f"sqlite:///{tmp_path}/metrics.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2  # of a new file: incremental
    engine.dispose()


def test_sqlite_is_opened_and_read_while_somebody_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/metrics.db"
    with opened(url) as writer:
        with begin_writing(writer) as connection:
            connection.execute(text("CREATE TABLE things (name TEXT)"))
        reader = make_engine(url=url, busy_timeout_s=0.0)  # whatever waits for the writer fails
        with begin_writing(writer) as writing:
            writing.execute(text("INSERT INTO things VALUES ('new')"))
            connect_or_explain(reader)
            with reader.connect() as reading:
                assert reading.execute(text("SELECT COUNT(*) FROM things")).scalar() == 0
        reader.dispose()


def test_mariadb_sessions_are_strict_utc_and_utf8mb4(mariadb: PrivateMariaDB) -> None:
    mariadb.execute("CREATE DATABASE IF NOT EXISTS sessions", "SET GLOBAL sql_mode=''", "SET GLOBAL time_zone='+05:00'")
    engine = make_engine(url=mariadb.url("sessions"))
    try:
        with engine.connect() as connection:
            row = connection.exec_driver_sql(
                "SELECT @@sql_mode, @@time_zone, @@character_set_connection, @@tx_isolation"
            ).one()
    finally:
        engine.dispose()
        mariadb.execute("SET GLOBAL time_zone='SYSTEM'", "SET GLOBAL sql_mode=DEFAULT")
    assert "STRICT_ALL_TABLES" in row[0]
    assert row[1:] == ("+00:00", "utf8mb4", "READ-COMMITTED")


def test_unreachable_mariadb_is_explained_in_one_line_without_the_password() -> None:
    engine = make_engine(url=f"mysql://scraper:secret@127.0.0.1:{free_port()}/metrics")
    with pytest.raises(DatabaseUnavailable) as caught:
        connect_or_explain(engine)
    said = str(caught.value)
    assert "127.0.0.1" in said
    assert "check that it runs" in said
    assert "secret" not in said
    assert "\n" not in said


def test_wrong_password_is_explained(mariadb: PrivateMariaDB) -> None:
    engine = make_engine(url=mariadb.url("mysql").replace(mariadb.password, "guessed"))
    with pytest.raises(DatabaseUnavailable, match="Access denied"):
        connect_or_explain(engine)


def test_unwritable_sqlite_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(DatabaseUnavailable, match="a-file"):
        make_engine(url=f"sqlite:///{tmp_path}/a-file/metrics.db")


def test_lower_knows_all_letters_on_both(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SELECT LOWER('ÄÖÉ-ABC')")).scalar() == "äöé-abc"
        assert connection.execute(text("SELECT LOWER(NULL)")).scalar() is None


def test_a_connection_comes_back_to_the_pool_without_a_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")  # never committed
    with pytest.raises(DBAPIError), engine.begin() as connection:  # noqa: PT012 - the second fails, the first goes too
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (2)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM t").scalar_one() == 0

    def fail(_: Connection) -> None:
        raise RuntimeError("between the last statement and the commit")

    event.listen(engine, "commit", fail)
    with pytest.raises(RuntimeError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
    event.remove(engine, "commit", fail)
    with engine.begin() as connection:  # the same connection from the pool
        connection.exec_driver_sql("INSERT INTO t VALUES (3)")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT a FROM t").scalars().all() == [3]
