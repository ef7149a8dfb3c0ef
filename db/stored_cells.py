"""How rollup rows are read from the minute and the hour table, and taken apart by kind and result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Select, or_, select
from sqlalchemy.engine import Connection

from db import sketch
from db.cells import Cells
from db.chunk import BoolArray
from db.columns import Names
from db.models import HourlyRollup, MinuteRollup
from db.results import FloatArray, IntArray, Kind

_KINDS = (("navigation", "navigations"), ("scrape", "scrapes"))
# A stored row becomes up to four: for each kind one of the failures and one of the successes, or one of both.
_FAILED, _OK, _BOTH = range(3)
_PLACES = 6
_COMMON = 7  # columns before those of the kinds
_OF_KIND = 13  # columns of a kind


def read_cells(
    connection: Connection,
    table: type[MinuteRollup] | type[HourlyRollup],
    start_ms: int,
    end_ms: int,
    names: Names,
    *,
    sources: Sequence[str] = (),
    kind: Kind | None = None,
    result: str = "all",
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
        result: "all", "ok" or "failed": what those that went so add up to.

    Returns:
        The rows, by time and with rising `sketch_row`.
    """
    statement = _rows_between(table, start_ms, end_ms)
    if sources:
        statement = statement.where(table.scraper_source.in_(sources))
    if kind is not None or result != "all":
        wanted = []
        for name, many in _KINDS:
            if kind in (None, name):
                total, ok = getattr(table, f"total_{many}"), getattr(table, f"successful_{many}")
                wanted.append({"all": total > 0, "ok": ok > 0, "failed": total > ok}[result])
        statement = statement.where(or_(*wanted))
    return _apart(connection.execute(statement).all(), names).only(kind, result)


def _apart(rows: Sequence[Any], names: Names) -> Cells:
    """Take what `_rows_between` selects apart: each row then counts one kind, and one result where that is known."""
    if not rows:
        return Cells.empty()
    columns: list[Any] = list(zip(*rows, strict=True))
    begin, source = _whole(columns[0]), _whole([names.code(name) for name in columns[1]])
    seen_ms, ok_ms, failed_ms = (_whole(column, -1) for column in columns[2:5])
    # Where the newest failure wasn't noted: the newest metric, if that was no success; else there was one somewhere.
    failed_ms = np.where(failed_ms >= 0, failed_ms, np.where(seen_ms > ok_ms, seen_ms, begin))
    # Where both kinds went well (or failed) nobody knows which of them did last: the other one did since the beginning.
    totals, successes = ([_whole(columns[at + place]) for at in (_COMMON, _COMMON + _OF_KIND)] for place in (0, 1))
    ok_since_ms = np.where((successes[0] > 0) & (successes[1] > 0), begin, ok_ms)
    both_failed = (totals[0] > successes[0]) & (totals[1] > successes[1])
    failed_since_ms = np.where(both_failed, begin, failed_ms)
    parts: list[dict[str, Any]] = []
    sketches: list[tuple[IntArray, IntArray, IntArray]] = []
    for index in range(2):
        own = columns[_COMMON + index * _OF_KIND : _COMMON + (index + 1) * _OF_KIND]
        total, ok, durations_ms = totals[index], successes[index], [_real(column) for column in own[2:5]]
        ok_ones_ms, failed_ones_ms = ([_real(column) for column in own[low : low + 3]] for low in (6, 9))
        failed = total - ok
        mixed = (ok > 0) & (failed > 0)
        known = mixed & ~np.isnan(failed_ones_ms[0])
        # Where only one of both happened, the totals are its own.
        items, failed_items = (_whole(column) * index for column in columns[5:7])  # navigations extract none
        failed_items = np.where(ok == 0, items, np.where(known, failed_items, 0))
        for result, there, count, apart_ms, its_items in (
            (_FAILED, (failed > 0) & (known | ~mixed), failed, failed_ones_ms, failed_items),
            (_OK, (ok > 0) & (known | ~mixed), ok, ok_ones_ms, items - failed_items),
            (_BOTH, mixed & ~known, total, durations_ms, items),
        ):
            row = np.flatnonzero(there)
            sum_ms, min_ms, max_ms = (
                np.where(known, some, every)[row] for some, every in zip(apart_ms, durations_ms, strict=True)
            )
            parts.append({
                "place": row * _PLACES + index * 3 + result,
                "navigations": np.zeros_like(row) if index else count[row],
                "scrapes": count[row] if index else np.zeros_like(row),
                "successes": np.zeros_like(row) if result == _FAILED else ok[row],
                "items": its_items[row],
                "last_seen_ms": (failed_ms, ok_ms, seen_ms)[result][row],
                "seen_since_ms": (failed_since_ms, ok_since_ms, seen_ms)[result][row],
                "last_ok_ms": np.full_like(row, -1) if result == _FAILED else ok_ms[row],
                "sum_ms": sum_ms, "min_ms": min_ms, "max_ms": max_ms,
            })  # fmt: skip
        whole = np.where(known | (failed == 0), _OK, np.where(ok == 0, _FAILED, _BOTH))
        sketches += _sketches(own[5], own[12], known, np.arange(len(rows)) * _PLACES + index * 3, whole)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(joined["place"], kind="stable")
    place = joined.pop("place")[order]
    sketch_place, sketch_bin, sketch_count = (np.concatenate(column) for column in zip(*sketches, strict=True))
    by_place = np.argsort(sketch_place, kind="stable")
    number = np.zeros(len(rows) * _PLACES, dtype=np.int32)
    number[place] = np.arange(len(place))
    return Cells(
        start_ms=begin[place // _PLACES],
        source=source[place // _PLACES],
        **{name: column[order] for name, column in joined.items()},
        # 16 and 32 bits: there may be millions of these in memory.
        sketch_row=number[sketch_place[by_place]],
        sketch_bin=sketch_bin[by_place].astype(np.int16),
        sketch_count=_small(sketch_count[by_place]),
    )


def _sketches(
    totals: Sequence[bytes], failures: Sequence[bytes | None], known: BoolArray, first: IntArray, whole: IntArray
) -> list[tuple[IntArray, IntArray, IntArray]]:
    """Return (place, bin, count) of the sketches of one kind: of everything less the failures, and of the failures."""
    row, bins, counts = sketch.unpack(totals)
    taken = np.flatnonzero(known)
    which, failed_bins, failed_counts = sketch.unpack([failures[index] or sketch.EMPTY for index in taken.tolist()])
    failed_row = taken[which]
    # A histogram holds all of its parts: what went well is the difference, exactly.
    where = np.searchsorted(row * sketch.BINS + bins, failed_row * sketch.BINS + failed_bins)
    counts[where] -= failed_counts
    left = counts > 0
    return [
        ((first + whole)[row[left]], bins[left], counts[left]),
        (first[failed_row] + _FAILED, failed_bins, failed_counts),
    ]


def _rows_between(table: type[MinuteRollup] | type[HourlyRollup], start_ms: int, end_ms: int) -> Select[Any]:
    begins: Any = table.minute_start_ms if table is MinuteRollup else table.hour_start_ms  # type: ignore[union-attr]
    return (
        select(
            begins, table.scraper_source, table.last_recorded_at, table.last_success_at, table.last_failure_at,
            table.total_items_extracted, table.failed_items_extracted,
            table.total_navigations, table.successful_navigations, table.sum_navigation_duration_ms,
            table.min_navigation_duration_ms, table.max_navigation_duration_ms, table.navigation_sketch,
            table.sum_ok_navigation_duration_ms, table.min_ok_navigation_duration_ms,
            table.max_ok_navigation_duration_ms, table.sum_failed_navigation_duration_ms,
            table.min_failed_navigation_duration_ms, table.max_failed_navigation_duration_ms,
            table.failed_navigation_sketch,
            table.total_scrapes, table.successful_scrapes, table.sum_scrape_duration_ms,
            table.min_scrape_duration_ms, table.max_scrape_duration_ms, table.scrape_sketch,
            table.sum_ok_scrape_duration_ms, table.min_ok_scrape_duration_ms,
            table.max_ok_scrape_duration_ms, table.sum_failed_scrape_duration_ms,
            table.min_failed_scrape_duration_ms, table.max_failed_scrape_duration_ms,
            table.failed_scrape_sketch,
        )
        .where(begins >= start_ms, begins < end_ms)
        .order_by(begins)
    )  # fmt: skip


def _small(counts: IntArray) -> FloatArray:
    exact: Any = np.float32 if not len(counts) or counts.max() < 1 << 24 else np.float64
    return counts.astype(exact)


def _whole(values: Iterable[int | None], missing: int = 0) -> IntArray:
    return np.array([missing if value is None else value for value in values], dtype=np.int64)


def _real(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, dtype=np.float64)  # None becomes NaN
