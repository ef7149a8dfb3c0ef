"""The callbacks of the pages of events: rows for the grid, what came in since, and a row that was chosen."""

from __future__ import annotations

import logging
from typing import Any

from dash import ALL, MATCH, Dash, Input, Output, State, ctx, no_update, set_props

from components import ids
from components.empty import notice_props
from components.event_grid import GRID_TYPE, asked_rows, event_grid, grid_rows, list_of
from components.view import View, event_path
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.event_list import EventsChanged
from db.event_queries import MOST_NEWER
from db.queries import Queries
from live.views import RELOAD_ID

log = logging.getLogger(__name__)

_AWAY = "events-show events-show-away"


def register_event_callbacks(app: Dash, queries: Queries) -> None:
    """Register the callbacks of the pages of events.

    Args:
        app: The app.
        queries: Who answers.
    """

    @app.callback(
        Output({"type": GRID_TYPE, "href": MATCH, "list": MATCH}, "getRowsResponse"),
        Input({"type": GRID_TYPE, "href": MATCH, "list": MATCH}, "getRowsRequest"),
        prevent_initial_call=True,
    )
    def rows(request: Any) -> Any:
        """Send the rows that the grid asks for; a list that isn't what it was is replaced by a new one."""
        if request is None:
            return no_update
        try:
            view, events = list_of(dict(ctx.triggered_id or {}))
        except ValueError as exc:
            log.warning("a browser asked for events in a way that no page of ours does: %s", exc)
            return {"rowData": [], "rowCount": 0}
        first, count = asked_rows(request)
        try:
            page = queries.events_page(events, first, count)
        except EventsChanged as exc:
            log.info("a list of events is opened anew: %s", exc)
            opened = queries.open_events(view.time_range(now_ms()), view.filter)
            set_props("events-list", {"children": event_grid(view, opened.range, opened.anchor)})
            return no_update
        except DatabaseUnavailable as exc:
            set_props("events-problem", {**notice_props((f"These events can’t be read: {exc}.",))})
            return {"rowData": [], "rowCount": first}
        return {"rowData": grid_rows(page.events), "rowCount": page.total}

    @app.callback(
        Output("events-show", "children"),
        Output("events-show", "className"),
        Input("events-newest", "data"),
        State({"type": GRID_TYPE, "href": ALL, "list": ALL}, "id"),
        prevent_initial_call=True,
    )
    def newer(_newest: Any, grids: list[Any]) -> tuple[str, str]:
        """Say how many events the grid doesn't show, because they came after it was loaded."""
        try:
            count = queries.newer_events(list_of(grids[0])[1]) if grids else 0
        except (ValueError, DatabaseUnavailable):
            return "", _AWAY
        if not count:
            return "", _AWAY
        said = f"{count:,}{'+' if count >= MOST_NEWER else ''} new {'event' if count == 1 else 'events'}: show"
        return said, "events-show"

    @app.callback(Output(RELOAD_ID, "data"), Input("events-show", "n_clicks"), prevent_initial_call=True)
    def show(clicks: int | None) -> Any:
        return now_ms() if clicks else no_update

    @app.callback(
        Input({"type": GRID_TYPE, "href": ALL, "list": ALL}, "selectedRows"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        prevent_initial_call=True,
    )
    def choose(chosen: list[Any], pathname: str | None, search: str | None) -> None:
        """Lead to the event whose row was chosen, by a click or by the space bar."""
        match chosen:
            case [[{"id": str(event_id)}, *_]]:
                target = View.parse(pathname, search).at(event_path(event_id[:40]))
                set_props(ids.URL, {"pathname": target.path, "search": target.search()})
