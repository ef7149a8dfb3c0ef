"""Rows are made of metrics without losing or inventing anything."""

from __future__ import annotations

import pytest

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
