"""The Vega-Lite chart of bars by category, each labelled with its value."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import numpy as np

from charts.altair.common import inline, layered, legend, shown, slant, titled, tone_scale, value_axis, value_scale
from charts.altair.picks import clickable
from charts.arrays import as_floats, as_plain, largest_of
from charts.info import ACCENT_KEY, BarInfo
from charts.styles import MOST_LABELLED, thinned_names
from charts.theme import Palette
from charts.units import format_value, is_word, scale_for


def bar_chart(info: BarInfo, palette: Palette) -> alt.LayerChart:
    """Draw bars by category.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    series = info.series()
    grid = np.vstack([as_floats(values) for _, values in series]) if series else np.empty((0, len(info.categories)))
    largest = largest_of(np.nansum(grid, axis=0)) if info.stacked else largest_of(grid)
    scale = scale_for(info.unit, largest)
    label_unit = "" if is_word(info.unit) else info.unit
    rows = [
        {
            "c": place,
            "g": group,
            "v": value,
            "label": format_value(raw, label_unit),
            "category": category,
            "group": name,
        }
        for group, (name, raws, values) in enumerate(
            zip([name for name, _ in series], grid.tolist(), as_plain(grid / scale.divisor), strict=True)
        )
        for place, (category, raw, value) in enumerate(zip(info.categories, raws, values, strict=True))
    ]
    whole = info.unit not in ("ms", "s", "%") and bool((np.rint(grid) == grid)[~np.isnan(grid)].all())
    slots = list(range(len(info.categories)))
    labels = thinned_names(info.categories) if info.ordered else info.categories
    angle = 0 if info.horizontal or info.ordered else slant(info.categories, 16)
    names_axis = alt.Axis(
        title=None,
        labelExpr=shown(labels, 28 if info.horizontal else 16),
        labelOverlap=False,
        labelAngle=angle,
    )
    values_axis = value_axis(info.unit, largest, info.value_title or None, whole=whole)
    outer = 0.2 if len(slots) > 2 else 1.0  # one or two bars don't fill the card
    place: Any = (alt.Y if info.horizontal else alt.X)(
        "c:O", axis=names_axis, scale=alt.Scale(domain=slots, paddingInner=0.3, paddingOuter=outer)
    )
    sizes = value_scale(info.unit, largest, info.y_range)
    stack: Literal["zero"] | None = "zero" if info.stacked else None
    size: Any = (alt.X if info.horizontal else alt.Y)("v:Q", axis=values_axis, scale=sizes, stack=stack)
    value = alt.Tooltip("v:Q", title=titled("value", scale.suffix.strip()), format=scale.hover_format)
    encoding: dict[str, Any] = {
        "y" if info.horizontal else "x": place,
        "x" if info.horizontal else "y": size,
        "color": _colour(info, palette),
        "tooltip": [alt.Tooltip("category:N"), *([alt.Tooltip("group:N")] if info.groups is not None else []), value],
    }
    if len(series) > 1 and not info.stacked:
        offset = alt.YOffset("g:O") if info.horizontal else alt.XOffset("g:O")
        encoding["yOffset" if info.horizontal else "xOffset"] = offset
    chart = alt.Chart(inline(rows))
    layers = [clickable(chart.mark_bar(cornerRadiusEnd=3).encode(**encoding), "category", "g")]
    if grid.size <= MOST_LABELLED and not info.stacked and not info.ordered:
        beside: dict[str, Any] = {"align": "left", "dx": 4} if info.horizontal else {"baseline": "bottom", "dy": -3}
        named = {channel: part for channel, part in encoding.items() if channel not in ("color", "tooltip")}
        known = chart.transform_filter("isValid(datum.v)")
        layers.append(known.mark_text(**beside).encode(text="label:N", **named))
    return layered(*layers)


def _colour(info: BarInfo, palette: Palette) -> Any:
    if info.groups is None and info.colour_keys is None:
        return alt.value(palette.colour(ACCENT_KEY))
    names = info.categories if info.groups is None else tuple(name for name, _ in info.groups)
    keys = info.colour_keys or names
    tones = palette.colours(keys)
    field = "c:O" if info.groups is None else "g:O"
    wanted = info.groups is not None and len(names) > 1
    return alt.Color(field, scale=tone_scale([tones[key] for key in keys]), legend=legend(names, wanted=wanted))
