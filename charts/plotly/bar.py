"""The Plotly figure of bars by category, each labelled with its value."""

from __future__ import annotations

from typing import Any

import numpy as np

from charts.arrays import as_floats, as_plain, largest_of
from charts.info import ACCENT_KEY, BarInfo
from charts.plotly.common import LONGEST_LABEL, Figure, axis_title, category_axis, layout, safe, short, value_axis
from charts.plotly.room import text_px
from charts.styles import MOST_LABELLED, thinned_names
from charts.theme import Palette
from charts.units import format_value, is_word, scale_for

_FEWEST_SLOTS = 4
_MOST_ROOMY = 14  # more bars below each other touch each other's names
_NARROW_PX = 200  # what a phone leaves for bars that lie beside their names
_BESIDE_PX = 6  # between a bar and its label, and beyond that


def bar_figure(info: BarInfo, palette: Palette) -> Figure:
    """Draw bars by category.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
    """
    series = info.series()
    rows = np.vstack([as_floats(values) for _, values in series]) if series else np.empty((0, len(info.categories)))
    largest = largest_of(np.nansum(rows, axis=0)) if info.stacked else largest_of(rows)
    scale = scale_for(info.unit, largest)
    plain = as_plain(rows / scale.divisor)
    positions = list(range(len(info.categories)))
    names = [safe(name) for name in info.categories]
    along, across = ("x", "y") if info.horizontal else ("y", "x")
    label_unit = "" if is_word(info.unit) else info.unit  # the axis says the word; on every bar it would be noise
    labelled = rows.size <= MOST_LABELLED and not info.ordered
    size_px = 9 if info.horizontal and len(info.categories) > _MOST_ROOMY else 11
    below = len(info.categories) * (1 if info.stacked else len(series))  # bars below each other, and their labels

    data: list[dict[str, Any]] = []
    for index, (name, values) in enumerate(series):
        trace: dict[str, Any] = {
            "type": "bar",
            "name": short(name),
            along: plain[index],
            across: positions,
            "orientation": "h" if info.horizontal else "v",
            "marker": {"color": _tones(info, palette, index), "line": {"width": 0}},
            "customdata": list(info.categories),  # what a click means, unescaped
            "hovertext": names,
            "hovertemplate": ("%{hovertext}" if info.groups is None else "%{hovertext}, %{fullData.name}")
            + f": <b>%{{{along}:{scale.hover_format}}}{scale.suffix}</b><extra></extra>",
        }
        if labelled:
            trace |= {
                "text": [format_value(value, label_unit) for value in as_floats(values).tolist()],
                "textposition": "inside" if info.stacked else "outside",
                "textangle": 0,
                "textfont": {"size": 9 if info.horizontal and below > _MOST_ROOMY else 11},
                "insidetextfont": {"color": "#fff"},
                "cliponaxis": False,
                "constraintext": "none" if not info.stacked else "both",
            }
        data.append(trace)

    whole = info.unit not in ("ms", "s", "%") and bool((np.rint(rows) == rows)[~np.isnan(rows)].all())
    label_px = text_px(format_value(largest, label_unit)) if labelled and not info.stacked else 0.0
    values_at = value_axis(info.unit, largest, whole=whole, range=_range(info, largest, label_px, scale.divisor))
    if info.value_title and (info.horizontal or info.ordered):
        values_at["title"] = axis_title(info.value_title)
    labels = thinned_names(info.categories) if info.ordered else info.categories
    names_at = category_axis(labels, longest=LONGEST_LABEL if info.horizontal else 16)
    # Few bars keep the width they would have beside others.
    spare = 0.0 if info.ordered else max(0.0, (_FEWEST_SLOTS - len(info.categories)) / 2)
    names_at["range"] = [-0.5 - spare, len(info.categories) - 0.5 + spare]
    if info.horizontal:
        names_at["tickfont"] = {"size": size_px}
        names_at["range"].reverse()  # the first on top
    else:
        names_at["autotickangles"] = [0] if info.ordered else [0, 30, 60]
    x_axis, y_axis = (values_at, names_at) if info.horizontal else (names_at, values_at)
    figure_layout = layout(
        legend=len(data) > 1,
        xaxis=x_axis,
        yaxis=y_axis,
        barmode="stack" if info.stacked else "group",
        bargap=0.35 if len(data) == 1 else 0.25,
        bargroupgap=0.08,
        barcornerradius=3,
        dragmode=False,
    )
    if info.horizontal:  # as bars lie side by side; upright ones are told from the top down
        figure_layout["legend"]["traceorder"] = "normal"
    if info.stacked:
        figure_layout["uniformtext"] = {"minsize": 9, "mode": "hide"}  # rather no number than one too small to read
    return {"data": data, "layout": figure_layout}


def _tones(info: BarInfo, palette: Palette, index: int) -> str | list[str]:
    if info.groups is not None:
        keys = info.colour_keys or tuple(name for name, _ in info.groups)
        return palette.colours(keys)[keys[index]]
    if info.colour_keys is None:
        return palette.colour(ACCENT_KEY)
    tones = palette.colours(info.colour_keys)
    return [tones[key] for key in info.colour_keys]


def _range(info: BarInfo, largest: float, label_px: float, divisor: float) -> list[float]:
    """Return the value axis' range, with room for a label of some width beyond the longest bar's end; 0 for none."""
    low, high = info.y_range or (0.0, largest if largest > 0 else 1.0)
    if info.y_range is None:
        low = min(0.0, *(float(np.nanmin(as_floats(v), initial=0.0)) for _, v in info.series()), 0.0)
    room = 0.04
    if label_px:
        needed_px = min(label_px + _BESIDE_PX, _NARROW_PX / 3)
        room = max(0.16, needed_px / (_NARROW_PX - needed_px)) if info.horizontal else 0.12
    return [low / divisor, (high + room * (high - low)) / divisor]
