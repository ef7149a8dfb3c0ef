"""What the page of one scraper must show."""

from __future__ import annotations

from charts.info import BarInfo
from pages.page import Rows
from tests.pages.raw.fleet import Raw
from tests.pages.raw.judge import same


def results(info: BarInfo, raw: Raw, before: Raw) -> None:
    """What went well and what failed, bucket by bucket."""
    groups = dict(info.groups or ())
    same(groups["ok"], raw.per_bucket(raw.pages.success.astype(float)))
    for name, kind in (("failed navigations", "navigation"), ("failed scrapes", "scrape")):
        same(groups[name], raw.per_bucket(((raw.pages.metric_type == kind) & ~raw.pages.success).astype(float)))


def funnel(info: BarInfo, raw: Raw, before: Raw) -> None:
    """How many are left after each step, whatever the result that the page is narrowed to."""
    shown = dict(zip(info.categories, info.values or (), strict=True))
    if raw.pages.success.any():  # else the raw rows are narrowed to failures, and the funnel isn't
        exact = {
            "navigations": len(raw.navigations),
            "loaded": raw.navigations.success.sum(),
            "scrapes": len(raw.scrapes),
            "outcome ok": (raw.scrapes.outcome == "ok").sum(),
            "with items": (raw.scrapes.items_extracted > 0).sum(),
        }
        assert shown == {name: exact[name] for name in shown}
    # Memory holds a few hours: of more, the last step isn't known.
    assert ("with items" in shown) == (raw.range.end_ms - raw.range.start_ms < 4 * 3_600_000)


def jobs(rows: Rows, raw: Raw, before: Raw) -> None:
    """Jobs that ran for the scraper, the newest first."""
    exact = raw.runs[raw.runs.scraper_source == "robinhood"].sort_values("created_at", ascending=False)
    assert [row[0] for row in rows.rows] == [f"s:{id}" for id in exact.id]


CHECKS = {
    "scraper-results": results,
    "scraper-funnel": funnel,
    "scraper-jobs": jobs,
}
