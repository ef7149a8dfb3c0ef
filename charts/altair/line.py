"""The Vega-Lite chart of lines over time."""

from __future__ import annotations

import json
from typing import Any, cast

import altair as alt
import numpy as np

from charts.altair.common import (
    DASHES,
    harmless,
    inline,
    layered,
    legend,
    shown,
    time_axis,
    time_scale,
    tone_scale,
    value_axis,
    value_scale,
)
from charts.altair.picks import clickable, draggable
from charts.arrays import Floats, as_floats, as_plain, lonely
from charts.info import LineInfo
from charts.logs import log_range, log_ticks, wants_log, written_ms
from charts.styles import MOST_UNIFIED, dash_styles, largest_shown, on_log_axis
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
    largest = largest_shown(info, rows)
    plain_axis = info.stacked or info.y_range is not None or not np.isfinite(rows).any()
    log = not plain_axis and (info.y_log or wants_log(info.y_unit, rows))
    if log:
        rows, _ = on_log_axis(rows)
    scale = scale_for(info.y_unit, 0.0 if log else largest)  # one unit would suit a part of a logarithmic axis only
    plain = as_plain(rows / scale.divisor)
    moments = [int(moment) for moment in info.x_ms]
    fields = [f"v{index}" for index in range(count)]
    wide = [
        {"t": moment, **dict(zip(fields, values, strict=True))} for moment, *values in zip(moments, *plain, strict=True)
    ]
    x = alt.X("t:T", scale=time_scale(info.x_range_ms, moments), axis=time_axis(info.x_range_ms, moments))
    y = alt.Y(
        "v:Q",
        scale=_log_scale(rows) if log else value_scale(info.y_unit, largest, info.y_range),
        axis=_log_axis(info, rows) if log else value_axis(info.y_unit, largest, info.y_title),
        stack="zero" if info.stacked else None,
    )
    keys = [line.colour_key or line.name for line in info.lines]
    tones = palette.colours(keys)
    key = legend(names, wanted=count > 1, symbolType="square" if info.stacked else "stroke")
    styled = {"x": x, "y": y, "color": alt.Color("n:O", scale=tone_scale([tones[key] for key in keys]), legend=key)}
    # One row a moment travels; the browser makes one row a line and moment of it.
    folded = alt.Chart().transform_fold(cast("list[str | alt.FieldName]", fields), as_=["field", "v"])
    numbered = folded.transform_calculate(n="toNumber(substring(datum.field, 1))")

    # A gap is told as such; Vega would say "null".
    def written(field: str) -> str:
        number = f"format(datum.{field}, '{scale.hover_format}') + {json.dumps(scale.suffix)}"
        return f"isValid(datum.{field}) ? {written_ms(f'datum.{field}') if log else number} : '–'"

    layers: list[alt.Chart] = []
    if info.bands:
        layers.append(_bands(info, moments, palette))
    if info.stacked:
        dashed = [index for index, line in enumerate(info.lines) if line.dash]
        known = numbered.transform_filter("isValid(datum.v)")  # Vega takes a gap in a stack for zero
        solid = [n for n in range(count) if n not in dashed]
        stack = known.transform_filter(alt.FieldOneOfPredicate("n", solid))
        layers.append(stack.mark_area(opacity=0.5, line={"strokeWidth": 1}).encode(**styled))
        if dashed:
            above = numbered.transform_filter(alt.FieldOneOfPredicate("n", dashed))
            flat = {**styled, "y": alt.Y("v:Q", stack=None)}
            layers.append(above.mark_line(strokeWidth=1.5, strokeDash=DASHES["dash"], opacity=0.85).encode(**flat))
    else:
        if count == 1 and not log:
            layers.append(folded.mark_area(opacity=0.1, color=tones[keys[0]]).encode(x=x, y=y))
        drawn = numbered.transform_calculate(name=shown(names, field="datum.n"), at=_AT, value=written("v")).mark_line(
            strokeWidth=2
        )
        layers.append(
            drawn.encode(
                **styled,
                **_line_styles(info, tones, key),
                tooltip=[alt.Tooltip("name:N"), alt.Tooltip("value:N"), alt.Tooltip("at:N")],
            )
        )
        dots = _dots(moments, rows, plain)
        if dots:
            points = alt.Chart(inline(dots, "dots")).mark_point(size=30, filled=True, opacity=1)
            layers.append(points.encode(**styled))
    if 0 < count <= MOST_UNIFIED:
        values = {f"s{index}": written(field) for index, field in enumerate(fields)}
        tooltips = [alt.Tooltip(f"s{index}:N", title=harmless(name)) for index, name in enumerate(names)]
        rule = alt.Chart().transform_calculate(at=_AT, **values).mark_rule(color="#868e96", strokeWidth=1)
        told = rule.encode(x=x, tooltip=[alt.Tooltip("at:N", title="time"), *tooltips])
        layers.append(draggable(clickable(_at_pointer(told), "t", nearest=True)))
    return layered(*layers, data=inline(wide))


def _bands(info: LineInfo, moments: list[int], palette: Palette) -> alt.Chart:
    """Return spans behind the lines as high as the chart, cut to what the axis shows."""
    low, high = info.x_range_ms or (moments[0], moments[-1]) if moments else info.x_range_ms or (0, 1 << 45)
    tones = palette.colours([band.colour_key for band in info.bands])
    rows = [
        {"t": max(low, band.start_ms), "u": min(high, band.end_ms), "c": tones[band.colour_key]}
        for band in info.bands
        if band.end_ms >= low and band.start_ms <= high
    ]
    x = alt.X("t:T", scale=time_scale(info.x_range_ms, moments), axis=time_axis(info.x_range_ms, moments))
    marks = alt.Chart(inline(rows, "bands")).mark_rect(opacity=0.14)
    drawn: alt.Chart = marks.encode(x=x, x2="u:T", color=alt.Color("c:N", scale=None, legend=None))
    return drawn


def _log_scale(rows: Floats) -> alt.Scale:
    return alt.Scale(type="log", domain=list(log_range(rows)), nice=False)


def _log_axis(info: LineInfo, rows: Floats) -> alt.Axis:
    places, texts = log_ticks(rows)
    label = f"{json.dumps(texts)}[indexof({json.dumps(places)}, datum.value)]"
    title = f"{info.y_title or 'duration'}, logarithmic"
    return alt.Axis(title=title, grid=True, values=places, labelExpr=label)


def _line_styles(info: LineInfo, tones: dict[str, str], key: alt.Legend | None) -> dict[str, Any]:
    places = list(range(len(info.lines)))
    dashes = [DASHES[style] for style in dash_styles(info, tones)]
    opacities = [0.85 if line.dash else 1.0 for line in info.lines]
    return {
        "strokeDash": alt.StrokeDash("n:O", scale=alt.Scale(domain=places, range=dashes), legend=key),
        "opacity": alt.Opacity("n:O", scale=alt.Scale(domain=places, range=opacities), legend=key),
    }


def _dots(moments: list[int], rows: Floats, plain: list[Any]) -> list[dict[str, Any]]:
    """Return the values that stand between two gaps: a line alone would not show them."""
    lines, columns = np.nonzero(lonely(rows))
    return [
        {"t": moments[column], "v": plain[line][column], "n": line}
        for line, column in zip(lines.tolist(), columns.tolist(), strict=True)
    ]


def _at_pointer(rule: alt.Chart) -> alt.Chart:
    """Return the rule so that it shows at the moment nearest to the pointer alone."""
    nearest = alt.selection_point(
        name="nearest", nearest=True, on="pointerover", fields=["t"], empty=False, clear="pointerout"
    )
    watched: alt.Chart = rule.encode(opacity=alt.condition(nearest, alt.value(0.8), alt.value(0))).add_params(nearest)
    return watched
