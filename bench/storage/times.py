"""How long something takes: stopwatches, percentiles, and progress for whoever waits."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np

_Item = TypeVar("_Item")

_begun_s = time.perf_counter()


def milliseconds(ask: Callable[[], Any]) -> float:
    """Return how long a question took."""
    started_s = time.perf_counter()
    ask()
    return (time.perf_counter() - started_s) * 1000


def together(work: Callable[[_Item], object], shares: Sequence[_Item]) -> Callable[[], None]:
    """Return what does some work for each share in a thread of its own, and ends with the last of them."""

    def all_of_it() -> None:
        with ThreadPoolExecutor(len(shares)) as pool:
            list(pool.map(work, shares))

    return all_of_it


def wall_and_cpu_ms(ask: Callable[[], Any]) -> tuple[float, float]:
    """Return how long a question took, and how long this process worked for it: on a busy machine, less."""
    begun_s = time.process_time()
    took_ms = milliseconds(ask)
    return took_ms, (time.process_time() - begun_s) * 1000


def seconds(work: Callable[[], Any]) -> float:
    """Return how long some work took, rounded to 0.001 s."""
    return round(milliseconds(work) / 1000, 3)


def spread(took_ms: Sequence[float], cpu_ms: Sequence[float] = ()) -> dict[str, float]:
    """Return count, median, 99th percentile and maximum, in ms; of few values, the percentile is near the maximum.

    Args:
        took_ms: Wall-clock times.
        cpu_ms: What this process worked for each, where that is known: `cpu_p50` is its median.
    """
    if not took_ms:
        return {"n": 0}
    p50_ms, p99_ms = np.quantile(took_ms, (0.5, 0.99)).tolist()
    found = {"n": len(took_ms), "p50": round(p50_ms, 3), "p99": round(p99_ms, 3), "max": round(max(took_ms), 3)}
    return found | ({"cpu_p50": round(float(np.median(cpu_ms)), 3)} if cpu_ms else {})


def say(words: str) -> None:
    """Tell whoever waits how far it is, with the seconds since the start and those that processors worked for us."""
    worked_s = sum(os.times()[:4])  # this process and its ended children; a database server isn't among them
    print(f"{time.perf_counter() - _begun_s:7.1f} s, CPU {worked_s:6.1f} s  {words}", file=sys.stderr, flush=True)
