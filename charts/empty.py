"""Emptiness: whether an info has anything to draw, for a page's empty state and an export's."""

from __future__ import annotations

import numpy as np

from charts.arrays import as_floats
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
    Values,
)


def is_empty(info: ChartInfo) -> bool:
    """Return whether there is nothing to see: no values, or gaps alone; for shares and counts, zeros alone too."""
    match info:
        case LineInfo():
            return not any(_known(line.y) for line in info.lines)
        case BarInfo():
            return not any(_known(values) for _, values in info.series())
        case PieInfo():
            return not _positive(info.values)
        case RadarInfo():
            return not any(_known(values) for _, values in info.shapes)
        case HistogramInfo():
            return not _positive(info.counts)
        case HeatmapInfo():
            return not any(_known(row) for row in info.values)
        case ScatterInfo():
            return not info.points
        case TimelineInfo():
            return not info.bars
        case _:
            return False


def _known(values: Values) -> bool:
    return bool((~np.isnan(as_floats(values))).any())


def _positive(values: Values) -> bool:
    return bool((as_floats(values) > 0).any())
