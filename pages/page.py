"""What a page is: pure functions from the database's answers to what the page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from dash import html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components.content import Content
from components.view import View
from db.queries import Queries
from db.results import ErrorGroup, Event, UrlStats


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to export.

    Args:
        columns: c names, with units.
        rows: Rows of c raw values.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


Export: TypeAlias = Callable[[Queries, View, int], ChartInfo | Rows]


@dataclass(frozen=True, slots=True)
class Page:
    """A page: a load calls all three functions once, live updates call `numbers` and `charts` again and compare.

    Args:
        name: Prefix of every id on the page.
        path: Its path; one that ends in a slash stands for every path below it.
        title: What people read.
        icon: Name of its icon.
        layout: (view, content) -> the page; built from that content, so that a load and a live update can't differ.
        numbers: (queries, view, now_ms) -> cards, tables and texts; may run ten times a second.
        charts: (queries, adapter, view, now_ms) -> drawings and sparklines; at most once a second.
        exports: Name -> (queries, view, now_ms) -> the chart info or table that `/api/export/<name>` serves.
    """

    name: str
    path: str
    title: str
    icon: str
    layout: Callable[[View, Content], Component]
    numbers: Callable[[Queries, View, int], Content]
    charts: Callable[[Queries, ChartAdapter, View, int], Content]
    exports: Mapping[str, Export] = field(default_factory=dict)

    def content(self, queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
        """Return all that the page shows at a moment: what a load is built from.

        Args:
            queries: Who answers.
            adapter: Who draws.
            view: Range and filters.
            now_ms: The moment, epoch milliseconds.
        """
        return {**self.numbers(queries, view, now_ms), **self.charts(queries, adapter, view, now_ms)}


def event_export(queries: Queries, view: View, now_ms: int) -> Rows:
    """Return the events of the view's range and filters, newest first, at most 10,000.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    events = queries.events(view.time_range(now_ms), view.filter, 10_000)
    columns = tuple(Event.__dataclass_fields__)
    return Rows(columns, tuple(tuple(getattr(event, column) for column in columns) for event in events))


def url_rows(urls: Sequence[UrlStats]) -> Rows:
    """Return a table of pages to export.

    Args:
        urls: In the order to write.
    """
    columns = tuple(UrlStats.__dataclass_fields__)
    return Rows(columns, tuple(tuple(getattr(url, column) for column in columns) for url in urls))


def error_rows(errors: Sequence[ErrorGroup]) -> Rows:
    """Return a table of errors to export.

    Args:
        errors: In the order to write.
    """
    return Rows(ErrorGroup._fields, tuple(tuple(group) for group in errors))


def broken(title: str, reason: str, href: str) -> Component:
    """Build what is shown instead of a page that can't be computed at all.

    Args:
        title: The page's.
        reason: What went wrong, a line.
        href: Where the page is.
    """
    return html.Div(
        html.Div(
            [
                html.H1(f"✕ {title} can’t be shown", className="empty-title"),
                html.P("That is a mistake in Scrapeboard. Nothing is lost: metrics are stored as ever."),
                html.Pre(reason, className="empty-reason"),
                html.P("The app’s log tells where it happened. The other pages are not affected."),
                html.A("Try again", href=href, className="empty-link"),
            ],
            className="empty",
        ),
        className="page",
    )


def unreachable(reason: str) -> Component:
    """Build what is shown instead of any page while the database doesn't answer.

    Args:
        reason: What the database said, a line.
    """
    return html.Div(
        html.Div(
            [
                html.H1("The database can’t be reached", className="empty-title"),
                html.P("Scrapers go on reporting: their metrics wait and are stored when it is back."),
                html.P("This page shows itself as soon as the database answers."),
                html.Pre(reason, className="empty-reason"),
            ],
            className="empty",
        ),
        className="page",
    )
