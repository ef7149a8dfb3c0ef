"""Rows of tables that lead somewhere: a button beside each, and where it leads, in the table's own data.

The buttons never change while rows move: what a click means is read from the data that the browser shows at that
moment. A link in each row would have to change with every event, in every row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from components.aria import aria
from components.content import Content
from components.view import View

ROW: Final = "row"
# What a lead may say; range, comparison and pause are the page's own.
_SAID: Final = ("sources", "kind", "result", "url", "run")
_PLAIN: Final = View()


def lead_text(path: str, **filters: Any) -> str:
    """Return what a table's data says of where a row leads.

    Args:
        path: Of the page, percent-encoded.
        filters: What that page is narrowed to, besides what this one is: some of the view's attributes.
    """
    return View(path=path, **filters).href()


def lead_href(lead: str, view: View) -> str:
    """Return the address that a row leads to: the page's range and filters, and what the row itself says.

    Args:
        lead: What the table's data says; it comes from a browser, so it may be anything.
        view: The page that the table is on.
    """
    path, _, search = lead.partition("?")
    said = View.parse(path, search)
    own = {name: getattr(said, name) for name in _SAID if getattr(said, name) != getattr(_PLAIN, name)}
    return replace(view.at(said.path), **own).href()


def lead_of(data: Any, row: Any) -> str:
    """Return what a table's data says of where a row leads, "" when it says nothing.

    Args:
        data: What the browser shows, any JSON value.
        row: Which row, any JSON value.
    """
    leads = data.get("leads") if isinstance(data, dict) else None
    if not isinstance(leads, list) or not isinstance(row, int) or not 0 <= row < len(leads):
        return ""
    return leads[row] if isinstance(leads[row], str) else ""


def rows_content(id: str, props: dict[str, Any]) -> Content:
    """Return the live props of the buttons beside a table's rows; nothing for a table that leads nowhere.

    Args:
        id: The table's id.
        props: The table's live props.
    """
    leads = props.get("data", {}).get("leads")
    return {} if leads is None else {f"{id}-rows": {"children": _buttons(id, len(leads))}}


def led(id: str, table: Component, content: Content) -> Component:
    """Put the buttons beside a table's rows.

    Args:
        id: The table's id.
        table: The table.
        content: The page's content with what `rows_content` returned.
    """
    buttons = html.Div(id=f"{id}-rows", className="row-leads", **content.get(f"{id}-rows", {}))
    return html.Div([table, buttons, dcc.Store(id=f"{id}-lead")], className="table-led")


def _buttons(id: str, count: int) -> list[Component]:
    return [
        html.Button(
            "›",
            id={"type": ROW, "table": id, "row": row},
            className="row-lead",
            type="button",
            **aria(label=f"Open row {row + 1}"),
        )
        for row in range(count)
    ]
