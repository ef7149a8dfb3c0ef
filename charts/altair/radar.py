"""The Vega-Lite chart of scores of 0..100 on several axes; its coordinates are computed here, no polar ones exist."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from charts.altair.common import RADIUS, Rows, inline, layered, legend, tone_scale
from charts.arrays import as_floats
from charts.info import RadarInfo
from charts.theme import Palette

_RINGS = (25, 50, 75, 100)
_OUTSIDE = 112  # where the axes' names stand


def radar_chart(info: RadarInfo, palette: Palette) -> alt.LayerChart:
    """Draw one closed shape per name.

    Args:
        info: What to draw.
        palette: Which tone each name gets.
    """
    count = len(info.axes)
    names = [name for name, _ in info.shapes]
    tones = palette.colours(names)
    web: Rows = [
        {"ring": ring, "order": corner, **_at(corner, count, ring)} for ring in _RINGS for corner in range(count + 1)
    ]
    spokes: Rows = [{"x2": 0.0, "y2": 0.0, **_at(corner, count, 100)} for corner in range(count)]
    corners: Rows = [
        {
            "n": number,
            "order": order,
            "shape": name,
            "score": None if math.isnan(score) else round(score, 1),
            "axis": info.axes[order % count],
            # A missing score is drawn in the middle: a shape has to close.
            **_at(order, count, 0.0 if math.isnan(score) else score),
        }
        for number, (name, values) in enumerate(info.shapes)
        for order, score in enumerate([*as_floats(values).tolist(), *as_floats(values).tolist()[:1]])
    ]
    labels: Rows = [{"axis": axis, **_at(place, count, _OUTSIDE)} for place, axis in enumerate(info.axes)]

    x = alt.X("x:Q", axis=None, scale=_square("width"))
    y = alt.Y("y:Q", axis=None, scale=_square("height"))
    faint: dict[str, Any] = {"stroke": "#868e96", "strokeOpacity": 0.3, "strokeWidth": 1}
    colour = alt.Color(
        "n:O", scale=tone_scale([tones[name] for name in names]), legend=legend(names, wanted=len(names) > 1)
    )
    shapes = alt.Chart(inline(corners, "corners")).encode(
        x=x, y=y, color=colour, order="order:Q", tooltip=["shape:N", "axis:N", "score:Q"]
    )
    return layered(
        alt.Chart(inline(web, "web")).mark_line(**faint).encode(x=x, y=y, detail="ring:O", order="order:Q"),
        alt.Chart(inline(spokes, "spokes")).mark_rule(**faint).encode(x=x, y=y, x2="x2:Q", y2="y2:Q"),
        shapes.mark_line(strokeWidth=2, point={"size": 24, "filled": True}),
        alt.Chart(inline(labels, "labels")).mark_text(limit=150).encode(x=x, y=y, text="axis:N"),
    )


def _at(corner: int, count: int, score: float) -> dict[str, float]:
    angle = 2 * math.pi * corner / max(count, 1)
    return {"x": round(score * math.sin(angle), 3), "y": round(score * math.cos(angle), 3)}


def _square(side: str) -> alt.Scale:
    """Return a scale on which as many pixels make a unit across as up and down, whatever the chart's proportions."""
    low, high = (alt.expr(f"{side}/2 {sign} {RADIUS}") for sign in "-+")
    ends: list[Any] = [high, low] if side == "height" else [low, high]
    return alt.Scale(domain=[-125, 125], range=ends, nice=False, zero=False)
