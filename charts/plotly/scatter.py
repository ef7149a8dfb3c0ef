"""The Plotly figure of named bubbles."""

from __future__ import annotations

from typing import Any

from charts.arrays import as_floats, as_plain, largest_of
from charts.info import ScatterInfo
from charts.plotly.common import Figure, axis_title, layout, safe, short, value_axis
from charts.styles import MOST_NAMED, diameters_px
from charts.theme import Palette, with_alpha
from charts.units import format_value, scale_for


def scatter_figure(info: ScatterInfo, palette: Palette) -> Figure:
    """Draw named points by two values, a third as the bubble's area.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    points = sorted(info.points, key=lambda point: -(point.size or 0.0))  # small ones on top
    x = as_floats([point.x for point in points])
    y = as_floats([point.y for point in points])
    sizes = as_floats([point.size for point in points])
    x_scale, y_scale = scale_for(info.x_unit, largest_of(x)), scale_for(info.y_unit, largest_of(y))
    keys = [point.colour_key or point.name for point in points]
    tones = palette.colours(keys)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers+text" if len(points) <= MOST_NAMED else "markers",
        "x": as_plain(x / x_scale.divisor),
        "y": as_plain(y / y_scale.divisor),
        "text": [short(point.name, 18) for point in points],
        "textposition": "top center",
        "textfont": {"size": 10},
        "cliponaxis": False,
        "customdata": [point.name for point in points],
        "hovertext": [_hover(info, point.name, point.size) for point in points],
        "hovertemplate": (
            f"%{{hovertext}}<br>{safe(info.x_title)}: %{{x:{x_scale.hover_format}}}{x_scale.suffix}"
            f"<br>{safe(info.y_title)}: %{{y:{y_scale.hover_format}}}{y_scale.suffix}<extra></extra>"
        ),
        "marker": {
            "size": [round(px, 1) for px in diameters_px(sizes).tolist()],
            "color": [with_alpha(tones[key], 0.55) for key in keys],
            "line": {"color": [tones[key] for key in keys], "width": 1.5},
            "opacity": 1,
        },
    }
    return {
        "data": [trace] if points else [],
        "layout": layout(
            dragmode=False,
            xaxis=value_axis(info.x_unit, largest_of(x), title=axis_title(info.x_title)),
            yaxis=value_axis(info.y_unit, largest_of(y), title=axis_title(info.y_title)),
        ),
    }


def _hover(info: ScatterInfo, name: str, size: float | None) -> str:
    head = f"<b>{safe(name)}</b>"
    return head if size is None else f"{head}<br>{safe(info.size_title)}: {format_value(size, info.size_unit)}"
