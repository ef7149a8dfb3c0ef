"""The Plotly figure of lines over time; drawn live once a second, so it is the one that has to be cheap."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from charts.arrays import around, as_floats, as_plain, even_step_ms, lonely
from charts.info import LineInfo, TimesMs
from charts.logs import SECONDS, log10_range, log_ticks, wants_log
from charts.plotly.common import LEGEND_LABEL, Figure, axis_title, layout, short, time_axis, value_axis
from charts.styles import MOST_UNIFIED, dash_styles, largest_shown, on_log_axis
from charts.theme import Palette, with_alpha
from charts.units import scale_for


def line_figure(info: LineInfo, palette: Palette) -> Figure:
    """Draw lines over time.

    Args:
        info: What to draw.
        palette: Which tone each line's colour key gets.
    """
    rows = np.vstack([as_floats(line.y) for line in info.lines]) if info.lines else np.empty((0, len(info.x_ms)))
    largest = largest_shown(info, rows)
    plain_axis = info.stacked or info.y_range is not None or not np.isfinite(rows).any()
    log = not plain_axis and (info.y_log or wants_log(info.y_unit, rows))
    if log:
        rows, _ = on_log_axis(rows)
    # Ticks of a logarithmic axis say their own units; a hovered value is told in seconds, be it 0.002 or 36,000.
    scale = SECONDS if log else scale_for(info.y_unit, largest)
    plain = as_plain(rows / scale.divisor)
    measured = np.flatnonzero(np.isfinite(rows).any(axis=0))
    known = int(measured[-1]) + 1 if measured.size else 0
    alone = lonely(rows)
    step_ms = even_step_ms(info.x_ms)
    first_ms = int(info.x_ms[0]) if len(info.x_ms) else 0
    moments = {"x0": first_ms, "dx": step_ms} if step_ms else {"x": [int(moment) for moment in info.x_ms]}
    unified = len(info.lines) <= MOST_UNIFIED
    value = f"%{{y:{scale.hover_format}}}{scale.suffix}"
    hover = value if unified else f"<b>%{{fullData.name}}: {value}</b><br>%{{x}}<extra></extra>"

    keys = [line.colour_key or line.name for line in info.lines]
    tones = palette.colours(keys)
    styles = dash_styles(info, tones)
    data: list[dict[str, Any]] = []
    for index, line in enumerate(info.lines):
        tone = tones[keys[index]]
        trace: dict[str, Any] = {
            "type": "scatter",
            "mode": "lines",
            "name": short(line.name, LEGEND_LABEL),
            **moments,
            "y": plain[index],
            "line": {"color": tone, "width": 1.5 if line.dash else 2, "dash": styles[index], "shape": "linear"},
            "connectgaps": False,
            "hovertemplate": hover,
        }
        if line.dash:
            trace["opacity"] = 0.85
        if info.stacked and not line.dash:
            trace["y"] = plain[index][:known]  # plotly draws a gap in a stack as zero
            trace |= {"stackgroup": "all", "fillcolor": with_alpha(tone, 0.45), "line": {"color": tone, "width": 1}}
        elif (
            len(info.lines) == 1 and not log and not _has_gap(rows[0])
        ):  # plotly fills across a gap, as if it had been measured
            trace |= {"fill": "tozeroy", "fillcolor": with_alpha(tone, 0.1)}
        data.append(trace)
    if not info.stacked:  # areas show single values themselves
        data += _dots(data, alone, info.x_ms)

    y_axis = value_axis(info.y_unit, largest)
    if log:
        places, texts = log_ticks(rows)
        y_axis |= {
            "type": "log",
            "range": log10_range(rows / scale.divisor),
            "tickvals": [place / scale.divisor for place in places],
            "ticktext": texts,
            "ticksuffix": "",
        }
        y_axis["title"] = axis_title(f"{info.y_title or 'duration'}, logarithmic")
    if info.y_range is not None:
        low, high = (edge / scale.divisor for edge in info.y_range)
        y_axis["range"] = [low, high + 0.02 * (high - low)]  # a line along the top edge keeps its full width
    drawn = layout(
        legend=len(info.lines) > 1,
        hover="x unified" if unified else "closest",
        largest=largest / scale.divisor,
        xaxis=time_axis(info.x_range_ms or around(info.x_ms)),
        yaxis=y_axis,
    )
    if info.bands:
        drawn["shapes"] = _bands(info, palette)
    return {"data": data, "layout": drawn}


def _bands(info: LineInfo, palette: Palette) -> list[dict[str, Any]]:
    """Return spans behind the lines as high as the chart, cut to what the axis shows."""
    low, high = info.x_range_ms or (info.bands[0].start_ms, max(band.end_ms for band in info.bands))
    tones = palette.colours([band.colour_key for band in info.bands])
    return [
        {
            "type": "rect",
            "layer": "below",
            "xref": "x",
            "yref": "paper",
            "x0": max(low, band.start_ms),
            "x1": min(high, band.end_ms),
            "y0": 0,
            "y1": 1,
            "fillcolor": with_alpha(tones[band.colour_key], 0.14),
            "line": {"width": 0},
        }
        for band in info.bands
        if band.end_ms >= low and band.start_ms <= high
    ]


def _has_gap(values: npt.NDArray[np.float64]) -> bool:
    """Say whether nothing was measured somewhere between two measurements."""
    measured = np.flatnonzero(np.isfinite(values))
    return len(measured) > 1 and int(measured[-1] - measured[0]) >= len(measured)


def _dots(lines: list[dict[str, Any]], alone: npt.NDArray[np.bool_], x_ms: TimesMs) -> list[dict[str, Any]]:
    """Return traces of dots for values between two gaps, which have no line to be seen by.

    They are traces of their own: markers on the lines themselves cost the browser one node a point, seen or not.
    """
    dots = []
    for line, places in zip(lines, [np.flatnonzero(row).tolist() for row in alone], strict=True):
        if places:
            line["legendgroup"] = line["name"]  # hidden and shown together
            dots.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": line["name"],
                    "legendgroup": line["name"],
                    "x": [int(x_ms[place]) for place in places],
                    "y": [line["y"][place] for place in places],
                    "marker": {"color": line["line"]["color"], "size": 6},
                    "hoverinfo": "skip",
                    "showlegend": False,
                }
            )
    return dots
