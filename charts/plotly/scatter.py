"""The Plotly figure of named bubbles."""

from __future__ import annotations

from typing import Any

from charts.arrays import Floats, as_floats, as_plain, largest_of
from charts.info import Point, ScatterInfo
from charts.plotly.common import Figure, axis_title, layout, log_axis, safe, short, value_axis
from charts.styles import MOST_NAMED, diameters_px, names_with_room, on_log_axis
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
    x_at, y_at = (_placed(values, log=log) for values, log in ((x, info.x_log), (y, info.y_log)))
    x_scale, y_scale = scale_for(info.x_unit, largest_of(x)), scale_for(info.y_unit, largest_of(y))
    keys = [point.colour_key or point.name for point in points]
    tones = palette.colours(keys)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers+text" if len(points) <= MOST_NAMED else "markers",
        "x": as_plain(x_at[0] / x_scale.divisor),
        "y": as_plain(y_at[0] / y_scale.divisor),
        "text": names_with_room(
            [short(point.name, 18) for point in points], x_at[0], y_at[0], x_log=info.x_log, y_log=info.y_log
        ),
        "textposition": "top center",
        "textfont": {"size": 10},
        "cliponaxis": False,
        "customdata": [point.name for point in points],
        "hovertext": [_hover(info, point) for point in points],
        "hovertemplate": "%{hovertext}<extra></extra>",
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
            largest=largest_of(y) / y_scale.divisor,
            dragmode=False,
            xaxis=value_axis(
                info.x_unit,
                largest_of(x),
                title=axis_title(info.x_title),
                **_log_axis(info.x_unit, x_at[1], x_scale.divisor),
            ),
            yaxis=value_axis(
                info.y_unit,
                largest_of(y),
                title=axis_title(info.y_title),
                **_log_axis(info.y_unit, y_at[1], y_scale.divisor),
            ),
        ),
    }


def _placed(values: Floats, *, log: bool) -> tuple[Floats, tuple[float, float] | None]:
    """Return where values stand, and the range of a logarithmic axis."""
    return on_log_axis(values) if log else (values, None)


def _log_axis(unit: str, shown: tuple[float, float] | None, divisor: float) -> dict[str, Any]:
    return {} if shown is None else log_axis(unit, shown, divisor)


def _hover(info: ScatterInfo, point: Point) -> str:
    lines = [
        f"<b>{safe(point.name)}</b>",
        f"{safe(info.x_title)}: {format_value(point.x, info.x_unit)}",
        f"{safe(info.y_title)}: {format_value(point.y, info.y_unit)}",
    ]
    if point.size is not None:
        lines.append(f"{safe(info.size_title)}: {format_value(point.size, info.size_unit)}")
    return "<br>".join(lines)
