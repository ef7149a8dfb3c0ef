"""Databases with the newest schema that are copied, because running every migration for each test costs too much."""

from __future__ import annotations

import shutil
from pathlib import Path

import pymysql
from pymysql.constants import CLIENT
from sqlalchemy.engine import make_url

from db.engine import make_engine
from db.migrate import upgrade
from tests.servers import PrivateMariaDB


class SqliteTemplate:
    """A migrated SQLite file.

    Args:
        directory: Where it is made.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "template.db"
        engine = make_engine(url=f"sqlite:///{self._file}")
        upgrade(engine)
        engine.dispose()  # the last connection writes what is in the log into the file

    def copy_to(self, url: str) -> None:
        """Make the database of a URL, whose file isn't there yet."""
        path = make_url(url).database
        assert path is not None
        assert not Path(path).exists()
        assert not Path(f"{self._file}-wal").exists()
        shutil.copyfile(self._file, path)


class MariaTemplate:
    """The statements that make the migrated schema of a MariaDB server's database.

    Args:
        server: Where a database is migrated to learn them.
    """

    def __init__(self, server: PrivateMariaDB) -> None:
        server.execute("CREATE DATABASE migrated")
        engine = make_engine(url=server.url("migrated"))
        upgrade(engine)
        engine.dispose()
        tables = [str(name) for (name,) in server.execute("SHOW TABLES FROM migrated")]
        statements = [str(server.execute(f"SHOW CREATE TABLE migrated.{name}")[0][1]) for name in tables]
        filled = [name for name in tables if server.execute(f"SELECT COUNT(*) FROM migrated.{name}") != [(0,)]]
        self._script = ";\n".join(
            [*statements, *(f"INSERT INTO {name} SELECT * FROM migrated.{name}" for name in filled)]
        )

    def copy_to(self, url: str) -> None:
        """Make the tables of an empty database of the same server."""
        parsed = make_url(url)
        with pymysql.connect(
            host=parsed.host or "", port=parsed.port or 0, user=parsed.username, password=parsed.password or "",
            database=parsed.database, client_flag=CLIENT.MULTI_STATEMENTS, autocommit=True, ssl_disabled=True,
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            cursor.execute(self._script)
            while cursor.nextset():  # an error in any statement is raised here
                pass
