"""The table of fields: what its cells say of a field that fell, that is gone, that is new."""

from __future__ import annotations

from typing import Any

from components.field_table import FIELD_COLUMNS, ONE_SOURCE_COLUMNS, field_props
from components.spark import share_text
from components.tab_infos import coverage_over_time
from db.field_coverage import FieldCoverage
from db.results import TimeRange


def field(name: str = "price", now: tuple[int, int] = (100, 50), before: tuple[int, int] = (200, 190)) -> FieldCoverage:
    return FieldCoverage("shop", name, *now, *before, (0, 10, 20), (0, 50, 50), (0, 50, 0))


def rows(*fields: FieldCoverage, columns: Any = FIELD_COLUMNS) -> list[list[str]]:
    body: list[list[str]] = field_props(fields, columns)["data"]["body"]
    return body


def test_field_that_fell_says_by_how_much_and_when() -> None:
    (row,) = rows(field())
    assert row == [
        "price", "shop", "", "", "▼ 45.0\u00a0pt", "50.0\u00a0%", "95.0\u00a0%", "50", "100", "·█▁",
    ]  # fmt: skip
    (own,) = rows(field(), columns=ONE_SOURCE_COLUMNS)
    assert own == [row[0], *row[2:]]


def test_mood_is_that_of_the_fall() -> None:
    gone, little, same, new = rows(
        field(now=(100, 0)), field(now=(100, 93)), field(now=(100, 95)), field(before=(0, 0))
    )
    assert gone[2:5] == ["", "", "✕ gone"]
    assert little[2:5] == ["", "▼ 2.0\u00a0pt", ""]
    assert same[2:5] == ["= same", "", ""]
    assert new[2:7] == ["–", "", "", "50.0\u00a0%", "–"]


def test_at_most_twenty_are_shown() -> None:
    assert len(rows(*(field(f"f{n}") for n in range(30)))) == 20


def test_chart_draws_the_eight_that_fell_most() -> None:
    info = coverage_over_time([field(f"f{n}") for n in range(12)], TimeRange(0, 30, 10))
    assert info.title == "Field coverage (top 8 of 12)"
    assert [line.name for line in info.lines] == [f"f{n}" for n in range(8)]
    assert [str(value) for value in info.lines[0].y] == ["nan", "100.0", "0.0"]
    assert "f0 of shop is at 50.0\u00a0% after 95.0\u00a0% before" in info.description
    assert coverage_over_time([], TimeRange(0, 30, 10)).lines == ()


def test_shares_are_written_from_none_to_all() -> None:
    assert share_text([0, 1, 50, 99, 100, 0], [100] * 5 + [0]) == "▁▂▅▇█·"
