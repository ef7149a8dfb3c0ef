"""The page of one scraper: its figures, durations, errors, slowest pages and latest events."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components.cards import stat_card, stat_state
from components.chart_card import chart_card, chart_content
from components.compare import earlier_range, earlier_words
from components.content import Content
from components.empty import no_data
from components.error_table import error_content, error_table
from components.event_table import event_content, event_table, older_event_content
from components.export_menu import export_size
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.numbers import NOTHING, clock
from components.spark import spark_props
from components.states import states_of
from components.tables import table, table_card
from components.totals_cards import totals_cards, totals_numbers, totals_sparks
from components.trends import duration_chart
from components.url_table import ONE_SOURCE_COLUMNS, url_props
from components.view import View, source_of
from db.queries import Queries
from db.results import Overview
from pages.page import Export, Page, Rows, RowStream, error_rows, event_export, events_in, url_rows

_TAB: Final = tab("scrapers")
_MOST_EVENTS: Final = 50
_MOST_URLS: Final = 10


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return cards and tables of the scraper that the path names.

    Args:
        queries: Who answers.
        view: Its path names the scraper; its own choice of sources is ignored.
        now_ms: The moment, epoch milliseconds.
    """
    asked = _only(view)
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms
    overview = queries.overview(range, asked.filter, earlier_range(view, range))
    events = queries.events(range, asked.filter, _MOST_EVENTS)
    slowest = queries.slowest_urls(range, asked.filter, "navigation", _MOST_URLS)
    empty = None if overview.current.count or events else no_data(queries, replace(view, sources=()))
    return {
        **frame_content("scraper", view, now_ms, empty),
        **totals_numbers("scraper", overview, before=earlier_words(view, range), one_source=True),
        **_state(queries, asked, overview),
        **error_content(
            "scraper-failures",
            queries.errors_by_kind(range, asked.filter),
            view,
            span_ms=span_ms,
            one_source=True,
        ),
        "scraper-slowest": url_props(slowest, ONE_SOURCE_COLUMNS, span_ms=span_ms),
        **event_content("scraper-events", events, span_ms=span_ms),
        **export_size("scraper-events", events_in(queries, asked, now_ms)),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts of the scraper that the path names.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Its path names the scraper.
        now_ms: The moment, epoch milliseconds.
    """
    overview = queries.overview(view.coarse_range(now_ms), _only(view).filter)
    series = overview.series
    range = view.time_range(now_ms)
    events = queries.events(range, _only(view).filter, _MOST_EVENTS)
    return {
        **chart_content("scraper-navigation", adapter, _navigation(queries, view, now_ms)),
        **chart_content("scraper-scrape", adapter, _scrape(queries, view, now_ms)),
        **totals_sparks("scraper", series, overview.range, now_ms, one_source=True),
        "scraper-seen-spark": spark_props(series.navigations + series.scrapes, overview.range, now_ms),
        **older_event_content("scraper-events", events, span_ms=range.end_ms - range.start_ms),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Its path names the scraper.
        content: What `numbers` and `charts` returned.
    """
    source = source_of(view.path)
    crumb = html.Span([dcc.Link("Scrapers", href=view.at(_TAB.path).href(), className="crumb"), source])
    errors = error_table("scraper-failures", content, one_source=True)
    slowest = table("scraper-slowest", ONE_SOURCE_COLUMNS, content["scraper-slowest"], min_width_px=480)
    events = event_table("scraper-events", content)
    return frame(
        "scraper",
        crumb,
        view,
        content,
        [
            totals_cards("scraper", content, stat_card("scraper-seen", "Last seen (UTC)", content)),
            grid(
                chart_card("scraper-navigation", view, content, subtitle="Mean and percentiles over time"),
                chart_card("scraper-scrape", view, content, subtitle="Mean and percentiles over time"),
            ),
            table_card(
                "Errors",
                errors,
                subtitle="By kind of error, most frequent first; a click shows these failures alone",
                wide=True,
                export="scraper-failures",
                view=view,
            ),
            table_card(
                "Slowest pages",
                slowest,
                subtitle=f"The {_MOST_URLS} with the highest mean load time",
                wide=True,
                export="scraper-slowest",
                view=view,
            ),
            table_card(
                "Latest events",
                events,
                subtitle=f"The last {_MOST_EVENTS}, newest first",
                wide=True,
                export="scraper-events",
                view=view,
                content=content,
            ),
        ],
    )


def _only(view: View) -> View:
    return replace(view, sources=(source_of(view.path),))


def _state(queries: Queries, asked: View, overview: Overview) -> Content:
    if not overview.sources:
        return stat_state("scraper-seen", NOTHING, "", "flat")
    stats = overview.sources[0]
    state = states_of(queries, overview.range, asked.filter, overview.sources)[stats.source]
    seen = clock(stats.last_seen_ms, span_ms=overview.range.end_ms - overview.range.start_ms)
    return stat_state("scraper-seen", seen, state.status.text, state.mood)


def _navigation(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return duration_chart(queries, _only(view), now_ms, "navigation")


def _scrape(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return duration_chart(queries, _only(view), now_ms, "scrape")


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), _only(view).filter))


def _slowest(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(queries.slowest_urls(view.time_range(now_ms), _only(view).filter, "navigation", 1_000))


def _events(queries: Queries, view: View, now_ms: int) -> RowStream:
    return event_export(queries, _only(view), now_ms)


_EXPORTS: Final[dict[str, Export]] = {
    "scraper-navigation": _navigation,
    "scraper-scrape": _scrape,
    "scraper-failures": _errors,
    "scraper-slowest": _slowest,
    "scraper-events": _events,
}

PAGE: Final = Page(
    name="scraper",
    path="/scrapers/",
    title="Scraper",
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType(_EXPORTS),
)
