"""Tables: rows as texts, statuses as three cells of which one speaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components.tables import (
    EVENT_COLUMNS,
    FAILED,
    OK,
    Column,
    Status,
    event_rows,
    event_status,
    one_line,
    short_url,
    table,
    table_props,
)
from db.results import Event

CSS = (Path(__file__).parents[2] / "assets" / "tables.css").read_text(encoding="utf-8")

EVENT = Event(
    id="p:1",
    kind="navigation",
    source="cnbc",
    url="https://www.cnbc.com/x",
    duration_ms=150.0,
    items=None,
    retry_count=0,
    success=True,
    error=None,
    status_code=200,
    outcome=None,
    recorded_at_ms=1_700_000_000_000,
)


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


def test_an_event_becomes_a_row() -> None:
    row = event_rows([EVENT], span_ms=0)[0]
    assert row == ["22:13:20", "cnbc", "navigation", OK, "150\u00a0ms", "–", "www.cnbc.com/x", ""]
    assert len(row) == len(EVENT_COLUMNS)


def test_an_events_status_tells_what_went_wrong() -> None:
    failed = replace(EVENT, success=False)
    assert event_status(EVENT) == OK
    assert event_status(replace(EVENT, retry_count=1)) == Status("warn", "✓ ok, 1 retry")
    assert event_status(replace(EVENT, retry_count=2)).text == "✓ ok, 2 retries"
    assert event_status(replace(failed, status_code=503)) == Status("bad", "✕ 503")
    assert event_status(replace(failed, status_code=None)) == FAILED
    assert event_status(replace(failed, kind="scrape", outcome="blocked")) == Status("bad", "✕ blocked")
    assert event_status(replace(failed, kind="scheduler", status_code=None)) == FAILED


def test_texts_are_one_line_and_urls_lose_what_all_have() -> None:
    assert one_line(" a\n\tb  c ") == "a b c"
    assert len(one_line("x" * 4_000)) == 300
    assert one_line("x" * 4_000).endswith("…")
    assert short_url("https://a/b") == "a/b"
    assert short_url("http://a/b") == "http://a/b"


def test_markup_in_a_name_stays_text() -> None:
    row = event_rows([replace(EVENT, source="<script>alert(1)</script>")], span_ms=0)[0]
    assert row[1] == "<script>alert(1)</script>"
    assert all(isinstance(cell, str) for cell in table_props(EVENT_COLUMNS, [row])["data"]["body"][0])
