"""The newest page metrics and scheduler runs, straight from their time indexes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Integer, Select, false, func, or_, select, type_coerce, union_all
from sqlalchemy.engine import Connection

from db.detail import conditions, maybe_of_kind
from db.error_kinds import kind_of_error
from db.models import PagePerformance as Page
from db.models import SchedulerMetric as Run
from db.results import Event, Filter, SchedulerRunRow

Statement: TypeAlias = Select[*tuple[Any, ...]]
Place: TypeAlias = tuple[int, int]  # (created_at, id)

# Up to so many sources, each is read from its own index and the results are merged; beyond, the time index is walked.
_MAX_SEPARATE_SOURCES = 20
# Failures that are read at a time to find those of a kind.
_LEAST_CANDIDATES, _MOST_CANDIDATES = 200, 5_000


def newest_pages(
    connection: Connection,
    start_ms: int | None,
    end_ms: int | None,
    filter: Filter,
    limit: int,
    *,
    moments: Collection[int] | None = None,
) -> tuple[Event, ...]:
    """Read the newest page metrics.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive, None for no bound.
        end_ms: Epoch ms, exclusive, None for no bound.
        filter: Which rows.
        limit: How many at most.
        moments: When all of them were recorded, epoch ms, where that is known: nothing else is looked at.

    Returns:
        Events, newest first.
    """

    def read(limit: int, before: Place | None) -> Sequence[Any]:
        return connection.execute(page_statement(start_ms, end_ms, filter, limit, before, moments)).all()

    return tuple(page_event(row) for row in _newest(read, filter, limit))


def newest_of(pages: Sequence[Event], runs: Sequence[SchedulerRunRow], limit: int) -> tuple[Event, ...]:
    """Put page metrics and scheduler runs together.

    Args:
        pages: Newest first.
        runs: Newest first.
        limit: How many at most.

    Returns:
        Events, newest first.
    """
    # Where there are enough pages, most runs lie before the oldest of them.
    since_ms = pages[limit - 1].recorded_at_ms if 0 < limit <= len(pages) else None
    found = [
        *pages,
        *(run_event(run) for run in runs if since_ms is None or run.recorded_at_ms >= since_ms),
    ]
    # Both parts come newest first by (time, id), and sorting keeps that order among equals.
    found.sort(key=lambda event: event.recorded_at_ms, reverse=True)
    return tuple(found[:limit])


def newest_runs(
    connection: Connection, start_ms: int | None, end_ms: int | None, filter: Filter, limit: int
) -> tuple[SchedulerRunRow, ...]:
    """Read the newest scheduler runs.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive, None for no bound.
        end_ms: Epoch ms, exclusive, None for no bound.
        filter: As for `run_conditions`.
        limit: How many at most.

    Returns:
        Runs, newest first.
    """

    def read(limit: int, before: Place | None) -> Sequence[Any]:
        return connection.execute(run_statement(start_ms, end_ms, filter, limit, before)).all()

    return tuple(run_row(row) for row in _newest(read, filter, limit))


def page_statement(
    start_ms: int | None,
    end_ms: int | None,
    filter: Filter,
    limit: int,
    before: Place | None = None,
    moments: Collection[int] | None = None,
) -> Statement:
    """Return the query for the newest detail rows, newest first; of a kind of error, for those that may be of it."""
    if moments is not None or not 1 < len(filter.sources) <= _MAX_SEPARATE_SOURCES:
        return _newest_pages(start_ms, end_ms, filter, limit, before, moments)
    each = union_all(*(
        select(_newest_pages(start_ms, end_ms, replace(filter, sources=(source,)), limit, before).subquery())
        for source in dict.fromkeys(filter.sources)
    )).subquery()  # fmt: skip
    return select(each).order_by(each.c.created_at.desc(), each.c.id.desc()).limit(limit)


def run_statement(
    start_ms: int | None, end_ms: int | None, filter: Filter, limit: int, before: Place | None = None
) -> Statement:
    """Return the query for the newest scheduler runs, newest first; of a kind of error, for those that may be of it."""
    return (
        select(*run_columns())
        .where(*run_conditions(start_ms, end_ms, filter), *_before(Run, before))
        .with_hint(Run, "FORCE INDEX (ix_scheduler_created)", "mysql")
        .order_by(Run.created_at.desc(), Run.id.desc())
        .limit(limit)
    )


@cache
def run_columns() -> tuple[ColumnElement[Any], ...]:
    """Return the columns that `run_row` reads, always the same ones: SQLAlchemy knows them again."""
    return (
        Run.id.expression, Run.scheduler_name.expression, Run.scraper_source.expression,
        Run.execution_duration_ms.expression, Run.items_processed.expression,
        type_coerce(Run.success, Integer).label("success"), Run.error.expression, Run.run_id.expression,
        Run.created_at.expression,
    )  # fmt: skip


def run_row(row: Any) -> SchedulerRunRow:
    """Return the run of a row of `run_columns`."""
    return SchedulerRunRow(
        id=f"s:{row.id}", scheduler_name=row.scheduler_name, source=row.scraper_source,
        duration_ms=row.execution_duration_ms, items=row.items_processed, success=bool(row.success),
        error=row.error, recorded_at_ms=row.created_at, run_id=row.run_id,
    )  # fmt: skip


def run_event(run: SchedulerRunRow) -> Event:
    """Return a run as an event."""
    return Event(
        id=run.id, kind="scheduler", source=run.scheduler_name, url=None, duration_ms=run.duration_ms,
        items=run.items, retry_count=None, success=run.success, error=run.error, status_code=None, outcome=None,
        recorded_at_ms=run.recorded_at_ms,
    )  # fmt: skip


def run_conditions(start_ms: int | None, end_ms: int | None, filter: Filter) -> list[ColumnElement[bool]]:
    """Return what a scheduler run must fulfil, as SQL; of a kind of error, what all of it and some others do.

    Args:
        start_ms: Epoch ms, inclusive, None for no bound.
        end_ms: Epoch ms, exclusive, None for no bound.
        filter: Its sources match a run's scraper and a run's own name; no run has a type, an outcome, a label or a URL.
    """
    if filter.without_runs:
        return [false()]
    wanted: list[ColumnElement[bool]] = []
    if start_ms is not None:
        wanted.append(Run.created_at >= start_ms)
    if end_ms is not None:
        wanted.append(Run.created_at < end_ms)
    if filter.sources:
        wanted.append(or_(Run.scraper_source.in_(filter.sources), Run.scheduler_name.in_(filter.sources)))
    if filter.result != "all":
        wanted.append(Run.success == (filter.result == "ok"))
    if filter.error:
        wanted += maybe_of_kind(Run, filter.error)
    return wanted


def _newest(read: Callable[[int, Place | None], Sequence[Any]], filter: Filter, limit: int) -> list[Any]:
    """Read the newest rows; of a kind of error, walk back through what may be of it until enough is.

    Args:
        read: (how many at most, the place that all must lie before or None) -> rows, newest first.
        filter: Which rows.
        limit: How many at most.
    """
    if not filter.error:
        return list(read(limit, None))
    found: list[Any] = []
    wanted, before = max(limit, _LEAST_CANDIDATES), None
    while True:
        rows = read(wanted, before)
        found += [row for row in rows if kind_of_error(row.error or "") == filter.error]
        if len(rows) < wanted or len(found) >= limit:
            return found[:limit]
        before = (rows[-1].created_at, rows[-1].id)
        wanted = min(2 * wanted, _MOST_CANDIDATES)


def _before(table: Any, place: Place | None) -> list[ColumnElement[bool]]:
    if place is None:
        return []
    at_ms, id = place
    return [table.created_at <= at_ms, or_(table.created_at < at_ms, table.id < id)]


def _newest_pages(
    start_ms: int | None,
    end_ms: int | None,
    filter: Filter,
    limit: int,
    before: Place | None,
    moments: Collection[int] | None = None,
) -> Statement:
    # Left to itself, MariaDB sometimes reads and sorts everything rather than walk back to the newest few.
    index = "ix_page_source_created" if len(filter.sources) == 1 else "ix_page_created"
    known = [] if moments is None else [Page.created_at.in_(sorted(moments))]
    return (
        select(*page_columns())
        .where(*known, *conditions(start_ms, end_ms, filter, None), *_before(Page, before))
        .with_hint(Page, f"FORCE INDEX ({index})", "mysql")
        .order_by(Page.created_at.desc(), Page.id.desc())
        .limit(limit)
    )


@cache
def page_columns() -> tuple[ColumnElement[Any], ...]:
    """Return the columns that `page_event` reads, always the same ones: SQLAlchemy knows them again."""
    return (
        Page.id.expression, Page.metric_type.expression, Page.scraper_source.expression, Page.page_url.expression,
        func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms).label("duration_ms"),
        Page.items_extracted.expression, Page.retry_count.expression,
        type_coerce(Page.success, Integer).label("success"), Page.error.expression, Page.status_code.expression,
        Page.outcome.expression, Page.created_at.expression,
    )  # fmt: skip


def page_event(row: Any) -> Event:
    """Return the event of a row of `page_columns`."""
    return Event(
        id=f"p:{row.id}", kind=row.metric_type, source=row.scraper_source, url=row.page_url,
        duration_ms=row.duration_ms, items=row.items_extracted, retry_count=row.retry_count, success=bool(row.success),
        error=row.error, status_code=row.status_code, outcome=row.outcome, recorded_at_ms=row.created_at,
    )  # fmt: skip
