"""The Plotly figure of lines over time; drawn live once a second, so it is the one that has to be cheap."""

from __future__ import annotations

from typing import Any

import numpy as np

from charts.arrays import around, as_floats, as_plain, even_step_ms, largest_of, lonely
from charts.info import LineInfo
from charts.plotly.common import Figure, layout, short, time_axis, value_axis
from charts.styles import MOST_UNIFIED, dash_styles
from charts.theme import Palette, with_alpha
from charts.units import scale_for


def line_figure(info: LineInfo, palette: Palette) -> Figure:
    """Draw lines over time.

    Args:
        info: What to draw.
        palette: Which tone each line's colour key gets.
    """
    rows = np.vstack([as_floats(line.y) for line in info.lines]) if info.lines else np.empty((0, len(info.x_ms)))
    largest = largest_of(rows.sum(axis=0)) if info.stacked else largest_of(rows)
    scale = scale_for(info.y_unit, largest)
    plain = as_plain(rows / scale.divisor)
    alone = lonely(rows)
    step_ms = even_step_ms(info.x_ms)
    first_ms = int(info.x_ms[0]) if len(info.x_ms) else 0
    moments = {"x0": first_ms, "dx": step_ms} if step_ms else {"x": [int(moment) for moment in info.x_ms]}
    unified = len(info.lines) <= MOST_UNIFIED
    value = f"%{{y:{scale.hover_format}}}{scale.suffix}"
    hover = value if unified else f"<b>%{{fullData.name}}: {value}</b><br>%{{x}}<extra></extra>"

    keys = [line.colour_key or line.name for line in info.lines]
    tones = palette.colours(keys)
    styles = dash_styles(info, tones)
    data: list[dict[str, Any]] = []
    for index, line in enumerate(info.lines):
        tone = tones[keys[index]]
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines",
            "name": short(line.name),
            **moments,
            "y": plain[index],
            "line": {"color": tone, "width": 1.5 if line.dash else 2, "dash": styles[index], "shape": "linear"},
            "connectgaps": False,
            "hovertemplate": hover,
        }
        if line.dash:
            trace["opacity"] = 0.6
        if info.stacked:
            trace |= {"stackgroup": "all", "fillcolor": with_alpha(tone, 0.45), "line": {"color": tone, "width": 1}}
        elif len(info.lines) == 1:
            trace |= {"fill": "tozeroy", "fillcolor": with_alpha(tone, 0.1)}
        if alone[index].any():
            # A value between two gaps has no line to be seen by, so it gets a dot.
            trace |= {
                "mode": "lines+markers",
                "marker": _dots(tone, alone[index].tolist()),
            }
        data.append(trace)

    y_axis = value_axis(info.y_unit, largest)
    if info.y_range is not None:
        low, high = (edge / scale.divisor for edge in info.y_range)
        y_axis["range"] = [low, high + 0.02 * (high - low)]  # a line along the top edge keeps its full width
    return {
        "data": data,
        "layout": layout(
            legend=len(data) > 1,
            hover="x unified" if unified else "closest",
            xaxis=time_axis(info.x_range_ms or around(info.x_ms)),
            yaxis=y_axis,
        ),
    }


def _dots(tone: str, alone: list[bool]) -> dict[str, Any]:
    return {"color": tone, "opacity": 1, "line": {"width": 0}, "size": [6 if dot else 0 for dot in alone]}
