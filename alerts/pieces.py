"""Detail rows added up by whatever rules tell apart (domain, labels, source), so that rows needn't be kept. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from alerts.label_texts import labels_of
from alerts.matchers import matcher
from alerts.parts import QUANTILES, SHARES, Parts, covered, parts_of_sums
from alerts.rules import Rule
from db import sketch
from db.alert_sums import Sums
from db.breakdown_values import MOST_RETRIES
from db.columns import DetailColumns, Names
from db.item_fields import ALL_ITEMS, told_fields
from db.results import FloatArray, IntArray
from db.rows import domain_of

# What is counted of each group, besides durations and fields.
_COUNTED: Final = ("count", "successes", "items", "sum_ms", "usable", "retries", "empty")


@dataclass(frozen=True, slots=True)
class Need:
    """What rules tell rows apart by.

    Args:
        names: "source", "domain" and "label:<key>", in order.
        fields: Whether fields of items are counted.
    """

    names: tuple[str, ...]
    fields: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of detail rows that are read for it."""
        found = ["created_at_ms", "source", "scrape", "duration_ms", "success", "items", "retry_count", "outcome"]
        found += ["url"] if "domain" in self.names else []
        found += ["labels"] if any(name.startswith("label:") for name in self.names) else []
        return (*found, "fields") if self.fields else tuple(found)


def need_of(rule: Rule) -> Need:
    """Return what a rule tells rows apart by.

    Args:
        rule: By source, domain, label or fleet.
    """
    names = {name_of(matcher(text).name) for text in rule.only} | {rule.by}
    return Need(tuple(sorted(names - {"fleet"})), rule.what == "field_coverage")


def name_of(matched: str) -> str:
    """Return what a matcher is about: a name that isn't source or domain is a label's."""
    return matched if matched in ("source", "domain") else f"label:{matched}"


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers that values have in pieces of one need; they only grow.

    Args:
        values: Of each of the need's names.
        fields: Of fields of items.
    """

    values: tuple[Names, ...]
    fields: Names = field(default_factory=Names)

    @classmethod
    def of(cls, need: Need) -> Numbers:
        """Return numbers for a need, of nothing yet."""
        return cls(tuple(Names() for _ in need.names))

    def __len__(self) -> int:
        return sum(map(len, self.values)) + len(self.fields)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What some rows add up to: n groups.

    Args:
        codes: The number of each of the need's values, int64[n] each; -1 without one.
        scrape: bool[n]; else they are navigations.
        counted: Each of metrics, successes, items, duration in ms, usable scrapes, retries and scrapes that went well
            and brought nothing, float64[n].
        durations: (group, bin, count) of durations as `db.sketch` has them.
        fields: (number of the field, group, items that had it).
    """

    codes: tuple[IntArray, ...]
    scrape: npt.NDArray[np.bool_]
    counted: dict[str, FloatArray]
    durations: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
    fields: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.scrape)

    @property
    def size(self) -> int:
        """How many numbers it is made of, about."""
        return 10 * len(self) + 3 * len(self.durations[0]) + 3 * len(self.fields[0])


def piece_of(rows: DetailColumns, need: Need, numbers: Numbers) -> Piece:
    """Add rows up.

    Args:
        rows: With the need's columns.
        need: What they are told apart by.
        numbers: Of this need; values that are new get one.
    """
    scrape, success, items = rows.scrape, rows.success, rows.items
    codes = [_codes(rows, name, known) for name, known in zip(need.names, numbers.values, strict=True)]
    group, first = _grouped([scrape.astype(np.int64), *codes])
    ok = rows.outcome_names.known("ok")
    usable = scrape & success & ((rows.outcome < 0) | (rows.outcome == (-2 if ok is None else ok)))
    each: dict[str, npt.NDArray[Any]] = {
        "count": np.ones(len(rows)), "successes": success, "items": items, "sum_ms": rows.duration_ms,
        "usable": usable, "retries": np.where(scrape, 0, np.minimum(rows.retry_count, MOST_RETRIES)),
        "empty": scrape & success & (items == 0),
    }  # fmt: skip
    told: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]] = (*_no_pairs(),)
    if need.fields:
        names, which, row, had = told_fields(rows.fields, items)
        known = np.array([numbers.fields.code(name) for name in names], dtype=np.int64)
        told = _paired(known[which], group[row], had)
    return Piece(
        tuple(code[first] for code in codes),
        scrape[first],
        {name: _summed(group, values, len(first)) for name, values in each.items()},
        _durations(group, sketch.bins_of(rows.duration_ms), np.ones(len(rows))),
        told,
    )


def added(pieces: Sequence[Piece], need: Need) -> Piece:
    """Add pieces up.

    Args:
        pieces: Of one need, with the same numbers.
        need: The need.
    """
    if len(pieces) == 1:
        return pieces[0]
    scrape = np.concatenate([piece.scrape for piece in pieces]) if pieces else np.empty(0, dtype=np.bool_)
    codes = [
        np.concatenate([piece.codes[place] for piece in pieces]) if pieces else np.empty(0, dtype=np.int64)
        for place in range(len(need.names))
    ]
    group, first = _grouped([scrape.astype(np.int64), *codes])
    begins = np.cumsum([0, *map(len, pieces)])[:-1]

    def joined(name: str, place: int, groups: int) -> npt.NDArray[Any]:
        """Join a column of triples; of the groups among them, as they are numbered now."""
        columns = [getattr(piece, name)[place] for piece in pieces]
        if place == groups:
            columns = [group[low + column] for low, column in zip(begins, columns, strict=True)]
        return np.concatenate(columns) if columns else np.empty(0, dtype=np.int64)

    durations = (joined("durations", place, 0) for place in range(3))
    fields = (joined("fields", place, 1) for place in range(3))
    return Piece(
        tuple(code[first] for code in codes),
        scrape[first],
        {
            name: _summed(group, np.concatenate([p.counted[name] for p in pieces] or [np.empty(0)]), len(first))
            for name in _COUNTED
        },
        _durations(*durations),
        _paired(*fields),
    )


def values_of(
    rule: Rule, piece: Piece, group: npt.NDArray[Any], size: int, numbers: Numbers
) -> tuple[FloatArray, npt.NDArray[Any]]:
    """Return (values, samples) of a rule's measure by any numbers, [size] each.

    Args:
        rule: What is measured, over which window.
        piece: What the window's rows add up to.
        group: The number of each of the piece's groups, 0 to size - 1; of those that don't count, -1.
        size: How many there are.
        numbers: Of the piece.
    """
    window_s = rule.window_s
    if rule.what == "field_coverage":
        which, within, had = piece.fields
        within = group[within]
        field_code, all_code = numbers.fields.known(rule.field), numbers.fields.known(ALL_ITEMS)
        of_field, of_all = (
            (which == (-1 if code is None else code)) & (within >= 0) for code in (field_code, all_code)
        )
        parts = covered(had, of_field, of_all, within, size)
        return parts.values(rule.what, window_s), parts.samples
    kept = group >= 0
    sums = {name: _summed(group[kept], values[kept], size) for name, values in piece.counted.items()}
    if rule.what in SHARES:
        of_kind = kept & (piece.scrape == (rule.what != "retries"))
        measured, sampled = {
            "usable_success_rate": ("usable", "count"), "retries": ("retries", "count"),
            "green_but_empty": ("empty", "successes"),
        }[rule.what]  # fmt: skip
        samples = _summed(group[of_kind], piece.counted[sampled][of_kind], size)
        parts = Parts(sums[measured], samples.astype(np.int64))
        return parts.values(rule.what, window_s), parts.samples
    within, bins, count = piece.durations
    within = group[within]
    told = within >= 0
    whole = Sums(
        sums["count"].astype(np.int64), sums["successes"].astype(np.int64), sums["items"].astype(np.int64),
        sums["sum_ms"], np.full(size, -1, dtype=np.int64), (within[told], bins[told], count[told]),
    )  # fmt: skip
    if rule.what in QUANTILES:
        return whole.quantile_ms(QUANTILES[rule.what]), whole.count
    parts = parts_of_sums(rule.what, whole)
    return parts.values(rule.what, window_s), parts.samples


def _codes(rows: DetailColumns, name: str, numbers: Names) -> IntArray:
    """Return the number of each row's value, -1 without one."""
    if name == "source":
        place, found = pd.factorize(rows.source)
        values: list[str | None] = [rows.source_names[code] for code in found.tolist()]
    elif name == "domain":
        place, texts = pd.factorize(rows.url, use_na_sentinel=False)
        values = [domain_of(url) for url in texts.tolist()]
    else:
        place, texts = pd.factorize(rows.labels, use_na_sentinel=False)
        key = name.removeprefix("label:")
        values = [labels_of(text).get(key) for text in texts.tolist()]
    codes = np.array([-1 if value is None else numbers.code(value) for value in values], dtype=np.int64)
    return codes[place] if len(codes) else np.empty(0, dtype=np.int64)


def _grouped(columns: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Number what is equal in all columns; return (the number of each row, a row of each number)."""
    group = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        group = pd.factorize(group * (int(column.max(initial=-1)) + 2) + column + 1)[0].astype(np.int64, copy=False)
    first = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return group, first


def _summed(group: npt.NDArray[Any], values: npt.NDArray[Any], size: int) -> FloatArray:
    return np.bincount(group, weights=values, minlength=size).astype(np.float64, copy=False)


def _durations(
    group: npt.NDArray[Any], bins: npt.NDArray[Any], count: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    place, which = np.unique(group.astype(np.int64) * sketch.BINS + bins, return_inverse=True)
    return (
        (place // sketch.BINS).astype(np.int32),
        (place % sketch.BINS).astype(np.int16),
        np.bincount(which, weights=count, minlength=len(place)).astype(np.int32),
    )


def _paired(
    field: npt.NDArray[Any], group: npt.NDArray[Any], had: npt.NDArray[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    wide = int(group.max(initial=0)) + 1
    place, which = np.unique(field.astype(np.int64) * wide + group, return_inverse=True)
    total = np.bincount(which, weights=had, minlength=len(place)).astype(np.int64)
    return place // wide, place % wide, total


def _no_pairs() -> tuple[IntArray, IntArray, IntArray]:
    nothing = np.empty(0, dtype=np.int64)
    return nothing, nothing, nothing
