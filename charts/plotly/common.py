"""What all figures share: layout, axes, names made safe for Plotly's little markup language.

Colours of text and grid are middling greys here; `assets/charts.css` replaces them by the page's own, so that a switch
between light and dark needs no new figure.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from charts.plotly.room import margin
from charts.theme import FONT_FAMILY
from charts.units import is_word, log_ticks, scale_for, tick_format

Figure = dict[str, Any]

_GREY = "#868e96"
_FAINT = "rgba(134,142,150,0.22)"
_BARE_MARGIN = {"l": 8, "r": 12, "t": 10, "b": 8, "pad": 0}
NO_AXES: dict[str, Any] = {"xaxis": {"visible": False}, "yaxis": {"visible": False}}
LONGEST_LABEL = 28
LEGEND_LABEL = 20  # two of them stand side by side on a phone
_DAY_MS = 86_400_000
_TIME_FORMATS: list[dict[str, Any]] = [
    {"dtickrange": [None, 1_000], "value": "%H:%M:%S.%L\n%-d %b, UTC"},
    {"dtickrange": [1_000, 60_000], "value": "%H:%M:%S\n%-d %b, UTC"},
    {"dtickrange": [60_000, _DAY_MS - 1], "value": "%H:%M\n%-d %b, UTC"},
    {"dtickrange": [_DAY_MS, "M1"], "value": "%-d %b\n%Y, UTC"},
    {"dtickrange": ["M1", "M12"], "value": "%b\n%Y, UTC"},
    {"dtickrange": ["M12", None], "value": "%Y"},
]
# Beside long names of lanes, half a phone is left: the zone would touch the next day's.
SHORT_TIME_FORMATS = [{**stop, "value": stop["value"].removesuffix(", UTC")} for stop in _TIME_FORMATS]

# Plotly keeps zoom, hidden lines and hover over an update as long as this stays the same.
UI_REVISION = "keep"


def safe(text: str) -> str:
    """Return text that Plotly shows as it is, instead of reading tags and entities in it."""
    return html.escape(text, quote=False).replace("\n", " ")


def short(text: str, longest: int = LONGEST_LABEL) -> str:
    """Return safe text of at most `longest` characters, the end replaced by an ellipsis."""
    return safe(text if len(text) <= longest else text[: longest - 1].rstrip() + "…")


def distinct(labels: Sequence[str]) -> list[str]:
    """Return the labels with those that are alike told apart by invisible characters (Plotly merges equal ones)."""
    seen: dict[str, int] = {}
    told_apart = []
    for label in labels:
        told_apart.append(label + "\u200b" * seen.get(label, 0))
        seen[label] = seen.get(label, 0) + 1
    return told_apart


def layout(*, legend: bool = False, hover: str = "closest", largest: float = math.nan, **more: Any) -> dict[str, Any]:
    """Return the layout that all figures start from.

    Args:
        legend: Whether a compact legend stands below the chart.
        hover: Plotly's hovermode.
        largest: The largest value on the y axis, as drawn, where that axis has no range: what its labels need.
        more: Further layout entries.
    """
    beside = more.get("xaxis", {}), more.get("yaxis", {})
    labelled = all(axis.get("automargin") for axis in beside)
    return {
        "autosize": True,
        "margin": margin(*beside, largest=largest, legend=legend) if labelled else _BARE_MARGIN,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT_FAMILY, "size": 11, "color": _GREY},
        "hovermode": hover,
        "hoverlabel": {"font": {"family": FONT_FAMILY, "size": 12}, "align": "left", "namelength": 40},
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "xanchor": "left",
            "yanchor": "bottom",
            "yref": "container",
            "maxheight": 0.34,
            "itemwidth": 30,
            "font": {"size": 11},
            "tracegroupgap": 0,
        },
        "uirevision": UI_REVISION,
        "separators": ".,",
        "dragmode": "zoom",
        **more,
    }


def value_axis(unit: str, largest: float, *, whole: bool = False, **more: Any) -> dict[str, Any]:
    """Return an axis of numbers: faint grid, no frame, labels with their unit.

    Args:
        unit: Unit of the values; they are drawn divided by the divisor of `scale_for(unit, largest)`.
        largest: The largest absolute value in that unit, NaN when there is none.
        whole: Whether the values are counts.
        more: Further axis entries.
    """
    scale = scale_for(unit, largest)
    if whole and not largest > 5:
        more.setdefault("dtick", 1)  # no halves between counts
    # A word ("items") on the outermost label only; a short unit on each.
    return {
        "automargin": True,
        "rangemode": "tozero",
        "nticks": 6,
        "ticksuffix": scale.suffix,
        "showticksuffix": "last" if is_word(unit) else "all",
        "tickformat": tick_format(largest / scale.divisor),
        "gridcolor": _FAINT,
        "gridwidth": 1,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabelstandoff": 6,
        "ticklabeloverflow": "allow",  # margins make room: looking for what sticks out measures each label again
        "fixedrange": True,
        **more,
    }


def log_axis(unit: str, shown: tuple[float, float], divisor: float) -> dict[str, Any]:
    """Return what makes an axis of numbers logarithmic.

    Args:
        unit: Unit of the values.
        shown: The (low, high) in that unit.
        divisor: What the values are divided by before they are drawn.
    """
    low, high = (math.log10(edge / divisor) for edge in shown)
    ticks, texts = log_ticks(unit, *shown)
    return {
        "type": "log",
        "range": [round(low, 4), round(high, 4)],
        "tickmode": "array",
        "tickvals": [tick / divisor for tick in ticks],
        "ticktext": texts,
        "ticksuffix": "",
    }


def category_axis(names: tuple[str, ...], *, longest: int = LONGEST_LABEL, **more: Any) -> dict[str, Any]:
    """Return an axis of names, at positions 0..n-1, without grid.

    Positions rather than Plotly's categories: names that are alike when shortened stay apart, "2026" stays a name.
    """
    return {
        "automargin": True,
        "tickmode": "array",
        "tickvals": list(range(len(names))),
        "ticktext": [short(name, longest) for name in names],
        "range": [-0.5, max(len(names), 1) - 0.5],
        "showgrid": False,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "ticklabelstandoff": 6,
        "ticklabeloverflow": "allow",  # margins make room: looking for what sticks out measures each label again
        "fixedrange": True,
        **more,
    }


def time_axis(x_range_ms: tuple[int, int] | None, **more: Any) -> dict[str, Any]:
    """Return a UTC time axis, fixed to the range when one is given."""
    axis: dict[str, Any] = {
        "type": "date",
        "automargin": True,
        "uirevision": False,  # what is dragged becomes the page's range: the axis always shows that
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": _FAINT,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": _FAINT,
        "tickangle": 0,
        "nticks": 8,
        "spikethickness": 1,
        "spikedash": "solid",
        "spikecolor": _GREY,
        # The second line stands only where it changes.
        "tickformatstops": _TIME_FORMATS,
        "ticklabeloverflow": "allow",
        "hoverformat": "%a %-d %b %Y, %H:%M:%S UTC",
        **more,
    }
    if x_range_ms is not None:
        axis["range"] = list(x_range_ms)
    return axis


def axis_title(text: str) -> dict[str, Any]:
    """Return a small axis title."""
    return {"text": safe(text), "font": {"size": 11}, "standoff": 8}
