"""Runs of places: picking from columns that hold so many values of each row, one row's after another's."""

from __future__ import annotations

import numpy as np

from db.results import IntArray


def run_places(begins: IntArray, lengths: IntArray) -> IntArray:
    """Return the places of runs, those of one after those of another: far fewer than there are to look at, mostly.

    Args:
        begins: Where each begins, int64[r].
        lengths: How many places it has, int64[r].

    Returns:
        int64[sum of the lengths].
    """
    places = np.repeat(begins + lengths - np.cumsum(lengths), lengths)
    places += np.arange(len(places))
    return places
