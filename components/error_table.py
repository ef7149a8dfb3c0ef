"""The table of errors by kind: how many, since when, where, how spread over the range; each leads to its failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components.aria import aria
from components.content import Content
from components.numbers import clock, count, percent
from components.spark import spark_text
from components.tab_infos import NO_TEXT
from components.tables import Column, column_classes, column_widths, least_width_px, one_line, scrolling
from components.timerange import DAY_MS
from components.trouble import attempt
from components.view import View
from db.results import ErrorGroup

ERROR_COLUMNS: Final = (
    Column("Error", "clip"),
    Column("Failures", "number", width_px=84),
    Column("Share", "number", width_px=76),
    Column("Over time", width_px=196),
    Column("Sources", "name"),
    Column("First seen (UTC)", "time", width_px=128),
    Column("Last seen (UTC)", "time", width_px=128),
    Column("What the newest said", "clip"),
)
_MOST_SHOWN: Final = 20
_OTHERS: Final = "(others)"  # what rollups didn't keep by kind


def error_content(
    id: str, groups: Callable[[], Sequence[ErrorGroup]], view: View, *, span_ms: int, one_source: bool = False
) -> Content:
    """Return the table's live props.

    Args:
        id: The table's id.
        groups: Returns them, most frequent first; twenty are shown, shares are of all. When it fails, the table says
            so.
        view: Where the links lead: to the same page and filters, of that error alone.
        span_ms: Length of the range that the page shows; decides whether a time needs its day.
        one_source: Leave out whose they are.
    """

    def failed(reason: str) -> Content:
        said = html.Td(f"✕ This table couldn’t be computed. {reason}")
        return {id: {"children": [html.Thead(), html.Tbody([html.Tr([said])])]}}

    return attempt(id, lambda: {id: _table(groups(), view, span_ms=span_ms, one_source=one_source)}, failed)


def _table(groups: Sequence[ErrorGroup], view: View, *, span_ms: int, one_source: bool) -> dict[str, Any]:
    columns = _columns(one_source=one_source)
    head = html.Thead(html.Tr([html.Th(column.title) for column in columns]))
    total = sum(group.failures for group in groups)
    if any(group.starts_ms[0] // DAY_MS != group.last_seen_ms // DAY_MS for group in groups):
        span_ms = max(span_ms, DAY_MS + 1)  # times of two days are told apart by their day
    rows = []
    for group in groups[:_MOST_SHOWN]:
        cells = _cells(group, view, total=total, span_ms=span_ms)
        rows.append(html.Tr([html.Td(cells[column.title]) for column in columns]))
    return {"children": [head, html.Tbody(rows)]}


def error_table(id: str, content: Content, *, one_source: bool = False) -> Component:
    """Build the table.

    Args:
        id: Its id.
        content: The page's content with what `error_content` returned.
        one_source: As for `error_content`.
    """
    columns = _columns(one_source=one_source)
    table = dmc.Table(
        id=id,
        className=f"table table-rows {column_classes(columns)}",
        tabularNums=True,
        style={"minWidth": least_width_px(columns), **column_widths(columns)},
        **content[id],
    )
    return scrolling(table)


def error_href(view: View, error: str) -> str:
    """Return the address of the same page and filters with the failures of one kind alone.

    Args:
        view: The page.
        error: The kind of error.
    """
    return replace(view, error=error, problems=()).href()


def _columns(*, one_source: bool) -> tuple[Column, ...]:
    return tuple(column for column in ERROR_COLUMNS if not one_source or column.title != "Sources")


def _cells(group: ErrorGroup, view: View, *, total: int, span_ms: int) -> dict[str, Component | str]:
    named = bool(group.error) and group.error != _OTHERS
    shown = one_line(group.error) or NO_TEXT
    sources = group.sources[0] if len(group.sources) == 1 else f"{len(group.sources)}: {', '.join(group.sources)}"
    return {
        "Error": dcc.Link(shown, href=error_href(view, group.error), className="table-link") if named else shown,
        "Failures": count(group.failures),
        "Share": percent(100 * group.failures / total),
        "Over time": _spark(group, span_ms),
        "Sources": one_line(sources),
        "First seen (UTC)": clock(group.first_seen_ms, span_ms=span_ms),
        "Last seen (UTC)": clock(group.last_seen_ms, span_ms=span_ms),
        "What the newest said": one_line(group.sample) if group.sample is not None else "(its row isn’t kept any more)",
    }


def _spark(group: ErrorGroup, span_ms: int) -> Component:
    most = max(range(len(group.counts)), key=group.counts.__getitem__)
    at = clock(group.starts_ms[most], span_ms=span_ms)
    return html.Span(
        spark_text(group.counts),
        className="spark-text",
        role="img",
        **aria(label=f"Failures over the range, most from {at}: {count(group.counts[most])}"),
    )
