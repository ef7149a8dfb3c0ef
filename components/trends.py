"""The duration trend of navigations or scrapes, with the ghost of the period that the view compares with."""

from __future__ import annotations

from typing import Final

from charts.info import LineInfo
from components import infos
from components.compare import with_ghost
from components.view import View
from db.queries import Queries
from db.results import Kind, TimeRange

_WHAT: Final[dict[Kind, str]] = {"navigation": "Navigation", "scrape": "Scrape"}


def duration_chart(queries: Queries, view: View, now_ms: int, kind: Kind) -> LineInfo:
    """Draw mean and percentiles over time; the ghost is the mean's.

    Args:
        queries: Who answers.
        view: Range, filters, and what to compare with.
        now_ms: The moment, epoch milliseconds.
        kind: Whose durations.
    """

    def draw(range: TimeRange) -> LineInfo:
        return infos.duration_trend(queries.duration_trend(range, view.filter, kind), range, what=_WHAT[kind])

    return with_ghost(view, view.coarse_range(now_ms), draw, "mean")
