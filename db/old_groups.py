"""What detail rows add up to by URL, kind of error… where no breakdown can tell: counted by the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Integer, case, func, literal, select, type_coerce
from sqlalchemy.engine import Connection

from db.breakdown import Dimension, Groups, added_up, distinct, merged, objects, shortened
from db.breakdown_values import attempt_texts, yield_texts
from db.columns import Names
from db.detail import conditions
from db.error_kinds import kind_of_error
from db.hashes import hashes_of
from db.item_fields import told_fields
from db.models import PagePerformance as Page
from db.results import Filter, Kind, TimeRange

# Groups fetched at a time: bounds what the texts of errors cost that turn out to be of another kind.
_FETCH_ROWS = 20_000
# More groups than this are cut short as those of a breakdown are.
_MOST_GROUPS = 20_000

_STATUSES = 1_000
_DURATION_MS = func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms)
_TEXT: dict[Dimension, ColumnElement[Any]] = {
    "url": Page.page_url.expression,
    "error": func.coalesce(Page.error, ""),
    "outcome": Page.outcome.expression,
    # Two numbers in one: these become texts here.
    "attempt": func.coalesce(Page.retry_count, 0) * _STATUSES + func.coalesce(Page.status_code, 0),
    "field": Page.fields.expression,
    "yield": case((func.coalesce(Page.items_extracted, 0) > 0, 2), else_=0) + case((Page.data_size >= 0, 1), else_=0),
}
_ROWS: dict[Dimension, list[ColumnElement[bool]]] = {
    "url": [],
    "error": [Page.success == False],  # noqa: E712 - it is SQL
    "outcome": [Page.metric_type == "scrape"],
    "attempt": [Page.metric_type == "navigation"],
    "field": [Page.metric_type == "scrape", Page.fields.is_not(None)],
    "yield": [Page.metric_type == "scrape"],
}


def groups_by_sql(
    connection: Connection, dimension: Dimension, span: TimeRange, filter: Filter, kind: Kind | None, sources: Names
) -> Groups:
    """Return what `db.breakdown.groups_of` returns of the rows that a filter lets through.

    Args:
        connection: An open connection.
        dimension: What by.
        span: The range.
        filter: Which rows.
        kind: Navigations or scrapes only; None for both.
        sources: Gives sources their numbers.
    """
    keys = [_TEXT[dimension], Page.scraper_source, Page.metric_type, type_coerce(Page.success, Integer)]
    # Errors are folded here: their texts come along, and what is of another kind is left out.
    keys += [_TEXT["error"].label("folded")] if filter.error else []
    size = func.sum(func.coalesce(Page.data_size, 0)) if dimension == "yield" else literal(0)
    statement = (
        select(
            func.count(), func.sum(func.coalesce(Page.items_extracted, 0)), size,
            func.sum(_DURATION_MS), func.max(_DURATION_MS), func.min(Page.created_at), func.max(Page.created_at), *keys,
        )
        .where(*conditions(span.start_ms, span.end_ms, filter, kind), *_ROWS[dimension])
        .group_by(*keys)
    )  # fmt: skip
    result = connection.execution_options(stream_results=True, max_row_buffer=_FETCH_ROWS).execute(statement)
    parts = []
    for rows in result.partitions(_FETCH_ROWS):
        of_kind = [row for row in rows if not filter.error or kind_of_error(row[-1]) == filter.error]
        if of_kind:
            parts.append(_groups(of_kind, dimension, sources))
    groups = merged(parts)
    return shortened(groups, dimension) if len(groups) > _MOST_GROUPS else groups


def _groups(rows: Sequence[Any], dimension: Dimension, sources: Names) -> Groups:
    count, items, data_size, sum_ms, max_ms, first_ms, last_ms, texts, source, metric_type, success = (
        list(column) for column in list(zip(*rows, strict=True))[:11]
    )
    if dimension == "error":
        texts = [kind_of_error(text) for text in texts]
    elif dimension == "outcome":
        texts = [("ok" if ok else "failed") if text is None else text for text, ok in zip(texts, success, strict=True)]
    elif dimension in ("attempt", "yield"):
        numbers = np.array(texts, dtype=np.int64)
        if dimension == "attempt":
            names, place = attempt_texts(numbers // _STATUSES, numbers % _STATUSES)
        else:
            names, place = yield_texts(numbers // 2, numbers % 2 - 1)
        texts = [names[index] for index in place.tolist()]
    elif dimension == "field":
        sums = (count, items, data_size, sum_ms, max_ms, first_ms, last_ms, source, metric_type, success)
        names, place, row, had = told_fields(
            objects(texts), np.array([int(value) for value in items], np.int64), np.array(count, np.int64)
        )
        count, _, data_size, sum_ms, max_ms, first_ms, last_ms, source, metric_type, success = (
            [column[index] for index in row.tolist()] for column in sums
        )
        texts, items = [names[index] for index in place.tolist()], had.tolist()
    value = hashes_of(texts)
    return added_up(
        Groups(
            value=value,
            source=np.array([sources.code(name) for name in source], dtype=np.int32),
            scrape=np.array([kind == "scrape" for kind in metric_type], dtype=np.bool_),
            success=np.array(success, dtype=np.bool_),
            count=np.array(count, dtype=np.int64),
            items=np.array([int(value) for value in items], dtype=np.int64),
            data_size=np.array([int(value) for value in data_size], dtype=np.int64),
            sum_ms=np.array(sum_ms, dtype=np.float64),
            max_ms=np.array(max_ms, dtype=np.float64),
            first_ms=np.array(first_ms, dtype=np.int64),
            last_ms=np.array(last_ms, dtype=np.int64),
            texts=(distinct(value, objects(texts)),),
        )
    )
