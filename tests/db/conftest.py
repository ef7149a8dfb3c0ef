"""Fixtures of the database tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from db.engine import make_engine
from db.store import Store
from tests.db.filled import FilledDatabases
from tests.db.samples import NOON_MS


@pytest.fixture
def store(engine: Engine) -> Store:
    """A store on a fresh database, whose clock stands at noon."""
    return Store(engine, clock_ms=lambda: NOON_MS)


@pytest.fixture(scope="session")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FilledDatabases:
    """Databases that many tests begin with."""
    return FilledDatabases(tmp_path_factory.mktemp("filled"), lambda: request.getfixturevalue("mariadb"))


@pytest.fixture(params=["sqlite", "mariadb"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A second, empty database of each kind."""
    if request.param == "sqlite":
        engine = make_engine(url=f"sqlite:///{tmp_path / 'other.db'}")
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("mariadb")
    server.execute("DROP DATABASE IF EXISTS other", "CREATE DATABASE other")
    engine = make_engine(url=server.url("other"))
    yield engine
    engine.dispose()
    server.execute("DROP DATABASE other")
