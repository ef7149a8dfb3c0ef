"""The callbacks that make every chart and row lead somewhere: a click, and a dragged span of time."""

from __future__ import annotations

import logging
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update, set_props

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import ids
from components.chart_card import lead_id
from components.leads import dragged_lead, picked_lead
from components.view import View
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.queries import Queries
from pages import PAGES
from pages.chart import PageChart
from pages.page import Export
from web.row_leads import register_row_leads

log = logging.getLogger(__name__)


def register_leads(app: Dash, queries: Queries, adapter: ChartAdapter) -> None:
    """Register one callback for each chart and for each table; those of pages that aren't open cost nothing.

    Args:
        app: The app.
        queries: Who answers.
        adapter: Who draws, and knows what the browser tells of a click.
    """
    for page in PAGES:
        for name, export in page.exports.items():
            if isinstance(export, PageChart):
                _register(app, queries, adapter, name, export)
    register_row_leads(app)


def lead(
    queries: Queries, adapter: ChartAdapter, export: Export, view: View, told: dict[str, Any], moment_ms: int
) -> str:
    """Return the address that what a person did to a chart leads to, "" for nowhere.

    Args:
        queries: Who answers.
        adapter: Who understands the browser.
        export: What the chart shows.
        view: The page that it is on.
        told: Property -> its new value, any JSON.
        moment_ms: What `now` is, epoch milliseconds.
    """
    # A drag first: where one property tells both, the click that a drag ended with is told as well.
    span_ms = adapter.zoomed(told.get(adapter.zoom_prop))
    pick = adapter.picked(told.get(adapter.pick_prop)) if span_ms is None else None
    if span_ms is None and pick is None:
        return ""
    info = export(queries, view, moment_ms)
    if not isinstance(info, ChartInfo):
        return ""
    if span_ms is not None:
        return dragged_lead(info, span_ms, view)
    return "" if pick is None else picked_lead(info, pick, view, frozenset(queries.source_names()))


def _register(app: Dash, queries: Queries, adapter: ChartAdapter, name: str, export: Export) -> None:
    watched = list(dict.fromkeys((adapter.pick_prop, adapter.zoom_prop)))

    # The output is of the chart's own card: so nothing is called when a page brings its charts.
    @app.callback(
        output=Output(lead_id(name), "data"),
        inputs={
            "values": [Input(name, prop) for prop in watched],
            "pathname": State(ids.URL, "pathname"),
            "search": State(ids.URL, "search"),
        },
        prevent_initial_call=True,
    )
    def follow(values: list[Any], pathname: str | None, search: str | None) -> Any:
        changed = {str(part["prop_id"]).rpartition(".")[2] for part in ctx.triggered}
        told = {prop: value for prop, value in zip(watched, values, strict=True) if prop in changed}
        view = View.parse(pathname, search)
        try:
            href = lead(queries, adapter, export, view, told, now_ms())
        except DatabaseUnavailable as exc:
            log.warning("where a click leads can't be told: %s", exc)
            return no_update
        if href and href != view.href():
            path, _, query = href.partition("?")
            set_props(ids.URL, {"pathname": path, "search": f"?{query}" if query else ""})
        return no_update
