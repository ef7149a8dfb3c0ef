"""Groups counted by the database: for spans that are neither in memory nor in breakdowns."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Integer, case, func, select, type_coerce
from sqlalchemy.engine import Connection

from db.breakdown import Dimension, Groups, Texts
from db.breakdown_values import MOST_RETRIES, Attempt, Yield
from db.columns import Names
from db.detail import conditions
from db.error_kinds import kind_of_error
from db.hashes import hashes_of
from db.models import PagePerformance as Page
from db.results import Filter, Kind

_SUCCESS = type_coerce(Page.success, Integer)
_DURATION_MS = func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms)
_RETRIES = func.coalesce(Page.retry_count, 0)
_VALUES: dict[Dimension, tuple[Any, ...]] = {
    "url": (Page.page_url,),
    "error": (func.coalesce(Page.error, ""),),
    "outcome": (Page.outcome,),
    "attempt": (case((_RETRIES > MOST_RETRIES, MOST_RETRIES), else_=_RETRIES), Page.status_code),
    "yield": (
        case((func.coalesce(Page.items_extracted, 0) > 0, 1), else_=0),
        case((Page.data_size.is_not(None), 1), else_=0),
    ),
}
_ONLY: dict[Dimension, tuple[Any, ...]] = {
    "error": (Page.success == False,),  # noqa: E712 - it is SQL
    "outcome": (Page.metric_type == "scrape",),
    "attempt": (Page.metric_type == "navigation",),
    "yield": (Page.metric_type == "scrape",),
}


def groups_by_sql(
    connection: Connection,
    dimension: Dimension,
    start_ms: int,
    end_ms: int,
    filter: Filter,
    kind: Kind | None,
    names: Names,
) -> Groups:
    """Return what `db.breakdown.groups_of` returns for detail rows, counted by the database.

    Args:
        connection: An open connection.
        dimension: What by.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        filter: Which rows.
        kind: Navigations or scrapes only; None for both.
        names: Gives sources their numbers.
    """
    values = _VALUES[dimension]
    keys = (Page.scraper_source, Page.metric_type, _SUCCESS, *values)
    statement = (
        select(
            func.count(), func.sum(func.coalesce(Page.items_extracted, 0)), func.sum(func.coalesce(Page.data_size, 0)),
            func.sum(_DURATION_MS), func.max(_DURATION_MS), func.min(Page.created_at), func.max(Page.created_at), *keys,
        )
        .where(*conditions(start_ms, end_ms, filter, kind), *_ONLY.get(dimension, ()))
        .group_by(*keys)
    )  # fmt: skip
    rows = connection.execute(statement).all()
    if not rows:
        return Groups.empty()
    counts, items, sizes, sums_ms, longest_ms, first_ms, last_ms, sources, kinds, oks, *value = zip(*rows, strict=True)
    texts = [_text(dimension, bool(ok), own) for ok, own in zip(oks, zip(*value, strict=True), strict=True)]
    distinct = sorted(set(texts))
    hashes, place = hashes_of(distinct), {text: number for number, text in enumerate(distinct)}
    array = np.empty(len(distinct), dtype=np.object_)
    array[:] = distinct
    # Several error texts may be of one kind: groups that are alike are added up by whoever counts groups anyway.
    return Groups(
        value=hashes[[place[text] for text in texts]],
        source=np.array([names.code(source) for source in sources], dtype=np.int32),
        scrape=np.array([kind == "scrape" for kind in kinds], dtype=np.bool_),
        success=np.array([bool(ok) for ok in oks], dtype=np.bool_),
        count=np.array(counts, dtype=np.int64),
        items=np.array([int(sum) for sum in items], dtype=np.int64),
        data_size=np.array([int(sum) for sum in sizes], dtype=np.int64),
        sum_ms=np.array(sums_ms, dtype=np.float64),
        max_ms=np.array(longest_ms, dtype=np.float64),
        first_ms=np.array(first_ms, dtype=np.int64),
        last_ms=np.array(last_ms, dtype=np.int64),
        texts=(Texts(hashes, array),),
    )


def _text(dimension: Dimension, ok: bool, value: tuple[Any, ...]) -> str:
    match dimension:
        case "error":
            return kind_of_error(value[0])
        case "outcome":
            return value[0] if value[0] is not None else "ok" if ok else "failed"
        case "attempt":
            return str(Attempt(int(value[0]), value[1]))
        case "yield":
            return str(Yield(bool(value[0]), bool(value[1])))
        case "url":
            return str(value[0])
