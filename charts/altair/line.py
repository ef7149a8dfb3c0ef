"""The Vega-Lite chart of lines over time."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from charts.altair.common import (
    DASHES,
    inline,
    layered,
    legend,
    shown,
    time_axis,
    time_scale,
    titled,
    tone_scale,
    value_axis,
    value_scale,
)
from charts.arrays import Floats, as_floats, as_plain, largest_of, lonely
from charts.info import LineInfo
from charts.styles import MOST_UNIFIED, dash_styles
from charts.theme import Palette
from charts.units import scale_for

_AT = "utcFormat(datum.t, '%a %-d %b %Y, %H:%M:%S UTC')"


def line_chart(info: LineInfo, palette: Palette) -> alt.LayerChart:
    """Draw lines over time.

    Args:
        info: What to draw.
        palette: Which tone each line's colour key gets.
    """
    count = len(info.lines)
    names = [line.name for line in info.lines]
    rows = np.vstack([as_floats(line.y) for line in info.lines]) if count else np.empty((0, len(info.x_ms)))
    largest = largest_of(np.nansum(rows, axis=0)) if info.stacked else largest_of(rows)
    scale = scale_for(info.y_unit, largest)
    plain = as_plain(rows / scale.divisor)
    moments = [int(moment) for moment in info.x_ms]
    fields: list[str | alt.FieldName] = [f"v{index}" for index in range(count)]
    wide = [
        {"t": moment, **dict(zip(map(str, fields), values, strict=True))}
        for moment, *values in zip(moments, *plain, strict=True)
    ]

    keys = [line.colour_key or line.name for line in info.lines]
    tones = palette.colours(keys)
    x = alt.X("t:T", scale=time_scale(info.x_range_ms, moments), axis=time_axis(info.x_range_ms, moments))
    y = alt.Y(
        "v:Q",
        scale=value_scale(info.y_unit, largest, info.y_range),
        axis=value_axis(info.y_unit, largest, info.y_title),
        stack="zero" if info.stacked else None,
    )
    key = legend(names, wanted=count > 1, symbolType="square" if info.stacked else "stroke")
    colour = alt.Color("n:O", scale=tone_scale([tones[key] for key in keys]), legend=key)
    styles = [DASHES[style] for style in dash_styles(info, tones)]
    dash = alt.StrokeDash("n:O", scale=alt.Scale(domain=list(range(count)), range=styles), legend=key)
    opacity = alt.Opacity(
        "n:O",
        scale=alt.Scale(domain=list(range(count)), range=[0.6 if line.dash else 1.0 for line in info.lines]),
        legend=None,
    )
    folded = alt.Chart(inline(wide)).transform_fold(fields, as_=["field", "v"])
    numbered = folded.transform_calculate(n="toNumber(substring(datum.field, 1))")
    tooltips = [alt.Tooltip("at:N", title="time")]

    layers: list[alt.Chart] = []
    if info.stacked:
        layers.append(numbered.mark_area(opacity=0.5, line={"strokeWidth": 1}).encode(x=x, y=y, color=colour))
    else:
        named = alt.Tooltip("name:N", title="line")
        value = alt.Tooltip("v:Q", title=titled(info.y_title, scale.suffix.strip()), format=scale.hover_format)
        area = {"opacity": 0.1, "color": tones[keys[0]]} if count == 1 else None
        drawn = numbered.transform_calculate(name=shown(names, field="datum.n"), at=_AT)
        encoding: dict[str, Any] = {"x": x, "y": y, "color": colour, "strokeDash": dash, "opacity": opacity}
        if area is not None:
            layers.append(folded.mark_area(**area).encode(x=x, y=y))
        layers.append(drawn.mark_line(strokeWidth=2).encode(**encoding, tooltip=[named, value, *tooltips]))
        dots = _dots(moments, rows, plain)
        if dots:
            points = alt.Chart(inline(dots, "dots")).mark_point(size=30, filled=True, opacity=1)
            layers.append(points.encode(x=x, y=y, color=colour))
    if 0 < count <= MOST_UNIFIED:
        values = [
            alt.Tooltip(f"{field}:Q", title=titled(name, scale.suffix.strip()), format=scale.hover_format)
            for field, name in zip(fields, names, strict=True)
        ]
        layers.append(_hover_rule(wide, x, tooltips + values))
    return layered(*layers) if layers else alt.layer(numbered.mark_line().encode(x=x, y=y))


def _dots(moments: list[int], rows: Floats, plain: list[Any]) -> list[dict[str, Any]]:
    """Return the values that stand between two gaps: a line alone would not show them."""
    lines, columns = np.nonzero(lonely(rows))
    return [
        {"t": moments[column], "v": plain[line][column], "n": line}
        for line, column in zip(lines.tolist(), columns.tolist(), strict=True)
    ]


def _hover_rule(wide: list[dict[str, Any]], x: alt.X, tooltips: list[alt.Tooltip]) -> alt.Chart:
    """Return the rule that follows the pointer and tells all lines' values at the nearest moment."""
    nearest = alt.selection_point(
        name="nearest", nearest=True, on="pointerover", fields=["t"], empty=False, clear="pointerout"
    )
    rule = alt.Chart(inline(wide)).transform_calculate(at=_AT).mark_rule(color="#868e96", strokeWidth=1)
    shown_near = alt.condition(nearest, alt.value(0.8), alt.value(0))
    watched: alt.Chart = rule.encode(x=x, opacity=shown_near, tooltip=tooltips).add_params(nearest)
    return watched
