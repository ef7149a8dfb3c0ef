"""Rows that were written before there was a connection say on the server exactly what the rows say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymysql.converters import encoders, escape_item
from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from db import row_text
from db.engine import make_engine
from db.row_text import RowText, insert_texts, row_texts
from db.rows import insert_many
from tests.servers import PrivateMariaDB

COLUMNS = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def engine(mariadb: PrivateMariaDB) -> Iterator[Engine]:
    mariadb.execute("CREATE OR REPLACE DATABASE row_text")
    engine = make_engine(url=mariadb.url("row_text"))
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a TEXT, b DOUBLE, c BIGINT, d BOOLEAN)"
                " CHARACTER SET utf8mb4"
            )
        )
    yield engine
    engine.dispose()
    mariadb.execute("DROP DATABASE row_text")


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that leaves nothing behind."""
    with engine.connect() as connection:
        yield connection


def found(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT a, b, c, d FROM t ORDER BY id"))]


rows_of_anything = st.lists(
    st.tuples(
        st.none()
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(["%s", "%", "it's \\ \"", "\\", "'", "a", "\x1f\x1a\0\n", "),(", "']],[['", "🕸️", "\u2028"]),
        st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False) | st.integers(-5, 5),
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 200]),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@settings(max_examples=60)
@given(rows_of_anything, st.integers(1, 9))
def test_what_comes_back_is_what_was_written(connection: Connection, rows: list[tuple[Any, ...]], first: int) -> None:
    with connection.begin():
        pieces = row_texts(rows[:first]) + (row_texts(rows[first:]) if rows[first:] else [])
        numbered = insert_texts(connection, "t", COLUMNS, pieces)
        assert numbered is not None
        assert [count for _, count in numbered] == [len(rows)]
        assert found(connection) == rows
        assert connection.scalar(text("SELECT MIN(id) FROM t")) == numbered[0][0]
        connection.rollback()


def test_whatever_has_to_be_escaped_is_escaped_by_the_driver() -> None:
    rows = [("plain", 1.5, 1, True), ("it's", None, 2, False), ('"', 1e300, -3, None), ("\\", 0.1, None, True)]
    (piece,) = row_texts(rows)
    wanted = ["'plain',1.5,1,true", *(",".join(escape_item(v, "utf8mb4", encoders) for v in row) for row in rows[1:])]
    assert piece.values == "(" + "),(".join(wanted) + ")"
    assert piece.escaped
    assert piece == RowText(4, piece.values, len(piece.values), True)


def test_rows_without_anything_to_escape_need_no_backslashes() -> None:
    (piece,) = row_texts([("ö 🦊 %s", None, 2**63, False)])
    assert piece == RowText(1, "('ö 🦊 %s',null,9223372036854775808,false)", 45, False)
    assert len(piece.values.encode()) == piece.size_bytes


def test_nothing_is_written_of_no_rows() -> None:
    assert row_texts([]) == []


@pytest.mark.parametrize("bad", ["\ud800", b"bytes", 2**64, 1j])
def test_what_has_no_plain_form_is_an_error(bad: Any) -> None:
    with pytest.raises(TypeError):
        row_texts([("fine",), (bad,)])


def test_pieces_and_statements_have_their_limits(monkeypatch: pytest.MonkeyPatch, connection: Connection) -> None:
    monkeypatch.setattr(row_text, "_MOST_ROWS", 3)
    monkeypatch.setattr(row_text, "_MOST_BYTES", 200)
    rows = [("a" * 80, None, number, True) for number in range(3)] + [("b", 1.0, number, None) for number in range(8)]
    pieces = row_texts(rows)
    assert [piece.count for piece in pieces] == [1, 1, 1, 3, 3, 2]
    assert all(piece.size_bytes <= 200 for piece in pieces)
    numbered = insert_texts(connection, "t", COLUMNS, [*pieces, *row_texts([("c", 0.0, 9, False)])])
    assert numbered is not None
    assert [count for _, count in numbered] == [2, 1, 3, 3, 3]
    assert found(connection) == [*rows, ("c", 0.0, 9, False)]


def test_a_session_without_backslashes_gets_the_rows_written_anew(connection: Connection) -> None:
    connection.execute(text("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES'"))
    rows = [("it's \\", 1.0, 1, True)]
    assert insert_texts(connection, "t", COLUMNS, row_texts(rows)) is None
    insert_many(connection, "t", COLUMNS, rows)
    plain = [("plain", 1.0, 1, True)]
    assert insert_texts(connection, "t", COLUMNS, row_texts(plain)) is not None
    assert found(connection) == rows + plain
    connection.rollback()
    connection.invalidate()  # its mode must not come back from the pool


def test_a_piece_that_is_longer_than_the_server_takes_is_left_to_who_can_cut_it(connection: Connection) -> None:
    pieces = row_texts([("x" * 1_000, None, None, None)])
    connection.info["packet_bytes"] = 4_500
    try:
        assert insert_texts(connection, "t", COLUMNS, pieces) is None
    finally:
        del connection.info["packet_bytes"]
    assert insert_texts(connection, "t", COLUMNS, pieces) is not None
