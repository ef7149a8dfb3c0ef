"""The Vega-Lite chart of named bubbles."""

from __future__ import annotations

import math
from typing import Any

import altair as alt

from charts.altair.common import inline, layered, log_axis, log_scale, titled, value_axis, value_scale
from charts.altair.picks import clickable
from charts.arrays import as_floats, as_plain, largest_of
from charts.info import ScatterInfo
from charts.styles import MOST_NAMED, diameters_px, names_with_room, on_log_axis
from charts.theme import Palette
from charts.units import format_value, scale_for


def scatter_chart(info: ScatterInfo, palette: Palette) -> alt.LayerChart:
    """Draw named points by two values, a third as the bubble's area.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    points = sorted(info.points, key=lambda point: -(point.size or 0.0))  # small ones on top
    x = as_floats([point.x for point in points])
    y = as_floats([point.y for point in points])
    x_scale, y_scale = scale_for(info.x_unit, largest_of(x)), scale_for(info.y_unit, largest_of(y))
    (x_at, x_shown), (y_at, y_shown) = (
        on_log_axis(values) if log else (values, None) for values, log in ((x, info.x_log), (y, info.y_log))
    )
    tones = palette.colours([point.colour_key or point.name for point in points])
    short = [point.name if len(point.name) <= 18 else point.name[:17] + "…" for point in points]
    labels = names_with_room(short, x_at, y_at, x_log=info.x_log, y_log=info.y_log)
    rows = [
        {
            "name": point.name,
            "label": label,
            "x": across,
            "y": up,
            "area": round(math.pi / 4 * diameter**2, 1),
            "tone": tones[point.colour_key or point.name],
            "above": -diameter / 2 - 3,
            "size": format_value(point.size, info.size_unit),
            "xtext": format_value(point.x, info.x_unit),
            "ytext": format_value(point.y, info.y_unit),
        }
        for point, label, across, up, diameter in zip(
            points,
            labels,
            as_plain(x_at / x_scale.divisor),
            as_plain(y_at / y_scale.divisor),
            diameters_px(as_floats([point.size for point in points])).tolist(),
            strict=True,
        )
    ]
    tooltips: list[Any] = [
        alt.Tooltip("name:N"),
        alt.Tooltip("xtext:N", title=titled(info.x_title, "")),
        alt.Tooltip("ytext:N", title=titled(info.y_title, "")),
    ]
    if info.size_title:
        tooltips.append(alt.Tooltip("size:N", title=info.size_title))
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "x:Q",
            axis=value_axis(info.x_unit, largest_of(x), info.x_title or None)
            if x_shown is None
            else log_axis(info.x_unit, x_shown, x_scale.divisor, info.x_title or None),
            scale=value_scale(info.x_unit, largest_of(x)) if x_shown is None else log_scale(x_shown, x_scale.divisor),
        ),
        y=alt.Y(
            "y:Q",
            axis=value_axis(info.y_unit, largest_of(y), info.y_title or None)
            if y_shown is None
            else log_axis(info.y_unit, y_shown, y_scale.divisor, info.y_title or None),
            scale=value_scale(info.y_unit, largest_of(y)) if y_shown is None else log_scale(y_shown, y_scale.divisor),
        ),
    )
    bubbles = chart.mark_circle(fillOpacity=0.55, strokeWidth=1.5, strokeOpacity=1, opacity=1).encode(
        size=alt.Size("area:Q", scale=None, legend=None),
        fill=alt.Fill("tone:N", scale=None, legend=None),
        stroke=alt.Stroke("tone:N", scale=None, legend=None),
        tooltip=tooltips,
    )
    bubbles = clickable(bubbles, "name")
    if len(points) > MOST_NAMED:
        return layered(bubbles)
    names = chart.mark_text(fontSize=10, baseline="bottom", dy=alt.expr("datum.above")).encode(text="label:N")
    return layered(bubbles, names)
