"""The page of an address that leads nowhere."""

from __future__ import annotations

from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from components.content import Content
from components.view import View
from db.queries import Queries
from pages.page import Page


def numbers(_queries: Queries, _view: View, _now_ms: int) -> Content:
    """Return nothing: there is nothing to compute."""
    return {}


def charts(_queries: Queries, _adapter: ChartAdapter, _view: View, _now_ms: int) -> Content:
    """Return nothing: there is nothing to draw."""
    return {}


def layout(view: View, _content: Content) -> Component:
    """Build the page.

    Args:
        view: Its range and filters stay in the link back.
    """
    return html.Div(
        html.Div(
            [
                html.H1("There is no such page", className="empty-title"),
                html.P(view.path, className="empty-reason"),
                dcc.Link("Go to the overview", href=view.at("/").href(), className="empty-link"),
            ],
            className="empty",
        ),
        className="page",
    )


PAGE: Final = Page("not-found", "", "Not found", "search", layout, numbers, charts)
