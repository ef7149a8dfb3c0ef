"""A statement with many rows says exactly what the rows say, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.literals import insert_text
from tests.servers import PrivateMariaDB


@pytest.fixture(scope="module")
def connection(mariadb: PrivateMariaDB) -> Iterator[Any]:
    connection = pymysql.connect(
        host="127.0.0.1", port=mariadb.port, user=mariadb.user, password=mariadb.password, charset="utf8mb4"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE DATABASE literals")
        cursor.execute(
            "CREATE TABLE literals.t (id INT AUTO_INCREMENT PRIMARY KEY, a TEXT, b DOUBLE, c BIGINT, d BOOLEAN)"
            " CHARACTER SET utf8mb4"
        )
        yield connection
        cursor.execute("DROP DATABASE literals")


def test_a_column_without_any_value_is_left_out() -> None:
    rows = [("x", None, 1), ("y", None, 2)]
    assert insert_text("INSERT", "t", ("a", "b", "c"), rows, repr) == "INSERT INTO t (a, c) VALUES ('x',1),('y',2)"


def test_a_row_of_nothing_is_still_a_row() -> None:
    assert insert_text("INSERT", "t", ("a",), [(None,)], lambda _: "NULL") == "INSERT INTO t (a) VALUES (NULL)"
    two = insert_text("INSERT", "t", ("a", "b"), [(None, None), (None, None)], lambda _: "NULL")
    assert two == "INSERT INTO t (b) VALUES (NULL),(NULL)"


def test_equal_values_of_different_types_keep_their_type() -> None:
    text = insert_text("INSERT", "t", ("a", "b"), [(1, True), (1.0, 1), (0, 0.0), (None, None)], repr)
    assert text.endswith("VALUES (1,True),(1.0e0,1),(0,0.0),(None,None)")


@pytest.mark.parametrize("texts", [["a", "b"], [""], ["", ""], ["\x1f"], ["\x1fa", "b\x1f"], ["'", "\\", "\\'", "\0"]])
def test_a_column_of_texts_is_escaped_as_each_of_them_would_be(connection: Any, texts: list[str]) -> None:
    text = insert_text("INSERT", "t", ("a",), [(text,) for text in texts], connection.escape)
    assert text == "INSERT INTO t (a) VALUES (" + "),(".join(map(connection.escape, texts)) + ")"


rows_of_anything = st.lists(
    st.tuples(
        st.none()
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(["%s", "%", "it's \\ \"", "a", "\x1f", "', '"]),
        st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False) | st.integers(-5, 5),
        st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, 200]),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60)
@given(rows_of_anything)
def test_what_comes_back_is_what_was_written(connection: Any, rows: list[tuple[Any, ...]]) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(insert_text("INSERT", "literals.t", ("a", "b", "c", "d"), rows, connection.escape))
            cursor.execute("SELECT a, b, c, d FROM literals.t ORDER BY id")
            assert list(cursor.fetchall()) == rows
    finally:
        connection.rollback()
