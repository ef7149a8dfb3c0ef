"""The Vega-Lite chart of spans of time in lanes."""

from __future__ import annotations

import altair as alt

from charts.altair.common import inline, layered, legend, shown, time_axis, tone_scale
from charts.altair.picks import clickable
from charts.arrays import around
from charts.info import TimelineInfo
from charts.theme import FAILED, MUTED, OK
from charts.units import format_value, span_of_time

# A path rather than a letter: not every font has a cross.
_CROSS = "M-.6,-.6L.6,.6M-.6,.6L.6,-.6"


def timeline_chart(info: TimelineInfo) -> alt.LayerChart:
    """Draw spans in lanes: plans as outlines behind, what happened filled, failures marked with a cross as well.

    Args:
        info: What to draw.
    """
    lanes = info.lanes()
    lane_of = {lane: place for place, lane in enumerate(lanes)}
    moments_ms = [moment for span in info.bars for moment in (span.start_ms, span.end_ms)]
    shown_ms = (min(moments_ms, default=0), max(moments_ms, default=0))
    begin_ms, end_ms = info.x_range_ms or around(moments_ms) or shown_ms
    rows = [
        {
            "lane": lane_of[span.lane],
            "start": max(begin_ms, span.start_ms),
            "end": min(end_ms, span.end_ms),
            "middle": (max(begin_ms, span.start_ms) + min(end_ms, span.end_ms)) // 2,
            "state": 0 if span.planned else 1 if span.ok else 2,
            "job": span.lane,
            "what": span.label,
            "when": span_of_time(span.start_ms, span.end_ms),
            "took": format_value(span.end_ms - span.start_ms, "ms"),
        }
        for span in info.bars
        if span.end_ms >= begin_ms and span.start_ms <= end_ms
    ]
    # Vega-Lite can't fix the axis of marks that have a start and an end (it takes their domains for different ones):
    # the spans are cut to the range, and two unseen points stretch the axis over all of it.
    x = alt.X(
        "start:T", scale=alt.Scale(type="utc", nice=False), axis=time_axis((begin_ms, end_ms), moments_ms, grid=True)
    )
    frame = alt.Chart(inline([{"start": begin_ms}, {"start": end_ms}], "frame")).mark_point(opacity=0)
    y = alt.Y(
        "lane:O",
        axis=alt.Axis(title=None, labelExpr=shown(lanes)),
        scale=alt.Scale(domain=list(range(len(lanes))), padding=0.35),
    )
    tones, key = tone_scale((MUTED, OK, FAILED)), legend(("planned", *info.names), wanted=bool(rows))
    colour = alt.Color("state:O", scale=tones, legend=key)
    tooltips = ["job:N", "what:N", "when:N", "took:N"]
    chart = alt.Chart(inline(rows)).encode(y=y, color=colour, tooltip=tooltips)
    planned = chart.transform_filter("datum.state == 0").mark_bar(
        fillOpacity=0.12, stroke=MUTED, strokeWidth=1.5, cornerRadius=3, height={"band": 1.25}
    )
    # The stroke keeps a span of a few milliseconds visible.
    happened = chart.transform_filter("datum.state > 0").mark_bar(cornerRadius=2, strokeWidth=2, height={"band": 0.75})
    crosses = chart.transform_filter("datum.state == 2").mark_point(
        shape=_CROSS, size=60, stroke=FAILED, strokeWidth=2, yOffset=-9
    )
    lit = happened.encode(x=x, x2="end:T", stroke=alt.Stroke("state:O", scale=tones, legend=key))
    return layered(
        frame.encode(x=x),
        planned.encode(x=x, x2="end:T"),
        clickable(lit, "job"),
        crosses.encode(x=alt.X("middle:T"), y=alt.Y("lane:O", bandPosition=0)),
    )
