"""The line below a table that doesn't show all there is: how many more there are, and how to get at them."""

from __future__ import annotations

from typing import Any

from dash import html
from dash.development.base_component import Component

from components.content import Content
from components.numbers import count


def more_props(shown: int, total: int, what: str, how: str = "choose some with the filter") -> dict[str, Any]:
    """Return the live props of the line; an empty one when everything is shown.

    Args:
        shown: Rows in the table.
        total: Rows there are.
        what: What the rows are, for instance "scrapers".
        how: What to do to see the others.
    """
    if total <= shown:
        return {"children": ""}
    return {"children": f"and {count(total - shown)} more {what}: {how}."}


def more_line(id: str, content: Content) -> Component:
    """Build the line.

    Args:
        id: Its id.
        content: The page's content with what `more_props` returned under this id.
    """
    return html.P(id=id, className="table-more", **content[id])
