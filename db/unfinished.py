"""The mark on a database that is being filled from elsewhere: who finds it must not take the content for whole.

It is a table of its own, outside the schema, because the tables of the schema are dropped and made again below it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db.engine import begin_writing
from db.errors import TransferRefused, unavailable_as_ours, where_is

_MARK = sa.Table("unfinished_transfer", sa.MetaData(), sa.Column("what", sa.String(500), primary_key=True))


def mark(connection: Connection, what: str) -> None:
    """Say that the database is being filled; a mark that is there already is replaced.

    Args:
        connection: A writing transaction.
        what: From where, and the command that finishes it: it ends the line "… is unfinished: ".
    """
    _MARK.create(connection, checkfirst=True)
    connection.execute(_MARK.delete())
    connection.execute(_MARK.insert().values(what=what[:500]))


def unmark(engine: Engine) -> None:
    """Say that the content is whole.

    Args:
        engine: The engine.
    """
    with unavailable_as_ours(engine), begin_writing(engine) as connection:
        _MARK.drop(connection, checkfirst=True)


def marked(connection: Connection) -> str | None:
    """Return what `mark` said, None when the content is whole.

    Args:
        connection: An open connection.
    """
    if not sa.inspect(connection).has_table(_MARK.name):
        return None
    return connection.scalar(sa.select(_MARK.c.what)) or "start it again"


def refuse_unfinished(engine: Engine) -> None:
    """Make sure that the database isn't the remains of a copy or restore that was cut off.

    Args:
        engine: The engine.

    Raises:
        TransferRefused: It is.
    """
    with unavailable_as_ours(engine), engine.connect() as connection:
        what = marked(connection)
    if what is not None:
        raise TransferRefused(where_is(engine), f"is unfinished: {what}")
