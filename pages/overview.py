"""The Overview tab: how the whole fleet is doing now."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dash import html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo, LineInfo
from components import infos
from components.alert_bands import FAILURES, VOLUME
from components.compare import earlier_range, earlier_words, with_ghost
from components.content import Content
from components.empty import no_data
from components.event_table import event_content, event_table, leading, older_event_content
from components.export_menu import export_size
from components.frame import frame, frame_content, grid
from components.leads import events_of
from components.nav import tab
from components.scraper_card import scraper_content, scraper_grid
from components.states import states_of
from components.tables import table_card
from components.totals_cards import totals_cards, totals_numbers, totals_sparks
from components.trouble import attempt, has_rows
from components.view import View
from db.queries import Queries
from db.results import Overview, TimeRange, Totals
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, event_export, events_in

_TAB: Final = tab("overview")
MOST_EVENTS: Final = 100


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return cards, scrapers and events.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    overview = _overview(queries, view, now_ms)
    states = states_of(queries, range, view.filter, overview.sources)
    span_ms = range.end_ms - range.start_ms
    latest = event_content("overview-events", lambda: queries.events(range, view.filter, MOST_EVENTS), span_ms=span_ms)
    empty = None if overview.current.count or has_rows(latest) else no_data(queries, view, now_ms=now_ms)
    return {
        **frame_content("overview", view, now_ms, empty),
        **totals_numbers("overview", overview, before=earlier_words(view, range)),
        **scraper_content("overview-scrapers", overview.sources, states, range, view, now_ms),
        **latest,
        **export_size("overview-events", lambda: events_in(queries, view, now_ms)),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts, then the cards' sparklines and the older events.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    overview = _overview(queries, view, now_ms)
    adapter.know_sources(queries.source_names())
    return {
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **attempt("overview-usable", lambda: _usable_line(queries, view, now_ms), _no_usable_line),
        **totals_sparks("overview", overview.series, overview.range, now_ms),
        **older_event_content(
            "overview-events",
            lambda: queries.events(range, view.filter, MOST_EVENTS),
            span_ms=range.end_ms - range.start_ms,
        ),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    events = event_table("overview-events", content)
    scrapers = scraper_grid("overview-scrapers", content)
    return frame(
        "overview",
        _TAB.title,
        view,
        content,
        [
            totals_cards("overview", view, content),
            grid(*cards(CHARTS, view, content)),
            html.Section([html.H2("Scrapers", className="section-title"), scrapers]),
            table_card(
                "Latest events",
                events,
                subtitle=f"The last {MOST_EVENTS} of the range, newest first",
                wide=True,
                export="overview-events",
                view=view,
                content=content,
                all_href=events_of(view),
            ),
        ],
    )


def _usable(content: Content) -> Component:
    return html.P(id="overview-usable", className="card-subtitle", **content["overview-usable"])


def _usable_line(queries: Queries, view: View, now_ms: int) -> Content:
    found = queries.usable_success(view.time_range(now_ms), view.filter)
    said = f"As recorded, lowest first; usable: {infos.usable_words(found)}"
    return {"overview-usable": {"children": said}}


def _no_usable_line(reason: str) -> Content:
    return {"overview-usable": {"children": f"As recorded, lowest first. {reason}"}}


def _overview(queries: Queries, view: View, now_ms: int) -> Overview:
    range = view.time_range(now_ms)
    return queries.overview(range, view.filter, earlier_range(view, range))


def _throughput(queries: Queries, view: View, now_ms: int) -> LineInfo:
    now = _overview(queries, view, now_ms)

    def draw(range: TimeRange) -> LineInfo:
        if range == now.range:
            return infos.throughput(now.throughput, range, now_ms)
        return infos.throughput({one.source: one.counts for one in queries.sources(range, view.filter)}, range, now_ms)

    return with_ghost(view, now.range, draw)


def _success(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.success_rates(queries.sources(view.time_range(now_ms), view.filter))


def _totals(queries: Queries, view: View, now_ms: int) -> Rows:
    overview = _overview(queries, view, now_ms)
    fields = [*(field for field in Totals.__dataclass_fields__), "success_rate"]
    return Rows(
        ("figure", "range", earlier_words(view).removeprefix("the ")),
        tuple((field, getattr(overview.current, field), getattr(overview.previous, field)) for field in fields),
    )


CHARTS: Final = (
    PageChart("overview-throughput", _throughput, "Metrics per minute, by source", alerts=VOLUME | FAILURES),
    PageChart("overview-success", _success, _usable),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=leading("overview-events"),
    exports=MappingProxyType(
        {
            **exports(CHARTS),
            "overview-totals": _totals,
            "overview-events": event_export,
        }
    ),
)
