"""The page of one event: everything that was recorded of it, and what else happened at its URL."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import event_infos
from components.content import Content
from components.empty import no_reports
from components.event_facts import event_facts, event_url
from components.event_table import EVENT_COLUMNS, event_leads, event_rows
from components.frame import frame, frame_content
from components.numbers import exact_time
from components.tables import Column, table, table_card, table_props
from components.timerange import DAY_MS
from components.trouble import table_part
from components.view import View, event_of
from db.queries import Queries
from db.results import Event, EventDetail, UrlHistory
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows

MOST_EVENTS: Final = 50
_COLUMNS: Final = (Column("Time (UTC)", "time", width_px=208), *EVENT_COLUMNS[2:6], EVENT_COLUMNS[7])
_NO_EVENTS: Final = UrlHistory((), whole=True, gap=False)


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return the facts of the event that the path names.

    Args:
        queries: Who answers.
        view: Its path names the event; its range and filters only go into the links.
        now_ms: The moment, epoch milliseconds.
    """
    detail = queries.event_detail(event_of(view.path))
    empty = None
    if detail is None:
        empty = no_reports() if queries.last_recorded_ms() is None else _no_such(view)
    url_class = "event-url" if detail is not None and detail.event.url else "event-url event-part-away"
    return {
        **frame_content("event", view, now_ms, empty),
        "event-facts": {"children": [] if detail is None else event_facts(detail, view)},
        "event-url": {"children": "" if detail is None else event_url(detail), "className": url_class},
        "event-error": _error(detail),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the URL's history: once a second is enough for it, and it is more work than the event.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Its path names the event.
        now_ms: The moment, epoch milliseconds.
    """
    history = _history(queries, view)
    events = history.events
    return {
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **table_part("event-history", lambda: _table(events)),
        "event-history-note": {"children": _note(history)},
        "event-history-part": {"className": "page-body" if events else "page-body page-body-away"},
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Its path names the event.
        content: What `numbers` and `charts` returned.
    """
    crumb = html.Span([dcc.Link("Events", href=view.at("/events").href(), className="crumb"), event_of(view.path)])
    note = html.P(id="event-history-note", className="card-note", **content["event-history-note"])
    return frame(
        "event",
        crumb,
        view,
        content,
        [
            html.Section(
                [
                    html.P(id="event-url", **content["event-url"]),
                    html.Dl(id="event-facts", className="facts-list", **content["event-facts"]),
                    html.Pre(id="event-error", **content["event-error"]),
                ],
                className="card card-wide event-card",
            ),
            html.Div(
                [
                    *cards(CHARTS, view, content),
                    table_card(
                        "The same URL",
                        [table("event-history", _COLUMNS, content["event-history"], leading=content), note],
                        subtitle=f"The last {MOST_EVENTS} events of this source at this URL, newest first",
                        wide=True,
                        export="event-history",
                        view=view,
                    ),
                ],
                id="event-history-part",
                **content["event-history-part"],
            ),
        ],
    )


def _table(events: Sequence[Event]) -> dict[str, Any]:
    rows = zip(events, event_rows(events, span_ms=DAY_MS), strict=True)
    # Source and page are the same in all rows.
    return table_props(
        _COLUMNS,
        [[exact_time(event.recorded_at_ms), *row[2:6], row[7]] for event, row in rows],
        event_leads(events),
    )


def _error(detail: EventDetail | None) -> dict[str, Any]:
    error = None if detail is None else detail.event.error
    return {"children": error or "", "className": "event-error-text" if error else "event-error-text event-part-away"}


def _no_such(view: View) -> dict[str, Any]:
    return {
        "children": [
            html.H2("There is no such event", className="empty-title"),
            html.P(
                f"“{event_of(view.path)[:40]}” was never recorded, or retention has deleted it: events are kept for "
                "some days, figures and charts for longer."
            ),
            dcc.Link("Go to the latest events", href=view.at("/events").href(), className="empty-link"),
        ],
        "className": "empty",
    }


def _history(queries: Queries, view: View) -> UrlHistory:
    detail = queries.event_detail(event_of(view.path))
    if detail is None or not detail.event.url:
        return _NO_EVENTS
    return queries.url_history(detail.event, MOST_EVENTS)


def _note(history: UrlHistory) -> str:
    if history.gap:
        return "Found among the newest events in memory and those before this one; nothing between was searched."
    if not history.whole and len(history.events) < MOST_EVENTS:
        return "Found among the newest events in memory and some thousand before them; there may be older ones."
    return ""


def _durations(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    del now_ms
    return event_infos.url_durations(_history(queries, view).events)


def _rows(queries: Queries, view: View, now_ms: int) -> Rows:
    del now_ms
    events = _history(queries, view).events
    columns = ("id", "kind", "source", "url", "duration_ms", "success", "error", "recorded_at_ms")
    return Rows(columns, tuple(tuple(getattr(event, column) for column in columns) for event in events))


CHARTS: Final = (PageChart("event-durations", _durations, "Navigations and scrapes, each event a point"),)

PAGE: Final = Page(
    name="event",
    path="/events/",
    title="Event",
    icon="overview",
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=("event-history",),
    exports=MappingProxyType({**exports(CHARTS), "event-history": _rows}),
)
