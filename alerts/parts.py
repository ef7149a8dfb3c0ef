"""The measures of rules as numerators and denominators, so that any groups of them can be added up. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from alerts.rules import SCRAPE_WHATS, Rule, What
from db.alert_sums import Sums
from db.breakdown import Dimension, Groups, texts_of
from db.breakdown_values import MOST_RETRIES, Attempt, Yield
from db.columns import DetailColumns
from db.hashes import hash_of
from db.item_fields import ALL_ITEMS
from db.results import FloatArray, IntArray, Kind

QUANTILES: Final[dict[What, float]] = {"p95_ms": 0.95, "p99_ms": 0.99}
# What rollups don't know, and the breakdown that does.
SHARES: Final[dict[What, Dimension]] = {
    "usable_success_rate": "outcome", "retries": "attempt", "green_but_empty": "yield", "field_coverage": "field",
}  # fmt: skip
# What is a number of things in the window, not a number for each of them.
ADDITIVE: Final[frozenset[What]] = frozenset({"error_count", "items", "throughput"})
_PERCENT: Final[frozenset[What]] = frozenset(
    {"success_rate", "usable_success_rate", "green_but_empty", "field_coverage"}
)

# As `db.item_fields.told_fields` returns it.
ToldFields: TypeAlias = tuple[list[str], IntArray, IntArray, IntArray]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A measure over n groups.

    Args:
        numerator: float64[n].
        samples: What it was measured from, int64[n]; the denominator, unless the measure is additive.
    """

    numerator: FloatArray
    samples: IntArray

    def first(self, size: int) -> Parts:
        """Return the first groups."""
        return self if len(self.samples) == size else Parts(self.numerator[:size], self.samples[:size])

    def together(self, chosen: npt.NDArray[np.bool_]) -> Parts:
        """Return some groups added up to one."""
        return Parts(self.numerator[chosen].sum(keepdims=True), self.samples[chosen].sum(keepdims=True))

    def values(self, what: What, window_s: float) -> FloatArray:
        """Return the measure of each group in the unit of `alerts.rules.UNITS`, float64[n]; NaN without samples.

        Args:
            what: What is measured.
            window_s: The window it was measured over.
        """
        value: FloatArray
        if what in ADDITIVE:
            value = self.numerator * (60.0 / window_s if what == "throughput" else 1.0)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                value = self.numerator * (100.0 if what in _PERCENT else 1.0) / self.samples
        return np.where(self.samples > 0, value, np.nan)


def kind_of(rule: Rule) -> Kind | None:
    """Return which metrics a rule measures, None for all."""
    if rule.what in SCRAPE_WHATS:
        return "scrape"
    if rule.what == "retries":
        return "navigation"
    return None if rule.kind == "all" else rule.kind


def parts_of_sums(what: What, sums: Sums) -> Parts:
    """Return a measure that sums know.

    Args:
        what: Neither a quantile nor one of SHARES.
        sums: Over n groups.
    """
    numerator: npt.NDArray[Any]
    if what == "success_rate":
        numerator = sums.successes
    elif what == "error_count":
        numerator = sums.count - sums.successes
    elif what == "mean_ms":
        numerator = sums.sum_ms
    elif what in ("items", "yield"):
        numerator = sums.items
    else:
        numerator = sums.count
    return Parts(numerator.astype(np.float64), sums.count)


def parts_of_groups(what: What, groups: Groups, size: int, field: str = "") -> Parts:
    """Return one of SHARES by the numbers of the sources.

    Args:
        what: Which.
        groups: Counted by the dimension that SHARES names.
        size: How many sources there are.
        field: The field whose coverage is measured.
    """
    if what == "field_coverage":
        of_field, of_all = (groups.value == np.uint64(hash_of(name)) for name in (field, ALL_ITEMS))
        return covered(groups.items, of_field, of_all, groups.source, size)
    values, place = np.unique(groups.value, return_inverse=True)
    texts = texts_of(groups, values.tolist())
    if what == "retries":
        weights = np.array([_retries(texts.get(value, "")) for value in values.tolist()], dtype=np.float64)
        counted = ~groups.scrape
    elif what == "green_but_empty":
        weights = np.array([_is_empty(texts.get(value, "")) for value in values.tolist()], dtype=np.float64)
        counted = groups.scrape & groups.success
    else:
        weights = np.array([texts.get(value) == "ok" for value in values.tolist()], dtype=np.float64)
        counted = groups.scrape
    source, count = groups.source[counted], groups.count[counted]
    each = weights[place][counted]
    if what == "usable_success_rate":
        each = each * groups.success[counted]
    return Parts(
        np.bincount(source, weights=count * each, minlength=size).astype(np.float64, copy=False),
        np.bincount(source, weights=count, minlength=size).astype(np.int64),
    )


def parts_of_rows(what: What, rows: DetailColumns, group: npt.NDArray[Any], size: int) -> Parts:
    """Return one of SHARES by any numbers; of fields see `parts_of_fields`.

    Args:
        what: Which.
        rows: Detail rows.
        group: As for `db.alert_sums.sums_by`.
        size: How many groups there are.
    """
    each: npt.NDArray[Any]
    if what == "retries":
        counted, each = ~rows.scrape, np.minimum(rows.retry_count, MOST_RETRIES)
    elif what == "green_but_empty":
        counted, each = rows.scrape & rows.success, rows.items == 0
    else:
        ok = rows.outcome_names.known("ok")
        counted = rows.scrape
        each = rows.success & ((rows.outcome < 0) | (rows.outcome == (-2 if ok is None else ok)))
    counted = counted & (group >= 0)
    return Parts(
        np.bincount(group[counted], weights=each[counted], minlength=size).astype(np.float64, copy=False),
        np.bincount(group[counted], minlength=size).astype(np.int64, copy=False),
    )


def parts_of_fields(told: ToldFields, field: str, group: npt.NDArray[Any], size: int) -> Parts:
    """Return the coverage of a field by any numbers.

    Args:
        told: Which fields rows tell of.
        field: The field.
        group: As for `db.alert_sums.sums_by`.
        size: How many groups there are.
    """
    names, which, row, had = told
    group = group[row]
    # A name that no row tells of is none of them.
    of_field, of_all = (
        (which == (names.index(name) if name in names else -1)) & (group >= 0) for name in (field, ALL_ITEMS)
    )
    return covered(had, of_field, of_all, group, size)


def covered(
    items: IntArray,
    of_field: npt.NDArray[np.bool_],
    of_all: npt.NDArray[np.bool_],
    group: npt.NDArray[Any],
    size: int,
) -> Parts:
    """Return items that had a field out of all items of scrapes that told of fields.

    Args:
        items: Items that had the field that is told of, [m].
        of_field: Which of these are of the field, bool[m].
        of_all: Which are of the items themselves, bool[m].
        group: The number of each one's group, [m].
        size: How many groups there are.
    """
    return Parts(
        np.bincount(group[of_field], weights=items[of_field], minlength=size).astype(np.float64, copy=False),
        np.bincount(group[of_all], weights=items[of_all], minlength=size).astype(np.int64),
    )


def _retries(text: str) -> int:
    return Attempt.parse(text).retries if text and not text.startswith("(") else 0


def _is_empty(text: str) -> bool:
    return not Yield.parse(text).items if text and not text.startswith("(") else False
