"""The Vega-Lite chart of a distribution."""

from __future__ import annotations

import json

import altair as alt
import numpy as np

from charts.altair.common import inline, layered, value_axis, value_scale
from charts.arrays import as_floats, as_plain, evenly_spaced, largest_of
from charts.info import HistogramInfo
from charts.theme import Palette
from charts.units import format_value, scale_for

_MOST_EDGE_LABELS = 7


def histogram_chart(info: HistogramInfo, palette: Palette) -> alt.LayerChart:
    """Draw how often values fall between edges.

    Args:
        info: What to draw.
        palette: Which tone the colour key gets.
    """
    edges, counts = as_floats(info.edges), as_floats(info.counts)
    even = evenly_spaced(edges)
    scale = scale_for(info.unit, largest_of(edges))
    drawn = as_plain(edges / scale.divisor if even else np.arange(edges.size, dtype=np.float64))
    written = [format_value(edge, info.unit) for edge in edges.tolist()]
    rows = [
        {
            "low": drawn[place],
            "high": drawn[place + 1],
            "count": count,
            "range": f"{written[place]} – {written[place + 1]}",
        }
        for place, count in enumerate(as_plain(counts))
    ]
    if even or not rows:
        axis = value_axis(info.unit, largest_of(edges), info.x_title or None, grid=False)
    else:
        shown = list(range(0, edges.size, max(1, -(-edges.size // _MOST_EDGE_LABELS))))
        axis = alt.Axis(
            title=info.x_title or None, grid=False, values=shown, labelExpr=f"{json.dumps(written)}[datum.value]"
        )
    domain = alt.Scale(domain=[drawn[0], drawn[-1]], nice=False) if rows else alt.Scale(domain=[0, 1])
    bars = alt.Chart(inline(rows)).mark_bar(
        binSpacing=1, cornerRadiusEnd=2, color=palette.colour(info.colour_key), opacity=0.9
    )
    return layered(
        bars.encode(
            x=alt.X("low:Q", bin="binned", axis=axis, scale=domain),
            x2="high:Q",
            y=alt.Y(
                "count:Q",
                stack=None,
                axis=value_axis("", largest_of(counts), whole=True),
                scale=value_scale("", largest_of(counts)),
            ),
            tooltip=["range:N", alt.Tooltip("count:Q", format=",")],
        )
    )
