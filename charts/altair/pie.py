"""The Vega-Lite chart of shares of a whole: a ring with the total in its middle."""

from __future__ import annotations

import altair as alt
import numpy as np

from charts.altair.common import RADIUS, inline, layered, legend, tone_scale
from charts.altair.picks import clickable
from charts.arrays import as_floats
from charts.info import PieInfo
from charts.theme import Palette
from charts.units import format_value, is_word

_LEAST_NAMED = 0.04  # a smaller share has no room for its percentage


def pie_chart(info: PieInfo, palette: Palette) -> alt.LayerChart:
    """Draw shares of a whole.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    values = np.nan_to_num(as_floats(info.values), nan=0.0).clip(min=0.0)
    total = float(values.sum())
    keys = info.colour_keys or info.labels
    tones = palette.colours(keys)
    rows = [
        {
            "n": place,
            "v": value,
            "label": label,
            "value": format_value(value, info.unit),
            "share": f"{value / total:.1%}",
            "inside": f"{value / total:.0%}" if value / total >= _LEAST_NAMED else "",
        }
        for place, (label, value) in enumerate(zip(info.labels, values.tolist(), strict=True))
        if total > 0
    ]
    chart = alt.Chart(inline(rows)).encode(
        theta=alt.Theta("v:Q", stack=True), order=alt.Order("n:Q"), tooltip=["label:N", "value:N", "share:N"]
    )
    colour = alt.Color(
        "n:O", scale=tone_scale([tones[key] for key in keys]), legend=legend(info.labels, wanted=True, columns=4)
    )
    ring = chart.mark_arc(
        innerRadius=alt.expr(f"{RADIUS}*0.64"), outerRadius=alt.expr(f"{RADIUS}*0.98"), padAngle=0.012, cornerRadius=2
    ).encode(color=colour)
    ring = clickable(ring, "label")
    percent = chart.mark_text(radius=alt.expr(f"{RADIUS}*0.81"), fontSize=11).encode(
        text="inside:N", color=alt.value("#fff")
    )
    word = is_word(info.unit)
    middle = [format_value(total, "" if word else info.unit), *([info.unit] if word else [])] if total > 0 else []
    text = alt.Chart(inline([{}], "middle")).mark_text(
        text=middle, fontSize=16, lineHeight=20, baseline="middle", dy=-8 if len(middle) > 1 else 0
    )
    return layered(ring, percent, text)
