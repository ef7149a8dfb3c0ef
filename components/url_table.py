"""Tables of pages: which URLs are slow, which fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from components.leads import EVENTS
from components.numbers import clock, count, duration, percent
from components.row_leads import lead_text
from components.tables import Column, short_url, table_props
from db.results import Kind, UrlStats

URL_COLUMNS: Final = (
    Column("Page", "clip"),
    Column("Source", "name"),
    Column("Count", "number", width_px=68),
    Column("Mean", "number"),
    Column("Slowest", "number"),
    Column("Failed", "number", width_px=104),
    Column("Last seen (UTC)", "time"),
)
ONE_SOURCE_COLUMNS: Final = tuple(column for column in URL_COLUMNS if column.title not in ("Source", "Last seen (UTC)"))
WORST_COLUMNS: Final = (
    Column("Page", "clip"),
    Column("Source", "name"),
    Column("Failures", "number", width_px=84),
    Column("Share", "number", width_px=76),
    Column("Scrapes", "number", width_px=76),
    Column("Items per scrape", "number", width_px=124),
    Column("Mean", "number", width_px=84),
    Column("Last seen (UTC)", "time"),
)


def url_props(
    urls: Sequence[UrlStats], columns: Sequence[Column] = URL_COLUMNS, *, kind: Kind, span_ms: int
) -> dict[str, Any]:
    """Return the props of a table of pages; each leads to its events.

    Args:
        urls: In the order to show.
        columns: `URL_COLUMNS`, `ONE_SOURCE_COLUMNS` or `WORST_COLUMNS`.
        kind: What the figures are of.
        span_ms: Length of the range that the page shows.
    """
    return table_props(
        columns,
        [[_cells(url, span_ms)[column.title] for column in columns] for url in urls],
        [lead_text(EVENTS, sources=(url.source,), kind=kind, url=url.url) for url in urls],
    )


def _cells(url: UrlStats, span_ms: int) -> dict[str, str]:
    return {
        "Page": short_url(url.url),
        "Source": url.source,
        "Count": count(url.count),
        "Mean": duration(url.mean_ms),
        "Slowest": duration(url.max_ms),
        "Failed": f"{count(url.errors)} ({percent(100 * url.errors / url.count)})" if url.errors else "0",
        "Failures": count(url.errors),
        "Share": percent(100 * url.errors / url.count),
        "Scrapes": count(url.count),
        "Items per scrape": f"{url.items / url.count:,.1f}",
        "Last seen (UTC)": clock(url.last_seen_ms, span_ms=span_ms),
    }
