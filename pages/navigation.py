"""The Navigation tab: how long pages take to load, and what goes wrong on the way."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos, tab_infos
from components.alert_bands import DURATIONS, FAILURES
from components.aria import aria
from components.content import Content
from components.empty import no_data
from components.error_table import error_content, error_table
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.tables import table, table_card
from components.trends import duration_chart
from components.trouble import has_rows, table_part
from components.url_table import URL_COLUMNS, url_props
from components.view import View
from db.queries import Queries
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, error_rows, url_rows

_TAB: Final = tab("navigation")
# The link's word -> what the week is coloured by, and how that is said.
_MEASURES: Final[dict[str, tuple[tab_infos.WeekMeasure, str]]] = {
    "p95": ("p95", "p95 duration"),
    "mean": ("mean", "Mean duration"),
    "volume": ("volume", "Volume"),
    "errors": ("failures", "Failures"),
}
_MOST_URLS: Final = 20


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return what cells of the week's chart stand for: nothing here changes more than once a second.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    del queries
    return {"navigation-note": {"children": tab_infos.week_note(view.time_range(now_ms))}}


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts, and the tables of slow pages and of errors: of ranks nobody reads ten a second.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms
    slowest = table_part(
        "navigation-slowest",
        lambda: url_props(
            queries.slowest_urls(range, view.filter, "navigation", _MOST_URLS), kind="navigation", span_ms=span_ms
        ),
    )
    empty = None if has_rows(slowest) else no_data(queries, view, "No navigation", now_ms=now_ms)
    return {
        **frame_content("navigation", view, now_ms, empty),
        **slowest,
        **error_content(
            "navigation-errors",
            lambda: queries.errors_by_kind(range, view.filter, "navigation"),
            view,
            span_ms=span_ms,
        ),
        **drawn(CHARTS, queries, adapter, view, now_ms),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    slowest = table("navigation-slowest", URL_COLUMNS, content["navigation-slowest"], min_width_px=860, leading=content)
    return frame(
        "navigation",
        _TAB.title,
        view,
        content,
        [
            grid(*cards(CHARTS, view, content)),
            table_card(
                "Errors",
                error_table("navigation-errors", content),
                subtitle="By kind of error, most frequent first; a click shows these failures alone",
                wide=True,
                export="navigation-errors",
                view=view,
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
    return duration_chart(queries, view, now_ms, "navigation")


def _spread(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    edges, counts = queries.duration_histogram(view.time_range(now_ms), view.filter, "navigation")
    return infos.spread(edges, counts, what="Navigation")


def _retries(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return tab_infos.retries(queries.attempts(view.time_range(now_ms), view.filter))


def _statuses(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return tab_infos.statuses(queries.attempts(view.time_range(now_ms), view.filter))


def _week(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    hours = queries.week_hours(view.time_range(now_ms), view.filter, "navigation")
    return tab_infos.week(hours, _measure(view), what="Navigation")


def _measure(view: View) -> tab_infos.WeekMeasure:
    return _MEASURES.get(view.metric, ("p95", ""))[0]


def _week_choices(view: View) -> Component:
    """Return the links that choose what the week is coloured by: the choice is part of the page's link."""
    chosen = _measure(view)
    links = [
        dcc.Link(
            words, href=replace(view, metric=name).href(), className="chip chip-chosen" if one == chosen else "chip"
        )
        for name, (one, words) in _MEASURES.items()
    ]
    return html.Nav(links, className="chips choices", **aria(label="Colour by"))


def _week_note(content: Content) -> Component:
    note: Component = html.P(id="navigation-note", className="card-subtitle", **content["navigation-note"])
    return note


def _kinds(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return tab_infos.errors(queries.errors_by_kind(view.time_range(now_ms), view.filter, "navigation"))


def _slowest(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(queries.slowest_urls(view.time_range(now_ms), view.filter, "navigation", 1_000))


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), view.filter, "navigation"))


CHARTS: Final = (
    PageChart("navigation-duration", _trend, "Mean and percentiles over time", wide=True, alerts=DURATIONS | FAILURES),
    PageChart("navigation-spread", _spread, "How many took how long; the last bar holds all that took longer"),
    PageChart("navigation-retries", _retries, "Ok or failed in the end"),
    PageChart("navigation-week", _week, _week_note, wide=True, tools=_week_choices),
    PageChart("navigation-kinds", _kinds, "Numbers, ids and URLs folded"),
    PageChart("navigation-statuses", _statuses, "HTTP status of the last attempt"),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=("navigation-slowest",),
    exports=MappingProxyType({**exports(CHARTS), "navigation-slowest": _slowest, "navigation-errors": _errors}),
)
