"""What a page is: pure functions from the database's answers to what the page shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

from dash import html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from charts.sheet import Field, Kind, Sheet, sheet_of
from components.content import Content
from components.view import View
from db.event_walk import EVENT_FIELDS
from db.field_coverage import FieldCoverage
from db.queries import Queries
from db.results import ErrorGroup, UrlStats
from db.told_runs import RunLine


@dataclass(frozen=True, slots=True)
class Rows:
    """A table to export.

    Args:
        columns: c names, with units; `last_seen_ms` and its like are moments.
        rows: Rows of c raw values.
        kinds: What each column holds; where it isn't said, the values tell.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    kinds: tuple[Kind | None, ...] = ()

    def sheet(self) -> Sheet:
        """Return the table as it goes into a file."""
        return sheet_of(self.columns, self.rows, self.kinds)


@dataclass(frozen=True, slots=True)
class RowStream:
    """A table to export that is too long to hold.

    Args:
        fields: Its c columns.
        chunks: Called for its rows, some thousand at a time.
    """

    fields: tuple[Field, ...]
    chunks: Callable[[], Iterator[Sequence[tuple[object, ...]]]]

    def sheet(self) -> Sheet:
        """Return the table as it goes into a file."""
        return Sheet(self.fields, self.chunks, long=True)


Exported: TypeAlias = ChartInfo | Rows | RowStream
Export: TypeAlias = Callable[[Queries, View, int], Exported]


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
        charts: (queries, adapter, view, now_ms) -> drawings, sparklines and tables of ranks; at most once a second.
        exports: Name -> (queries, view, now_ms) -> the chart info or table that `/api/export/<name>` serves.
        period_ms: The longest that it may stand still while no data comes, whatever its bucket; None for the bucket.
        leading: Ids of the tables whose rows lead somewhere (components.row_leads).
        libraries: Component packages that this page alone needs: their scripts are sent with it (web.libraries).
        needs_database: Whether it can't be computed while the database is away.
    """

    name: str
    path: str
    title: str
    icon: str
    layout: Callable[[View, Content], Component]
    numbers: Callable[[Queries, View, int], Content]
    charts: Callable[[Queries, ChartAdapter, View, int], Content]
    exports: Mapping[str, Export] = field(default_factory=dict)
    period_ms: int | None = None
    leading: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    needs_database: bool = True

    def content(self, queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
        """Return all that the page shows at a moment: what a load is built from.

        Args:
            queries: Who answers.
            adapter: Who draws.
            view: Range and filters.
            now_ms: The moment, epoch milliseconds.
        """
        return {**self.numbers(queries, view, now_ms), **self.charts(queries, adapter, view, now_ms)}


_EVENT_FIELDS: Final = (
    Field("recorded_at", "time"),
    Field("kind", "text"),
    Field("source", "text"),
    Field("url", "text"),
    Field("duration_ms", "number"),
    Field("items", "whole"),
    Field("data_size_bytes", "whole"),
    Field("retry_count", "whole"),
    Field("success", "flag"),
    Field("error", "text"),
    Field("status_code", "whole"),
    Field("outcome", "text"),
    Field("run_id", "text"),
    Field("labels", "text"),
    Field("fields", "text"),
    Field("id", "text"),
)
_MOST_TOLD_RUNS: Final = 10_000
_RUN_FIELDS: Final = (
    ("recorded_at_ms", Field("recorded_at", "time")),
    ("source", Field("scheduler_name", "text")),
    ("labels", Field("source", "text")),
    ("duration_ms", Field("duration_ms", "number")),
    ("items", Field("items", "whole")),
    ("success", Field("success", "flag")),
    ("error", Field("error", "text")),
    ("run_id", Field("run_id", "text")),
    ("id", Field("id", "text")),
)


def event_export(queries: Queries, view: View, now_ms: int) -> RowStream:
    """Return all events of the view's range and filters, newest first.

    Args:
        queries: Who answers, while the rows are read.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    return RowStream(_EVENT_FIELDS, lambda: queries.event_chunks(range, view.filter))


def events_in(queries: Queries, view: View, now_ms: int) -> int:
    """Return how many rows `event_export` has, from the sums that pages show anyway.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    pages = queries.overview(range, view.filter).current.count
    runs = 0 if view.filter.without_runs else sum(job.runs for job in queries.scheduler_summary(range, view.filter))
    return pages + runs


def run_export(queries: Queries, view: View, now_ms: int) -> RowStream:
    """Return all scheduler runs of the view's range and filters, newest first.

    Args:
        queries: Who answers, while the rows are read.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    cells = itemgetter(*(EVENT_FIELDS.index(name) for name, _ in _RUN_FIELDS))

    def chunks() -> Iterator[Sequence[tuple[object, ...]]]:
        return ([cells(row) for row in rows] for rows in queries.run_chunks(range, view.filter))

    return RowStream(tuple(field for _, field in _RUN_FIELDS), chunks)


def told_export(queries: Queries, view: View, now_ms: int) -> Rows:
    """Return the runs that scrapers told of (`collector.run`), the one that was heard of last first.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    return rows_of(RunLine, queries.told_runs(view.time_range(now_ms), view.filter, _MOST_TOLD_RUNS))


def rows_of(kind: type[Any], found: Iterable[Any]) -> Rows:
    """Return a table to export: a column for each field of a class, with the kind that its annotation says.

    Args:
        kind: A dataclass or a NamedTuple.
        found: Instances of it, in the order to write.
    """
    hints = {name: _kind_of(hint) for name, hint in get_type_hints(kind).items()}
    columns = tuple(hints)
    rows = tuple(tuple(getattr(one, column) for column in columns) for one in found)
    return Rows(columns, rows, tuple(hints.values()))


def _kind_of(hint: Any) -> Kind | None:
    wanted = [one for one in get_args(hint) if one is not type(None)] if get_origin(hint) in (Union, UnionType) else []
    kinds: dict[Any, Kind] = {str: "text", int: "whole", float: "number", bool: "flag"}
    return kinds.get(wanted[0] if len(wanted) == 1 else hint)


def url_rows(urls: Sequence[UrlStats]) -> Rows:
    """Return a table of pages to export.

    Args:
        urls: In the order to write.
    """
    return rows_of(UrlStats, urls)


def error_rows(errors: Sequence[ErrorGroup]) -> Rows:
    """Return a table of errors to export.

    Args:
        errors: In the order to write.
    """
    columns = ("error", "failures", "first_seen_ms", "last_seen_ms", "sources", "sample")
    rows = [
        (one.error, one.failures, one.first_seen_ms, one.last_seen_ms, ", ".join(one.sources), one.sample)
        for one in errors
    ]
    return Rows(columns, tuple(rows))


def field_rows(fields: Sequence[FieldCoverage]) -> Rows:
    """Return a table of items' fields to export.

    Args:
        fields: In the order to write.
    """
    columns = (
        "field", "source", "coverage_percent", "coverage_before_percent", "items", "had", "items_before", "had_before",
    )  # fmt: skip
    rows = [
        (
            one.field, one.source, one.coverage, one.coverage_before, one.items, one.had, one.items_before,
            one.had_before,
        )
        for one in fields
    ]  # fmt: skip
    kinds: tuple[Kind, ...] = ("text", "text", "number", "number", "whole", "whole", "whole", "whole")
    return Rows(columns, tuple(rows), kinds)


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
