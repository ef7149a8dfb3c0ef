"""Rows as the text of a MySQL/MariaDB INSERT, made before there is a connection, most of it by an encoder of JSON.

JSON and SQL write numbers, null, true and false alike; and texts in which nothing has to be escaped, but for the quotes
around them. So a row costs one call; one with anything to escape in it is left to the driver, value by value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_NO_BACKSLASH_ESCAPES
from pymysql.converters import encoders, escape_item
from sqlalchemy.engine import Connection

from db.rows import Row, insert_many, packet_bytes

_MOST_ROWS = 1000
_MOST_BYTES = 500_000
_HEAD_BYTES = 4_096  # room for what stands before the values, and for the packet's own
# What isn't a plain value is an error here, and never a text that looks like one.
_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


@dataclass(frozen=True, slots=True)
class RowText:
    """Some rows as they stand after VALUES.

    Args:
        count: How many rows.
        values: `(…),(…)`.
        size_bytes: What it takes in UTF-8.
        escaped: Something in it is escaped, with backslashes.
    """

    count: int
    values: str
    size_bytes: int
    escaped: bool


def row_texts(rows: Sequence[Row]) -> list[RowText]:
    """Write rows in pieces, each of which any server takes in one statement, if its rows are of a common size.

    Args:
        rows: Texts, whole numbers, finite floats, booleans and None; NaN and infinity would become NULL.

    Raises:
        TypeError: A value is of another type, or a whole number of more than 64 bits, or a text can't be encoded.
    """
    if not rows:
        return []
    write = orjson.dumps
    if len(rows) <= _MOST_ROWS:
        # All of it in one call, if nothing in it has to be escaped or looks like the end of a row.
        every = write(rows, option=_PLAIN)
        if len(every) <= _MOST_BYTES // 2 and not (b"\\" in every or b"'" in every):
            parts = every.split(b"],[")
            if len(parts) == len(rows):
                values = b"),(".join(parts).replace(b'"', b"'")[2:-2]
                return [RowText(len(rows), f"({values.decode()})", len(values) + 2, escaped=False)]
    written = [write(row, option=_PLAIN)[1:-1] for row in rows]
    pieces = []
    for start, end in pairwise(_cuts(written)):
        values = b"),(".join(written[start:end])
        # JSON escapes with backslashes whatever the driver does, except for this quote.
        escaped = b"\\" in values or b"'" in values
        if escaped:
            some = [
                _by_driver(row) if b"\\" in text or b"'" in text else text.replace(b'"', b"'")
                for row, text in zip(rows[start:end], written[start:end], strict=True)
            ]
            values = b"),(".join(some)
        else:
            values = values.replace(b'"', b"'")
        pieces.append(RowText(end - start, f"({values.decode()})", len(values) + 2, escaped))
    return pieces


def insert_texts(
    connection: Connection, table: str, columns: Sequence[str], pieces: Sequence[RowText]
) -> list[tuple[int, int]] | None:
    """Insert rows that were written before, in as few statements as the server likes best.

    Args:
        connection: An open transaction on MySQL/MariaDB.
        table: A table name of ours.
        columns: Its columns, in the order of the values.
        pieces: What `row_texts` returned, one call or several.

    Returns:
        (first id that was given, rows) for each statement; None, and nothing is done, when this server or session
        doesn't take them as they are.

    Raises:
        sqlalchemy.exc.DBAPIError: What the driver raised.
    """
    most_bytes = _most_bytes(connection, pieces)
    if any(piece.size_bytes > most_bytes for piece in pieces):
        return None
    numbered: list[tuple[int, int]] = []
    for some in _together(pieces, most_bytes):
        statement = insert_statement(table, columns, [piece.values for piece in some])
        result = connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        numbered.append((result.lastrowid, sum(piece.count for piece in some)))
    return numbered


def insert_statement(table: str, columns: Sequence[str], values: Sequence[str]) -> str:
    """Return the statement that inserts rows.

    Args:
        table: A table name of ours.
        columns: Its columns, in the order of the values.
        values: `(…),(…)`, at least one.
    """
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {','.join(values)}"


def fit_together(connection: Connection, pieces: Sequence[RowText], *, beside: Sequence[RowText]) -> bool:
    """Say whether this server and session take rows as they were written, all in one statement.

    Args:
        connection: An open connection to MySQL/MariaDB.
        pieces: The rows.
        beside: Rows of another table that go in the same message.
    """
    most_bytes = _most_bytes(connection, [*pieces, *beside]) - sum(piece.size_bytes for piece in beside)
    return len(_together(pieces, most_bytes)) == 1 and sum(piece.size_bytes + 1 for piece in pieces) <= most_bytes


def insert_plain(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
) -> list[tuple[int, int]]:
    """Insert a few rows of plain values, with less work than `insert_many` has for them; returns what that returns.

    Args:
        connection: An open transaction.
        table: A table name of ours.
        columns: Its columns, in the order of the values.
        rows: As for `row_texts`.

    Raises:
        sqlalchemy.exc.DBAPIError: What the driver raised.
    """
    if connection.dialect.name != "sqlite":
        numbered = insert_texts(connection, table, columns, row_texts(rows))
        if numbered is not None:
            return numbered
    return insert_many(connection, table, columns, rows)


def _most_bytes(connection: Connection, pieces: Sequence[RowText]) -> int:
    """Return how many bytes of such rows a statement may have; 0 when this session would read them otherwise."""
    driver: Any = connection.connection.driver_connection
    if any(piece.escaped for piece in pieces) and driver.server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES:
        return 0
    return min(_MOST_BYTES, packet_bytes(connection) - _HEAD_BYTES)


def _cuts(written: Sequence[bytes]) -> list[int]:
    """Return where pieces begin, and the end of the last."""
    cuts, size = [0], 0
    if len(written) <= _MOST_ROWS and sum(map(len, written)) <= _MOST_BYTES // 2:  # all of it, and quickly
        return [0, len(written)]
    for index, text in enumerate(written):
        length = 2 * len(text) + 3  # the driver may escape what JSON doesn't
        if index > cuts[-1] and (index - cuts[-1] >= _MOST_ROWS or size + length > _MOST_BYTES):
            cuts.append(index)
            size = 0
        size += length
    return [*cuts, len(written)]


def _by_driver(row: Row) -> bytes:
    return ",".join([escape_item(value, "utf8mb4", encoders) for value in row]).encode()


def _together(pieces: Sequence[RowText], most_bytes: int) -> list[list[RowText]]:
    """Put pieces that follow each other into statements."""
    statements: list[list[RowText]] = []
    rows = size = 0
    for piece in pieces:
        rows, size = rows + piece.count, size + piece.size_bytes + 1
        if not statements or rows > _MOST_ROWS or size > most_bytes:
            statements.append([])
            rows, size = piece.count, piece.size_bytes
        statements[-1].append(piece)
    return statements
