"""The Plotly figure of scores of 0..100 on several axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from charts.arrays import as_floats, as_plain
from charts.info import RadarInfo
from charts.plotly.common import NO_AXES, Figure, distinct, layout, short
from charts.theme import Palette, with_alpha

_FAINT = "rgba(134,142,150,0.22)"


def radar_figure(info: RadarInfo, palette: Palette) -> Figure:
    """Draw one closed shape per name.

    Args:
        info: What to draw.
        palette: Which tone each name gets.
    """
    names = tuple(name for name, _ in info.shapes)
    tones = palette.colours(names)
    # Shapes that cover each other can't all be filled.
    opacity = 0.12 if len(names) <= 4 else 0.0
    axes = distinct([short(axis) for axis in info.axes])
    data: list[dict[str, Any]] = []
    for name, values in info.shapes:
        scores = as_plain(as_floats(values))
        data.append(
            {
                "type": "scatterpolar",
                "mode": "lines+markers",
                "name": short(name),
                "r": [*scores, *scores[:1]],
                "theta": [*axes, *axes[:1]],
                "fill": "toself",
                "fillcolor": with_alpha(tones[name], opacity),
                "line": {"color": tones[name], "width": 2},
                "marker": {"color": tones[name], "size": 4},
                "hovertemplate": "%{fullData.name}, %{theta}: <b>%{r:.1~f}</b><extra></extra>",
            }
        )
    if not data:
        data.append(bare_radar(info.axes))
    return {
        "data": data,
        "layout": layout(
            legend=len(data) > 1,
            margin={"l": 48, "r": 48, "t": 8, "b": 8},
            dragmode=False,
            **NO_AXES,
            polar={
                "bgcolor": "rgba(0,0,0,0)",
                "gridshape": "linear",
                "domain": {"y": [0.09, 0.9]},  # axis names stand outside of it
                "radialaxis": {
                    "range": [0, 100],
                    "tickvals": [25, 50, 75],
                    "angle": 90,
                    "tickangle": 90,
                    "tickfont": {"size": 9},
                    "gridcolor": _FAINT,
                    "showline": False,
                    "ticks": "",
                },
                "angularaxis": {
                    "type": "category",
                    "categoryorder": "array",
                    "categoryarray": axes,
                    "rotation": 90,
                    "direction": "clockwise",
                    "gridcolor": _FAINT,
                    "linecolor": _FAINT,
                    "ticks": "",
                },
            },
        ),
    }


def bare_radar(axes: Sequence[str]) -> dict[str, Any]:
    """Return the trace that shows nothing but keeps Plotly drawing the axes."""
    names = distinct([short(axis) for axis in axes])
    return {"type": "scatterpolar", "r": [None] * len(names), "theta": names, "showlegend": False}
