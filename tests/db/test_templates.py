"""Copied databases are what migrations make."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.migrate import current_revision, known_revisions, upgrade
from db.models import Base


def schema(engine: Engine) -> dict[str, Any]:
    """Return the statement that makes each table, and its rows."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            asked = "SELECT type || name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
            made = {str(name): str(sql) for name, sql in connection.execute(text(asked))}
        else:
            names = list(connection.scalars(text("SHOW TABLES")))
            made = {name: connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1] for name in names}
        names = [*Base.metadata.tables, "alembic_version"]
        return made | {f"rows of {name}": connection.execute(text(f"SELECT * FROM {name}")).all() for name in names}


def test_a_copied_database_is_what_migrations_make(engine: Engine, other: Engine) -> None:
    upgrade(other)
    assert current_revision(engine) == current_revision(other) == known_revisions()[0]
    if engine.dialect.name == other.dialect.name:
        assert schema(engine) == schema(other)
    upgrade(engine)  # there is nothing left to do
