"""The private servers of the tests come and go as they are told, and touch nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.servers import PrivateMariaDB, PrivateRedis, ServerFailedError, ServerMissingError, free_port, program


def test_killed_mariadb_comes_back_on_the_same_port_with_its_data() -> None:
    with PrivateMariaDB() as server:
        server.execute("CREATE DATABASE kept", "CREATE TABLE kept.t (x INT)", "INSERT INTO kept.t VALUES (7)")
        port, directory = server.port, server.directory
        server.kill()
        assert not server.answers()
        server.start()
        assert server.port == port
        assert server.execute("SELECT x FROM kept.t") == [(7,)]
        pid = server.pid
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_redis_answers_until_it_is_stopped() -> None:
    with PrivateRedis() as server:
        assert server.answers()
        assert server.url == f"redis://127.0.0.1:{server.port}/0"
        server.stop()
        assert not server.answers()


def test_server_that_cannot_start_shows_its_last_words() -> None:
    with PrivateRedis() as first:
        second = PrivateRedis()
        second.port = first.port
        second.answers = lambda: False  # type: ignore[method-assign] - the first one would answer
        with pytest.raises(ServerFailedError, match="in use"):
            second.start()
        shutil.rmtree(second.directory)


def test_directory_of_a_server_that_cannot_start_is_removed() -> None:
    server = PrivateMariaDB(options=["--no-such-option"])
    with pytest.raises(ServerFailedError, match="no-such-option"), server:
        pass
    assert not server.directory.exists()


def test_missing_program_names_the_package_to_install() -> None:
    with pytest.raises(ServerMissingError, match="apt-get install mariadb-server"):
        program("no-such-program", package="mariadb-server")


def test_mariadb_whose_port_was_taken_meanwhile_starts_on_another_one() -> None:
    with PrivateMariaDB() as first:
        second = PrivateMariaDB()
        second.port = first.port  # where somebody with the same user and password answers
        with second:
            assert second.port != first.port
            second.execute("CREATE DATABASE only_here")
            assert ("only_here",) not in first.execute("SHOW DATABASES")


def test_ports_are_given_once_and_never_from_those_of_outgoing_connections() -> None:
    ports = [free_port() for _ in range(50)]
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 50
    assert max(ports) < first
