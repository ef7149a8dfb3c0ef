"""The Scraping tab: how long extraction takes, what it yields, and how it ends."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

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
from db.results import UrlStats
from pages.page import Page, Rows, error_rows, url_rows

_TAB: Final = tab("scraping")
_MOST_URLS: Final = 20
# The slowest of all are asked for, the worst of them shown.
_LOOKED_AT: Final = 200


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the tables of bad pages and of errors.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms

    def worst() -> dict[str, Any]:
        urls = queries.slowest_urls(range, view.filter, "scrape", _LOOKED_AT)
        return url_props(worst_first(urls)[:_MOST_URLS], span_ms=span_ms)

    def errors() -> dict[str, Any]:
        return error_props(queries.errors_by_kind(range, view.filter, "scrape"), span_ms=span_ms)

    tables = {**table_part("scraping-worst", worst), **table_part("scraping-errors", errors)}
    empty = None if has_rows(tables) else no_data(queries, view, "No scrape", now_ms=now_ms)
    return {**frame_content("scraping", view, now_ms, empty), **tables}


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    adapter.know_sources(queries.source_names())
    return {
        **chart_content("scraping-duration", adapter, lambda: _trend(queries, view, now_ms)),
        **chart_content("scraping-items", adapter, lambda: _items(queries, view, now_ms)),
        **chart_content("scraping-outcomes", adapter, lambda: _outcomes(queries, view, now_ms)),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    errors = table("scraping-errors", ERROR_COLUMNS, content["scraping-errors"], min_width_px=420)
    worst = table("scraping-worst", URL_COLUMNS, content["scraping-worst"], min_width_px=860)
    return frame(
        "scraping",
        _TAB.title,
        view,
        content,
        [
            grid(
                chart_card("scraping-duration", view, content, subtitle="Mean and percentiles over time"),
                chart_card("scraping-items", view, content, subtitle="What scrapes brought home"),
                chart_card("scraping-outcomes", view, content, subtitle="How scrapes ended"),
                table_card(
                    "Errors",
                    errors,
                    subtitle="By kind of error, most frequent first",
                    export="scraping-errors",
                    view=view,
                ),
            ),
            table_card(
                "Worst pages",
                worst,
                subtitle="Most failures first, then slowest",
                wide=True,
                export="scraping-worst",
                view=view,
            ),
        ],
    )


def worst_first(urls: tuple[UrlStats, ...]) -> list[UrlStats]:
    """Order pages by failures, then by mean duration, the worst first.

    Args:
        urls: Pages in any order.
    """
    return sorted(urls, key=lambda url: (-url.errors, -url.mean_ms, url.url, url.source))


def _trend(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return infos.duration_trend(queries.duration_trend(range, view.filter, "scrape"), range, what="Scrape")


def _items(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.items_by_source(queries.sources(view.time_range(now_ms), view.filter))


def _outcomes(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.outcome_split(queries.outcomes(view.time_range(now_ms), view.filter))


def _worst(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(worst_first(queries.slowest_urls(view.time_range(now_ms), view.filter, "scrape", 1_000)))


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), view.filter, "scrape"))


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
            "scraping-duration": _trend,
            "scraping-items": _items,
            "scraping-outcomes": _outcomes,
            "scraping-worst": _worst,
            "scraping-errors": _errors,
        }
    ),
)
