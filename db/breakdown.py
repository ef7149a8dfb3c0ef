"""What rows add up to by URL, kind of error, outcome, attempt, yield or field: merged, narrowed, cut short."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from db.chunk import BoolArray, CodeArray, ObjectArray
from db.columns import Names
from db.distinct import distinct_numbers
from db.hashes import HashArray, hashes_of
from db.results import Filter, FloatArray, IntArray, Kind

Dimension = Literal["url", "error", "outcome", "attempt", "yield", "field"]
DIMENSIONS: tuple[Dimension, ...] = ("url", "error", "outcome", "attempt", "yield", "field")
OTHERS = 0  # the value of what was cut off
# Values of one source and kind that are kept by each of the measures of `shortened`.
_MOST: dict[Dimension, int] = {"url": 1000, "error": 100, "outcome": 50, "attempt": 200, "yield": 50, "field": 200}
_LEAST, _MOST_IN_ALL = 20, 20_000
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: sources and results land far apart


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """What the values of some groups stand for."""

    value: HashArray  # [t]
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
    data_size: IntArray  # bytes, as far as known; of yields only
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

    def chosen(self, mask: npt.NDArray[Any]) -> Groups:
        """Return the groups that a boolean mask or an array of indices picks."""
        places = np.flatnonzero(mask) if mask.dtype == np.bool_ else mask  # eleven times a mask would take far longer
        return Groups(**{name: getattr(self, name)[places] for name in COLUMNS}, texts=self.texts)

    @classmethod
    def empty(cls) -> Groups:
        """Return no groups."""
        return of_columns([np.empty(0, dtype=_DTYPES[name]) for name in COLUMNS], ())


COLUMNS = tuple(field.name for field in fields(Groups) if field.name != "texts")
_DTYPES: dict[str, Any] = dict.fromkeys(COLUMNS, np.int64) | {
    "value": np.uint64, "source": np.int32, "scrape": np.bool_, "success": np.bool_,
    "sum_ms": np.float64, "max_ms": np.float64,
}  # fmt: skip


def of_columns(columns: Sequence[Any], texts: tuple[Any, ...]) -> Groups:
    """Return groups of arrays in the order of COLUMNS.

    Args:
        columns: One array for each of COLUMNS.
        texts: As in `Groups`.
    """
    return Groups(**dict(zip(COLUMNS, columns, strict=True)), texts=texts)


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
    return added_up(joined(parts))


def joined(parts: Sequence[Groups]) -> Groups:
    """Put groups one behind the other, added up or not.

    Args:
        parts: Groups of one dimension, with the same source numbers; one at least.
    """
    if len(parts) == 1:
        return parts[0]
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS]
    # Those that were counted out together have the very same texts.
    texts = {id(text): text for part in parts for text in part.texts}
    return of_columns(columns, tuple(texts.values()))


def added_up(groups: Groups) -> Groups:
    """Return one group for each value, source, kind and result where there may be several.

    Args:
        groups: Of one dimension.
    """
    columns, _ = added_up_columns({name: getattr(groups, name) for name in COLUMNS})
    return Groups(**columns, texts=groups.texts)


def added_up_by(groups: Groups, bucket: IntArray) -> tuple[Groups, IntArray]:
    """Return one group for each bucket, value, source, kind and result where there may be several.

    Args:
        groups: Of one dimension.
        bucket: The bucket of each, int64[g], rising from 0 on.

    Returns:
        (groups, int64: the bucket of each, rising).
    """
    columns, one = added_up_columns({name: getattr(groups, name) for name in COLUMNS}, bucket=bucket)
    return Groups(**columns, texts=groups.texts), bucket[one]


def shortened(groups: Groups, dimension: Dimension, sources: CodeArray | None = None) -> Groups:
    """Bound how many groups there are: add up as OTHERS what is neither slow nor frequent nor often failing.

    Args:
        groups: Of one span of time.
        dimension: What they were counted by; it says how many values each source and kind may keep.
        sources: For each of their source numbers one that those of the same source share: labels that are told apart
            (db.labelled_sources) change nothing about what is kept. None where each is a source of its own.
    """
    source = groups.source if sources is None else sources[groups.source]
    streams = len(np.unique(source * 2 + groups.scrape))
    # All of them together, too: what is read and sent in one piece stays below some ten megabytes.
    most = max(_LEAST, min(_MOST[dimension], _MOST_IN_ALL // max(1, streams)))
    if len(groups) <= most:
        return groups
    # Results of one value together: a page is kept with its failures or not at all.
    group, size = numbered(groups.value, source * 2 + groups.scrape)
    count = np.bincount(group, weights=groups.count, minlength=size)
    mean_ms = np.bincount(group, weights=groups.sum_ms, minlength=size) / count
    failures = np.bincount(group, weights=np.where(groups.success, 0, groups.count), minlength=size)
    stream = np.zeros(size, dtype=np.int64)
    stream[group] = source * 2 + groups.scrape
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
    return Groups(**added_up_columns(columns)[0], texts=groups.texts)


def added_up_columns(
    columns: dict[str, Any], *, bucket: IntArray | None = None, place: tuple[IntArray, int] | None = None
) -> tuple[dict[str, Any], IntArray]:
    """Return one row for each value, source, kind and result.

    Args:
        columns: COLUMNS by name, each of length n.
        bucket: Keeps equal values of different buckets apart; int64[n], rising from 0 on.
        place: Numbers of the values from 0 on, int64[n], and how many values there are, where they are few and known.

    Returns:
        (columns by name, those of one bucket together and the buckets rising; int64: a row that each came from).
    """
    stream = columns["source"].astype(np.int64) * 4 + columns["scrape"] * 2 + columns["success"]
    if bucket is not None and len(bucket):
        stream += bucket * (int(stream.max()) + 1)
    group, size = numbered(columns["value"], stream) if place is None else _placed(stream, *place)
    one = np.zeros(size, dtype=np.int64)
    one[group] = np.arange(len(group))
    result = {name: columns[name][one] for name in ("value", "source", "scrape", "success")}
    for name in ("count", "items", "data_size"):
        result[name] = np.bincount(group, weights=columns[name], minlength=size).astype(np.int64)
    result["sum_ms"] = np.bincount(group, weights=columns["sum_ms"], minlength=size).astype(np.float64, copy=False)
    for name, extreme in (("max_ms", np.maximum), ("first_ms", np.minimum), ("last_ms", np.maximum)):
        result[name] = columns[name][one]
        extreme.at(result[name], group, columns[name])
    return result, one


def _placed(stream: IntArray, place: IntArray, places: int) -> tuple[IntArray, int]:
    """Return the number of each row's group, rising with the stream and then the place, and how many there are."""
    used, group = distinct_numbers(stream * places + place)
    return group, len(used)


def counts(dimension: Dimension, filter: Filter) -> bool:
    """Say whether groups know what a filter asks for: they are by one dimension and know nothing of the others.

    Of labels those know that are read for them (`db.breakdowns.Breakdowns`).

    Args:
        dimension: What they were counted by.
        filter: What is asked for.
    """
    asked = {"url": filter.url_contains or filter.url, "error": filter.error, "outcome": filter.outcomes}
    return not filter.run and not any(value for name, value in asked.items() if name != dimension)


def letting_through(groups: Groups, filter: Filter, kind: Kind | None, names: Names) -> BoolArray | None:
    """Return which groups a filter lets through, bool[g]; None when it lets all of them.

    Args:
        groups: Counted by what the filter asks for, if it does (see `counts`), and of its labels alone.
        filter: What to keep.
        kind: Navigations or scrapes only; None for both.
        names: What their source numbers stand for.
    """
    settled = filter.within(kind)
    if settled is None:
        return np.zeros(len(groups), dtype=np.bool_)
    filter, kind = settled
    if filter == Filter() and kind is None:
        return None
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
    return mask


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
