"""The table of items' fields: which share of the items had each, now and before, what fell most first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from components.numbers import NOTHING, change, count, percent
from components.spark import share_text
from components.tables import Column, Status, table_props
from db.field_coverage import FieldCoverage

FIELD_COLUMNS: Final = (
    Column("Field", "clip"),
    Column("Source", "name"),
    Column("Change", "status"),
    Column("Coverage", "number"),
    Column("Before", "number"),
    Column("Missing in", "number"),
    Column("Items", "number"),
    Column("Over time", width_px=288),
)
ONE_SOURCE_COLUMNS: Final = tuple(column for column in FIELD_COLUMNS if column.title != "Source")
MOST_FIELDS: Final = 20

# Points of coverage: what falls by less is no news, what falls by so many has gone wrong.
_NEWS: Final = 1.0
_ALARMING: Final = 5.0


def no_fields() -> list[Component | str]:
    """Say below a table without fields how a scraper tells of them."""
    return [
        html.Code("record_page_scrape(…, items=items)"),
        " counts which fields items have, also those of ",
        html.Code('fields=["price"]'),
        " that no item has.",
    ]


def field_props(fields: Sequence[FieldCoverage], columns: Sequence[Column] = FIELD_COLUMNS) -> dict[str, Any]:
    """Return the props of the table.

    Args:
        fields: In the order to show.
        columns: `FIELD_COLUMNS` or `ONE_SOURCE_COLUMNS`.
    """
    return table_props(columns, [[_cells(one)[column.title] for column in columns] for one in fields[:MOST_FIELDS]])


def _cells(one: FieldCoverage) -> dict[str, str | Status]:
    return {
        "Field": one.field,
        "Source": one.source,
        "Change": _fall(one),
        "Coverage": percent(one.coverage),
        "Before": percent(one.coverage_before),
        "Missing in": count(one.missing),
        "Items": count(one.items),
        "Over time": share_text(one.had_then, one.items_then),
    }


def _fall(one: FieldCoverage) -> Status:
    if one.fall is None:
        return Status("ok", NOTHING)
    if one.had == 0 and one.had_before:
        return Status("bad", "✕ gone")
    moved = change(one.coverage, one.coverage_before, better="up", points=True)
    if one.fall >= _NEWS:
        return Status("bad" if one.fall >= _ALARMING else "warn", moved.text)
    return Status("ok", "≈ same" if one.fall > 0 else moved.text)
