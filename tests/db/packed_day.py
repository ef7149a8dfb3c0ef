"""A day of rows as packs by URL or by result hold them, and rows in a form that doesn't depend on their order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from collector.events import PageNavigation, PageScrape
from db.cells import DAY_MS
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.rest_pack import RestPack
from db.rest_pack import packed as packed_rest
from db.row_pack import packed as packed_rows
from db.row_pack import unpacked as unpacked_rows
from db.url_packing import Five, Packing

COLUMNS = (
    "created_at_ms", "scrape", "duration_ms", "success", "items", "retry_count", "data_size", "status_code", "url",
    "labels", "fields", "run_id", "url_hash", "error_hash",
)  # fmt: skip


def plain(rows: DetailColumns) -> Counter[tuple[Any, ...]]:
    """Rows as they are, in whatever order."""
    names = [None if code < 0 else rows.outcome_names[code] for code in rows.outcome.tolist()]
    sources = [rows.source_names[code] for code in rows.source.tolist()]
    kinds: list[str | None] = [None] * len(rows)
    failed = np.flatnonzero(~rows.success)
    for place, kind in zip(failed.tolist(), rows.error_kinds(failed), strict=True):
        kinds[place] = kind
    return Counter(zip(sources, names, kinds, *(getattr(rows, name).tolist() for name in COLUMNS), strict=True))


class PackedDay:
    """A day's rows, the bytes that they become, and the names that are given to their sources and outcomes again."""

    def __init__(self, metrics: list[PageNavigation | PageScrape], make: type[Packing] = Packing) -> None:
        own = Names()
        self.rows = DetailColumns([chunk_of_metrics(metrics, own, own)], own, own)
        self.start_ms = int(self.rows.created_at_ms[0]) // DAY_MS * DAY_MS - DAY_MS
        self.names, self.outcomes = Names(), Names()
        row_pack = packed_rows(self.rows, self.start_ms)
        rest = RestPack(packed_rest(self.rows, row_pack))
        packing = make(self.start_ms, self.names)
        packing.add(Five(self.start_ms, unpacked_rows(row_pack, self.start_ms, self.names), rest), rest.values())
        self.packs = packing.packs()
