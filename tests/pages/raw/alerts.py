"""What the Alerts tab must show."""

from __future__ import annotations

from charts.info import LineInfo
from components.states import HEALTHY_FROM_PERCENT
from pages.page import Rows
from tests.pages.raw import overview
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import same


def failures(info: LineInfo, raw: Raw, before: Raw) -> None:
    """A line a source that had failures: how many a minute."""
    failed = raw.pages[~raw.pages.success]
    assert [line.name for line in info.lines] == sorted(set(failed.scraper_source))
    for line in info.lines:
        same(line.y, raw.over(raw.per_minute((failed.scraper_source == line.name).astype(float))))


def concerns(rows: Rows, raw: Raw, before: Raw) -> None:
    """Sources below the healthy success rate, and jobs whose last run failed; none of this fleet is silent."""
    shown = {(row[0], row[1]) for row in rows.rows}
    # The checks look at all results: what the filter hides counts, too. Raw rows of one result can't tell.
    if raw.pages.success.all() or not raw.pages.success.any():
        return
    rates = 100 * raw.pages.groupby("scraper_source").success.mean()
    sizes = raw.pages.groupby("scraper_source").size()
    low = {("low success", name) for name, rate in rates.items() if rate < HEALTHY_FROM_PERCENT and sizes[name] >= 5}
    newest = raw.runs.sort_values("created_at").groupby("scheduler_name").success.last()
    assert shown == low | {("job failed", name) for name, ok in newest.items() if not ok}


CHECKS = {
    "alerts-errors": failures,
    "alerts-success": overview.success,
    "alerts-concerns": concerns,
}
