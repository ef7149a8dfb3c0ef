"""What rows add up to by URL, kind of error, outcome, attempt, yield or field: counted, merged, cut short."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from db.breakdown_values import attempt_texts, outcome_hashes, outcomes, yield_texts
from db.chunk import BoolArray, CodeArray, ObjectArray
from db.columns import DetailColumns, Names
from db.hashes import HashArray, hashes_of
from db.item_fields import told_fields
from db.results import Filter, FloatArray, IntArray, Kind

Dimension = Literal["url", "error", "outcome", "attempt", "yield", "field"]
DIMENSIONS: tuple[Dimension, ...] = ("url", "error", "outcome", "attempt", "yield", "field")
OTHERS = 0  # the value of what was cut off
# Values of one source and kind that are kept by each of the measures of `shortened`.
_MOST: dict[Dimension, int] = {"url": 1000, "error": 100, "outcome": 50, "attempt": 200, "yield": 50, "field": 200}
# Columns of detail rows that are added up, and those that a dimension takes its values from besides.
_COUNTED = ("created_at_ms", "source", "scrape", "duration_ms", "success", "items", "data_size")
_OWN: dict[Dimension, tuple[str, ...]] = {
    "url": ("url", "url_hash"), "error": ("error", "error_hash"), "outcome": ("outcome",),
    "attempt": ("retry_count", "status_code"), "field": ("fields",),
}  # fmt: skip
_LEAST, _MOST_IN_ALL = 20, 20_000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: sources and results land far apart


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """What the values of some groups stand for."""

    value: HashArray  # [t], without repetition
    texts: ObjectArray  # [t], str

    def find(self, wanted: Collection[int]) -> dict[int, str]:
        """Return the texts of those wanted values that are known here."""
        found = np.flatnonzero(np.isin(self.value, np.fromiter(wanted, np.uint64, len(wanted))))
        return dict(zip(self.value[found].tolist(), self.texts[found].tolist(), strict=True))

    def holding(self, text: str) -> HashArray:
        """Return the values whose text has another in it, whatever the size of its letters."""
        return self.value[[text in one.lower() for one in self.texts.tolist()]]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Columns of equal length g: a value has a group for each source, kind and result that it came with."""

    value: HashArray
    source: CodeArray  # numbers as in the detail's `source_names`
    scrape: BoolArray
    success: BoolArray
    count: IntArray
    items: IntArray
    data_size: IntArray  # bytes, as far as known
    sum_ms: FloatArray
    max_ms: FloatArray
    first_ms: IntArray  # the oldest row, epoch ms
    last_ms: IntArray  # the newest
    texts: tuple[Any, ...] = ()  # each has the methods of `Texts`; together they know every value but OTHERS

    def __len__(self) -> int:
        return len(self.value)

    @property
    def size_bytes(self) -> int:
        """Memory that the columns take."""
        return sum(getattr(self, name).nbytes for name in COLUMNS)

    def chosen(self, mask: npt.NDArray[Any] | slice) -> Groups:
        """Return the groups that a boolean mask, an array of indices or a slice picks."""
        return Groups(**{name: getattr(self, name)[mask] for name in COLUMNS}, texts=self.texts)

    @classmethod
    def empty(cls) -> Groups:
        """Return no groups."""
        return groups_of(DetailColumns([], Names(), Names()), "error")


COLUMNS = tuple(field.name for field in fields(Groups) if field.name != "texts")


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
    return groups_apart(rows, dimension)[0]


def groups_apart(
    rows: DetailColumns, dimension: Dimension, bucket: IntArray | None = None
) -> tuple[Groups, IntArray | None]:
    """Count detail rows out by one of their values, those of different buckets apart.

    Args:
        rows: As for `groups_of`.
        dimension: Likewise.
        bucket: The number of the bucket that each row is in, rising; None for a single one.

    Returns:
        (the groups, those of one bucket side by side where buckets are given; the bucket of each).
    """
    chosen: Any = slice(None)
    texts: Texts | None = None
    if dimension == "field":
        names, place, chosen, had = told_fields(rows.fields, rows.items)
        numbers = hashes_of(names)
        columns, _ = _added_up(_columns_of(rows, chosen, numbers[place], had, bucket))
        return _groups(columns, Texts(numbers, objects(names)))
    if dimension == "error":
        chosen, value = ~rows.success, rows.error_hash
    elif dimension == "outcome":
        chosen, value = rows.scrape, outcome_hashes(rows)
        names = outcomes(rows)
        texts = Texts(hashes_of(names), objects(names))
    elif dimension == "attempt":
        chosen = ~rows.scrape
        value, texts = _numbered_texts(attempt_texts(rows.retry_count, rows.status_code))
    elif dimension == "yield":
        chosen = rows.scrape
        value, texts = _numbered_texts(yield_texts(rows.items, rows.data_size))
    else:
        value = rows.url_hash
    columns, one = _added_up(_columns_of(rows, chosen, value[chosen], rows.items[chosen], bucket))
    if dimension == "error":
        kinds = rows.error_kinds(np.flatnonzero(chosen)[one])
        texts = distinct(columns["value"], objects(kinds))
    elif texts is None:
        texts = distinct(columns["value"], rows.url[one])
    return _groups(columns, texts)


def _groups(columns: dict[str, Any], texts: Texts) -> tuple[Groups, IntArray | None]:
    bucket = columns.pop("bucket", None)
    return Groups(**columns, texts=(texts,)), bucket


def _columns_of(
    rows: DetailColumns, chosen: Any, value: HashArray, items: IntArray, bucket: IntArray | None
) -> dict[str, Any]:
    """Return the columns of groups of a row each."""
    return {
        "value": value,
        "source": rows.source[chosen],
        "scrape": rows.scrape[chosen],
        "success": rows.success[chosen],
        "count": np.ones(len(value), dtype=np.int64),
        "items": items,
        "data_size": np.maximum(rows.data_size[chosen], 0),
        "sum_ms": rows.duration_ms[chosen],
        "max_ms": rows.duration_ms[chosen],
        "first_ms": rows.created_at_ms[chosen],
        "last_ms": rows.created_at_ms[chosen],
    } | ({} if bucket is None else {"bucket": bucket[chosen]})


def merged(parts: Sequence[Groups]) -> Groups:
    """Add groups of different spans of time up.

    Args:
        parts: Groups of one dimension, with the same source numbers.
    """
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Groups.empty()
    columns, _ = _added_up({name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})
    return Groups(**columns, texts=tuple(text for part in parts for text in part.texts))


def added_up(groups: Groups) -> Groups:
    """Return one group for each value, source, kind and result where there may be several.

    Args:
        groups: Of one dimension.
    """
    columns, _ = _added_up({name: getattr(groups, name) for name in COLUMNS})
    return Groups(**columns, texts=groups.texts)


def shortened(groups: Groups, dimension: Dimension) -> Groups:
    """Bound how many groups there are: add up as OTHERS what is neither slow nor frequent nor often failing.

    Args:
        groups: Of one span of time.
        dimension: What they were counted by; it says how many values each source and kind may keep.
    """
    streams = len(np.unique(groups.source * 2 + groups.scrape))
    # All of them together, too: what is read and sent in one piece stays below some ten megabytes.
    most = max(_LEAST, min(_MOST[dimension], _MOST_IN_ALL // max(1, streams)))
    if len(groups) <= most:
        return groups
    # Results of one value together: a page is kept with its failures or not at all.
    group, size = numbered(groups.value, groups.source * 2 + groups.scrape)
    count = np.bincount(group, weights=groups.count, minlength=size)
    mean_ms = np.bincount(group, weights=groups.sum_ms, minlength=size) / count
    failures = np.bincount(group, weights=np.where(groups.success, 0, groups.count), minlength=size)
    stream = np.zeros(size, dtype=np.int64)
    stream[group] = groups.source * 2 + groups.scrape
    kept = np.zeros(size, dtype=np.bool_)
    for measure in (mean_ms, failures, count):
        order = np.lexsort((-measure, stream))
        ordered = stream[order]
        begins = np.searchsorted(ordered, ordered)  # where each one's stream begins
        kept[order[np.arange(size) - begins < most]] = True
    if kept.all():
        return groups
    columns = {name: getattr(groups, name) for name in COLUMNS}
    columns["value"] = np.where(kept[group], groups.value, np.uint64(OTHERS))
    return Groups(**_added_up(columns)[0], texts=groups.texts)


def _added_up(columns: dict[str, Any]) -> tuple[dict[str, Any], IntArray]:
    """Return one row for each value, source, kind, result and bucket; and for each a place where it came from."""
    stream = columns["source"] * 4 + columns["scrape"] * 2 + columns["success"]
    if "bucket" in columns:
        stream = stream + columns["bucket"] * (int(stream.max(initial=0)) + 1)
    group, size = numbered(columns["value"], stream)
    one = np.zeros(size, dtype=np.int64)
    one[group] = np.arange(len(group))
    told = ("value", "source", "scrape", "success", "bucket")
    result: dict[str, Any] = {name: columns[name][one] for name in told if name in columns}
    for name in ("count", "items", "data_size"):
        result[name] = np.bincount(group, weights=columns[name], minlength=size).astype(np.int64)
    result["sum_ms"] = np.bincount(group, weights=columns["sum_ms"], minlength=size).astype(np.float64, copy=False)
    for name, extreme in (("max_ms", np.maximum), ("first_ms", np.minimum), ("last_ms", np.maximum)):
        result[name] = columns[name][one]
        extreme.at(result[name], group, columns[name])
    return result, one


def counts(dimension: Dimension, filter: Filter) -> bool:
    """Say whether groups know what a filter asks for: they are by one dimension and know nothing of the others.

    Args:
        dimension: What they were counted by.
        filter: What is asked for.
    """
    asked = {"url": filter.url_contains or filter.url, "error": filter.error, "outcome": filter.outcomes}
    return not filter.labels and not filter.run and not any(value for name, value in asked.items() if name != dimension)


def narrowed(groups: Groups, filter: Filter, kind: Kind | None, names: Names) -> Groups:
    """Return the groups that a filter lets through.

    Args:
        groups: Counted by what the filter asks for, if it does: see `counts`.
        filter: What to keep.
        kind: Navigations or scrapes only; None for both.
        names: What their source numbers stand for.
    """
    settled = filter.within(kind)
    if settled is None:
        return Groups.empty()
    filter, kind = settled
    if filter == Filter() and kind is None:
        return groups
    mask = np.ones(len(groups), dtype=np.bool_)
    if kind is not None:
        mask &= groups.scrape == (kind == "scrape")
    if filter.sources:
        mask &= np.isin(groups.source, [code for code in map(names.known, filter.sources) if code is not None])
    if filter.result != "all":
        mask &= groups.success == (filter.result == "ok")
    if filter.outcomes or filter.error:
        mask &= np.isin(groups.value, hashes_of(filter.outcomes or (filter.error,)))
    if filter.url:
        mask &= np.isin(groups.value, hashes_of((filter.url,)))
    if filter.url_contains:
        needle = filter.url_contains.lower()
        found = [texts.holding(needle) for texts in groups.texts]
        mask &= np.isin(groups.value, np.unique(np.concatenate(found)) if found else ())
    return groups.chosen(mask)


def texts_of(groups: Groups, values: Collection[int]) -> dict[int, str]:
    """Return what values stand for.

    Args:
        groups: Some that hold them.
        values: Which.
    """
    missing = set(values)
    found = {OTHERS: "(others)"} if OTHERS in missing else {}
    for texts in reversed(groups.texts):  # the newest know most
        missing -= found.keys()
        if not missing:
            break
        found |= texts.find(missing)
    return found


def numbered(value: HashArray, stream: npt.NDArray[Any] | None = None) -> tuple[IntArray, int]:
    """Return the number of each row's group, and how many groups there are.

    Args:
        value: uint64[n].
        stream: Whole numbers [n] from 0 up that keep equal values apart.
    """
    key = value if stream is None else value ^ ((stream.astype(np.uint64) + np.uint64(1)) * _SPREAD)
    codes, uniques = pd.factorize(key)
    return codes.astype(np.int64, copy=False), len(uniques)


def _numbered_texts(found: tuple[list[str], IntArray]) -> tuple[HashArray, Texts]:
    names, place = found
    hashes = hashes_of(names)
    return hashes[place], Texts(hashes, objects(names))


def distinct(value: HashArray, texts: ObjectArray) -> Texts:
    """Return what values stand for, which may come several times.

    Args:
        value: uint64[n].
        texts: str[n].
    """
    unique, index = np.unique(value, return_index=True)
    return Texts(unique, texts[index])


def objects(texts: Sequence[str]) -> ObjectArray:
    """Return texts as an array of objects."""
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array
