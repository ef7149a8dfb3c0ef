"""The newest page metrics and scheduler runs, straight from their time indexes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Integer, Select, func, or_, select, type_coerce, union_all
from sqlalchemy.engine import Connection

from db.detail import conditions
from db.models import PagePerformance as Page
from db.models import SchedulerMetric as Run
from db.results import Event, Filter, SchedulerRunRow

Statement: TypeAlias = Select[*tuple[Any, ...]]

# Up to so many sources, each is read from its own index and the results are merged; beyond, the time index is walked.
_MAX_SEPARATE_SOURCES = 20


def newest_pages(
    connection: Connection, start_ms: int | None, end_ms: int | None, filter: Filter, limit: int
) -> tuple[Event, ...]:
    """Read the newest page metrics.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive, None for no bound.
        end_ms: Epoch ms, exclusive, None for no bound.
        filter: Which rows.
        limit: How many at most.

    Returns:
        Events, newest first.
    """
    return tuple(page_event(row) for row in connection.execute(page_statement(start_ms, end_ms, filter, limit)))


def wants_runs(filter: Filter) -> bool:
    """Return whether a filter lets scheduler runs through: they have no type, no outcome, no label and no URL.

    Args:
        filter: Which rows.
    """
    return not (filter.kind != "all" or filter.outcomes or filter.labels or filter.url_contains)


def newest_of(pages: Sequence[Event], runs: Sequence[SchedulerRunRow], limit: int) -> tuple[Event, ...]:
    """Put page metrics and scheduler runs together.

    Args:
        pages: Newest first.
        runs: Newest first.
        limit: How many at most.

    Returns:
        Events, newest first.
    """
    found = [
        *pages,
        *(run_event(run) for run in runs),
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
        filter: Its sources match a run's scraper and a run's own name; its URL is left aside.
        limit: How many at most.

    Returns:
        Runs, newest first.
    """
    return tuple(run_row(row) for row in connection.execute(run_statement(start_ms, end_ms, filter, limit)))


def page_statement(start_ms: int | None, end_ms: int | None, filter: Filter, limit: int) -> Statement:
    """Return the query for the newest detail rows, newest first."""
    if not 1 < len(filter.sources) <= _MAX_SEPARATE_SOURCES:
        return _newest_pages(start_ms, end_ms, filter, limit)
    each = union_all(*(
        select(
            _newest_pages(start_ms, end_ms, Filter((source,), filter.result, filter.url_contains), limit).subquery()
        )
        for source in dict.fromkeys(filter.sources)
    )).subquery()  # fmt: skip
    return select(each).order_by(each.c.created_at.desc(), each.c.id.desc()).limit(limit)


def run_statement(start_ms: int | None, end_ms: int | None, filter: Filter, limit: int) -> Statement:
    """Return the query for the newest scheduler runs, newest first."""
    return (
        select(*run_columns())
        .where(*run_conditions(start_ms, end_ms, filter))
        .with_hint(Run, "FORCE INDEX (ix_scheduler_created)", "mysql")
        .order_by(Run.created_at.desc(), Run.id.desc())
        .limit(limit)
    )


def run_columns() -> list[ColumnElement[Any]]:
    """Return the columns that `run_row` reads."""
    return [
        Run.id.expression, Run.scheduler_name.expression, Run.scraper_source.expression,
        Run.execution_duration_ms.expression, Run.items_processed.expression,
        type_coerce(Run.success, Integer).label("success"), Run.error.expression, Run.run_id.expression,
        Run.created_at.expression,
    ]  # fmt: skip


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
    """Return what a scheduler run must fulfil, as SQL; see `newest_runs`."""
    wanted: list[ColumnElement[bool]] = []
    if start_ms is not None:
        wanted.append(Run.created_at >= start_ms)
    if end_ms is not None:
        wanted.append(Run.created_at < end_ms)
    if filter.sources:
        wanted.append(or_(Run.scraper_source.in_(filter.sources), Run.scheduler_name.in_(filter.sources)))
    if filter.result != "all":
        wanted.append(Run.success == (filter.result == "ok"))
    return wanted


def _newest_pages(start_ms: int | None, end_ms: int | None, filter: Filter, limit: int) -> Statement:
    # Left to itself, MariaDB sometimes reads and sorts everything rather than walk back to the newest few.
    index = "ix_page_source_created" if len(filter.sources) == 1 else "ix_page_created"
    return (
        select(*page_columns())
        .where(*conditions(start_ms, end_ms, filter, None))
        .with_hint(Page, f"FORCE INDEX ({index})", "mysql")
        .order_by(Page.created_at.desc(), Page.id.desc())
        .limit(limit)
    )


def page_columns() -> list[ColumnElement[Any]]:
    """Return the columns that `page_event` reads."""
    return [
        Page.id.expression, Page.metric_type.expression, Page.scraper_source.expression, Page.page_url.expression,
        func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms).label("duration_ms"),
        Page.items_extracted.expression, Page.retry_count.expression,
        type_coerce(Page.success, Integer).label("success"), Page.error.expression, Page.status_code.expression,
        Page.outcome.expression, Page.created_at.expression,
    ]  # fmt: skip


def page_event(row: Any) -> Event:
    """Return the event of a row of `page_columns`."""
    return Event(
        id=f"p:{row.id}", kind=row.metric_type, source=row.scraper_source, url=row.page_url,
        duration_ms=row.duration_ms, items=row.items_extracted, retry_count=row.retry_count, success=bool(row.success),
        error=row.error, status_code=row.status_code, outcome=row.outcome, recorded_at_ms=row.created_at,
    )  # fmt: skip
