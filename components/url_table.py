"""Tables of pages and of errors: which URLs are slow or bad, and what went wrong how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from components.numbers import clock, count, duration, percent
from components.tables import Column, one_line, short_url, table_props
from db.results import ErrorGroup, UrlStats

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
ERROR_COLUMNS: Final = (
    Column("Error", "clip"),
    Column("Failures", "number"),
    Column("Share", "number"),
    Column("Last seen (UTC)", "time"),
)
_NO_TEXT: Final = "(no error text)"


def url_props(urls: Sequence[UrlStats], columns: Sequence[Column] = URL_COLUMNS, *, span_ms: int) -> dict[str, Any]:
    """Return the props of a table of pages.

    Args:
        urls: In the order to show.
        columns: `URL_COLUMNS`, or `ONE_SOURCE_COLUMNS`.
        span_ms: Length of the range that the page shows.
    """
    return table_props(columns, [[_cells(url, span_ms)[column.title] for column in columns] for url in urls])


def error_props(errors: Sequence[ErrorGroup], *, span_ms: int, limit: int = 20) -> dict[str, Any]:
    """Return the props of a table of `ERROR_COLUMNS`.

    Args:
        errors: Most frequent first.
        span_ms: Length of the range that the page shows.
        limit: How many are shown; shares are of all.
    """
    failures = sum(group.failures for group in errors)
    return table_props(
        ERROR_COLUMNS,
        [
            [
                one_line(group.error) or _NO_TEXT,
                count(group.failures),
                percent(100 * group.failures / failures),
                clock(group.last_seen_ms, span_ms=span_ms),
            ]
            for group in errors[:limit]
        ],
    )


def _cells(url: UrlStats, span_ms: int) -> dict[str, str]:
    return {
        "Page": short_url(url.url),
        "Source": url.source,
        "Count": count(url.count),
        "Mean": duration(url.mean_ms),
        "Slowest": duration(url.max_ms),
        "Failed": f"{count(url.errors)} ({percent(100 * url.errors / url.count)})" if url.errors else "0",
        "Last seen (UTC)": clock(url.last_seen_ms, span_ms=span_ms),
    }
