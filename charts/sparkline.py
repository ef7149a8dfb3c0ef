"""Sparklines: a card's little line as an image that needs no plotting library."""

from __future__ import annotations

from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from charts.arrays import Floats, as_floats
from charts.info import Values
from charts.theme import ACCENT
from charts.xml import xml_text

_EDGE_PX = 2.0


def sparkline(values: Values, *, label: str, width_px: int = 120, height_px: int = 32, tone: str = ACCENT) -> str:
    """Return a small line as the data URI of an SVG image.

    Args:
        values: n values in order, evenly spaced; None and NaN are gaps. The line fills the height from the smallest
            to the largest (a level line runs through the middle).
        label: What it shows, for screen readers.
        width_px: Width of the image.
        height_px: Height of the image.
        tone: Colour `#rrggbb`; one that stands out from light and dark, because an image can't follow the page.
    """
    floats = as_floats(values)
    known = ~np.isnan(floats)
    title = f"<title>{xml_text(label)}</title>"
    marks = _marks(floats, known, width_px, height_px, tone) if known.any() else ""
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width_px}" height="{height_px}"'
        f' viewBox="0 0 {width_px} {height_px}" preserveAspectRatio="none">{title}{marks}</svg>'
    )
    return "data:image/svg+xml," + quote(svg, safe="/:=' ,;.-", errors="replace")


def _marks(floats: Floats, known: npt.NDArray[np.bool_], width_px: int, height_px: int, tone: str) -> str:
    low, high = float(floats[known].min()), float(floats[known].max())
    x = _EDGE_PX + np.arange(floats.size) * (width_px - 2 * _EDGE_PX) / max(1, floats.size - 1)
    # Halved before subtracting, so that the largest of floats don't overflow.
    span = high / 2 - low / 2
    share = (np.where(known, floats, low) / 2 - low / 2) / span if span > 0 else np.full(floats.size, 0.5)
    y = height_px - _EDGE_PX - share * (height_px - 2 * _EDGE_PX)
    line, area = [], []
    base = f"{height_px:g}"
    # Runs of known values; the pieces between are gaps.
    starts = np.flatnonzero(known & ~np.concatenate(([False], known[:-1])))
    ends = np.flatnonzero(known & ~np.concatenate((known[1:], [False])))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        points = " ".join(f"{x[place]:.1f},{y[place]:.1f}" for place in range(start, end + 1))
        # A lone value becomes a dot: a line of no length with round ends.
        line.append(f"M{points}" + (" h0.01" if start == end else ""))
        if end > start:
            area.append(f"M{x[start]:.1f},{base} {points} {x[end]:.1f},{base}Z")
    stroke = f'fill="none" stroke="{tone}" stroke-width="1.5" stroke-linejoin="round" stroke-linecap="round"'
    filled = f'<path d="{" ".join(area)}" fill="{tone}" fill-opacity="0.14"/>' if area else ""
    return f'{filled}<path d="{" ".join(line)}" {stroke} vector-effect="non-scaling-stroke"/>'
