"""The Plotly figure of shares of a whole: a ring with the total in its middle."""

from __future__ import annotations

import numpy as np

from charts.arrays import as_floats, as_plain
from charts.info import PieInfo
from charts.plotly.common import NO_AXES, Figure, distinct, layout, short
from charts.theme import Palette
from charts.units import format_value, is_word, scale_for


def pie_figure(info: PieInfo, palette: Palette) -> Figure:
    """Draw shares of a whole.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    values = np.nan_to_num(as_floats(info.values), nan=0.0).clip(min=0.0)
    total = float(values.sum())
    keys = info.colour_keys or info.labels
    tones = palette.colours(keys)
    hover = scale_for(info.unit, total)
    trace = {
        "type": "pie",
        "labels": distinct([short(label) for label in info.labels]),
        "values": as_plain(values / hover.divisor),
        "customdata": list(info.labels),
        "hole": 0.64,
        "sort": False,
        "direction": "clockwise",
        "marker": {"colors": [tones[key] for key in keys], "line": {"color": "rgba(0,0,0,0)", "width": 2}},
        "texttemplate": "%{percent:.1%}",
        "textposition": "inside",
        "insidetextorientation": "horizontal",
        "insidetextfont": {"color": "#fff", "size": 11},
        "hovertemplate": (
            f"%{{label}}: <b>%{{value:{hover.hover_format}}}{hover.suffix}</b> (%{{percent:.1%}})<extra></extra>"
        ),
        "domain": {"x": [0, 1], "y": [0, 1]},
    }
    # The unit stands on its own line when it is a word.
    word = is_word(info.unit)
    middle = f"<b>{format_value(total, '' if word else info.unit)}</b>" + (f"<br>{short(info.unit)}" if word else "")
    annotation = {"text": middle, "x": 0.5, "y": 0.5, "showarrow": False, "font": {"size": 16}, "align": "center"}
    return {
        "data": [trace] if total > 0 else [],
        "layout": layout(
            legend=True,
            **NO_AXES,
            uniformtext={"minsize": 10, "mode": "hide"},
            annotations=[annotation] if total > 0 else [],
        ),
    }
