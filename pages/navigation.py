"""The Navigation tab: how long pages take to load, and what goes wrong on the way."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos
from components.chart_card import chart_card, chart_content
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.tables import table, table_card
from components.trouble import has_rows, table_part
from components.url_table import ERROR_COLUMNS, URL_COLUMNS, error_props, url_props
from components.view import View
from db.queries import Queries
from pages.page import Page, Rows, error_rows, url_rows

_TAB: Final = tab("navigation")
_MOST_URLS: Final = 20


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the tables of slow pages and of errors.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms
    tables = {
        **table_part(
            "navigation-slowest",
            lambda: url_props(queries.slowest_urls(range, view.filter, "navigation", _MOST_URLS), span_ms=span_ms),
        ),
        **table_part(
            "navigation-errors",
            lambda: error_props(queries.errors_by_kind(range, view.filter, "navigation"), span_ms=span_ms),
        ),
    }
    empty = None if has_rows(tables) else no_data(queries, view, "No navigation", now_ms=now_ms)
    return {**frame_content("navigation", view, now_ms, empty), **tables}


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    return {
        **chart_content("navigation-duration", adapter, lambda: _trend(queries, view, now_ms)),
        **chart_content("navigation-spread", adapter, lambda: _spread(queries, view, now_ms)),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    errors = table("navigation-errors", ERROR_COLUMNS, content["navigation-errors"], min_width_px=420)
    slowest = table("navigation-slowest", URL_COLUMNS, content["navigation-slowest"], min_width_px=860)
    return frame(
        "navigation",
        _TAB.title,
        view,
        content,
        [
            grid(
                chart_card("navigation-duration", view, content, subtitle="Mean and percentiles over time", wide=True),
                chart_card("navigation-spread", view, content, subtitle="How many took how long"),
                table_card(
                    "Errors",
                    errors,
                    subtitle="By kind of error, most frequent first",
                    export="navigation-errors",
                    view=view,
                ),
            ),
            table_card(
                "Slowest pages",
                slowest,
                subtitle=f"The {_MOST_URLS} with the highest mean duration",
                wide=True,
                export="navigation-slowest",
                view=view,
            ),
        ],
    )


def _trend(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return infos.duration_trend(queries.duration_trend(range, view.filter, "navigation"), range, what="Navigation")


def _spread(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    edges, counts = queries.duration_histogram(view.time_range(now_ms), view.filter, "navigation")
    return infos.spread(edges, counts, what="Navigation")


def _slowest(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(queries.slowest_urls(view.time_range(now_ms), view.filter, "navigation", 1_000))


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), view.filter, "navigation"))


PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType(
        {
            "navigation-duration": _trend,
            "navigation-spread": _spread,
            "navigation-slowest": _slowest,
            "navigation-errors": _errors,
        }
    ),
)
