"""Databases that many tests begin with: filled and rolled up for the first of them, copied for the others."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy.engine import Engine

from collector.events import Metric
from tests.servers import PrivateMariaDB
from tests.templates import MariaTemplate

_Copy = Callable[[Engine], None]


class FilledDatabases:
    """Remembers what was made of which metrics.

    Args:
        directory: Where copies of SQLite's files are kept.
        mariadb: Returns the server that databases of that kind are on.
    """

    def __init__(self, directory: Path, mariadb: Callable[[], PrivateMariaDB]) -> None:
        self._directory = directory
        self._mariadb = mariadb
        self._copies: dict[tuple[str, str], _Copy] = {}

    def fill(self, engine: Engine, metrics: Sequence[Metric], make: Callable[[], object]) -> None:
        """Fill a database that has the newest schema and no rows.

        Args:
            engine: The database. Nobody uses its connections meanwhile.
            metrics: What comes into it.
            make: Fills it; what it leaves there depends on the metrics alone.
        """
        key = (engine.dialect.name, hashlib.sha256(repr(metrics).encode()).hexdigest())
        if key in self._copies:
            engine.dispose()
            self._copies[key](engine)
            return
        make()
        engine.dispose()  # the last connection writes what is in the log into the file
        kept = self._of_sqlite if engine.dialect.name == "sqlite" else self._of_mariadb
        self._copies[key] = kept(engine)

    def _of_sqlite(self, engine: Engine) -> _Copy:
        template = self._directory / f"{len(self._copies)}.db"
        shutil.copyfile(_file(engine), template)

        def copy(engine: Engine) -> None:
            assert not Path(f"{_file(engine)}-wal").exists()
            shutil.copyfile(template, _file(engine))

        return copy

    def _of_mariadb(self, engine: Engine) -> _Copy:
        server, name = self._mariadb(), f"filled_{len(self._copies)}"
        server.execute(f"CREATE DATABASE {name}")
        assert engine.url.database is not None
        MariaTemplate(server, engine.url.database).copy_to(server.url(name))
        template = MariaTemplate(server, name)

        def copy(engine: Engine) -> None:
            own = engine.url.database
            assert own is not None
            server.execute(f"DROP DATABASE {own}", f"CREATE DATABASE {own}")
            template.copy_to(server.url(own))

        return copy


def _file(engine: Engine) -> Path:
    assert engine.url.database is not None
    return Path(engine.url.database)
