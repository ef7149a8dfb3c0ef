"""Tables: rows as texts, statuses as three cells of which one speaks."""

from __future__ import annotations

from pathlib import Path

from components.tables import (
    FAILED,
    OK,
    Column,
    Status,
    one_line,
    short_url,
    table,
    table_props,
)

CSS = (Path(__file__).parents[2] / "assets" / "tables.css").read_text(encoding="utf-8")


def test_a_status_is_three_cells_of_which_one_speaks() -> None:
    columns = (Column("Who"), Column("State", "status"), Column("Count", "number"))
    told = table_props(columns, [["a", OK, "1"], ["b", Status("warn", "▲ slow"), "2"], ["c", FAILED, "3"]])
    assert told["data"]["head"] == ["Who", "State", "Count"]
    assert told["data"]["body"] == [
        ["a", "✓ ok", "", "", "1"],
        ["b", "", "▲ slow", "", "2"],
        ["c", "", "", "✕ failed", "3"],
    ]


def test_columns_are_named_by_their_place_among_headings_and_among_cells() -> None:
    columns = (Column("Who", "name"), Column("State", "status"), Column("Count", "number"), Column("Why", "clip"))
    drawn = table("t", columns, table_props(columns, [])).children
    assert drawn.className.split() == [
        "table",
        "name-h1",
        "name-c1",
        "status-h2",
        "status-c2",
        "number-h3",
        "number-c5",
        "clip-h4",
        "clip-c6",
    ]


def test_the_stylesheet_knows_every_place_that_a_page_uses() -> None:
    for kind, place in (("number", "h16"), ("number", "c16"), ("clip", "c16"), ("name", "c16"), ("status", "c16")):
        assert f".{kind}-{place} " in CSS
    assert ".status-c4 td:nth-child(5)" in CSS  # warn stands right of ok
    assert ".status-c4 td:nth-child(6)" in CSS  # bad right of warn


def test_texts_are_one_line_and_urls_lose_what_all_have() -> None:
    assert one_line(" a\n\tb  c ") == "a b c"
    assert len(one_line("x" * 4_000)) == 300
    assert one_line("x" * 4_000).endswith("…")
    assert short_url("https://a/b") == "a/b"
    assert short_url("http://a/b") == "http://a/b"
