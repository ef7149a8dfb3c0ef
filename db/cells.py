"""Rollup rows as numpy columns, each row of navigations or scrapes alone, and of successes or failures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from db.results import FloatArray, IntArray, Kind

MINUTE_MS = 60_000
SLOT_MS = 300_000  # what the finest breakdowns are of
HOUR_MS = 3_600_000
QUARTER_MS = 21_600_000  # of a day
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rollup rows as columns of equal length r; their sketches as (row, bin, count) triples of length p.

    A row counts navigations or scrapes, and successes or failures: its counts say which. Only a row of a rollup from
    before results were kept apart may count both; its durations are those of both together.
    """

    start_ms: IntArray  # where the minute or hour begins
    source: IntArray  # numbers as in the detail's `source_names`
    navigations: IntArray
    scrapes: IntArray
    successes: IntArray
    items: IntArray
    # Of metrics of both kinds that share a minute nobody knows which was the last: then the newest of these lies
    # between the two. Where it is known, both are the same.
    last_seen_ms: IntArray
    seen_since_ms: IntArray
    last_ok_ms: IntArray  # -1 without a success
    # Where the durations of what is asked for aren't known, these three swallow what they are added up with:
    sum_ms: FloatArray  # NaN
    min_ms: FloatArray  # negative infinite
    max_ms: FloatArray  # infinite
    sketch_row: IntArray
    sketch_bin: IntArray
    sketch_count: FloatArray  # whole numbers, in the type that numpy weighs with

    def __len__(self) -> int:
        return len(self.start_ms)

    def part(self, low: int, high: int) -> Cells:
        """Return the rows low..high, copied; `sketch_row` must be rising."""
        first, last = np.searchsorted(self.sketch_row, (low, high))
        picked = {name: getattr(self, name)[low:high].copy() for name in _ROW_COLUMNS}
        return Cells(
            **picked,
            sketch_row=self.sketch_row[first:last] - low,
            sketch_bin=self.sketch_bin[first:last].copy(),
            sketch_count=self.sketch_count[first:last].copy(),
        )

    @property
    def size_bytes(self) -> int:
        """Memory that the columns take."""
        return sum(getattr(self, name).nbytes for name in _COLUMNS)

    def chosen(self, mask: npt.NDArray[np.bool_]) -> Cells:
        """Return the rows that a mask picks, with their sketches."""
        new_row: Any = (np.cumsum(mask) - 1).astype(_DTYPES["sketch_row"])
        # Of places three columns are picked in half the time that a mask takes.
        kept = np.flatnonzero(mask[self.sketch_row])
        picked = {name: getattr(self, name)[mask] for name in _ROW_COLUMNS}
        return Cells(
            **picked,
            sketch_row=new_row[self.sketch_row[kept]],
            sketch_bin=self.sketch_bin[kept],
            sketch_count=self.sketch_count[kept],
        )

    def only(self, kind: Kind | None, result: str) -> Cells:
        """Return what these rows say of some metrics alone.

        Args:
            kind: Navigations or scrapes only; None for both.
            result: "all", "ok" or "failed", as in a filter.

        Returns:
            The rows that count such metrics. Of a row that counts successes and failures together the wanted number
            is left, with durations that aren't known; its items are taken for those of the successes.
        """
        if kind is None and result == "all":
            return self
        counts = self.navigations + self.scrapes
        mask = counts > 0 if kind is None else (self.navigations if kind == "navigation" else self.scrapes) > 0
        if result == "all":
            return self.chosen(mask)
        picked = self.chosen(mask & (self.successes > 0 if result == "ok" else self.successes < counts))
        both = (picked.successes > 0) & (picked.successes < picked.navigations + picked.scrapes)
        return picked._one_result(both, ok=result == "ok") if both.any() else picked

    def results(self) -> IntArray:
        """Return what each row counts, int64[r]: 0 failures, 1 successes, 2 both."""
        return (self.successes > 0).astype(np.int64) + (
            (self.successes > 0) & (self.successes < self.navigations + self.scrapes)
        )

    def _one_result(self, both: npt.NDArray[np.bool_], *, ok: bool) -> Cells:
        left = self.successes if ok else self.navigations + self.scrapes - self.successes
        if ok:
            seen_ms = self.last_ok_ms
        else:
            # When the newest metric was no success it is the newest failure, else that one isn't known: there was one.
            seen_ms = np.where(self.last_seen_ms > self.last_ok_ms, self.last_seen_ms, self.start_ms)
        kept = ~both[self.sketch_row]
        return replace(
            self,
            navigations=np.where(both & (self.navigations > 0), left, self.navigations),
            scrapes=np.where(both & (self.scrapes > 0), left, self.scrapes),
            successes=self.successes if ok else np.zeros_like(self.successes),
            items=self.items if ok else np.where(both, 0, self.items),
            last_seen_ms=np.where(both, seen_ms, self.last_seen_ms),
            seen_since_ms=np.where(both, seen_ms, self.seen_since_ms),
            last_ok_ms=self.last_ok_ms if ok else np.full_like(self.last_ok_ms, -1),
            sum_ms=np.where(both, np.nan, self.sum_ms),
            min_ms=np.where(both, -np.inf, self.min_ms),
            max_ms=np.where(both, np.inf, self.max_ms),
            sketch_row=self.sketch_row[kept],
            sketch_bin=self.sketch_bin[kept],
            sketch_count=self.sketch_count[kept],
        )

    @classmethod
    def empty(cls) -> Cells:
        """Return no rows."""
        return cls(**{name: np.empty(0, dtype=dtype) for name, dtype in _DTYPES.items()})

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """Return several runs of rows as one."""
        if not parts:
            return cls.empty()
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        before = np.cumsum([0] + [len(part) for part in parts[:-1]])
        columns["sketch_row"] = np.concatenate(
            [part.sketch_row + start for part, start in zip(parts, before.tolist(), strict=True)]
        )
        return cls(**columns)


_COLUMNS = tuple(field.name for field in fields(Cells))
_ROW_COLUMNS = tuple(name for name in _COLUMNS if not name.startswith("sketch_"))
# 16 and 32 bits for sketches: there may be millions of these in memory.
_DTYPES: dict[str, Any] = dict.fromkeys(_ROW_COLUMNS, np.int64) | {
    "sum_ms": np.float64, "min_ms": np.float64, "max_ms": np.float64,
    "sketch_row": np.int32, "sketch_bin": np.int16, "sketch_count": np.float32,
}  # fmt: skip
