"""What many old rows add up to: counted once for as long as they are the same ones."""

from __future__ import annotations

import threading
import weakref

from cachetools import LRUCache

from db.cell_sums import merged, minute_cells
from db.cells import Cells
from db.columns import DetailColumns
from db.results import Filter, Kind, TimeRange
from db.sealed import Sealed

_COUNTED_AT_ONCE = 1 << 14  # rows: what they are counted with stays in the processor's cache
_MAX_SUMS = 48  # a page asks for the same old rows in three or four ways


class OldSums:
    """Remembers the sums of rows that are themselves remembered elsewhere, and no longer than these."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects the one below
        self._sums: LRUCache[tuple[object, ...], tuple[weakref.ref[DetailColumns], Cells | Sealed]]
        self._sums = LRUCache(_MAX_SUMS)

    def of(
        self, old: DetailColumns, span: TimeRange, end_ms: int, filter: Filter, kind: Kind | None, *, together: bool
    ) -> Cells | Sealed:
        """Return what rows add up to by source, and by bucket unless they are to be counted together.

        Args:
            old: Rows that a filter lets through: the very same object as long as nothing changes about them.
            span: Whose rows they are, and its buckets; it begins with one.
            end_ms: Where those end that are counted, epoch ms; a bucket ends there unless they are counted together.
            filter: Which rows they are.
            kind: Which kind of rows; None for both.
            together: Whether they are counted as one bucket.
        """
        key = (span.start_ms, end_ms, span.bucket_ms, together, filter, kind)
        with self._lock:
            known = self._sums.get(key)
        if known is None or known[0]() is not old:
            start_ms, bucket_ms = span.start_ms, span.bucket_ms
            pieces = old.between(start_ms, end_ms).pieces(_COUNTED_AT_ONCE)
            cells = Cells.joined([minute_cells(piece, bucket_ms) for piece in pieces])
            buckets = (end_ms - start_ms) // bucket_ms
            sums = merged(cells, start_ms) if together else Sealed.of(cells, start_ms, bucket_ms, buckets)
            known = (weakref.ref(old), sums)
        with self._lock:
            self._sums[key] = known
        return known[1]
