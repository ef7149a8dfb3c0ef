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
    """The statements that make a database of a MariaDB server once more.

    Args:
        server: Its server.
        name: The database; it stays as it is as long as copies are made of it.
    """

    def __init__(self, server: PrivateMariaDB, name: str) -> None:
        tables = [str(table) for (table,) in server.execute(f"SHOW TABLES FROM {name}")]
        statements = [str(server.execute(f"SHOW CREATE TABLE {name}.{table}")[0][1]) for table in tables]
        filled = [table for table in tables if server.execute(f"SELECT COUNT(*) FROM {name}.{table}") != [(0,)]]
        self._script = ";\n".join(
            [*statements, *(f"INSERT INTO {table} SELECT * FROM {name}.{table}" for table in filled)]
        )

    @classmethod
    def migrated(cls, server: PrivateMariaDB) -> MariaTemplate:
        """Return that of a database with the newest schema.

        Args:
            server: Where it is made.
        """
        server.execute("CREATE DATABASE migrated")
        engine = make_engine(url=server.url("migrated"))
        upgrade(engine)
        engine.dispose()
        return cls(server, "migrated")

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
