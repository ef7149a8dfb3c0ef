"""The page of all events of a range: how many, when, and every single one in a grid that the server pages."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import event_infos
from components.content import Content
from components.empty import no_data
from components.event_grid import LIBRARY, event_grid
from components.frame import frame, frame_content
from components.numbers import NOTHING
from components.tables import table_card
from components.view import View
from db.queries import Queries
from db.results import Anchor, TimeRange
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, event_export


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return how many events there are.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    total = queries.event_count(view.time_range(now_ms), view.filter)
    said = f"{total:,} {'event' if total == 1 else 'events'} in the range, newest first"
    return {
        **frame_content("events", view, now_ms, None if total else no_data(queries, view, now_ms=now_ms)),
        "events-total": {"children": said if total else NOTHING},
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the chart, and the newest ids: what the grid that was loaded lacks can be counted by them.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    span = view.time_range(now_ms)
    anchor = queries.open_events(span, view.filter).anchor
    return {
        **drawn(CHARTS, queries, adapter, view, now_ms),
        "events-newest": {"data": [span.start_ms, span.end_ms, span.bucket_ms, *anchor]},
    }


def layout(view: View, content: Content) -> Component:
    """Build the page; its grid keeps showing the list as it is now, whatever comes in later.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    start_ms, end_ms, bucket_ms, *newest = content["events-newest"]["data"]
    grid = event_grid(view, TimeRange(start_ms, end_ms, bucket_ms), Anchor(*newest))
    head = html.Div(
        [
            html.P(id="events-total", className="card-subtitle", **content["events-total"]),
            html.Button(id="events-show", className="events-show events-show-away", n_clicks=0),
        ],
        className="events-head",
    )
    return frame(
        "events",
        "Events",
        view,
        content,
        [
            *cards(CHARTS, view, content),
            table_card(
                "Every event",
                [
                    head,
                    html.P(id="events-problem", role="status", className="banner banner-away"),
                    html.Div(grid, id="events-list", className="events-list"),
                    dcc.Store(id="events-newest", **content["events-newest"]),
                ],
                wide=True,
                export="events-list",
                view=view,
            ),
        ],
    )


def _when(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    span = view.time_range(now_ms)
    return event_infos.events_over_time(queries.overview(span, view.filter).series, span, now_ms)


CHARTS: Final = (PageChart("events-when", _when, "Navigations and scrapes per minute", wide=True),)

PAGE: Final = Page(
    name="events",
    path="/events",
    title="Events",
    icon="overview",
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType({**exports(CHARTS), "events-list": event_export}),
    libraries=(LIBRARY,),
)
