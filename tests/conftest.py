"""Fixtures that every test may use: an empty database on each kind of server, and the servers themselves."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from db.engine import make_engine
from db.migrate import upgrade
from tests.servers import PrivateMariaDB


@pytest.fixture(scope="session", autouse=True)
def no_spools_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Collectors of tests, and of the processes that they start, leave nothing in the home of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def mariadb() -> Iterator[PrivateMariaDB]:
    """A private MariaDB server, one for the session (one for each worker under xdist)."""
    with PrivateMariaDB() as server:
        yield server


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database; the test runs once for each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'metrics.db'}"
        return
    server: PrivateMariaDB = request.getfixturevalue("mariadb")
    name = f"t_{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name}")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh database with the newest schema."""
    made = make_engine(url=database_url)
    upgrade(made)
    yield made
    made.dispose()
