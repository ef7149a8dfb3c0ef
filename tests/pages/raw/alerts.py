"""What the Alerts tab must show."""

from __future__ import annotations

from alerts.defaults import DEFAULT_RULES
from charts.info import LineInfo, TimelineInfo
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


def nothing(shown: Rows | TimelineInfo, raw: Raw, before: Raw) -> None:
    """Nobody evaluated a rule in this fleet's database: tests/pages/test_alerts.py looks at those that have alerts."""
    assert (shown.rows if isinstance(shown, Rows) else shown.bars) == ()


def rules(rows: Rows, raw: Raw, before: Raw) -> None:
    """Those that are there from the start."""
    assert [row[0] for row in rows.rows] == sorted(rule.id for rule in DEFAULT_RULES)


CHECKS = {
    "alerts-errors": failures,
    "alerts-success": overview.success,
    "alerts-timeline": nothing,
    "alerts-firing": nothing,
    "alerts-history": nothing,
    "alerts-schedules": nothing,
    "alerts-rules": rules,
}
