"""The values that rows are counted out by besides URL, error and field: outcome, attempt (retries, status), yield."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from db.chunk import BoolArray, CodeArray
from db.columns import DetailColumns
from db.results import IntArray

MOST_RETRIES = 3  # this many or more
_STATUSES = 1_000


class Attempt(NamedTuple):
    """How a navigation went: its retries (MOST_RETRIES stands for all above too), the status it got, None for none."""

    retries: int
    status_code: int | None

    @classmethod
    def parse(cls, text: str) -> Attempt:
        """Read what `attempt_texts` wrote."""
        retries, status = text.split()
        return cls(int(retries), None if status == "-" else int(status))

    def __str__(self) -> str:
        return f"{self.retries} {'-' if self.status_code is None else self.status_code}"


class Yield(NamedTuple):
    """What a scrape brought: whether there were items, whether the size of the data is known."""

    items: bool
    sized: bool

    @classmethod
    def parse(cls, text: str) -> Yield:
        """Read what `yield_texts` wrote."""
        items, sized = text.split()
        return cls(items == "items", sized == "sized")

    def __str__(self) -> str:
        return f"{'items' if self.items else 'nothing'} {'sized' if self.sized else 'unsized'}"


def attempt_texts(retry_count: npt.NDArray[Any], status_code: npt.NDArray[Any]) -> tuple[list[str], IntArray]:
    """Return the attempts of rows.

    Args:
        retry_count: int[n].
        status_code: int[n], -1 where there is none.

    Returns:
        (k distinct attempts as texts, int64[n]: which of them each row is).
    """
    retries = np.clip(retry_count, 0, MOST_RETRIES).astype(np.int64)
    key = retries * _STATUSES + np.maximum(status_code, 0)
    found = np.flatnonzero(np.bincount(key) != 0)  # small numbers: cheaper than to sort them
    place = np.zeros(int(key.max(initial=-1)) + 1, dtype=np.int64)
    place[found] = np.arange(len(found))
    texts = [str(Attempt(code // _STATUSES, code % _STATUSES or None)) for code in found.tolist()]
    return texts, place[key]


def yield_texts(items: IntArray, data_size: IntArray) -> tuple[list[str], IntArray]:
    """Return the yields of rows.

    Args:
        items: int64[n].
        data_size: int64[n], -1 where it isn't known.

    Returns:
        (4 yields as texts, int64[n]: which of them each row is).
    """
    texts = [str(Yield(some, sized)) for some in (False, True) for sized in (False, True)]
    return texts, (items > 0) * np.int64(2) + (data_size >= 0)


def outcome_places(outcome: CodeArray, success: BoolArray, names: Sequence[str]) -> IntArray:
    """Return which of the outcomes each scrape had, int64[n].

    Args:
        outcome: Their numbers, -1 where none was given.
        success: Whether they went well.
        names: What `outcomes` returned.
    """
    return np.where(outcome >= 0, outcome, len(names) - 2 + ~success).astype(np.int64, copy=False)


def outcomes(rows: DetailColumns) -> list[str]:
    """Return the outcomes by their numbers, and then what a scrape is taken for that gave none.

    Args:
        rows: Any rows.
    """
    return [*rows.outcome_names.all(), "ok", "failed"]
