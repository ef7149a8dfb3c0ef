"""The Vega-Lite chart of a grid of values."""

from __future__ import annotations

import altair as alt
import numpy as np

from charts.altair.common import inline, layered, shown, slant
from charts.arrays import as_floats, as_plain, largest_of
from charts.info import HeatmapInfo
from charts.theme import heat_scale
from charts.units import format_value, scale_for, tick_format


def heatmap_chart(info: HeatmapInfo) -> alt.LayerChart:
    """Draw a value for each cell of a grid.

    Args:
        info: What to draw.
    """
    width = len(info.x_labels)
    cells = np.vstack([as_floats(row) for row in info.values]) if len(info.values) else np.empty((0, width))
    largest = largest_of(cells)
    scale = scale_for(info.unit, largest)
    rows = [
        {"x": x, "y": y, "v": value, "cell": f"{y_label}, {info.x_labels[x]}", "value": format_value(raw, info.unit)}
        for y, (y_label, raws, values) in enumerate(
            zip(info.y_labels, cells.tolist(), as_plain(cells / scale.divisor), strict=True)
        )
        for x, (raw, value) in enumerate(zip(raws, values, strict=True))
        if value is not None
    ]
    top = largest / scale.divisor if largest > 0 else 1.0
    low = min(0.0, float(np.nanmin(cells, initial=0.0)) / scale.divisor)
    stops = heat_scale()
    colour = alt.Color(
        "v:Q",
        scale=alt.Scale(
            domain=[low + float(share) * (top - low) for share, _ in stops], range=[str(tone) for _, tone in stops]
        ),
        legend=alt.Legend(
            title=None,
            orient="right",
            gradientThickness=8,
            gradientLength=alt.expr("height"),
            tickCount=4,
            labelExpr=f"format(datum.value, '{tick_format(top)}') + '{scale.suffix}'",
        ),
    )
    step = max(1, -(-width // 6))
    x_axis = alt.Axis(
        title=None,
        labelAngle=slant(info.x_labels[::step], 12),
        labelExpr=shown(info.x_labels, 12),
        values=list(range(0, width, step)),
    )
    y_axis = alt.Axis(title=None, labelExpr=shown(info.y_labels))
    return layered(
        alt.Chart(inline(rows))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X("x:O", axis=x_axis, scale=_bands(width)),
            y=alt.Y("y:O", axis=y_axis, scale=_bands(len(info.y_labels))),
            color=colour,
            tooltip=["cell:N", "value:N"],
        )
    )


def _bands(count: int) -> alt.Scale:
    return alt.Scale(type="band", domain=list(range(count)), paddingInner=0.06, paddingOuter=0.0)
