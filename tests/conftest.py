"""Fixtures that every test may use: an empty database on each kind of server, and the servers themselves."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import Engine

import db.pace
from db.engine import make_engine
from tests.servers import PrivateMariaDB
from tests.templates import MariaTemplate, SqliteTemplate
from tests.warm_start import warm_starts

_ENOUGH_MEMORY_BYTES = 3 << 30

# How long a drawn example takes is the machine's matter; and what a fixture gives, our examples leave as it was.
settings.register_profile(
    "scrapeboard",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("scrapeboard")

# They need neither servers nor browsers: thousands of tests of milliseconds.
_QUICK = ("tests/charts/", "tests/components/", "tests/pages/")


def pytest_configure() -> None:
    """Keep the directories of tests in memory where there is room: on a disk, every commit waits for it.

    Killing a process loses nothing there either; only a power cut does, which no test can make.
    """
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK) or os.statvfs(memory).f_flag & os.ST_NOEXEC:
        return
    if shutil.disk_usage(memory).free > _ENOUGH_MEMORY_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what is quick last, so that no worker ends the run alone with something long; else the order is random."""
    items.sort(key=lambda item: item.nodeid.startswith(_QUICK))


@pytest.fixture(scope="session", autouse=True)
def no_spools_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Collectors of tests, and of the processes that they start, leave nothing in the home of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_apps(no_spools_at_home: None) -> Iterator[None]:
    """Apps are forked from a process that has imported the program, one for the session, made for the first app."""
    with warm_starts():
        yield


@pytest.fixture(autouse=True)
def no_pauses_of_maintenance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maintenance waits for nobody where nobody else asks the database, as in all tests but those marked `paced`."""
    if "paced" not in request.keywords:
        monkeypatch.setattr(db.pace, "LONGEST_PAUSE_S", 0.0)


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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> SqliteTemplate:
    """A migrated SQLite file."""
    return SqliteTemplate(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def mariadb_template(mariadb: PrivateMariaDB) -> MariaTemplate:
    """The migrated schema of `mariadb`."""
    return MariaTemplate.migrated(mariadb)


@pytest.fixture
def newest_schema(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """What gives an empty test database the newest schema as migrations do (see test_templates), but quickly."""

    def make(url: str) -> None:
        kind = "sqlite" if url.startswith("sqlite") else "mariadb"
        request.getfixturevalue(f"{kind}_template").copy_to(url)

    return make


@pytest.fixture
def engine(database_url: str, newest_schema: Callable[[str], None]) -> Iterator[Engine]:
    """An engine on a fresh database with the newest schema."""
    newest_schema(database_url)
    made = make_engine(url=database_url)
    yield made
    made.dispose()
