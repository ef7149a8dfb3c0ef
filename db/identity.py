"""A number that a database is known by: two programs that share one have the same, however each of them names it."""

from __future__ import annotations

import random

from sqlalchemy import select, text
from sqlalchemy.engine import Engine

from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.models import RollupState

_NAME = "database_identity"


def database_identity(engine: Engine) -> int:
    """Return the database's number, which it gets when somebody asks for the first time.

    Args:
        engine: A migrated database.

    Raises:
        DatabaseUnavailable: The database doesn't answer.
    """
    verb = "INSERT OR IGNORE" if engine.dialect.name == "sqlite" else "INSERT IGNORE"
    with unavailable_as_ours(engine), begin_writing(engine) as connection:
        # Two programs may start together: the second one's number is ignored.
        values = {"name": _NAME, "value": random.getrandbits(62)}
        connection.execute(text(f"{verb} INTO rollup_state (name, value) VALUES (:name, :value)"), values)
        identity: int = connection.execute(select(RollupState.value).where(RollupState.name == _NAME)).scalar_one()
        return identity
