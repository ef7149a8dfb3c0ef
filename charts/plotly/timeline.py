"""The Plotly figure of spans of time in lanes."""

from __future__ import annotations

from typing import Any

from charts.arrays import around
from charts.info import Span, TimelineInfo
from charts.plotly.common import SHORT_TIME_FORMATS, Figure, category_axis, layout, safe, time_axis
from charts.theme import FAILED, MUTED, OK
from charts.units import format_value, span_of_time


def timeline_figure(info: TimelineInfo) -> Figure:
    """Draw spans in lanes: plans as outlines behind, what happened filled, failures hatched and crossed as well.

    Args:
        info: What to draw.
    """
    lanes = info.lanes()
    row = {lane: index for index, lane in enumerate(lanes)}
    planned = [span for span in info.bars if span.planned]
    ok = [span for span in info.bars if span.ok and not span.planned]
    failed = [span for span in info.bars if not span.ok and not span.planned]
    data: list[dict[str, Any]] = []
    if planned:
        outline = {"color": "rgba(134,142,150,0.12)", "line": {"color": MUTED, "width": 1.5}}
        data.append(_bars("planned", planned, row, width=0.78, marker=outline))
    if ok:
        data.append(_bars(info.names[0], ok, row, width=0.5, marker={"color": OK, "line": {"color": OK, "width": 2}}))
    if failed:
        hatched = {
            "color": FAILED,
            "line": {"color": FAILED, "width": 2},
            "pattern": {
                "shape": "/",
                "fillmode": "overlay",
                "fgcolor": "#fff",
                "fgopacity": 0.7,
                "size": 6,
                "solidity": 0.2,
            },
        }
        data.append(_bars(info.names[1], failed, row, width=0.5, marker=hatched))
        # A short failure is too narrow for a pattern to be seen: a cross above it says it without colour.
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": [(span.start_ms + span.end_ms) // 2 for span in failed],
                "y": [row[span.lane] - 0.4 for span in failed],
                "marker": {"symbol": "x", "size": 7, "color": FAILED, "line": {"width": 0}},
                "hoverinfo": "skip",
                "showlegend": False,
                "cliponaxis": False,
            }
        )
    return {
        "data": data,
        "layout": layout(
            legend=bool(data),
            barmode="overlay",
            barcornerradius=2,
            xaxis=time_axis(
                info.x_range_ms or around([moment for span in info.bars for moment in (span.start_ms, span.end_ms)]),
                showgrid=True,
                nticks=5,  # beside long names of lanes there is half a phone left
                tickformatstops=SHORT_TIME_FORMATS,
                showspikes=False,
                gridcolor="rgba(134,142,150,0.22)",
            ),
            yaxis=category_axis(lanes, range=[max(len(lanes), 1) - 0.5, -0.6]),
        ),
    }


def _bars(name: str, spans: list[Span], row: dict[str, int], *, width: float, marker: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "base": [span.start_ms for span in spans],
        "x": [span.end_ms - span.start_ms for span in spans],
        "y": [row[span.lane] for span in spans],
        "width": width,
        "marker": marker,
        "customdata": [span.lane for span in spans],
        "hovertext": [
            f"<b>{safe(span.lane)}</b> ({name})<br>{safe(span.label)}<br>"
            f"{span_of_time(span.start_ms, span.end_ms)}, {format_value(span.end_ms - span.start_ms, 'ms')}"
            for span in spans
        ],
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
