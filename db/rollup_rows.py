"""What a rollup row is computed from: minutes from detail rows, hours from minutes, days from hours. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from db import sketch
from db.cells import MINUTE_MS
from db.chunk import BoolArray
from db.columns import DetailColumns
from db.results import FloatArray, IntArray
from db.spread import RANKS

Row = tuple[Any, ...]

# Values of a rollup row after its time and source, in this order; SUM, MIN and MAX say how two rows become one.
_SUMS = {
    "total_navigations", "successful_navigations", "sum_navigation_duration_ms", "total_scrapes", "successful_scrapes",
    "sum_scrape_duration_ms", "total_items_extracted", "total_retries",
}  # fmt: skip
AGGREGATE_COLUMNS = (
    "total_navigations", "successful_navigations", "avg_navigation_duration_ms", "min_navigation_duration_ms",
    "max_navigation_duration_ms", "sum_navigation_duration_ms", "total_scrapes", "successful_scrapes",
    "avg_scrape_duration_ms", "min_scrape_duration_ms", "max_scrape_duration_ms", "sum_scrape_duration_ms",
    "total_items_extracted", "total_retries", "last_recorded_at", "last_success_at", "navigation_sketch",
    "scrape_sketch",
)  # fmt: skip
# What failed and what went well, of each kind: NULL where nothing failed, and where some failed but it isn't known.
_OF_RESULTS = (
    "sum_ok_{}_duration_ms", "min_ok_{}_duration_ms", "max_ok_{}_duration_ms", "sum_failed_{}_duration_ms",
    "min_failed_{}_duration_ms", "max_failed_{}_duration_ms", "failed_{}_sketch",
)  # fmt: skip
RESULT_COLUMNS = (
    *(name.format(kind) for kind in ("navigation", "scrape") for name in _OF_RESULTS),
    "failed_items_extracted",
    "last_failure_at",
)
PERCENTILE_COLUMNS = tuple(
    f"p{round(100 * rank)}_{kind}_duration_ms" for kind in ("navigation", "scrape") for rank in RANKS
)
# What the next coarser level is computed from.
MERGED_COLUMNS = (*AGGREGATE_COLUMNS, *RESULT_COLUMNS)
MINUTE_COLUMNS = ("minute_start_ms", "scraper_source", *MERGED_COLUMNS)
HOUR_COLUMNS = ("hour_start_ms", "scraper_source", "hour_utc", *MERGED_COLUMNS, *PERCENTILE_COLUMNS)
DAY_COLUMNS = ("metric_date", "scraper_source", *MERGED_COLUMNS, *PERCENTILE_COLUMNS)
_NOT_APART = (None,) * len(_OF_RESULTS)


def minute_rows(rows: DetailColumns) -> list[Row]:
    """Compute the rollups of every minute that has a detail row.

    Args:
        rows: All detail rows of some whole minutes, with the column `retry_count`.

    Returns:
        Rows of MINUTE_COLUMNS, by minute.
    """
    if not len(rows):
        return []
    names = len(rows.source_names)
    keys, group = np.unique(rows.created_at_ms // MINUTE_MS * names + rows.source, return_inverse=True)
    groups = len(keys)
    split = np.bincount((group << 2) | (rows.scrape.astype(np.int64) << 1) | rows.success, minlength=4 * groups)
    split = split.reshape(groups, 4)
    last_recorded = np.zeros(groups, dtype=np.int64)
    last_recorded[group] = rows.created_at_ms  # in time order: the newest is written last
    last_success = np.full(groups, -1, dtype=np.int64)
    last_success[group[rows.success]] = rows.created_at_ms[rows.success]
    last_failure = np.full(groups, -1, dtype=np.int64)
    last_failure[group[~rows.success]] = rows.created_at_ms[~rows.success]
    items = np.bincount(group, weights=rows.items, minlength=groups).astype(np.int64)
    failed_items = np.bincount(group, weights=rows.items * ~rows.success, minlength=groups).astype(np.int64)
    retries = np.bincount(group, weights=rows.retry_count, minlength=groups).astype(np.int64)
    kinds = _durations(group * 2 + rows.scrape, rows.duration_ms, ~rows.success, 2 * groups)
    result: list[Row] = []
    for index, key in enumerate(keys.tolist()):
        navigation, scrape = kinds[2 * index], kinds[2 * index + 1]
        failed_navigations, ok_navigations, failed_scrapes, ok_scrapes = split[index].tolist()
        ok_ms, failed_ms = int(last_success[index]), int(last_failure[index])
        result.append((
            key // names * MINUTE_MS, rows.source_names[key % names],
            failed_navigations + ok_navigations, ok_navigations, *navigation[:4],
            failed_scrapes + ok_scrapes, ok_scrapes, *scrape[:4],
            int(items[index]), int(retries[index]), int(last_recorded[index]), None if ok_ms < 0 else ok_ms,
            navigation[4], scrape[4], *navigation[5:], *scrape[5:],
            int(failed_items[index]) if failed_scrapes else None, None if failed_ms < 0 else failed_ms,
        ))  # fmt: skip
    return result


def merged_rows(finer: Iterable[Sequence[Any]], *, step_ms: int) -> list[Row]:
    """Compute the rollups of a coarser level from those of the finer one.

    Args:
        finer: Rows that begin with (start in epoch ms, source) and go on with MERGED_COLUMNS, by time.
        step_ms: Length of the coarser level, a multiple of the finer.

    Returns:
        Rows of (start in epoch ms, source, MERGED_COLUMNS, PERCENTILE_COLUMNS), by time and source.
    """
    groups: dict[tuple[int, str], list[Sequence[Any]]] = {}
    for row in finer:
        groups.setdefault((row[0] // step_ms * step_ms, row[1]), []).append(row[2:])
    return [(*key, *_merged(groups[key])) for key in sorted(groups)]


def hour_utc(start_ms: int) -> dt.datetime:
    """Return a moment as people write it, in UTC and without a zone (DATETIME has none)."""
    return dt.datetime.fromtimestamp(start_ms / 1000, tz=dt.UTC).replace(tzinfo=None)


def _merged(rows: list[Sequence[Any]]) -> Row:
    columns = dict(zip(MERGED_COLUMNS, zip(*rows, strict=True), strict=True))
    values: dict[str, Any] = {}
    for name in AGGREGATE_COLUMNS:
        known = [value for value in columns[name] if value is not None]
        if name in _SUMS:
            values[name] = sum(known)
        elif name.startswith("min_"):
            values[name] = min(known, default=None)
        elif name.startswith(("max_", "last_")):
            values[name] = max(known, default=None)
        elif name.endswith("_sketch"):
            values[name] = sketch.merge(known)
    percentiles: list[float | None] = []
    for kind, many in (("navigation", "navigations"), ("scrape", "scrapes")):
        count = values[f"total_{many}"]
        values[f"avg_{kind}_duration_ms"] = values[f"sum_{kind}_duration_ms"] / count if count else None
        if count:
            found = sketch.quantiles(values[f"{kind}_sketch"], RANKS)
            bounds = values[f"min_{kind}_duration_ms"], values[f"max_{kind}_duration_ms"]
            percentiles += np.clip(found, *bounds).tolist()
        else:
            percentiles += [None] * len(RANKS)
    return (*(values[name] for name in AGGREGATE_COLUMNS), *_merged_results(columns), *percentiles)


def _merged_results(columns: dict[str, tuple[Any, ...]]) -> Row:
    """Return the RESULT_COLUMNS of some rows together: what isn't known of one of them isn't known of all."""
    values: list[Any] = []
    failures = dict[str, list[int]]()
    for kind, many in (("navigation", "navigations"), ("scrape", "scrapes")):
        totals, successes = columns[f"total_{many}"], columns[f"successful_{many}"]
        failures[kind] = failed = [total - ok for total, ok in zip(totals, successes, strict=True)]
        some = [columns[name.format(kind)] for name in _OF_RESULTS]
        if not any(failed) or _is_unknown(failed, some[3]):
            values += _NOT_APART
            continue
        # Where nothing failed, the totals are the successes' own.
        whole = [columns[f"{what}_{kind}_duration_ms"] for what in ("sum", "min", "max")]
        ok = [
            [mine if count else all_of_it for count, mine, all_of_it in zip(failed, own, every, strict=True)]
            for own, every in zip(some[:3], whole, strict=True)
        ]
        known = [[value for value in column if value is not None] for column in (*ok, *some[3:])]
        values += [
            sum(known[0]), min(known[1], default=None), max(known[2], default=None),
            sum(known[3]), min(known[4]), max(known[5]), sketch.merge(known[6]),
        ]  # fmt: skip
    items, newest = columns["failed_items_extracted"], columns["last_failure_at"]
    failed = failures["scrape"]
    values.append(None if not any(failed) or _is_unknown(failed, items) else sum(count or 0 for count in items))
    if _is_unknown([sum(both) for both in zip(*failures.values(), strict=True)], newest):
        return (*values, None)
    return (*values, max((moment for moment in newest if moment is not None), default=None))


def _is_unknown(failed: Sequence[int], column: Sequence[Any]) -> bool:
    return any(count and value is None for count, value in zip(failed, column, strict=True))


def _durations(group: IntArray, durations_ms: FloatArray, failed: BoolArray, groups: int) -> list[Row]:
    """Return (average, shortest, longest, sum, sketch) of each group, and its part of RESULT_COLUMNS."""
    order = np.lexsort((durations_ms, group))
    ordered, failed = durations_ms[order], failed[order]
    ends = np.cumsum(np.bincount(group, minlength=groups))
    failures = np.concatenate(([0], np.cumsum(failed)))
    bins = sketch.bins_of(ordered)
    result: list[Row] = []
    low = 0
    for high, before, upto in zip(
        ends.tolist(), failures[[0, *ends[:-1]]].tolist(), failures[ends].tolist(), strict=True
    ):
        if high == low:
            result.append((None, None, None, 0.0, sketch.EMPTY, *_NOT_APART))
            continue
        shortest_ms, longest_ms, total_ms = _bounds(ordered[low:high])
        # The mean of equal numbers must not differ from them by a rounding.
        mean_ms = min(max(total_ms / (high - low), shortest_ms), longest_ms)
        histogram = np.bincount(bins[low:high], minlength=sketch.BINS)
        row: Row = (mean_ms, shortest_ms, longest_ms, total_ms, sketch.pack(histogram))
        if before == upto:
            row += _NOT_APART
        else:
            bad = failed[low:high]
            ok_min_ms, ok_max_ms, ok_sum_ms = _bounds(ordered[low:high][~bad])
            bad_min_ms, bad_max_ms, bad_sum_ms = _bounds(ordered[low:high][bad])
            of_failures = sketch.pack(np.bincount(bins[low:high][bad], minlength=sketch.BINS))
            row += (ok_sum_ms, ok_min_ms, ok_max_ms, bad_sum_ms, bad_min_ms, bad_max_ms, of_failures)
        result.append(row)
        low = high
    return result


def _bounds(ordered_ms: FloatArray) -> tuple[Any, Any, float]:
    """Return (shortest, longest, sum) of rising durations."""
    if not len(ordered_ms):
        return None, None, 0.0
    return float(ordered_ms[0]), float(ordered_ms[-1]), float(ordered_ms.sum())
