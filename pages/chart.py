"""The charts of a page, declared once: a line each is all that it takes to show, update, export and print one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from dash.development.base_component import Component

from alerts.rules import What
from charts.base import ChartAdapter
from charts.info import ChartInfo
from components.alert_bands import with_bands
from components.chart_card import chart_card, chart_content
from components.content import Content
from components.view import View
from db.queries import Queries


@dataclass(frozen=True, slots=True)
class PageChart:
    """A chart of a page.

    Args:
        id: Begins with the page's name; also its name in `/api/export/<id>.<format>`.
        info: (queries, view, now_ms) -> what to draw: asks one question and hands the answer to a function of `charts`
            or `components` that computes the info.
        subtitle: A line that says what is drawn; or content -> a component, when it changes with the data.
        wide: Whether its card takes the page's full width.
        tall: Whether it is twice as high.
        tools: view -> what stands between heading and chart: links that choose what it shows.
        note: What stands below the chart: how its numbers are defined.
        alerts: What rules measure that concern it: when their alerts fired is marked behind its lines.
    """

    id: str
    info: Callable[[Queries, View, int], ChartInfo]
    subtitle: str | Callable[[Content], Component] = ""
    wide: bool = False
    tall: bool = False
    tools: Callable[[View], Component] | None = None
    note: str = ""
    alerts: frozenset[What] = frozenset()

    def __call__(self, queries: Queries, view: View, now_ms: int) -> ChartInfo:
        """Return what to draw: a chart is its own export."""
        return with_bands(self.info(queries, view, now_ms), queries, view, now_ms, self.alerts)


def drawn(charts: Sequence[PageChart], queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Draw all charts into a page's content; one that fails says so in its place.

    Args:
        charts: The page's.
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    content: Content = {}
    for chart in charts:
        content |= chart_content(chart.id, adapter, partial(chart, queries, view, now_ms))
    return content


def cards(charts: Sequence[PageChart], view: View, content: Content) -> list[Component]:
    """Build the card of each chart.

    Args:
        charts: The page's.
        view: Decides what the cards' menus export.
        content: With what `drawn` returned.
    """
    return [
        chart_card(
            chart.id,
            view,
            content,
            subtitle=chart.subtitle if isinstance(chart.subtitle, str) else chart.subtitle(content),
            wide=chart.wide,
            tall=chart.tall,
            tools=None if chart.tools is None else chart.tools(view),
            note=chart.note,
        )
        for chart in charts
    ]


def exports(charts: Sequence[PageChart]) -> Mapping[str, PageChart]:
    """Return what `/api/export` serves of these charts.

    Args:
        charts: The page's.
    """
    return {chart.id: chart for chart in charts}
