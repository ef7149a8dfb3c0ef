"""The callbacks that make rows of tables lead somewhere."""

from __future__ import annotations

from typing import Any

from dash import ALL, Dash, Input, Output, State, ctx, no_update, set_props

from components import ids
from components.row_leads import ROW, lead_href, lead_of
from components.view import View
from pages import PAGES


def register_row_leads(app: Dash) -> None:
    """Register one callback for each table whose rows lead somewhere.

    Args:
        app: The app.
    """
    for page in PAGES:
        for table in page.leading:
            _register(app, table)


def _register(app: Dash, table: str) -> None:
    # The output is of the table's own part: so nothing is called when a page brings its tables.
    @app.callback(
        Output(f"{table}-lead", "data"),
        Input({"type": ROW, "table": table, "row": ALL}, "n_clicks"),
        State(table, "data"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        prevent_initial_call=True,
    )
    def follow(clicks: list[int | None], data: Any, pathname: str | None, search: str | None) -> Any:
        chosen = ctx.triggered_id
        if not any(clicks) or not isinstance(chosen, dict):
            return no_update
        lead = lead_of(data, chosen.get("row"))
        if lead:
            path, _, query = lead_href(lead, View.parse(pathname, search)).partition("?")
            set_props(ids.URL, {"pathname": path, "search": f"?{query}" if query else ""})
        return no_update
