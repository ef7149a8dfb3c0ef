"""What a rollup row is computed from: minutes from detail rows, hours from minutes, days from hours. Pure functions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from db import sketch
from db.cells import MINUTE_MS
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
PERCENTILE_COLUMNS = tuple(
    f"p{round(100 * rank)}_{kind}_duration_ms" for kind in ("navigation", "scrape") for rank in RANKS
)
MINUTE_COLUMNS = ("minute_start_ms", "scraper_source", *AGGREGATE_COLUMNS)
HOUR_COLUMNS = ("hour_start_ms", "scraper_source", "hour_utc", *AGGREGATE_COLUMNS, *PERCENTILE_COLUMNS)
DAY_COLUMNS = ("metric_date", "scraper_source", *AGGREGATE_COLUMNS, *PERCENTILE_COLUMNS)


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
    items = np.bincount(group, weights=rows.items, minlength=groups).astype(np.int64)
    retries = np.bincount(group, weights=rows.retry_count, minlength=groups).astype(np.int64)
    kinds = _durations(group * 2 + rows.scrape, rows.duration_ms, 2 * groups)
    result: list[Row] = []
    for index, key in enumerate(keys.tolist()):
        navigation, scrape = kinds[2 * index], kinds[2 * index + 1]
        failed_navigations, ok_navigations, failed_scrapes, ok_scrapes = split[index].tolist()
        ok_ms = int(last_success[index])
        result.append((
            key // names * MINUTE_MS, rows.source_names[key % names],
            failed_navigations + ok_navigations, ok_navigations, *navigation[:4],
            failed_scrapes + ok_scrapes, ok_scrapes, *scrape[:4],
            int(items[index]), int(retries[index]), int(last_recorded[index]), None if ok_ms < 0 else ok_ms,
            navigation[4], scrape[4],
        ))  # fmt: skip
    return result


def merged_rows(finer: Iterable[Sequence[Any]], *, step_ms: int) -> list[Row]:
    """Compute the rollups of a coarser level from those of the finer one.

    Args:
        finer: Rows that begin with (start in epoch ms, source) and go on with AGGREGATE_COLUMNS, by time.
        step_ms: Length of the coarser level, a multiple of the finer.

    Returns:
        Rows of (start in epoch ms, source, AGGREGATE_COLUMNS, PERCENTILE_COLUMNS), by time and source.
    """
    groups: dict[tuple[int, str], list[Sequence[Any]]] = {}
    for row in finer:
        groups.setdefault((row[0] // step_ms * step_ms, row[1]), []).append(row[2:])
    return [(*key, *_merged(groups[key])) for key in sorted(groups)]


def hour_utc(start_ms: int) -> dt.datetime:
    """Return a moment as people write it, in UTC and without a zone (DATETIME has none)."""
    return dt.datetime.fromtimestamp(start_ms / 1000, tz=dt.UTC).replace(tzinfo=None)


def _merged(rows: list[Sequence[Any]]) -> Row:
    columns = dict(zip(AGGREGATE_COLUMNS, zip(*rows, strict=True), strict=True))
    values: dict[str, Any] = {}
    for name, column in columns.items():
        known = [value for value in column if value is not None]
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
    return (*(values[name] for name in AGGREGATE_COLUMNS), *percentiles)


def _durations(group: IntArray, durations_ms: FloatArray, groups: int) -> list[tuple[Any, ...]]:
    """Return (average, shortest, longest, sum, sketch) of each group; (None, None, None, 0, empty) for an empty one."""
    order = np.lexsort((durations_ms, group))
    ordered = durations_ms[order]
    ends = np.cumsum(np.bincount(group, minlength=groups))
    bins = sketch.bins_of(ordered)
    result: list[tuple[Any, ...]] = []
    low = 0
    for high in ends.tolist():
        if high == low:
            result.append((None, None, None, 0.0, sketch.EMPTY))
            continue
        total_ms = float(ordered[low:high].sum())
        # The mean of equal numbers must not differ from them by a rounding.
        mean_ms = min(max(total_ms / (high - low), float(ordered[low])), float(ordered[high - 1]))
        histogram = np.bincount(bins[low:high], minlength=sketch.BINS)
        result.append((mean_ms, float(ordered[low]), float(ordered[high - 1]), total_ms, sketch.pack(histogram)))
        low = high
    return result
