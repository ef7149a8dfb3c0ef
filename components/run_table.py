"""The tables of scrapers' runs: those of one scraper with what their metrics say, and those of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from components.leads import EVENTS
from components.numbers import NOTHING, clock, count, duration, percent
from components.row_leads import lead_text
from components.tables import Column, Status, one_line, table_props
from components.timerange import DAY_MS
from db.told_runs import RunLine

SCRAPER_RUN_COLUMNS: Final = (
    Column("Run", "clip"),
    Column("State", "status", width_px=108),
    Column("Started (UTC)", "time", width_px=132),
    Column("Last heard (UTC)", "time", width_px=132),
    Column("Took", "number", width_px=104),
    Column("Navigations", "number", width_px=96),
    Column("Scrapes", "number", width_px=76),
    Column("Items", "number", width_px=76),
    Column("Expected", "number", width_px=116),
    Column("Success", "number", width_px=76),
    Column("Errors", "number", width_px=68),
)
FLEET_RUN_COLUMNS: Final = (
    Column("Run", "clip"),
    Column("Source", "name"),
    Column("State", "status"),
    Column("Started (UTC)", "time"),
    Column("Last heard (UTC)", "time", width_px=132),
    Column("Took", "number", width_px=108),
    Column("Items", "number", width_px=84),
    Column("Expected", "number", width_px=128),
    Column("Error", "clip"),
)
_STATES: Final = {
    None: Status("ok", NOTHING),  # nobody told
    "running": Status("ok", "▶ running"),
    "ok": Status("ok", "✓ ok"),
    "failed": Status("bad", "✕ failed"),
    "killed": Status("bad", "■ killed"),
    "lost": Status("bad", "◌ lost"),
}
# A run that ended well with fewer items than this share of what was expected didn't end well.
_SHORT_BELOW_PERCENT: Final = 90.0


def run_props(runs: Sequence[RunLine], columns: Sequence[Column], *, span_ms: int, source: str = "") -> dict[str, Any]:
    """Return the props of a table of runs; each leads to its events.

    Args:
        runs: In the order to show.
        columns: `SCRAPER_RUN_COLUMNS` or `FLEET_RUN_COLUMNS`.
        span_ms: Length of the range that the page shows.
        source: Whose runs they are, where the page is about one scraper.
    """
    if any(run.started_ms // DAY_MS != run.ended_ms // DAY_MS for run in runs):
        span_ms = max(span_ms, DAY_MS + 1)  # times of two days are told apart by their day
    return table_props(
        columns,
        [[_cells(run, span_ms)[column.title] for column in columns] for run in runs],
        [lead_text(EVENTS, sources=(source,) if source else (), run=run.run_id) for run in runs],
    )


def no_runs() -> list[Component | str]:
    """Say below a table without runs how a scraper tells of them."""
    return [
        "A scraper that does its work inside of ",
        html.Code('with collector.run("nightly"):'),
        " says that it runs, how many items it has, and how it ended; ",
        html.Code("python -m collector run"),
        " does so for any command.",
    ]


def run_status(run: RunLine) -> Status:
    """Return how a run stands.

    Args:
        run: The run.
    """
    if run.state == "ok" and run.items_rate is not None and run.items_rate < _SHORT_BELOW_PERCENT:
        return Status("warn", "▼ ok, short")
    return _STATES.get(run.state, Status("warn", run.state or ""))


def _cells(run: RunLine, span_ms: int) -> dict[str, str | Status]:
    name = run.run_id if run.name is None or run.name in run.run_id else f"{run.name} · {run.run_id}"
    expected = NOTHING
    if run.expected_items is not None:
        rate = "" if run.items_rate is None else f" ({percent(run.items_rate)})"
        expected = f"{count(run.expected_items)}{rate}"
    return {
        "Run": one_line(name),
        "Source": run.source or NOTHING,
        "State": run_status(run),
        "Started (UTC)": clock(run.started_ms, span_ms=span_ms),
        "Last heard (UTC)": clock(run.ended_ms, span_ms=span_ms),
        "Took": duration(max(0, run.ended_ms - run.started_ms)),
        "Navigations": count(run.navigations),
        "Scrapes": count(run.scrapes),
        "Items": count(run.items),
        "Expected": expected,
        "Success": percent(run.success_rate),
        "Errors": count(run.count - run.successes),
        "Error": one_line(run.error or ""),
    }
