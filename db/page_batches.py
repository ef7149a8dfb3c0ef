"""Batches of page metrics alone, as most are: ids, rows and log entry in one round trip to MySQL/MariaDB."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection

from db.ingest_log import LOG_COLUMNS, LOG_TABLE, IdRange, Of, id_step
from db.one_trip import execute_together, is_allowed
from db.row_text import RowText, fit_together, insert_statement, row_texts
from db.rows import BATCH_TABLE, PAGE_TABLE, Row

CLAIM_COLUMNS = ("batch_id", "created_at", "accepted")


class AlreadyThere(Exception):  # noqa: N818 - it never leaves the store
    """One of the batch ids is in the table already."""


def insert_claimed(
    connection: Connection, writer: int, claims: Sequence[Row], columns: Sequence[str], pages: Sequence[RowText]
) -> list[tuple[int, IdRange]] | None:
    """Insert batch ids, then page rows, then the log's entry; nothing after what fails.

    Args:
        connection: An open transaction that hasn't done anything yet.
        writer: Who stores them.
        claims: Values of CLAIM_COLUMNS, one row a batch.
        columns: What the rows are of.
        pages: The rows of all these batches, at least one.

    Returns:
        (number of the entry, its ids), as `write_log` returns them; None, and nothing is done, when it takes more than
        one message, or this server or session doesn't take it.

    Raises:
        AlreadyThere: See there.
        sqlalchemy.exc.DBAPIError: What the driver raised.
    """
    claimed = row_texts(claims)
    if not is_allowed(connection) or not fit_together(connection, pages, beside=claimed):
        return None
    count, step = sum(piece.count for piece in pages), id_step(connection)
    log = f"({writer},{int(Of.PAGES)},LAST_INSERT_ID(),{count},{step})"
    first_ids: list[int] = []
    try:
        execute_together(
            connection,
            [
                # First of all: who comes second with an id waits here until the first one has committed.
                insert_statement(BATCH_TABLE, CLAIM_COLUMNS, [piece.values for piece in claimed]),
                insert_statement(PAGE_TABLE, columns, [piece.values for piece in pages]),
                insert_statement(LOG_TABLE, LOG_COLUMNS, [log]),
            ],
            first_ids,
        )
    except sa_exc.IntegrityError as exc:
        if first_ids:
            raise  # it was a row
        raise AlreadyThere from exc
    _, first_id, seq = first_ids
    return [(seq, IdRange(Of.PAGES, first_id, count, step))]
