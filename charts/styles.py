"""Decisions about lines and marks that every adapter takes alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charts.arrays import Floats, largest_of
from charts.info import LineInfo

MOST_UNIFIED = 12  # a hover label with more lines than this is taller than the chart
MOST_NAMED = 12  # names beside more bubbles would cover each other
MOST_LABELLED = 60  # more numbers than this side by side are noise
MOST_ORDERED = 10  # names of buckets below a chart; more would stand on each other
_MOST_SIGNS = 48  # of all these names together: what fits below a chart on a phone

# Of a chart's width and height, on a phone.
_SIGN_WIDTH = 0.02
_LINE_HEIGHT = 0.05

_DASHES = ("solid", "dot", "dashdot", "longdash")
_LARGEST_PX = 38.0
_SMALLEST_PX = 8.0


def dash_styles(info: LineInfo, tones: dict[str, str]) -> list[str]:
    """Return each line's dash style ("solid", "dot", ...): lines of different keys that share a tone differ by it."""
    seen: dict[str, list[str]] = {}
    styles = []
    for line in info.lines:
        key = line.colour_key or line.name
        sharing = seen.setdefault(tones[key], [])
        if key not in sharing:
            sharing.append(key)
        styles.append("dash" if line.dash else _DASHES[sharing.index(key) % len(_DASHES)])
    return styles


def largest_shown(info: LineInfo, rows: Floats) -> float:
    """Return the largest value that the lines reach, stacked ones on top of each other; NaN when there is none.

    Args:
        info: The lines.
        rows: Their values, float64[lines, n]; dashed lines are no part of a stack.
    """
    if not info.stacked:
        return largest_of(rows)
    dashed = np.array([line.dash for line in info.lines], dtype=bool)
    stack = np.nansum(rows[~dashed], axis=0)
    return largest_of(np.vstack([stack, rows[dashed]]) if dashed.any() else stack)


def diameters_px(sizes: Floats) -> Floats:
    """Return bubble diameters in pixels: area in proportion to size, but never too small to hit.

    Args:
        sizes: float64, NaN for the smallest bubble.
    """
    largest = largest_of(sizes)
    if not largest > 0:
        return np.full(sizes.shape, _SMALLEST_PX + 4)
    share = np.sqrt(np.nan_to_num(sizes, nan=0.0).clip(min=0.0) / largest)
    return np.maximum(share * _LARGEST_PX, _SMALLEST_PX)


def names_with_room(names: Sequence[str], x: Floats, y: Floats, *, x_log: bool, y_log: bool) -> list[str]:
    """Return the names to write beside bubbles, "" where that of an earlier one would be written over.

    Args:
        names: As they are written, n of them.
        x: Where the bubbles stand, float64[n], above zero on a logarithmic axis.
        y: The same the other way.
        x_log: Whether that axis is logarithmic.
        y_log: The same of the other one.
    """
    across, up = _shares(x, log=x_log), _shares(y, log=y_log)
    kept: list[int] = []
    for place, name in enumerate(names):
        near = (
            abs(across[place] - across[other]) < _SIGN_WIDTH * (len(name) + len(names[other])) / 2
            and abs(up[place] - up[other]) < _LINE_HEIGHT
            for other in kept
        )
        if not any(near):
            kept.append(place)
    return [name if place in kept else "" for place, name in enumerate(names)]


def _shares(values: Floats, *, log: bool) -> Floats:
    """Return where values stand between the ends of their axis, 0 to 1."""
    at = np.log10(values) if log else values
    known = at[np.isfinite(at)]
    low = float(known.min()) if log and known.size else 0.0
    return np.asarray((at - low) / ((float(known.max()) - low if known.size else 0.0) or 1.0), dtype=np.float64)


def thinned_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of categories that follow each other, all but every n-th made empty where they are many."""
    room = max(2, min(MOST_ORDERED, _MOST_SIGNS // max(map(len, names), default=1)))
    step = -(-len(names) // room)
    return tuple(name if place % step == 0 else "" for place, name in enumerate(names))


def on_log_axis(values: Floats) -> tuple[Floats, tuple[float, float]]:
    """Return where values stand on a logarithmic axis, and the (low, high) that it shows.

    Args:
        values: float64, any shape; what isn't above zero is put at the lower edge, NaN stays.
    """
    above = values[values > 0]
    if not above.size:
        return np.where(np.isfinite(values), 1.0, np.nan), (0.5, 2.0)
    low, high = float(above.min()) / 2, float(above.max()) * 2
    return np.where(values <= 0, low, values), (low, high)
