"""Distinct whole numbers: where they are dense, an array of all of them tells them apart sooner than sorting does."""

from __future__ import annotations

import numpy as np

from db.results import IntArray

# Numbers up to this one are always told apart so, and those that are that many times as many as there are rows.
_DENSE, _DENSE_PER_ROW = 1 << 16, 8


def distinct_numbers(numbers: IntArray) -> tuple[IntArray, IntArray]:
    """Return what `numpy.unique` returns with the inverse.

    Args:
        numbers: int64[n].

    Returns:
        (the distinct numbers, rising; int64[n]: which of them each one is).
    """
    if not len(numbers):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    low = int(numbers.min())
    size = int(numbers.max()) - low + 1
    if size > max(_DENSE, _DENSE_PER_ROW * len(numbers)):
        return np.unique(numbers, return_inverse=True)
    from_low = numbers - low if low else numbers
    used = np.flatnonzero(np.bincount(from_low, minlength=size) != 0)  # a third of the time that sums themselves take
    which = np.zeros(size, dtype=np.int64)
    which[used] = np.arange(len(used))
    return used + low, which[from_low]
