"""Units: how a number with a unit is scaled on an axis and written for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Scale:
    """How an axis shows values of a unit.

    Attributes:
        divisor: What values are divided by before they are drawn.
        suffix: What stands behind each tick label and hover value, space included where one belongs.
        hover_format: d3 number format of a hover value.
    """

    divisor: float
    suffix: str
    hover_format: str


_MS_STEPS = (
    (7_200_000.0, 3_600_000.0, " h"),
    (120_000.0, 60_000.0, " min"),
    (1_000.0, 1_000.0, " s"),
    (0.0, 1.0, " ms"),
)
_BYTE_STEPS = ((1e12, 1e12, " TB"), (1e9, 1e9, " GB"), (1e6, 1e6, " MB"), (1e3, 1e3, " kB"), (0.0, 1.0, " B"))
_MS_TICKS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000, 360_000_000)
_CLOSE_UNITS = ("%", "/s", "/min", "/h")  # written without a space before them


def suffix_of(unit: str) -> str:
    """Return what stands behind a number of this unit: "%", "/s", " items", ""."""
    return unit if unit in _CLOSE_UNITS or not unit else f" {unit}"


def is_word(unit: str) -> bool:
    """Return whether the unit is a word ("items") rather than a sign that belongs behind each number ("ms", "%")."""
    return bool(unit) and unit not in (*_CLOSE_UNITS, "ms", "s", "B")


def scale_for(unit: str, largest: float) -> Scale:
    """Choose one scale for a whole axis, so that its labels can be compared at a glance.

    Args:
        unit: A unit of `charts.info`.
        largest: The largest absolute value on the axis, in that unit; NaN when there is none.
    """
    steps = {"ms": _MS_STEPS, "B": _BYTE_STEPS}.get(unit)
    if unit == "s":
        divisor, suffix = _step(_MS_STEPS, largest * 1000)
        return Scale(divisor / 1000, suffix, _digits(suffix))
    if steps is None:
        return Scale(1.0, suffix_of(unit), ",.2~f" if unit == "%" else ",.3~f")
    divisor, suffix = _step(steps, largest)
    return Scale(divisor, suffix, _digits(suffix))


def _digits(suffix: str) -> str:
    return ",.1~f" if suffix in (" ms", " B") else ",.3~f" if suffix == " s" else ",.2~f"


def _step(steps: tuple[tuple[float, float, str], ...], largest: float) -> tuple[float, str]:
    for least, divisor, suffix in steps:
        if largest >= least:
            return divisor, suffix
    return steps[-1][1:]


def tick_format(largest: float) -> str:
    """Return the d3 format of tick labels: "1,500", from 10,000 on "10k", "1.5M", from 10^15 on "1e+15".

    Args:
        largest: The largest absolute value on the axis, as drawn.
    """
    if largest >= 1e15:
        return ".2~e"
    return "~s" if largest >= 10_000 else ",.6~r"


def log_ticks(unit: str, low: float, high: float) -> tuple[list[float], list[str]]:
    """Choose the ticks of a logarithmic axis, each written in the unit that suits its size.

    Args:
        unit: A unit of `charts.info`.
        low: Where the axis begins, above zero, in that unit.
        high: Where it ends.

    Returns:
        (values in that unit, what is written beside them).

    Examples:
        >>> log_ticks("ms", 50, 100_000)
        ([100, 1000, 10000, 60000], ['100 ms', '1 s', '10 s', '1 min'])
        >>> log_ticks("", 1, 30)
        ([1.0, 2.0, 5.0, 10.0, 20.0], ['1', '2', '5', '10', '20'])
    """
    steps: Sequence[float] = _MS_TICKS
    if unit != "ms":
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        few = last - first <= 2
        steps = [10.0**power * part for power in range(first, last + 1) for part in ((1, 2, 5) if few else (1,))]
    ticks = [step for step in steps if low <= step <= high]
    ticks = ticks[:: max(1, -(-len(ticks) // 8))]
    return ticks, [format_value(tick, "" if is_word(unit) else unit).replace("60 s", "1 min") for tick in ticks]


def format_value(value: float | None, unit: str = "") -> str:
    """Write a value for people: about three digits, the unit that suits its size.

    Examples:
        >>> format_value(152.34, "ms"), format_value(1240, "ms"), format_value(98.5, "%")
        ('152 ms', '1.24 s', '98.5%')
        >>> format_value(1234567, "items"), format_value(None, "ms")
        ('1.23M items', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "%" and 10 <= value < 100:  # only all is a hundred, and shares below each other have their points there
        return f"{min(value, 99.9):.1f}%"
    scale = scale_for(unit, abs(value))
    return _short(value / scale.divisor) + scale.suffix


def span_of_time(start_ms: int, end_ms: int) -> str:
    """Write from when to when something lasted, the second day where it differs.

    Examples:
        >>> span_of_time(1_795_348_800_000, 1_795_352_523_000)
        '22 Nov 12:00:00 – 13:02:03 UTC'
    """
    start, end = (datetime.fromtimestamp(moment_ms // 1000, UTC) for moment_ms in (start_ms, end_ms))
    day = "" if start.date() == end.date() else f"{end.day} {end:%b} "
    return f"{start.day} {start:%b %H:%M:%S} – {day}{end:%H:%M:%S} UTC"


def _short(number: float) -> str:
    size = abs(number)
    if size >= 1e15:
        return f"{number:.3g}"
    for least, divisor, letter in ((1e12, 1e12, "T"), (1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if size >= least:
            return _trimmed(number / divisor) + letter
    if size >= 1000:
        return f"{number:,.0f}"
    return _trimmed(number)


def _trimmed(number: float) -> str:
    if number == int(number):
        return f"{int(number):,}"
    digits = 0 if abs(number) >= 100 else 1 if abs(number) >= 10 else 2 if abs(number) >= 0.1 else 4
    return f"{number:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{number:,.0f}"
