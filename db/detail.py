"""Read detail rows from the database as numpy columns, in time order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Integer, Select, false, func, or_, select, type_coerce
from sqlalchemy.engine import Connection

from db.chunk import Chunk
from db.columns import DetailColumns, Names, one_copy
from db.error_kinds import kind_of_error, longest_piece
from db.hashes import error_hash, hash_of
from db.item_fields import shared_fields
from db.labels import label_conditions, shared
from db.models import PagePerformance as Page
from db.results import Filter, Kind

# Rows fetched at a time: bounds what a long range costs besides the columns themselves.
_FETCH_ROWS = 20_000

_EXPRESSIONS: dict[str, ColumnElement[Any]] = {
    "created_at_ms": Page.created_at.expression,
    "source": Page.scraper_source.expression,
    "scrape": Page.metric_type.expression,
    "duration_ms": func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms),
    # As a number: the dialects would turn every single one into a bool, in Python.
    "success": type_coerce(Page.success.expression, Integer),
    "items": func.coalesce(Page.items_extracted, 0),
    "retry_count": func.coalesce(Page.retry_count, 0),
    "data_size": func.coalesce(Page.data_size, -1),
    "status_code": func.coalesce(Page.status_code, -1),
    "outcome": Page.outcome.expression,
    "url": Page.page_url.expression,
    "error": Page.error.expression,
    "labels": Page.labels.expression,
    "fields": Page.fields.expression,
    "run_id": Page.run_id.expression,
}
# Columns that aren't read but made from others.
_MADE = ("url_hash", "error_hash")
ALL = (*_EXPRESSIONS, *_MADE)
STATISTICS = ("created_at_ms", "source", "scrape", "duration_ms", "success", "items")
BREAKDOWN = (
    *STATISTICS, "retry_count", "data_size", "status_code", "outcome", "url", "error", "url_hash", "error_hash",
    "fields",
)  # fmt: skip
# What packs are made of (db.row_pack, db.rest_pack).
PACKED = (
    *STATISTICS,
    "retry_count",
    "data_size",
    "status_code",
    "outcome",
    "url",
    "error",
    "labels",
    "fields",
    "run_id",
)
ROLLED = (*BREAKDOWN[: BREAKDOWN.index("url_hash")], "fields", "labels", "run_id", *_MADE)


def newest_rows(
    connection: Connection, max_rows: int, sources: Names, outcomes: Names, *, chunk_rows: int
) -> tuple[list[Chunk], int | None]:
    """Read the newest detail rows.

    Args:
        connection: An open connection.
        max_rows: How many at most.
        sources: Gives sources their numbers.
        outcomes: Gives outcomes theirs.
        chunk_rows: Rows of one chunk.

    Returns:
        (chunks in time order, the moment from which on nothing is missing or None when these are all rows).
    """
    # The newest row that doesn't fit any more. Its whole millisecond is left out, so the border is sharp.
    too_old_ms = connection.scalar(select(Page.created_at).order_by(Page.created_at.desc()).offset(max_rows).limit(1))
    statement = _selected(ALL).order_by(Page.created_at, Page.id)
    if too_old_ms is not None:
        statement = statement.where(Page.created_at > too_old_ms)
    chunks = _fetch(connection, statement, ALL, sources, outcomes, chunk_rows)
    return chunks, None if too_old_ms is None else too_old_ms + 1


def read_detail(
    connection: Connection,
    start_ms: int,
    end_ms: int,
    sources: Names,
    outcomes: Names,
    *,
    filter: Filter = Filter(),
    kind: Kind | None = None,
    columns: tuple[str, ...] = STATISTICS,
    limit: int | None = None,
) -> DetailColumns:
    """Read the detail rows of a span.

    Args:
        connection: An open connection.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        sources: Gives sources their numbers.
        outcomes: Gives outcomes theirs.
        filter: Which rows.
        kind: Navigations or scrapes only; None for both.
        columns: Which columns, the time first; one that is made from others after these.
        limit: How many rows at most, the oldest ones; None for all.

    Returns:
        The rows in time order.
    """
    read = columns if not filter.error or "error" in columns else (*columns, "error")
    statement = _selected(read).where(*conditions(start_ms, end_ms, filter, kind)).order_by(Page.created_at, Page.id)
    if limit is not None:
        statement = statement.limit(limit)
    chunks = _fetch(connection, statement, read, sources, outcomes, _FETCH_ROWS, error=filter.error, kept=columns)
    return DetailColumns(chunks, sources, outcomes)


def with_error_kinds(chunk: Chunk) -> Chunk:
    """Return rows with the kind of each one's error in the place of its text, None for a success.

    Args:
        chunk: Rows with `success` and `error`.
    """
    arrays = {name: array[: chunk.size] for name, array in chunk.arrays.items() if name != "error"}
    kinds = np.empty(chunk.size, dtype=np.object_)
    failed = np.flatnonzero(~arrays["success"])
    kinds[failed] = [kind_of_error(error or "") for error in chunk.arrays["error"][failed].tolist()]
    return Chunk(arrays | {"error_kind": kinds}, chunk.size)


def conditions(
    start_ms: int | None, end_ms: int | None, filter: Filter, kind: Kind | None
) -> list[ColumnElement[bool]]:
    """Return what a detail row must fulfil, as SQL.

    SQL doesn't fold errors: of a filter for a kind of error, this lets every failure through that may be of it, and
    who asks leaves out what isn't.

    Args:
        start_ms: Epoch ms, inclusive, None for no bound.
        end_ms: Epoch ms, exclusive, None for no bound.
        filter: Which rows.
        kind: Navigations or scrapes only; None for both.
    """
    settled = filter.within(kind)
    if settled is None:
        return [false()]
    filter, kind = settled
    wanted: list[ColumnElement[bool]] = []
    if start_ms is not None:
        wanted.append(Page.created_at >= start_ms)
    if end_ms is not None:
        wanted.append(Page.created_at < end_ms)
    if kind is not None:
        wanted.append(Page.metric_type == kind)
    if filter.sources:
        wanted.append(Page.scraper_source.in_(filter.sources))
    if filter.result != "all":
        wanted.append(Page.success == (filter.result == "ok"))
    if filter.outcomes:
        wanted.append(_with_outcomes(filter.outcomes))
    if filter.error:
        wanted += maybe_of_kind(Page, filter.error)
    wanted += label_conditions(Page.labels, filter.labels)
    if filter.url_contains:
        wanted.append(func.lower(Page.page_url).contains(filter.url_contains.lower(), autoescape=True))
    wanted += [column == text for column, text in ((Page.page_url, filter.url), (Page.run_id, filter.run)) if text]
    return wanted


def maybe_of_kind(table: Any, kind: str) -> list[ColumnElement[bool]]:
    """Return what every failure of a kind fulfils, and as few others as SQL can tell.

    Args:
        table: The model of a table with `success` and `error`.
        kind: As `db.error_kinds` writes it.
    """
    piece = longest_piece(kind)
    return [table.success == False, *([func.instr(table.error, piece) > 0] if piece else [])]  # noqa: E712 - it is SQL


def _with_outcomes(wanted: Sequence[str]) -> ColumnElement[bool]:
    """Match scrapes with one of some outcomes; one that told none is taken for what it was, ok or failed."""
    told = Page.outcome.in_(wanted)
    taken_for = [Page.success == (name == "ok") for name in ("ok", "failed") if name in wanted]
    return or_(told, Page.outcome.is_(None) & or_(*taken_for)) if taken_for else told


def _read(columns: tuple[str, ...]) -> list[str]:
    return [name for name in columns if name in _EXPRESSIONS]


def _selected(columns: tuple[str, ...]) -> Select[Any]:
    return select(*(_EXPRESSIONS[name] for name in _read(columns)))


def _fetch(
    connection: Connection,
    statement: Select[Any],
    columns: tuple[str, ...],
    sources: Names,
    outcomes: Names,
    rows: int,
    *,
    error: str = "",
    kept: Collection[str] = (),
) -> list[Chunk]:
    """Read rows as chunks: of one kind of error only where one is given, and of their columns those to be kept."""
    result = connection.execution_options(stream_results=True, max_row_buffer=rows).execute(statement)
    chunks = []
    for part in result.partitions(rows):
        values: dict[str, Any] = dict(zip(_read(columns), zip(*part, strict=True), strict=True))
        values["source"] = [sources.code(name) for name in values["source"]]
        values["scrape"] = [kind == "scrape" for kind in values["scrape"]]
        if "outcome" in values:
            values["outcome"] = [-1 if name is None else outcomes.code(name) for name in values["outcome"]]
        if "run_id" in values:
            values["run_id"] = [one_copy(run_id) for run_id in values["run_id"]]
        if "url_hash" in columns:
            values["url_hash"] = [hash_of(url) for url in values["url"]]
        if "error_hash" in columns:
            values["error_hash"] = [error_hash(*pair) for pair in zip(values["error"], values["success"], strict=True)]
        if "labels" in values:
            values["labels"] = [None if text is None else shared(text) for text in values["labels"]]
        if "fields" in values:
            values["fields"] = [None if text is None else shared_fields(text) for text in values["fields"]]
        chunk = Chunk.of_columns(values)
        if error:
            of_kind = [kind_of_error(text or "") == error for text in values["error"]]
            chunk = Chunk({name: array for name, array in chunk.arrays.items() if name in kept}, chunk.size)
            chunk = chunk.chosen(np.array(of_kind, dtype=np.bool_))
        chunks.append(chunk)
    return chunks
