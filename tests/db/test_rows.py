"""Rows are made of metrics without losing or inventing anything."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db import rows


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://Shop.Example/a/b?c#d", "shop.example"),
        ("https://shop.example", "shop.example"),
        ("https://shop.example?q=1", "shop.example"),
        ("https://user:secret@shop.example:8443/", "shop.example"),
        ("http://[::1]:8080/x", "::1"),
        ("https://münchen.example/", "münchen.example"),
        ("https://[broken/", None),
        ("file:///etc/hosts", None),
        ("about:blank", None),
        ("no url at all", None),
        ("", None),
        ("://", None),
        ("https://" + "a" * 300 + "/", "a" * 255),
    ],
)
def test_domain_is_the_host_in_lower_case(url: str, domain: str | None) -> None:
    assert rows.domain_of(url) == domain


def test_statements_stay_below_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MAX_STATEMENT_ROWS", 3)
    values = [("aaaa",), (b"bbbb",), ("cccc",), ("d" * 50,), (1,), (2,), (3,), (4,)]
    parts = rows._statements(values, 10)
    assert [row for part in parts for row in part] == values
    assert [len(part) for part in parts] == [2, 1, 1, 3, 1]


@pytest.mark.parametrize("count", [1, 9, 10, 49, 50, 51, 100, 163])
def test_rows_get_their_ids_in_the_order_they_came(engine: Engine, count: int) -> None:
    values = [(f"b{number}", number, None) for number in range(count)]
    columns = ("name", "created_at", "error")
    with engine.begin() as connection:
        numbered = "INTEGER PRIMARY KEY" if engine.dialect.name == "sqlite" else "INT AUTO_INCREMENT PRIMARY KEY"
        connection.execute(text(f"CREATE TABLE t (id {numbered}, name VARCHAR(9), created_at INT, error TEXT)"))
        rows.insert_many(connection, "t", columns, values)
        found = connection.execute(text("SELECT name, created_at, error, id FROM t ORDER BY id")).all()
    assert [row[:3] for row in found] == values
    assert [row[3] for row in found] == list(range(1, count + 1))
