"""The newest scheduler runs of every job in the order of their starts: what habits are learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from db.chunk import BoolArray
from db.results import FloatArray, IntArray, TimeRange
from db.run_columns import RunColumns

# A week of 16,800 runs twice over; of more, the newest tell what is usual now.
MOST_RUNS = 40_000


@dataclass(frozen=True, slots=True, eq=False)
class JobRuns:
    """Runs by job, then by start: n runs of J jobs.

    Args:
        names: The jobs, sorted.
        offsets: Where each job's runs begin, int64[J + 1].
        start_ms: When each began, epoch ms, int64[n].
        end_ms: When it ended (and was recorded), epoch ms, int64[n].
        success: Whether it went well, bool[n].
        items: Items processed, int64[n].
        since_ms: Every run that was recorded from this moment on is here; 0 when none was left out.
    """

    names: tuple[str, ...]
    offsets: IntArray
    start_ms: IntArray
    end_ms: IntArray
    success: BoolArray
    items: IntArray
    since_ms: int = 0

    @property
    def job(self) -> IntArray:
        """Each run's place in `names`, int64[n]."""
        return np.repeat(np.arange(len(self.names)), np.diff(self.offsets))


@dataclass(frozen=True, slots=True, eq=False)
class JobTrend:
    """Every job per bucket: J jobs, B buckets.

    Args:
        names: The jobs, sorted.
        runs: How many ended in each bucket, int64[J, B].
        sum_ms: How long these took together, float64[J, B].
    """

    names: tuple[str, ...]
    runs: IntArray
    sum_ms: FloatArray


def job_runs_of(runs: RunColumns, *, most: int) -> JobRuns:
    """Put runs in the order of job and start.

    Args:
        runs: In the order of their ends.
        most: So many were asked for: when there are fewer, none was left out.
    """
    codes, job = np.unique(runs.name, return_inverse=True)
    named = sorted((runs.names[code], place) for place, code in enumerate(codes.tolist()))
    rank = np.empty(len(named), dtype=np.int64)
    rank[[place for _, place in named]] = np.arange(len(named))
    job = rank[job]
    start_ms = runs.created_at_ms - np.rint(runs.duration_ms).astype(np.int64)
    order = np.lexsort((start_ms, job))
    # Runs of the very same millisecond may be left out; from the next one on every one is here.
    since_ms = int(runs.created_at_ms[0]) + 1 if len(runs) >= most else 0
    return JobRuns(
        names=tuple(name for name, _ in named),
        offsets=np.concatenate(([0], np.cumsum(np.bincount(job, minlength=len(named))))).astype(np.int64),
        start_ms=start_ms[order],
        end_ms=runs.created_at_ms[order],
        success=runs.success[order],
        items=runs.items[order],
        since_ms=since_ms,
    )


def trend_of(
    span: TimeRange,
    names: tuple[str, ...],
    job: npt.NDArray[np.integer[Any]],
    at_ms: IntArray,
    runs: IntArray,
    sum_ms: FloatArray,
) -> JobTrend:
    """Add up runs, or what is known of several together, by job and bucket.

    Args:
        span: The range and its buckets.
        names: Names by number, in any order.
        job: The number of each row's job, int[n].
        at_ms: A moment of each row's bucket, int64[n].
        runs: How many runs a row stands for, int64[n].
        sum_ms: How long these took together, float64[n].
    """
    codes, place = np.unique(job, return_inverse=True)
    buckets = span.bucket_count
    where = place * buckets + (at_ms - span.start_ms) // span.bucket_ms
    size = len(codes) * buckets
    counts = np.bincount(where, weights=runs, minlength=size).astype(np.int64).reshape(-1, buckets)
    sums = np.bincount(where, weights=sum_ms, minlength=size).astype(np.float64).reshape(-1, buckets)
    ran = np.flatnonzero(counts.any(axis=1)).tolist()
    order = sorted(ran, key=lambda row: names[codes[row]])
    return JobTrend(tuple(names[codes[row]] for row in order), counts[order], sums[order])
