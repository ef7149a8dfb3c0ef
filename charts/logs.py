"""Logarithmic axes: when durations over many decades get one, and how its ticks are written.

On a plain axis from 1 ms to 10 h everything but the slowest few is a line along zero.
"""

from __future__ import annotations

import json
import math

import numpy as np

from charts.arrays import Floats
from charts.units import Scale, format_value

SECONDS = Scale(1_000.0, " s", ",.3~r")
LEAST_RATIO = 1_000.0  # from the smallest value to the largest; below it a plain axis tells more
_MOST_TICKS = 8
_TICKS_MS = (
    *(10.0**power for power in range(-3, 4)),
    *(10_000.0, 60_000.0, 600_000.0, 3_600_000.0, 36_000_000.0),
    *(86_400_000.0 * 10**power for power in range(4)),
)
# From the largest unit to the smallest: (least ms, ms a unit, suffix), as `charts.units` changes from one to the next.
_STEPS = ((7_200_000, 3_600_000, " h"), (120_000, 60_000, " min"), (1_000, 1_000, " s"), (0, 1, " ms"))


def wants_log(unit: str, values: Floats) -> bool:
    """Return whether values are better seen on a logarithmic axis.

    Durations only, and only when all are above zero: a logarithmic axis has no place for a zero.

    Args:
        unit: A unit of `charts.info`.
        values: Any shape, NaN for a gap.
    """
    known = values[np.isfinite(values)]
    return unit == "ms" and known.size > 0 and bool(known.min() > 0 and known.max() / known.min() > LEAST_RATIO)


def log_ticks(values: Floats) -> tuple[list[float], list[str]]:
    """Return where an axis of durations has its ticks, and their texts: 1 ms, 10 ms, ..., 1 min, 10 min, 1 h.

    Args:
        values: Milliseconds, above zero.
    """
    low, high = log_range(values)
    inside = [tick for tick in _TICKS_MS if low <= tick <= high]
    chosen = inside[:: -(-len(inside) // _MOST_TICKS) or 1]
    return chosen, [format_value(tick, "ms") if tick < 60_000 else _whole(tick) for tick in chosen]


def log_range(values: Floats) -> tuple[float, float]:
    """Return the (lowest, highest) value that the axis shows: a little more than there is.

    Args:
        values: Above zero, NaN for a gap.
    """
    known = values[np.isfinite(values)]
    room = (float(known.max()) / float(known.min())) ** 0.04
    return float(known.min()) / room, float(known.max()) * room


def log10_range(values: Floats) -> list[float]:
    """Return the same as powers of ten."""
    return [math.log10(edge) for edge in log_range(values)]


def written_ms(field: str) -> str:
    """Return the Vega expression that writes a duration in the unit that suits its size.

    Args:
        field: An expression that gives milliseconds.
    """
    *larger, (_, last, last_suffix) = _STEPS
    text = f"format({field}/{last}, ',.1~f') + {json.dumps(last_suffix)}"
    for least, divisor, suffix in reversed(larger):
        text = f"({field} >= {least} ? format({field}/{divisor}, ',.2~f') + {json.dumps(suffix)} : {text})"
    return text


def _whole(tick_ms: float) -> str:
    for unit_ms, suffix in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if tick_ms >= unit_ms:
            return f"{tick_ms / unit_ms:,.0f} {suffix}"
    return format_value(tick_ms, "ms")
