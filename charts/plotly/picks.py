"""What Plotly tells of a click (`clickData`) and of a dragged span (`relayoutData`)."""

from __future__ import annotations

from typing import Any

from charts.picks import Pick, moment_ms, span_ms


def pick_of(event: Any) -> Pick | None:
    """Return what was clicked.

    Args:
        event: A graph's `clickData`, any JSON value.
    """
    points = event.get("points") if isinstance(event, dict) else None
    if not isinstance(points, list) or not points or not all(isinstance(point, dict) for point in points):
        return None
    point = points[0]
    name = point.get("customdata")
    if isinstance(name, list):  # slices carry a list
        name = name[0] if name else None
    series = point.get("curveNumber")
    # With one hover box for all lines, a click is on all of them: on none in particular.
    alone = len(points) == 1 and type(series) is int and series >= 0
    # Moments come as texts; a number is a value of another axis.
    at_ms = moment_ms(point["x"]) if isinstance(point.get("x"), str) else None
    pick = Pick(name if isinstance(name, str) else None, series if alone else None, at_ms)
    return None if pick == Pick(series=pick.series) else pick


def zoom_of(event: Any) -> tuple[int, int] | None:
    """Return the span of time that was dragged.

    Args:
        event: A graph's `relayoutData`, any JSON value; also sent when the graph changes its size.
    """
    if not isinstance(event, dict):
        return None
    both = event.get("xaxis.range")
    if isinstance(both, list) and len(both) == 2:
        return span_ms(*both)
    return span_ms(event.get("xaxis.range[0]"), event.get("xaxis.range[1]"))
