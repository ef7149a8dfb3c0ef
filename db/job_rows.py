"""The rows of the scheduler's rollup tables: what people read with SQL, and what adds up, packed into `job_state`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from db import sketch
from db.columns import Names
from db.job_cells import PART, WIDTH, JobCells, no_cells
from db.rollup_rows import hour_utc
from db.rows import Row
from db.spread import RANKS

_VALUES = (
    "total_runs", "successful_runs", "avg_execution_duration_ms", "min_execution_duration_ms",
    "max_execution_duration_ms", "sum_execution_duration_ms", "p50_execution_duration_ms", "p95_execution_duration_ms",
    "p99_execution_duration_ms", "total_items_processed", "last_recorded_at", "last_success", "last_failure_at",
    "last_error", "job_state",
)  # fmt: skip
HOUR_COLUMNS = ("hour_start_ms", "scheduler_name", "scraper_source", "hour_utc", *_VALUES)
DAY_COLUMNS = ("metric_date", "scheduler_name", "scraper_source", *_VALUES)
# What `cells_of_rows` reads, after the start: packed, because each column costs a driver as much as all of them.
STATE_COLUMNS = ("scheduler_name", "scraper_source", "last_error", "job_state")
_HEAD_BYTES = 2 * PART.itemsize


def hour_rows(cells: JobCells) -> list[Row]:
    """Return rows of HOUR_COLUMNS.

    Args:
        cells: Rows whose spans are hours.
    """
    return [(start_ms, *key, hour_utc(start_ms), *values) for start_ms, key, values in _rows(cells)]


def day_rows(cells: JobCells) -> list[Row]:
    """Return rows of DAY_COLUMNS.

    Args:
        cells: Rows whose spans are UTC days.
    """
    return [(hour_utc(start_ms).date(), *key, *values) for start_ms, key, values in _rows(cells)]


def cells_of_rows(rows: Sequence[Any], names: Names) -> JobCells:
    """Unpack rows.

    Args:
        rows: (start in epoch ms, STATE_COLUMNS), by start.
        names: Gives jobs and scrapers their numbers.

    Raises:
        ValueError: A state that another version wrote.
    """
    if not rows:
        return no_cells(names)
    starts, jobs, scrapers, errors, states = zip(*rows, strict=True)
    if min(map(len, states)) < _HEAD_BYTES:
        raise ValueError("not the state of a scheduler job; rebuild the rollups")
    row, bin, count = sketch.unpack([state[_HEAD_BYTES:] for state in states])
    heads = np.frombuffer(b"".join([state[:_HEAD_BYTES] for state in states]), dtype=PART)
    last_error = np.empty(len(rows), dtype=np.object_)
    last_error[:] = errors
    return JobCells(
        names,
        np.array(starts, dtype=np.int64),
        np.array([names.code(job) for job in jobs], dtype=np.int32),
        np.array([names.code(scraper) if scraper else -1 for scraper in scrapers], dtype=np.int32),
        heads.reshape(-1, 2),
        last_error,
        row.astype(np.int32),
        bin.astype(np.int32),
        count.astype(np.int32),
    )


def _rows(cells: JobCells) -> Iterable[tuple[int, tuple[str, str], Row]]:
    names = cells.names
    ends = np.searchsorted(cells.pair_row, np.arange(len(cells) + 1))
    for index in range(len(cells)):
        low, high = ends[index : index + 2]
        histogram = np.zeros(WIDTH, dtype=np.int64)
        histogram[cells.pair_bin[low:high]] = cells.pair_count[low:high]
        parts = cells.parts[index]
        failed, ok = (dict(zip(PART.names, part.item(), strict=True)) for part in parts)
        total = failed["runs"] + ok["runs"]
        sum_ms = failed["sum_ms"] + ok["sum_ms"]
        bounds = min(failed["min_ms"], ok["min_ms"]), max(failed["max_ms"], ok["max_ms"])
        durations = histogram[: 2 * sketch.BINS].reshape(2, -1).sum(axis=0, keepdims=True)
        source = int(cells.source[index])
        yield (
            int(cells.span_ms[index]),
            (names[int(cells.name[index])], names[source] if source >= 0 else ""),
            (
                total, ok["runs"], min(max(sum_ms / total, bounds[0]), bounds[1]), *bounds, sum_ms,
                *np.clip(sketch.quantiles_of(durations, RANKS)[0], *bounds).tolist(), failed["items"] + ok["items"],
                max(failed["last_ms"], ok["last_ms"]),
                (ok["last_ms"], ok["last_id"]) > (failed["last_ms"], failed["last_id"]),
                failed["last_ms"] if failed["runs"] else None, cells.last_error[index],
                parts.tobytes() + sketch.pack(histogram),
            ),
        )  # fmt: skip
