"""The Scrapers tab: the sources compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import fleet_infos, infos
from components.aria import aria
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.more import more_line, more_props
from components.nav import tab
from components.numbers import clock, count, duration, per_minute, percent
from components.row_leads import lead_text
from components.run_table import FLEET_RUN_COLUMNS, run_props
from components.scores import DEFINITIONS
from components.states import State, states_of
from components.tables import Column, Status, table, table_card, table_props
from components.trouble import table_part
from components.view import View, source_path
from db.queries import Queries
from db.results import SourceStats, TimeRange
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, told_export

_TAB: Final = tab("scrapers")

# The link's word -> the metric that the comparison draws.
_METRICS: Final[dict[str, infos.Metric]] = {
    "p95": "p95 duration",
    "mean": "mean duration",
    "success": "success rate",
    "volume": "volume",
    "items": "items",
    "errors": "errors",
}
_MOST_ROWS: Final = 100
_MOST_RUNS: Final = 20
_COLUMNS: Final = (
    Column("Source", "name"),
    Column("State", "status", width_px=116),
    Column("Navigations", "number", width_px=96),
    Column("Scrapes", "number", width_px=80),
    Column("Success", "number", width_px=80),
    Column("Mean", "number", width_px=88),
    Column("p95", "number", width_px=88),
    Column("Items", "number", width_px=84),
    Column("Items/min", "number", width_px=92),
    Column("Errors", "number", width_px=76),
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
    shown = fleet_infos.busiest(sources, _MOST_ROWS)
    return {
        **frame_content("scrapers", view, now_ms, None if sources else no_data(queries, view, now_ms=now_ms)),
        **table_part(
            "scrapers-table",
            lambda: table_props(
                _COLUMNS,
                [_row(stats, states[stats.source], range) for stats in shown],
                [lead_text(source_path(stats.source)) for stats in shown],
            ),
        ),
        "scrapers-more": more_props(len(shown), len(sources), "scrapers, less busy", "find them with the filter"),
        "scrapers-links": {"children": _links(shown, view)},
    }


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
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **table_part("scrapers-runs", lambda: _run_table(queries, view, now_ms)),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    links = html.Div(id="scrapers-links", className="chips", **content["scrapers-links"])
    rows = table("scrapers-table", _COLUMNS, content["scrapers-table"], min_width_px=980, leading=content)
    runs = table("scrapers-runs", FLEET_RUN_COLUMNS, content["scrapers-runs"], min_width_px=1100, leading=content)
    return frame(
        "scrapers",
        _TAB.title,
        view,
        content,
        [
            grid(*cards(CHARTS, view, content)),
            table_card(
                "All scrapers",
                [rows, more_line("scrapers-more", content), links],
                subtitle="In this range, with these filters",
                wide=True,
                export="scrapers-table",
                view=view,
            ),
            table_card(
                "Runs",
                runs,
                subtitle=f"As collector.run tells of them, the last {_MOST_RUNS}, newest first",
                wide=True,
                export="scrapers-runs",
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


def _links(sources: Sequence[SourceStats], view: View) -> list[Component]:
    return [
        dcc.Link(stats.source, href=view.at(source_path(stats.source)).href(), className="chip") for stats in sources
    ]


def _choices(view: View) -> Component:
    """Return the links that choose what scrapers are compared by: the choice is part of the page's link."""
    links = []
    for name, metric in _METRICS.items():
        chosen = name == view.metric
        words = metric[0].upper() + metric[1:] if metric != "p95 duration" else metric
        links.append(
            dcc.Link(
                words,
                href=replace(view, metric=name).href(),
                className="chip chip-chosen" if chosen else "chip",
            )
        )
    return html.Nav(links, className="chips choices", **aria(label="Compare by"))


def _comparison(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    # Asked as the other charts ask, so that it is answered once.
    sources = queries.sources(view.time_range(now_ms), view.filter)
    # A series for each of two thousand sources would be asked for to draw eight.
    shown = tuple(stats.source for stats in fleet_infos.busiest(sources, infos.MOST_LINES))
    series = queries.source_series(range, replace(view.filter, sources=shown)) if shown else {}
    return infos.comparison(series, sources, range, _METRICS[view.metric], now_ms=now_ms)


def _scores(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    return fleet_infos.scores(queries.sources(range, view.filter), range)


def _fleet(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return fleet_infos.fleet(queries.sources(view.time_range(now_ms), view.filter))


def _volume(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    sources = queries.sources(range, view.filter)
    return infos.throughput({stats.source: stats.counts for stats in sources}, range, now_ms)


def _share(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.share_of_volume(queries.sources(view.time_range(now_ms), view.filter))


def _run_table(queries: Queries, view: View, now_ms: int) -> dict[str, Any]:
    range = view.time_range(now_ms)
    runs = queries.told_runs(range, view.filter, _MOST_RUNS)
    return run_props(runs, FLEET_RUN_COLUMNS, span_ms=range.end_ms - range.start_ms)


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


CHARTS: Final = (
    PageChart(
        "scrapers-comparison",
        _comparison,
        "The busiest scrapers, by the metric chosen here",
        wide=True,
        tools=_choices,
    ),
    PageChart("scrapers-scores", _scores, "Of the busiest, 100 is best", tall=True, note=DEFINITIONS),
    PageChart("scrapers-fleet", _fleet, "Items against pages; the larger the bubble, the slower", tall=True),
    PageChart("scrapers-volume", _volume, "Metrics per minute, the shares over time"),
    PageChart("scrapers-share", _share, "Of all navigations and scrapes"),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=("scrapers-table", "scrapers-runs"),
    exports=MappingProxyType(
        {
            **exports(CHARTS),
            "scrapers-table": _rows,
            "scrapers-runs": told_export,
        }
    ),
)
