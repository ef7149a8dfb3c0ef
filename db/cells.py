"""Rollup rows as numpy columns, and how they are read from the minute and the hour table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Select, select
from sqlalchemy.engine import Connection

from db import sketch
from db.columns import Names
from db.models import HourlyRollup, MinuteRollup
from db.results import FloatArray, IntArray, Kind

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rollup rows as columns of equal length r; their sketches as (row, bin, count) triples of length p."""

    start_ms: IntArray  # where the minute or hour begins
    source: IntArray  # numbers as in the detail's `source_names`
    navigations: IntArray
    scrapes: IntArray
    successes: IntArray
    items: IntArray
    last_seen_ms: IntArray
    last_ok_ms: IntArray  # -1 without a success
    sum_ms: FloatArray
    min_ms: FloatArray  # infinite without a row
    max_ms: FloatArray  # negative infinite without a row
    sketch_row: IntArray
    sketch_bin: IntArray
    sketch_count: FloatArray  # whole numbers, in the type that numpy weighs with

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
        new_row = np.cumsum(mask) - 1
        kept = mask[self.sketch_row]
        picked = {name: getattr(self, name)[mask] for name in _ROW_COLUMNS}
        return Cells(
            **picked,
            sketch_row=new_row[self.sketch_row[kept]],
            sketch_bin=self.sketch_bin[kept],
            sketch_count=self.sketch_count[kept],
        )

    @classmethod
    def empty(cls) -> Cells:
        """Return no rows."""
        return _of_rows([], Names(), None)

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """Return several runs of rows as one."""
        if not parts:
            return cls.empty()
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
        before = np.cumsum([0] + [len(part.start_ms) for part in parts[:-1]])
        columns["sketch_row"] = np.concatenate(
            [part.sketch_row + start for part, start in zip(parts, before.tolist(), strict=True)]
        )
        return cls(**columns)


_COLUMNS = tuple(field.name for field in fields(Cells))
_ROW_COLUMNS = tuple(name for name in _COLUMNS if not name.startswith("sketch_"))


def read_cells(
    connection: Connection,
    table: type[MinuteRollup] | type[HourlyRollup],
    start_ms: int,
    end_ms: int,
    names: Names,
    *,
    sources: Sequence[str] = (),
    kind: Kind | None = None,
) -> Cells:
    """Read the rollup rows that begin in a span.

    Args:
        connection: An open connection.
        table: The minute or the hour table.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        names: Gives sources their numbers.
        sources: Only these; empty for all.
        kind: What navigations or scrapes alone add up to; None for both.

    Returns:
        The rows, by time.
    """
    statement = _rows_between(table, start_ms, end_ms)
    if sources:
        statement = statement.where(table.scraper_source.in_(sources))
    if kind is not None:
        statement = statement.where((table.total_navigations if kind == "navigation" else table.total_scrapes) > 0)
    return _of_rows(connection.execute(statement).all(), names, kind)


def read_cells_by_kind(
    connection: Connection,
    table: type[MinuteRollup] | type[HourlyRollup],
    start_ms: int,
    end_ms: int,
    names: Names,
) -> tuple[Cells, Cells]:
    """Read the rollup rows that begin in a span once, and keep navigations and scrapes apart.

    Args:
        connection: An open connection.
        table: The minute or the hour table.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        names: Gives sources their numbers.

    Returns:
        (rows with navigations, rows with scrapes), each by time and with rising `sketch_row`.
    """
    rows = connection.execute(_rows_between(table, start_ms, end_ms)).all()
    navigated, scraped = [row for row in rows if row[5]], [row for row in rows if row[11]]
    return _of_rows(navigated, names, "navigation"), _of_rows(scraped, names, "scrape")


def _rows_between(table: type[MinuteRollup] | type[HourlyRollup], start_ms: int, end_ms: int) -> Select[Any]:
    begins: Any = table.minute_start_ms if table is MinuteRollup else table.hour_start_ms  # type: ignore[union-attr]
    return (
        select(
            begins, table.scraper_source, table.last_recorded_at, table.last_success_at, table.total_items_extracted,
            table.total_navigations, table.successful_navigations, table.sum_navigation_duration_ms,
            table.min_navigation_duration_ms, table.max_navigation_duration_ms, table.navigation_sketch,
            table.total_scrapes, table.successful_scrapes, table.sum_scrape_duration_ms,
            table.min_scrape_duration_ms, table.max_scrape_duration_ms, table.scrape_sketch,
        )
        .where(begins >= start_ms, begins < end_ms)
        .order_by(begins)
    )  # fmt: skip


def _of_rows(rows: Sequence[Any], names: Names, kind: Kind | None) -> Cells:
    columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * 17
    begin, source, seen, ok, items = columns[:5]
    navigation, scraping = columns[5:11], columns[11:]
    none = [0] * len(rows)
    if kind == "scrape":
        navigation = [none, none, none, [None] * len(rows), [None] * len(rows), [sketch.EMPTY] * len(rows)]
    elif kind == "navigation":
        scraping = [none, none, none, [None] * len(rows), [None] * len(rows), [sketch.EMPTY] * len(rows)]
        items = none
    parts = [sketch.unpack(navigation[5]), sketch.unpack(scraping[5])]
    return Cells(
        start_ms=_whole(begin),
        source=_whole([names.code(name) for name in source]),
        navigations=_whole(navigation[0]),
        scrapes=_whole(scraping[0]),
        successes=_whole(navigation[1]) + _whole(scraping[1]),
        items=_whole(items),
        last_seen_ms=_whole(seen),
        last_ok_ms=_whole([-1 if moment is None else moment for moment in ok]),
        sum_ms=_real(navigation[2]) + _real(scraping[2]),
        min_ms=np.minimum(_real(navigation[3], np.inf), _real(scraping[3], np.inf)),
        max_ms=np.maximum(_real(navigation[4], -np.inf), _real(scraping[4], -np.inf)),
        # 16 and 32 bits: there may be millions of these in memory.
        sketch_row=np.concatenate([part[0] for part in parts]).astype(np.int32),
        sketch_bin=np.concatenate([part[1] for part in parts]).astype(np.int16),
        sketch_count=_small(np.concatenate([part[2] for part in parts])),
    )


def _small(counts: IntArray) -> FloatArray:
    exact: Any = np.float32 if not len(counts) or counts.max() < 1 << 24 else np.float64
    return counts.astype(exact)


def _whole(values: Iterable[int]) -> IntArray:
    return np.array(list(values), dtype=np.int64)


def _real(values: Iterable[float | None], missing: float = 0.0) -> FloatArray:
    return np.array([missing if value is None else value for value in values], dtype=np.float64)
