"""Vega-Lite specs with the house's look: from an info to JSON."""

from __future__ import annotations

from typing import Any

import altair as alt
from altair.utils.schemapi import debug_mode

from charts.altair.bar import bar_chart
from charts.altair.heatmap import heatmap_chart
from charts.altair.histogram import histogram_chart
from charts.altair.line import line_chart
from charts.altair.pie import pie_chart
from charts.altair.radar import radar_chart
from charts.altair.scatter import scatter_chart
from charts.altair.timeline import timeline_chart
from charts.errors import ChartError
from charts.info import (
    BarInfo,
    ChartInfo,
    HeatmapInfo,
    HistogramInfo,
    LineInfo,
    PieInfo,
    RadarInfo,
    ScatterInfo,
    TimelineInfo,
)
from charts.theme import FONT_FAMILY, Chrome, Palette

# Middling greys that can be read on light and dark; `assets/charts.css` puts the page's own colours in their place.
PAGE_CHROME = Chrome(background="transparent", text="#868e96", dimmed="#868e96", grid="rgba(134,142,150,0.22)")


def spec_of(
    info: ChartInfo,
    palette: Palette,
    *,
    chrome: Chrome,
    width_px: int | None = None,
    height_px: int | None = None,
) -> dict[str, Any]:
    """Return the Vega-Lite spec of an info.

    Args:
        info: What to draw.
        palette: Which tone each colour key gets.
        chrome: Colours of text and grid; the background stays clear.
        width_px: Width with all axes and legends; as wide as the container when None.
        height_px: Height with all axes and legends; as high as the container when None.

    Raises:
        ChartError: When the info is of a kind that is not drawn.
    """
    # Checking every object against the schema while it is built costs a hundred times the drawing; the tests check.
    with debug_mode(False):
        spec: dict[str, Any] = _chart_of(info, palette).to_dict(validate=False)
    return spec | {
        "config": _look(chrome),
        "description": f"{info.title}. {info.description}",
        "width": width_px or "container",
        "height": height_px or "container",
        "autosize": {"type": "fit", "contains": "padding"},
        "background": "transparent",
        "padding": {"left": 4, "right": 12, "top": 8, "bottom": 4},
    }


def without_rows(spec: Any) -> Any:
    """Return a copy of the spec whose inline data sets are empty."""
    if isinstance(spec, list):
        return [without_rows(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        key: {**part, "values": []} if key == "data" and isinstance(part, dict) else without_rows(part)
        for key, part in spec.items()
    }


def _chart_of(info: ChartInfo, palette: Palette) -> alt.LayerChart:
    match info:
        case LineInfo():
            return line_chart(info, palette)
        case BarInfo():
            return bar_chart(info, palette)
        case PieInfo():
            return pie_chart(info, palette)
        case RadarInfo():
            return radar_chart(info, palette)
        case HistogramInfo():
            return histogram_chart(info, palette)
        case HeatmapInfo():
            return heatmap_chart(info)
        case TimelineInfo():
            return timeline_chart(info)
        case ScatterInfo():
            return scatter_chart(info, palette)
        case _:
            raise ChartError(f"{type(info).__name__} is no chart info; see charts/info.py for those there are")


def _look(chrome: Chrome) -> dict[str, Any]:
    label = {"labelColor": chrome.dimmed, "labelFontSize": 11, "labelFont": FONT_FAMILY, "labelLimit": 170}
    title = {"titleColor": chrome.dimmed, "titleFontSize": 11, "titleFont": FONT_FAMILY, "titleFontWeight": "normal"}
    return {
        "font": FONT_FAMILY,
        "view": {"stroke": None},
        "axis": {
            **label,
            **title,
            "domain": False,
            "ticks": False,
            "grid": False,
            "labelPadding": 6,
            "gridColor": chrome.grid,
            "domainColor": chrome.grid,
            "tickColor": chrome.grid,
        },
        "legend": {
            **label,
            "labelColor": chrome.text,
            "orient": "bottom",
            "symbolLimit": 60,
            "rowPadding": 2,
            "columnPadding": 14,
        },
        "title": {"color": chrome.text, "font": FONT_FAMILY, "fontSize": 14, "anchor": "start"},
        "text": {"color": chrome.text, "font": FONT_FAMILY, "fontSize": 11},
        "range": {"category": []},
    }
