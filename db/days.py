"""Daily summaries of days that are still changing, from what pages draw of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from db.results import DailyRow, SourceStats


def date_of(day_ms: int) -> dt.date:
    """Return the UTC day of a moment in epoch milliseconds."""
    return dt.datetime.fromtimestamp(day_ms / 1000, tz=dt.UTC).date()


def daily_rows(
    date: dt.date, navigations: Sequence[SourceStats], scrapes: Sequence[SourceStats]
) -> tuple[DailyRow, ...]:
    """Return one row for each source that did anything that day, by name.

    Args:
        date: The day.
        navigations: What its navigations add up to, by source.
        scrapes: What its scrapes add up to.
    """
    loads = {stats.source: stats.totals for stats in navigations}
    reads = {stats.source: stats.totals for stats in scrapes}
    rows = []
    for source in sorted(loads.keys() | reads.keys()):
        load, read = loads.get(source), reads.get(source)
        rows.append(
            DailyRow(
                source=source,
                metric_date=date,
                total_navigations=load.count if load else 0,
                successful_navigations=load.successes if load else 0,
                avg_navigation_duration_ms=load.mean_ms if load else None,
                min_navigation_duration_ms=load.min_ms if load else None,
                max_navigation_duration_ms=load.max_ms if load else None,
                p50_navigation_duration_ms=load.p50_ms if load else None,
                p95_navigation_duration_ms=load.p95_ms if load else None,
                total_scrapes=read.count if read else 0,
                successful_scrapes=read.successes if read else 0,
                avg_scrape_duration_ms=read.mean_ms if read else None,
                min_scrape_duration_ms=read.min_ms if read else None,
                max_scrape_duration_ms=read.max_ms if read else None,
                p50_scrape_duration_ms=read.p50_ms if read else None,
                p95_scrape_duration_ms=read.p95_ms if read else None,
                total_items_extracted=read.items if read else 0,
            )
        )
    return tuple(rows)
