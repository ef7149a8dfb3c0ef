"""Where numbers and charts lead: from what was clicked or dragged to the view that explains it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from charts.info import BarInfo, ChartInfo, LineInfo, PieInfo, ScatterInfo, TimelineInfo
from charts.picks import Pick
from components.timerange import SECOND_MS
from components.view import View, event_of, source_of, source_path

EVENTS: Final = "/events"
# What a page is about, besides its filters.
_KINDS: Final = {"/navigation": "navigation", "/scraping": "scrape"}
_OUTCOME: Final = "outcome:"
_EDGE: Final = 0.005  # a drag of nearly everything is no zoom


def events_of(view: View, **more: Any) -> str:
    """Return the address of the events behind a page: its range, its filters, and what the page itself is about.

    Args:
        view: The page.
        more: Further filters, by the names of the view's attributes.
    """
    if view.path.startswith("/scrapers/"):
        more.setdefault("sources", (source_of(view.path),))
    if view.path in _KINDS:
        more.setdefault("kind", _KINDS[view.path])
    return replace(view.at(EVENTS), **more).href()


def picked_lead(info: ChartInfo, pick: Pick, view: View, sources: Container[str]) -> str:
    """Return the address that a click on a chart leads to, "" when it leads nowhere.

    Args:
        info: What the chart shows.
        pick: What was clicked.
        view: The page that the chart is on.
        sources: Every known source: only what is one leads to a source's page.
    """
    match info:
        case LineInfo():
            return _bucket_lead(info, pick, view, sources)
        case TimelineInfo() if pick.name is not None:
            return events_of(view, sources=(pick.name,))
        case BarInfo() | PieInfo() | ScatterInfo() if pick.name is not None:
            key = _key_of(info, pick.name)
            if key.startswith(_OUTCOME):
                return events_of(view, kind="scrape", outcomes=(key.removeprefix(_OUTCOME),))
            # Its colour tells a source from another thing of the same name.
            if key == pick.name and key in sources:
                return view.at(source_path(key)).href()
    return ""


def dragged_lead(info: ChartInfo, span_ms: tuple[int, int], view: View) -> str:
    """Return the address that a dragged span leads to, "" when it leads nowhere.

    Args:
        info: What the chart shows.
        span_ms: (start, end) of what was dragged, epoch milliseconds.
        view: The page that the chart is on.
    """
    if not isinstance(info, LineInfo | TimelineInfo) or view.path.startswith("/events/"):
        return ""
    if info.x_range_ms is not None:
        (start_ms, end_ms), (low_ms, high_ms) = span_ms, info.x_range_ms
        near_ms = _EDGE * (high_ms - low_ms)
        if start_ms <= low_ms + near_ms and end_ms >= high_ms - near_ms:
            return ""
    return _over(view, *span_ms).href()


def _bucket_lead(info: LineInfo, pick: Pick, view: View, sources: Container[str]) -> str:
    if pick.time_ms is None:
        return ""
    start_ms, end_ms = _bucket(info.x_ms, pick.time_ms)
    more: dict[str, Any] = {}
    if pick.series is not None and pick.series < len(info.lines):
        line = info.lines[pick.series]
        if line.dash:  # a ghost of another time
            return ""
        if line.colour_key in (None, line.name) and line.name in sources:
            more["sources"] = (line.name,)
    if view.path.startswith("/events/"):
        view = view.at(EVENTS) if event_of(view.path) else view
    return events_of(_over(view, start_ms, end_ms), **more)


def _bucket(x_ms: Sequence[int] | Any, time_ms: int) -> tuple[int, int]:
    """Return the bucket that begins nearest to a moment; a second where moments are no buckets."""
    moments = [int(moment) for moment in x_ms]
    nearest = min(moments, key=lambda moment: abs(moment - time_ms), default=time_ms)
    steps = {later - earlier for earlier, later in pairwise(moments)}
    step_ms = steps.pop() if len(steps) == 1 else SECOND_MS
    return nearest, nearest + step_ms


def _over(view: View, start_ms: int, end_ms: int) -> View:
    """Return the view over a span, in whole seconds: it stands still, so the page pauses."""
    start_ms = start_ms // SECOND_MS * SECOND_MS
    end_ms = max(-(-end_ms // SECOND_MS) * SECOND_MS, start_ms + SECOND_MS)
    return replace(view, from_=str(start_ms), to=str(end_ms), problems=())


def _key_of(info: BarInfo | PieInfo | ScatterInfo, name: str) -> str:
    """Return the colour key of a category, slice or bubble; "" when the chart has none of that name."""
    if isinstance(info, ScatterInfo):
        return next((point.colour_key or name for point in info.points if point.name == name), "")
    names = info.categories if isinstance(info, BarInfo) else info.labels
    if name not in names or (isinstance(info, BarInfo) and info.groups is not None):
        return name if name in names else ""
    return name if info.colour_keys is None else info.colour_keys[names.index(name)]
