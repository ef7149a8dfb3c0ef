"""The Scrapers tab: the sources compared with each other."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos
from components.chart_card import chart_card, chart_content
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.numbers import clock, count, duration, per_minute, percent
from components.states import State, states_of
from components.tables import Column, Status, table, table_card, table_props
from components.view import View, source_path
from db.queries import Queries
from db.results import SourceStats, TimeRange
from pages.page import Export, Page, Rows

_TAB: Final = tab("scrapers")

_LINES: Final[dict[str, infos.Metric]] = {
    "scrapers-p95": "p95 duration",
    "scrapers-success": "success rate",
    "scrapers-volume": "volume",
}
_COLUMNS: Final = (
    Column("Source", "name"),
    Column("State", "status"),
    Column("Navigations", "number"),
    Column("Scrapes", "number"),
    Column("Success", "number"),
    Column("Mean", "number"),
    Column("p95", "number"),
    Column("Items", "number"),
    Column("Items/min", "number"),
    Column("Errors", "number"),
    Column("Last seen (UTC)", "time"),
)


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the table and the links to the scrapers' own pages.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    sources = queries.sources(range, view.filter)
    states = states_of(queries, range, view.filter, sources)
    return {
        **frame_content("scrapers", view, now_ms, None if sources else no_data(queries, view)),
        "scrapers-table": table_props(_COLUMNS, [_row(stats, states[stats.source], range) for stats in sources]),
        "scrapers-links": {"children": _links(sources, view)},
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.coarse_range(now_ms)
    sources = queries.sources(range, view.filter)
    series = queries.source_series(range, view.filter)
    adapter.know_sources(queries.source_names())
    content: Content = {}
    for name, metric in _LINES.items():
        content.update(chart_content(name, adapter, infos.comparison(series, sources, range, metric, now_ms=now_ms)))
    return {**content, **chart_content("scrapers-share", adapter, _share(queries, view, now_ms))}


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    links = html.Div(id="scrapers-links", className="chips", **content["scrapers-links"])
    rows = table("scrapers-table", _COLUMNS, content["scrapers-table"], min_width_px=980)
    return frame(
        "scrapers",
        _TAB.title,
        view,
        content,
        [
            grid(
                chart_card("scrapers-p95", view, content, subtitle="95 of 100 were at least this fast"),
                chart_card("scrapers-success", view, content, subtitle="Successful navigations and scrapes"),
                chart_card("scrapers-volume", view, content, subtitle="Navigations and scrapes per minute"),
                chart_card("scrapers-share", view, content, subtitle="Of all navigations and scrapes"),
            ),
            table_card(
                "All scrapers",
                [rows, links],
                subtitle="In this range, with these filters",
                wide=True,
                export="scrapers-table",
                view=view,
            ),
        ],
    )


def _row(stats: SourceStats, state: State, range: TimeRange) -> list[str | Status]:
    totals = stats.totals
    return [
        stats.source,
        state.status,
        count(totals.navigations),
        count(totals.scrapes),
        percent(totals.success_rate),
        duration(totals.mean_ms),
        duration(totals.p95_ms),
        count(totals.items),
        per_minute(stats.items_per_min),
        count(totals.errors),
        clock(stats.last_seen_ms, span_ms=range.end_ms - range.start_ms),
    ]


def _links(sources: tuple[SourceStats, ...], view: View) -> list[Component]:
    return [
        dcc.Link(stats.source, href=view.at(source_path(stats.source)).href(), className="chip") for stats in sources
    ]


def _comparison(metric: infos.Metric) -> Export:
    def export(queries: Queries, view: View, now_ms: int) -> ChartInfo:
        range = view.coarse_range(now_ms)
        sources, series = queries.sources(range, view.filter), queries.source_series(range, view.filter)
        return infos.comparison(series, sources, range, metric, now_ms=now_ms)

    return export


def _share(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.share_of_volume(queries.sources(view.time_range(now_ms), view.filter))


def _rows(queries: Queries, view: View, now_ms: int) -> Rows:
    sources = queries.sources(view.time_range(now_ms), view.filter)
    return Rows(
        (
            "source",
            "navigations",
            "scrapes",
            "success_rate_percent",
            "mean_ms",
            "p95_ms",
            "items",
            "errors",
            "last_seen_ms",
        ),
        tuple(
            (
                stats.source,
                stats.totals.navigations,
                stats.totals.scrapes,
                stats.totals.success_rate,
                stats.totals.mean_ms,
                stats.totals.p95_ms,
                stats.totals.items,
                stats.totals.errors,
                stats.last_seen_ms,
            )
            for stats in sources
        ),
    )


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
            **{name: _comparison(metric) for name, metric in _LINES.items()},
            "scrapers-share": _share,
            "scrapers-table": _rows,
        }
    ),
)
