"""What stands in a page's place until the first one is there: the outlines of cards and charts.

(What stands there before Dash itself has started is drawn by `assets/loading.css` alone.)
"""

from __future__ import annotations

from typing import Final

from dash import html
from dash.development.base_component import Component

from components.aria import aria

_CARDS: Final = 8
_CHARTS: Final = 2


def skeleton() -> Component:
    """Build the outlines."""
    return html.Div(
        [
            html.P("Loading…", className="visually-hidden"),
            html.Div(
                [
                    html.Div(className="skeleton skeleton-title"),
                    html.Div([html.Div(className="card skeleton-stat")] * _CARDS, className="stats"),
                    html.Div([html.Div(className="card skeleton-chart")] * _CHARTS, className="grid"),
                ],
                className="page-body",
                **aria(hidden="true"),
            ),
        ],
        className="page page-loading",
    )
