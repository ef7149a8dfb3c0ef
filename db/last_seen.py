"""When a source was last seen navigating, or scraping: rollup rows often say only when it did either of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from db.cells import SLOT_MS, Cells
from db.columns import DetailColumns
from db.packed_rows import PackedRows
from db.results import Filter, IntArray, Kind
from db.sealed import Sealed

_NEVER_MS = 1 << 62


def exactly_seen(
    detail: DetailColumns,
    cells: Cells | None,
    sealed: Sealed | None,
    packed: PackedRows,
    filter: Filter,
    kind: Kind,
) -> tuple[Cells | None, Sealed | None]:
    """Correct the newest moments of each source in what a range is counted from, for one kind.

    Only where the newest metric of a source lies in a rollup row that counts both kinds are detail rows read; where
    these are deleted, the moment stays what that row says of both.

    Args:
        detail: The detail rows of the range, of this kind.
        cells: Its rollup rows, of this kind.
        sealed: Those of its first buckets.
        packed: Reads detail rows.
        filter: What all of these were filtered by.
        kind: Navigations or scrapes.

    Returns:
        `cells` and `sealed`, the very same ones if they are right: the highest `last_seen_ms` and `last_ok_ms` of a
        source are those of its newest metric and success.
    """
    parts = [part for part in (cells, None if sealed is None else sealed.cells) if part is not None]
    if not any((part.seen_since_ms < part.last_seen_ms).any() for part in parts):
        return cells, sealed
    seen, ok = _Bounds.of(detail, parts, ok=False), _Bounds.of(detail, parts, ok=True)
    spans = _united([*seen.spans(), *ok.spans()])
    if not spans:
        return cells, sealed  # all of them were seen later, too
    for start_ms, end_ms in spans:
        rows = packed.between(start_ms, end_ms).matching(filter, kind)
        seen.look_at(rows.source, rows.created_at_ms)
        ok.look_at(rows.source[rows.success], rows.created_at_ms[rows.success])
    newest_ms, newest_ok_ms = seen.newest_ms(), ok.newest_ms()
    if cells is not None:
        cells = replace(
            cells,
            last_seen_ms=np.minimum(cells.last_seen_ms, newest_ms[cells.source]),
            last_ok_ms=np.minimum(cells.last_ok_ms, newest_ok_ms[cells.source]),
        )
    if sealed is not None:
        sealed = replace(
            sealed,
            last_seen_ms=np.minimum(sealed.last_seen_ms, newest_ms[sealed.codes]),
            last_ok_ms=np.minimum(sealed.last_ok_ms, newest_ok_ms[sealed.codes]),
        )
    return cells, sealed


class _Bounds:
    """What the newest moment of each source lies between, by number of the source; -1 without one."""

    def __init__(self, low_ms: IntArray, high_ms: IntArray) -> None:
        self._low_ms = low_ms
        self._high_ms = high_ms
        self._found_ms = np.full_like(low_ms, -1)

    @classmethod
    def of(cls, detail: DetailColumns, parts: list[Cells], *, ok: bool) -> _Bounds:
        """Return the bounds that rows set, of all metrics or of successes."""
        size = max([len(detail.source_names), *(int(part.source.max(initial=-1)) + 1 for part in parts)])
        low_ms = np.full(size, -1, dtype=np.int64)
        which = detail.success if ok else slice(None)
        np.maximum.at(low_ms, detail.source[which], detail.created_at_ms[which])
        high_ms = low_ms.copy()
        for part in parts:
            since_ms, until_ms = part.seen_since_ms, part.last_seen_ms
            if ok:
                # What counts successes and failures together tells nothing of either but this.
                all_ok = part.successes == part.navigations + part.scrapes
                since_ms, until_ms = np.where(all_ok, since_ms, part.last_ok_ms), part.last_ok_ms
            np.maximum.at(low_ms, part.source, since_ms)
            np.maximum.at(high_ms, part.source, until_ms)
        return cls(low_ms, high_ms)

    def spans(self) -> list[tuple[int, int]]:
        """Return (start, end) of the spans in which the newest metrics are to be looked for, epoch ms."""
        unsure = self._low_ms < self._high_ms
        return list(zip(self._low_ms[unsure].tolist(), (self._high_ms[unsure] + 1).tolist(), strict=True))

    def look_at(self, source: npt.NDArray[np.integer[Any]], moment_ms: IntArray) -> None:
        """Take detail rows in account."""
        known = source < len(self._low_ms)
        source, moment_ms = source[known], moment_ms[known]
        inside = (self._low_ms[source] <= moment_ms) & (moment_ms <= self._high_ms[source])
        np.maximum.at(self._found_ms, source[inside], moment_ms[inside])

    def newest_ms(self) -> IntArray:
        """Return the newest moments that were found, and one that is never reached where none was."""
        return np.where(self._found_ms < 0, _NEVER_MS, self._found_ms)


def _united(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans without those that overlap, or lie so close that their rows are in one pack: few are read once."""
    found: list[tuple[int, int]] = []
    for start_ms, end_ms in sorted(spans):
        if found and start_ms // SLOT_MS <= (found[-1][1] - 1) // SLOT_MS:
            found[-1] = (found[-1][0], max(found[-1][1], end_ms))
        else:
            found.append((start_ms, end_ms))
    return found
