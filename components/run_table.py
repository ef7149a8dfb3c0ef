"""The table of a scraper's runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from components.leads import EVENTS
from components.numbers import clock, count, duration, percent
from components.row_leads import lead_text
from components.tables import Column, one_line, table_props
from db.scraper_runs import ScraperRun

SCRAPER_RUN_COLUMNS: Final = (
    Column("Run", "clip"),
    Column("Started (UTC)", "time"),
    Column("Ended (UTC)", "time"),
    Column("Took", "number", width_px=108),
    Column("Navigations", "number", width_px=104),
    Column("Scrapes", "number"),
    Column("Items", "number"),
    Column("Success", "number"),
    Column("Errors", "number"),
)


def scraper_run_props(runs: Sequence[ScraperRun], source: str, *, span_ms: int) -> dict[str, Any]:
    """Return the props of a table of `SCRAPER_RUN_COLUMNS`; each run leads to its events.

    Args:
        runs: In the order to show.
        source: Whose runs they are.
        span_ms: Length of the range that the page shows.
    """
    return table_props(
        SCRAPER_RUN_COLUMNS,
        [
            [
                one_line(run.run_id),
                clock(run.started_ms, span_ms=span_ms),
                clock(run.ended_ms, span_ms=span_ms),
                duration(run.ended_ms - run.started_ms),
                count(run.navigations),
                count(run.scrapes),
                count(run.items),
                percent(run.success_rate),
                count(run.errors),
            ]
            for run in runs
        ],
        [lead_text(EVENTS, sources=(source,), run=run.run_id) for run in runs],
    )
