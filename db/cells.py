"""Rollup rows as numpy columns, each row of navigations or scrapes alone, and of successes or failures alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from db.results import FloatArray, IntArray, Kind
from db.runs import run_places

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
    sketch_row: IntArray  # rising
    sketch_bin: IntArray
    sketch_count: FloatArray  # whole numbers, in the type that numpy weighs with

    def __len__(self) -> int:
        return len(self.start_ms)

    def part(self, low: int, high: int) -> Cells:
        """Return the rows low..high, copied."""
        first, last = self._sketches_of(np.array((low, high)))
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
        rows = np.flatnonzero(mask)
        if len(rows) == len(mask):
            return self
        first = self._sketches_of(rows)
        counts = self._sketches_of(rows + 1) - first
        kept = run_places(first, counts)
        return Cells(
            **{name: getattr(self, name)[rows] for name in _ROW_COLUMNS},
            sketch_row=np.repeat(np.arange(len(rows), dtype=_DTYPES["sketch_row"]), counts),
            sketch_bin=self.sketch_bin[kept],
            sketch_count=self.sketch_count[kept],
        )

    def _sketches_of(self, rows: IntArray) -> IntArray:
        """Return where the sketches of some rows begin."""
        # Of another type than theirs, numpy would copy all of them first.
        return np.searchsorted(self.sketch_row, rows.astype(self.sketch_row.dtype))

    def only(self, kind: Kind | None, result: str, sources: Sequence[int] | None = None) -> Cells:
        """Return what these rows say of some metrics alone.

        Args:
            kind: Navigations or scrapes only; None for both.
            result: "all", "ok" or "failed", as in a filter.
            sources: The numbers of some sources; None for all.

        Returns:
            The rows that count such metrics. Of a row that counts successes and failures together the wanted number
            is left, with durations that aren't known; its items are taken for those of the successes.
        """
        masks = []
        if sources is not None:
            masks.append(np.isin(self.source, sources))
        if kind is not None:
            masks.append((self.navigations if kind == "navigation" else self.scrapes) > 0)
        if result == "ok":
            masks.append(self.successes > 0)
        elif result == "failed":
            masks.append(self.successes < self.navigations + self.scrapes)
        if not masks:
            return self
        picked = self.chosen(np.logical_and.reduce(masks))
        if result == "all":
            return picked
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
        parts = [part for part in parts if len(part)]
        if len(parts) < 2:
            return parts[0] if parts else cls.empty()
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
