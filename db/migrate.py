"""Bring a database's schema up to date, and refuse one that is newer than this program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from db.engine import opened
from db.errors import UNAVAILABLE, MigrationFailed, SchemaTooNew, one_line, unavailable_as_ours, where_is
from db.unfinished import refuse_unfinished

_LOCK_TIMEOUT_S = 25  # below the time that a connection may be silent (db.engine, io_timeout_s)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that the database lacks; safe when several processes start at once.

    Args:
        engine: From `make_engine`.
        revision: How far; the newest unless an older one must be there first, to be filled from a backup.

    Raises:
        SchemaTooNew: A newer program has migrated the database.
        MigrationFailed: A migration stopped; on SQLite nothing of it remains, on MySQL it can be run again.
        DatabaseUnavailable: The database can't be reached.
    """
    try:
        with unavailable_as_ours(engine), _alone(engine) as connection:
            _check(engine, connection)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except (CommandError, SQLAlchemyError) as exc:
        if isinstance(exc, UNAVAILABLE):
            raise
        raise MigrationFailed(where_is(engine), one_line(exc)) from exc


@contextmanager
def migrated(url: str) -> Iterator[Engine]:
    """Open a database for the length of a block, with the newest schema and whole content.

    Args:
        url: As for `make_engine`.

    Yields:
        The engine; its connections are closed at the end of the block.

    Raises:
        DatabaseError: The URL is wrong, the database can't be reached or is unfinished, or `upgrade` failed.
    """
    with opened(url) as engine:
        refuse_unfinished(engine)
        upgrade(engine)
        yield engine


def check(engine: Engine) -> None:
    """Make sure that this program knows the database's schema.

    Args:
        engine: From `make_engine`.

    Raises:
        SchemaTooNew: The database's revision is unknown to this program.
        DatabaseUnavailable: The database can't be reached.
    """
    with unavailable_as_ours(engine), engine.connect() as connection:
        _check(engine, connection)


def current_revision(engine: Engine) -> str | None:
    """Return the schema's revision, None for a database without our tables.

    Args:
        engine: From `make_engine`.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    with unavailable_as_ours(engine), engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def known_revisions() -> tuple[str, ...]:
    """Return every revision of the schema that this program knows, newest first."""
    return tuple(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    # '%' is special in Alembic's configuration.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _check(engine: Engine, connection: Connection) -> None:
    known = known_revisions()
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise SchemaTooNew(where_is(engine), revision, known[0])


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Give a connection that no other process migrates beside: whoever comes second finds the work done."""
    with engine.connect() as plain:
        if engine.dialect.name == "sqlite":
            connection = plain.execution_options(writes=True)
            # SQLite's write lock, kept until everything is committed together.
            with _patient(plain), connection.begin():
                yield connection
            return
        # A named lock of the server; it goes with the connection if this process dies.
        name = f"scrapeboard-migrate-{engine.url.database}"[:64]
        got = plain.execute(text("SELECT GET_LOCK(:name, :timeout_s)"), {"name": name, "timeout_s": _LOCK_TIMEOUT_S})
        if got.scalar() != 1:
            raise MigrationFailed(where_is(engine), f"another process has been migrating for {_LOCK_TIMEOUT_S} s")
        try:
            plain.commit()
            yield plain
            plain.commit()  # MySQL commits each DDL statement, but not the note of the revision after the last one
        finally:
            if not plain.invalidated:
                plain.rollback()
                plain.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
                plain.commit()


@contextmanager
def _patient(connection: Connection) -> Iterator[None]:
    """Let a connection to SQLite wait as long for who migrates as one to a server does, for the length of a block."""
    cursor = connection.connection.cursor()  # the driver's: no transaction begins
    (usual_ms,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute(f"PRAGMA busy_timeout={_LOCK_TIMEOUT_S * 1000}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout={usual_ms}")
        cursor.close()
