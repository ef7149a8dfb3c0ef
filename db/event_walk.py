"""Every event of a range, newest first, in chunks: what an export reads, however many there are.

Each chunk is read in a short transaction of its own that goes on where the last one ended (by time and id), so that a
slow reader holds neither a connection nor a snapshot. Rows stored meanwhile may or may not be among those read.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, and_, func, literal, not_, null, select, type_coerce
from sqlalchemy.engine import Engine

from db.detail import conditions
from db.error_kinds import kind_of_error
from db.errors import unavailable_as_ours
from db.events import Statement, run_conditions
from db.models import PagePerformance as Page
from db.models import SchedulerMetric as Run
from db.results import Filter

EventRow = tuple[Any, ...]
_Place = tuple[int, int]  # created_at, id

# The columns of an EventRow: all that is known of a page metric or a scheduler run, `id` as in db.results.Event.
EVENT_FIELDS: Final = (
    "recorded_at_ms", "kind", "source", "url", "duration_ms", "items", "data_size", "retry_count", "success", "error",
    "status_code", "outcome", "run_id", "labels", "fields", "id",
)  # fmt: skip

_CHUNK_ROWS: Final = 5_000
# Up to so many sources, each is read from its own index and the results are merged; beyond, the time index is walked.
_MAX_SEPARATE_SOURCES: Final = 20


@dataclass(frozen=True, slots=True)
class _Walk:
    """A table to walk back through along one of its indexes."""

    table: type[Page] | type[Run]
    index: str
    prefix: str  # of the ids
    columns: tuple[Any, ...]  # as in EVENT_FIELDS
    wanted: Callable[[int, int], list[ColumnElement[bool]]]  # (start_ms, end_ms) -> what a row must fulfil
    along: tuple[ColumnElement[bool], ...]  # what every row of the index' part must fulfil
    error: str  # the kind of error that is wanted, "" for whatever


def event_chunks(
    engine: Engine, start_ms: int, end_ms: int, filter: Filter, *, runs: bool = True, chunk_rows: int = _CHUNK_ROWS
) -> Iterator[Sequence[EventRow]]:
    """Read page metrics and scheduler runs together, newest first.

    Args:
        engine: A migrated database.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        filter: Which rows; sources match a scheduler run's name too.
        runs: False to leave scheduler runs out.
        chunk_rows: How many rows are held at a time, for each index that is read.

    Yields:
        Rows of EVENT_FIELDS, a non-empty chunk at a time.

    Raises:
        DatabaseUnavailable: The database can't be asked.
    """
    if 1 < len(filter.sources) <= _MAX_SEPARATE_SOURCES:
        each = max(100, chunk_rows // len(filter.sources))
        walks = [(_pages(replace(filter, sources=(source,))), each) for source in dict.fromkeys(filter.sources)]
    else:
        walks = [(_pages(filter), chunk_rows)]
    if runs:
        walks.append((_runs(filter), chunk_rows))
    read = [chain.from_iterable(_chunks(engine, walk, start_ms, end_ms, rows)) for walk, rows in walks]
    merged = heapq.merge(*read, key=itemgetter(0), reverse=True)
    while chunk := list(islice(merged, chunk_rows)):
        yield chunk


def run_chunks(
    engine: Engine, start_ms: int, end_ms: int, filter: Filter, *, chunk_rows: int = _CHUNK_ROWS
) -> Iterator[Sequence[EventRow]]:
    """Read scheduler runs alone, newest first.

    Args:
        engine: A migrated database.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        filter: As in `event_chunks`.
        chunk_rows: How many rows are held at a time.

    Yields:
        Rows of EVENT_FIELDS, a non-empty chunk at a time; `source` is the job's name, `labels` its scraper.

    Raises:
        DatabaseUnavailable: The database can't be asked.
    """
    yield from (chunk for chunk in _chunks(engine, _runs(filter), start_ms, end_ms, chunk_rows) if chunk)


def _pages(filter: Filter) -> _Walk:
    columns = (
        Page.created_at, Page.metric_type, Page.scraper_source, Page.page_url,
        func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms), Page.items_extracted, Page.data_size,
        Page.retry_count, type_coerce(Page.success, Integer), Page.error, Page.status_code, Page.outcome, Page.run_id,
        Page.labels, Page.fields, Page.id,
    )  # fmt: skip
    one = filter.sources[0] if len(filter.sources) == 1 else None
    return _Walk(
        table=Page,
        index="ix_page_created" if one is None else "ix_page_source_created",
        prefix="p:",
        columns=columns,
        wanted=lambda start_ms, end_ms: conditions(start_ms, end_ms, filter, None),
        along=() if one is None else (Page.scraper_source == one,),
        error=filter.error,
    )


def _runs(filter: Filter) -> _Walk:
    columns = (
        Run.created_at, literal("scheduler"), Run.scheduler_name, null(), Run.execution_duration_ms,
        Run.items_processed, null(), null(), type_coerce(Run.success, Integer), Run.error, null(), null(), Run.run_id,
        Run.scraper_source, null(), Run.id,
    )  # fmt: skip
    return _Walk(
        table=Run,
        index="ix_scheduler_created",
        prefix="s:",
        columns=columns,
        wanted=lambda start_ms, end_ms: run_conditions(start_ms, end_ms, filter),
        along=(),
        error=filter.error,
    )


def _chunks(engine: Engine, walk: _Walk, start_ms: int, end_ms: int, chunk_rows: int) -> Iterator[list[EventRow]]:
    """Walk back through the index, a part of `chunk_rows` entries at a time; a filter may leave nothing of one.

    The part is measured before it is read, by the index alone: however rare what is wanted, no statement takes long.
    """
    before: _Place | None = None
    while True:
        with unavailable_as_ours(engine), engine.connect() as connection:
            last = connection.execute(_last_of_part(walk, start_ms, end_ms, before, chunk_rows)).first()
            part = _part(walk, start_ms, end_ms, before, None if last is None else (last[0], last[1]))
            rows = list(connection.execute(part))
        if walk.error:  # SQL let every failure through that may be of the kind
            rows = [row for row in rows if kind_of_error(row[9] or "") == walk.error]
        yield [(*row[:8], bool(row[8]), *row[9:15], f"{walk.prefix}{row[15]}") for row in rows]
        if last is None:
            return
        before = last[0], last[1]


def _last_of_part(walk: _Walk, start_ms: int, end_ms: int, before: _Place | None, chunk_rows: int) -> Statement:
    table = walk.table
    at = table.created_at
    found: Statement = (
        select(at, table.id)
        .where(*walk.along, at >= start_ms, at < _end(end_ms, before), *_edges(walk, before, None))
        .with_hint(table, f"FORCE INDEX ({walk.index})", "mysql")
        .order_by(at.desc(), table.id.desc())
        .offset(chunk_rows - 1)
        .limit(1)
    )
    return found


def _part(walk: _Walk, start_ms: int, end_ms: int, before: _Place | None, last: _Place | None) -> Statement:
    table = walk.table
    # One bound at each side: of several, SQLite takes the first to walk along and looks at every row in between.
    bounds = walk.wanted(start_ms if last is None else last[0], _end(end_ms, before))
    return (
        select(*walk.columns)
        .where(*bounds, *_edges(walk, before, last))
        .with_hint(table, f"FORCE INDEX ({walk.index})", "mysql")
        .order_by(table.created_at.desc(), table.id.desc())
    )


def _end(end_ms: int, before: _Place | None) -> int:
    """Return the first moment behind a part; the one that the part before it ended in may go on in this one."""
    return end_ms if before is None else before[0] + 1


def _edges(walk: _Walk, before: _Place | None, last: _Place | None) -> list[ColumnElement[bool]]:
    """Return what keeps a part's first and last millisecond apart from its neighbours."""
    at, id = walk.table.created_at, walk.table.id
    wanted: list[ColumnElement[bool]] = []
    if before is not None:
        wanted.append(not_(and_(at == before[0], id >= before[1])))
    if last is not None:
        wanted.append(not_(and_(at == last[0], id < last[1])))
    return wanted
