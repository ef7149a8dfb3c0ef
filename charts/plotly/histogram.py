"""The Plotly figure of a distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from charts.arrays import as_floats, as_plain, evenly_spaced, largest_of
from charts.info import HistogramInfo
from charts.plotly.common import Figure, axis_title, layout, value_axis
from charts.theme import Palette
from charts.units import format_value, scale_for

_MOST_EDGE_LABELS = 7


def histogram_figure(info: HistogramInfo, palette: Palette) -> Figure:
    """Draw how often values fall between edges.

    Args:
        info: What to draw.
        palette: Which tone the colour key gets.
    """
    edges, counts = as_floats(info.edges), as_floats(info.counts)
    scale = scale_for(info.unit, largest_of(edges))
    drawn = edges / scale.divisor if evenly_spaced(edges) else np.arange(edges.size, dtype=np.float64)
    ranges = [
        f"{format_value(low, info.unit)} – {format_value(high, info.unit)}"
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    total = float(np.nansum(counts))
    shares = as_plain(counts / total * 100) if total > 0 else [0] * counts.size
    trace: dict[str, Any] = {
        "type": "bar",
        "x": as_plain((drawn[:-1] + drawn[1:]) / 2),
        "y": as_plain(counts),
        "width": as_plain(np.diff(drawn)),
        "marker": {"color": palette.colour(info.colour_key), "line": {"width": 0}, "opacity": 0.9},
        "hovertext": ranges,
        "customdata": shares,
        "hovertemplate": "%{hovertext}: <b>%{y:,}</b> (%{customdata:.1f}%)<extra></extra>",
    }
    x_axis = value_axis(info.unit, largest_of(edges), rangemode="normal", showgrid=False, nticks=8)
    if counts.size:
        x_axis["range"] = as_plain(drawn[[0, -1]])
    if not evenly_spaced(edges):
        shown = range(0, edges.size, max(1, -(-edges.size // _MOST_EDGE_LABELS)))
        x_axis |= {
            "tickvals": list(shown),
            "ticktext": [format_value(float(edges[index]), info.unit) for index in shown],
            "ticksuffix": "",
        }
    if info.x_title:
        x_axis["title"] = axis_title(info.x_title)
    largest = largest_of(counts)
    return {
        "data": [trace] if counts.size else [],
        "layout": layout(
            largest=largest,
            bargap=0.06,
            barcornerradius=2,
            xaxis=x_axis,
            yaxis=value_axis("", largest, whole=True),
            dragmode=False,
        ),
    }
