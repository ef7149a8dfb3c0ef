"""Chart infos that compare the scrapers of a fleet: scores, and pages against items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from charts.info import Point, RadarInfo, ScatterInfo
from components.numbers import count
from components.scores import AXES, DEFINITIONS, scores_of
from db.results import SourceStats, TimeRange

MOST_SHAPES: Final = 6
MOST_POINTS: Final = 300
# From here on an axis is logarithmic: on a linear one most would stand in the corner.
_DECADES: Final = 30.0


def busiest(sources: Sequence[SourceStats], most: int) -> list[SourceStats]:
    """Return the scrapers with the most metrics, at most so many, by name.

    Args:
        sources: Their figures over the range.
        most: How many at most.
    """
    ordered = sorted(sources, key=lambda stats: (-stats.totals.count, stats.source))[:most]
    return sorted(ordered, key=lambda stats: stats.source)


def scores(sources: Sequence[SourceStats], range: TimeRange) -> RadarInfo:
    """Draw the scores of the six busiest scrapers.

    Args:
        sources: Figures over the range of all that could be drawn.
        range: The range.
    """
    shown = busiest(sources, MOST_SHAPES)
    found = scores_of(shown, range)
    return RadarInfo(
        title=f"Scores{_cut(shown, sources, 'busiest')}",
        description=f"Scores of {', '.join(stats.source for stats in shown) or 'no scraper'}, 100 is best. "
        f"{DEFINITIONS}",
        axes=AXES,
        shapes=tuple((stats.source, found[stats.source]) for stats in shown),
    )


def fleet(sources: Sequence[SourceStats]) -> ScatterInfo:
    """Draw each scraper's pages against its items, its mean duration as the bubble's size; at most 300.

    Args:
        sources: Their figures over the range.
    """
    shown = busiest(sources, MOST_POINTS)
    points = tuple(
        Point(stats.source, float(_pages(stats)), float(stats.totals.items), stats.totals.mean_ms) for stats in shown
    )
    most = max(points, key=lambda point: (point.y, point.name), default=None)
    said = f"{most.name} has most items with {count(most.y)} from {count(most.x)} pages" if most else "no data"
    return ScatterInfo(
        title=f"Pages and items{_cut(shown, sources, 'busiest')}",
        description="Pages (navigations, or scrapes where these are more) against extracted items of each scraper, "
        f"the bubble as large as the mean duration is long: {said}.",
        points=points,
        x_title="pages",
        y_title="items",
        size_title="mean duration",
        size_unit="ms",
        x_log=_decades([point.x for point in points]),
        y_log=_decades([point.y for point in points]),
    )


def _pages(stats: SourceStats) -> int:
    return max(stats.totals.navigations, stats.totals.scrapes)


def _decades(values: Sequence[float]) -> bool:
    above = [value for value in values if value > 0]
    return len(above) > 1 and max(above) >= _DECADES * min(above)


def _cut(shown: Sequence[SourceStats], sources: Sequence[SourceStats], which: str) -> str:
    return f" ({which} {count(len(shown))} of {count(len(sources))})" if len(shown) < len(sources) else ""
