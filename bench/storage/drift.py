"""Work that never changes: how long it took says how fast the machine was in this run.

Machines differ, and a shared one from minute to minute. Figures of two runs are compared by these beside them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import numpy as np

from bench.storage.times import milliseconds

_ROWS, _SOURCES, _MINUTES = 2_000_000, 10, 1440
_STEPS = 1_000_000
_TIMES = 5


def machine_pace() -> dict[str, float]:
    """Return the median milliseconds that two pieces of work take, one of the interpreter's and one of numpy's."""
    rng = np.random.default_rng(1)
    source, minute = rng.integers(0, _SOURCES, _ROWS), rng.integers(0, _MINUTES, _ROWS)
    duration_ms = rng.lognormal(6, 1, _ROWS)

    def count_and_mean() -> None:
        place = source * _MINUTES + minute
        counts = np.bincount(place, minlength=_SOURCES * _MINUTES)
        sums = np.bincount(place, weights=duration_ms, minlength=_SOURCES * _MINUTES)
        assert (counts > 0).all()
        assert (sums / counts > 0).all()

    def loop() -> None:
        found = 0
        for step in range(_STEPS):
            found += step & 1
        assert found == _STEPS // 2

    return {
        "python_loop_1m_steps_ms": _median_ms(loop),
        "numpy_count_and_mean_2m_rows_ms": _median_ms(count_and_mean),
    }


def _median_ms(work: Callable[[], None]) -> float:
    return round(statistics.median(milliseconds(work) for _ in range(_TIMES)), 1)
