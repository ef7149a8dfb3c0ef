"""Work that only one process may do at a time: a lock that goes with the process that holds it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.errors import unavailable_as_ours


@contextmanager
def alone(engine: Engine, work: str) -> Iterator[bool]:
    """Try to be the only one who does some work on a database; never waits.

    Args:
        engine: The database. On SQLite the lock is a file beside it.
        work: The name of the work, a few letters.

    Yields:
        True while this process is the only one; False when another one is at it.

    Raises:
        DatabaseUnavailable: The database can't be reached.
    """
    if engine.dialect.name == "sqlite":
        # Kept open, the lock lasts as long as the block or the process, whichever ends first.
        with open(f"{engine.url.database}.{work}.lock", "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        return
    name = f"scrapeboard-{work}-{engine.url.database}"[:64]
    with unavailable_as_ours(engine), engine.connect() as connection:
        got = connection.scalar(text("SELECT GET_LOCK(:name, 0)"), {"name": name}) == 1
        connection.commit()
        try:
            yield got
        finally:
            if got and not connection.invalidated:
                connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
                connection.commit()
