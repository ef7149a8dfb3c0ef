"""The Plotly figure of a grid of values."""

from __future__ import annotations

import numpy as np

from charts.arrays import as_floats, as_plain, largest_of
from charts.info import HeatmapInfo
from charts.plotly.common import Figure, category_axis, layout, safe
from charts.theme import heat_scale
from charts.units import scale_for, tick_format


def heatmap_figure(info: HeatmapInfo) -> Figure:
    """Draw a value for each cell of a grid.

    Args:
        info: What to draw.
    """
    width = len(info.x_labels)
    cells = np.vstack([as_floats(row) for row in info.values]) if len(info.values) else np.empty((0, width))
    largest = largest_of(cells)
    scale = scale_for(info.unit, largest)
    trace = {
        "type": "heatmap",
        "z": as_plain(cells / scale.divisor),
        "x": list(range(width)),
        "y": list(range(len(info.y_labels))),
        # From zero, so that "little" looks like little even when the values are close together.
        "zmin": min(0.0, float(np.nanmin(cells, initial=0.0)) / scale.divisor),
        "zmax": largest / scale.divisor if largest > 0 else 1.0,
        "colorscale": heat_scale(),
        "xgap": 2,
        "ygap": 2,
        "hoverongaps": False,
        "hovertext": [[f"{safe(y)}, {safe(x)}" for x in info.x_labels] for y in info.y_labels],
        "hovertemplate": f"%{{hovertext}}: <b>%{{z:{scale.hover_format}}}{scale.suffix}</b><extra></extra>",
        "colorbar": {
            "thickness": 8,
            "len": 1,
            "outlinewidth": 0,
            "ticks": "",
            "nticks": 5,
            "ticksuffix": scale.suffix,
            "tickformat": tick_format(largest / scale.divisor),
            "tickfont": {"size": 10},
            "xpad": 8,
        },
    }
    return {
        "data": [trace] if cells.size and np.isfinite(cells).any() else [],
        "layout": layout(
            dragmode=False,
            xaxis=category_axis(info.x_labels, longest=12, autotickangles=[0, 30, 60], **_every(info.x_labels)),
            yaxis=category_axis(info.y_labels, autorange="reversed"),
        ),
    }


def _every(labels: tuple[str, ...]) -> dict[str, list[object]]:
    """Return the labels thinned out so that a phone still has room for them (of 24 hours: every fourth)."""
    step = max(1, -(-len(labels) // 6))
    shown = range(0, len(labels), step)
    return {"tickvals": list(shown), "ticktext": [safe(labels[index][:12]) for index in shown]}
