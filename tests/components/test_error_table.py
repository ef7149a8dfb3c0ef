"""The table of errors: what its cells say and where its rows lead."""

from __future__ import annotations

from typing import Any

from components.error_table import error_content, error_href, error_table
from components.spark import spark_text
from components.view import View
from db.results import ErrorGroup
from tests.pages.tree import components_of

SPAN_MS = 3_600_000
START_MS = 1_795_298_400_000  # 2026-11-21 22:00 UTC
VIEW = View.parse("/navigation", "?from=now-1h&source=cnbc")


def group(error: str = "HTTP 503", *, failures: int = 3, **changes: Any) -> ErrorGroup:
    values: dict[str, Any] = {
        "error": error,
        "failures": failures,
        "last_seen_ms": START_MS + 3_000_000,
        "first_seen_ms": START_MS + 60_000,
        "sources": ("cnbc",),
        "starts_ms": (START_MS, START_MS + 1_800_000),
        "counts": (1, 2),
        "sample": "HTTP 503\n  from the  proxy",
    }
    return ErrorGroup(**(values | changes))


def cells_of(*groups: ErrorGroup, one_source: bool = False) -> list[list[Any]]:
    content = error_content("x-errors", lambda: groups, VIEW, span_ms=SPAN_MS, one_source=one_source)
    _, body = content["x-errors"]["children"]
    return [[cell.children for cell in row.children] for row in body.children]


def test_a_row_tells_count_share_times_sources_and_what_the_newest_said() -> None:
    row, other = cells_of(group(), group("", failures=1, sources=("a", "b"), sample=None))
    assert row[0].children == "HTTP 503"
    assert row[1:3] == ["3", "75.0\u00a0%"]
    assert row[3].children == "▅█"
    assert getattr(row[3], "aria-label") == "Failures over the range, most from 22:30:00: 2"
    assert row[4:] == ["cnbc", "22:01:00", "22:50:00", "HTTP 503 from the proxy"]
    assert other[0] == "(no error text)"
    assert other[4] == "2: a, b"
    assert other[-1] == "(its row isn’t kept any more)"


def test_an_error_leads_to_its_failures_on_the_same_page_with_the_same_filters() -> None:
    (row,) = cells_of(group("a&b=<n> ü"))
    assert row[0].href == "/navigation?from=now-1h&source=cnbc&error=a%26b%3D%3Cn%3E%20%C3%BC"
    assert error_href(View.parse("/scraping", ""), "x") == "/scraping?error=x"


def test_what_has_no_kind_leads_nowhere() -> None:
    rows = cells_of(group(""), group("(others)"))
    assert [row[0] for row in rows] == ["(no error text)", "(others)"]


def test_a_page_of_one_source_doesnt_name_it_in_every_row() -> None:
    (row,) = cells_of(group(), one_source=True)
    assert len(row) == 7
    content = error_content("x-errors", lambda: [group()], VIEW, span_ms=SPAN_MS, one_source=True)
    headings = [
        one.children for one in components_of(error_table("x-errors", content, one_source=True)) if one._type == "Th"
    ]
    assert headings == [
        "Error", "Failures", "Share", "Over time", "First seen (UTC)", "Last seen (UTC)", "What the newest said"
    ]  # fmt: skip


def test_only_nothing_is_drawn_as_the_lowest_block() -> None:
    assert spark_text([0, 1, 1_000, 500]) == "▁▂█▅"
    assert spark_text([0, 0]) == "▁▁"
    assert spark_text([7]) == "█"
    assert spark_text([]) == ""
