"""The Alerts tab: what needs attention now, computed from the data; rules of one's own come with the alert engine."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from dash import html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos
from components.attention import Concern, concerns
from components.content import Content
from components.empty import no_data
from components.frame import frame, frame_content, grid
from components.nav import tab
from components.numbers import clock
from components.states import HEALTHY_FROM_PERCENT, SILENT_AFTER_PAUSES
from components.tables import Column, Status, table, table_card, table_props
from components.timerange import DAY_MS, MINUTE_MS
from components.view import View
from db.queries import Queries
from db.results import TimeRange
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, rows_of

_TAB: Final = tab("alerts")
_DAY_BUCKET_MS: Final = 5 * MINUTE_MS
# Today, yesterday (in which the last 24 hours began) and the day before: who reported then is not new.
_KNOWN_DAYS: Final = 3

_COLUMNS: Final = (
    Column("What", "status", width_px=136),
    Column("Who", "name"),
    Column("Seen", "clip"),
    Column("Expected", "clip"),
    Column("Last seen good, or failed (UTC)", "time", width_px=148),
)
_SYMBOLS: Final = {"low success": "▼", "silent": "◌", "job failed": "✕"}


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return what needs attention.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    found = _concerns(queries, view, now_ms)
    empty = None if found or queries.last_recorded_ms() is not None else no_data(queries, view, now_ms=now_ms)
    return {
        **frame_content("alerts", view, now_ms, empty),
        "alerts-summary": _summary(found),
        "alerts-concerns": table_props(_COLUMNS, [_row(concern) for concern in found]),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the chart of failures.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    adapter.know_sources(queries.source_names())
    return drawn(CHARTS, queries, adapter, view, now_ms)


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    found = table("alerts-concerns", _COLUMNS, content["alerts-concerns"], min_width_px=760)
    summary = html.P(id="alerts-summary", **content["alerts-summary"])
    how = html.P(
        f"Computed from the recorded metrics: a success rate below {HEALTHY_FROM_PERCENT:.0f} % in this range, a "
        f"source that has been quiet for more than {SILENT_AFTER_PAUSES} times its longest pause of the last 24 hours, "
        "and jobs whose last run failed. These are fixed checks: nothing is sent to anyone.",
        className="card-note",
    )
    return frame(
        "alerts",
        _TAB.title,
        view,
        content,
        [
            table_card("What needs attention", [summary, found, how], wide=True, export="alerts-concerns", view=view),
            grid(*cards(CHARTS, view, content)),
        ],
    )


def _concerns(queries: Queries, view: View, now_ms: int) -> tuple[Concern, ...]:
    range = view.time_range(now_ms)
    day = _day_before(range.end_ms)
    first_day = datetime.fromtimestamp(day.start_ms / 1000, UTC).date()
    return concerns(
        queries.sources(range, view.source_filter),
        queries.sources(day, view.source_filter),
        day,
        queries.scheduler_summary(range, view.source_filter),
        known={row.source for row in queries.daily(None, _KNOWN_DAYS) if row.metric_date < first_day},
    )


def _day_before(end_ms: int) -> TimeRange:
    end_ms = -(-end_ms // _DAY_BUCKET_MS) * _DAY_BUCKET_MS
    return TimeRange(end_ms - DAY_MS, end_ms, _DAY_BUCKET_MS)


def _summary(found: tuple[Concern, ...]) -> dict[str, str]:
    if not found:
        return {"children": "✓ Nothing needs attention in this range.", "className": "summary ok"}
    worst = "bad" if any(concern.mood == "bad" for concern in found) else "warn"
    said = "1 thing needs" if len(found) == 1 else f"{len(found)} things need"
    return {"children": f"{'✕' if worst == 'bad' else '▲'} {said} attention.", "className": f"summary {worst}"}


def _row(concern: Concern) -> list[str | Status]:
    return [
        Status(concern.mood, f"{_SYMBOLS[concern.what]} {concern.what}"),
        concern.who,
        concern.measured,
        concern.expected,
        clock(concern.since_ms, span_ms=2 * DAY_MS),
    ]


def _errors(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.time_range(now_ms)
    return infos.failures(queries.source_series(range, view.filter), range, now_ms)


def _success(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.success_rates(queries.sources(view.time_range(now_ms), view.filter))


def _rows(queries: Queries, view: View, now_ms: int) -> Rows:
    return rows_of(Concern, _concerns(queries, view, now_ms))


CHARTS: Final = (
    PageChart("alerts-errors", _errors, "Failed navigations and scrapes per minute"),
    PageChart("alerts-success", _success, "Navigations and scrapes, lowest first"),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    exports=MappingProxyType({**exports(CHARTS), "alerts-concerns": _rows}),
)
