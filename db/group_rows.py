"""Detail rows counted out by URL, kind of error, outcome, attempt, yield or field, and by buckets besides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from db.breakdown import Dimension, Groups, Texts, added_up_columns, objects
from db.breakdown_values import attempt_texts, outcome_places, outcomes, yield_texts
from db.columns import DetailColumns
from db.hashes import HashArray, hashes_of
from db.item_fields import told_fields
from db.results import IntArray

# Columns of detail rows that are added up, and those that a dimension takes its values from besides.
_COUNTED = ("created_at_ms", "source", "scrape", "duration_ms", "success", "items")
_OWN: dict[Dimension, tuple[str, ...]] = {
    "url": ("url", "url_hash"), "error": ("error", "error_hash"), "outcome": ("outcome",),
    "attempt": ("retry_count", "status_code"), "yield": ("data_size",), "field": ("fields",),
}  # fmt: skip
# Which rows are counted; their values as texts; which of them each row has.
_Few = tuple[IntArray, list[str], IntArray]


def columns_for(dimension: Dimension) -> tuple[str, ...]:
    """Return the columns of detail rows that `groups_of` needs, the time first and those made from others last.

    Args:
        dimension: What by.
    """
    return (*_COUNTED, *_OWN.get(dimension, ()))


def groups_of(rows: DetailColumns, dimension: Dimension) -> Groups:
    """Count detail rows out by one of their values.

    Args:
        rows: With the columns that the dimension needs.
        dimension: By URL, every row; by kind of error, failures only; by outcome and by yield, scrapes only; by
            attempt, navigations only; by field, scrapes that tell of fields only, each once with ALL_ITEMS
            (db.item_fields) and once for each field, whose `items` are those that had it.
    """
    return bucketed_groups_of(rows, dimension, None)[0]


def bucketed_groups_of(rows: DetailColumns, dimension: Dimension, bucket: IntArray | None) -> tuple[Groups, IntArray]:
    """Count detail rows out by one of their values and by bucket.

    Args:
        rows: As for `groups_of`.
        dimension: As for `groups_of`.
        bucket: The bucket of each row, int64[n], rising from 0 on; None for one of them all.

    Returns:
        (groups, int64[g]: the bucket of each, rising).
    """
    place: tuple[IntArray, int] | None = None
    chosen: Any = slice(None)
    items: IntArray | None = None
    texts: tuple[Any, ...] | None = None
    if dimension in _FEW:
        chosen, names, numbers = _FEW[dimension](rows)
        hashes = hashes_of(names)
        texts, place = (Texts(hashes, objects(names)),), (numbers, max(1, len(names)))
        value = hashes[numbers]
    elif dimension == "field":
        names, numbers, chosen, items = told_fields(rows.fields, rows.items)
        hashes = hashes_of(names)
        texts = (Texts(hashes, objects(names)),)
        value = hashes[numbers]
    elif dimension == "error":
        chosen = np.flatnonzero(~rows.success)
        value = rows.error_hash[chosen]
    elif (numbered := rows.numbered_urls()) is not None:
        numbers, hashes, texts = numbered
        place = (numbers, len(hashes))
        value = hashes[numbers]
    else:
        value = rows.url_hash
    own = None if bucket is None else bucket[chosen]
    columns, one = added_up_columns(_columns_of(rows, dimension, chosen, value, items), bucket=own, place=place)
    if texts is None:
        texts = (Texts(columns["value"], rows.url[one]) if dimension == "url" else _errors(rows, value, chosen),)
    where = np.zeros(len(one), dtype=np.int64) if own is None else own[one]
    return Groups(**columns, texts=texts), where


def _errors(rows: DetailColumns, value: HashArray, chosen: IntArray) -> Texts:
    """Return the kinds of some rows' errors, each once."""
    codes, distinct = pd.factorize(value)
    one = np.zeros(len(distinct), dtype=np.int64)
    one[codes] = chosen
    return Texts(distinct, objects(rows.error_kinds(one)))


def _outcomes_of(rows: DetailColumns) -> _Few:
    chosen = np.flatnonzero(rows.scrape)
    outcome = rows.outcome[chosen]  # before their names: a column that is made now may bring new ones
    names = outcomes(rows)
    return chosen, names, outcome_places(outcome, rows.success[chosen], names)


def _attempts_of(rows: DetailColumns) -> _Few:
    chosen = np.flatnonzero(~rows.scrape)
    return chosen, *attempt_texts(rows.retry_count[chosen], rows.status_code[chosen])


def _yields_of(rows: DetailColumns) -> _Few:
    chosen = np.flatnonzero(rows.scrape)
    return chosen, *yield_texts(rows.items[chosen], rows.data_size[chosen])


_FEW: dict[Dimension, Callable[[DetailColumns], _Few]] = {
    "outcome": _outcomes_of,
    "attempt": _attempts_of,
    "yield": _yields_of,
}


def _columns_of(
    rows: DetailColumns, dimension: Dimension, chosen: Any, value: HashArray, items: IntArray | None
) -> dict[str, Any]:
    """Return the columns of groups of a row each."""
    # Looked up only where it is shown: old rows keep it apart from what all statistics need.
    sized = np.maximum(rows.data_size[chosen], 0) if dimension == "yield" else np.zeros(len(value), dtype=np.int64)
    moments_ms, durations_ms = rows.created_at_ms[chosen], rows.duration_ms[chosen]
    return {
        "value": value,
        "source": rows.source[chosen],
        "scrape": rows.scrape[chosen],
        "success": rows.success[chosen],
        "count": np.ones(len(value), dtype=np.int64),
        "items": rows.items[chosen] if items is None else items,
        "data_size": sized,
        "sum_ms": durations_ms,
        "max_ms": durations_ms,
        "first_ms": moments_ms,
        "last_ms": moments_ms,
    }
