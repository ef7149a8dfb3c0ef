"""What tells the server whether a chart is on the screen, without a script of ours.

An empty layer over the chart's box has a view timeline: the browser itself sets a property of it while it is on the
screen or a fifth of it away (assets/sight.css), and that property starts one of two animations inside it. Where they
start, `EventListener` says so. A browser that doesn't know view timelines says nothing, and is sent every chart.
"""

from __future__ import annotations

from typing import Any, Final

from dash import html
from dash.development.base_component import Component
from dash_extensions import EventListener

TYPE: Final = "sight"
SEEN: Final = "chart-seen"  # the animations' names, as assets/sight.css has them
UNSEEN: Final = "chart-unseen"
_EVENTS: Final = [{"event": "animationstart", "props": ["animationName", "timeStamp"]}]


def sight(chart_id: str) -> Component:
    """Build the layer over a chart; its `event` says which animation started last, and when on the page's own clock.

    Args:
        chart_id: The chart's id.
    """
    layer: Component = EventListener(
        html.I(className="chart-eye"), id=sight_id(chart_id), className="chart-sight", events=_EVENTS
    )
    return layer


def sight_id(chart_id: Any) -> dict[str, Any]:
    """Return the id of the layer over a chart.

    Args:
        chart_id: The chart's id, or Dash's pattern for all of them.
    """
    return {"type": TYPE, "chart": chart_id}
