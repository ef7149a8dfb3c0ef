"""What all Vega-Lite charts share: inline data, axes, legends, text in expressions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import altair as alt

from charts.arrays import around
from charts.units import is_word, log_ticks, scale_for, tick_format

Rows = list[dict[str, Any]]

DASHES = {"solid": [1, 0], "dot": [2, 3], "dash": [5, 4], "dashdot": [6, 3, 2, 3], "longdash": [9, 4]}
RADIUS = "min(width,height)/2"
_DAY_MS = 86_400_000


class _AsTheyAre:
    """Rows that Altair hands through: it would copy and walk all of them for every layer and every method called."""

    __slots__ = ("_rows",)
    _schema: ClassVar[dict[str, str]] = {"type": "array"}  # with to_dict, what Altair knows a part of a spec by

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def to_dict(self, *_: Any, **__: Any) -> Rows:
        """Return the rows; Altair asks for them when it writes the spec."""
        return self._rows

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self


def inline(rows: Rows, name: str = "rows") -> alt.InlineData:
    """Return rows as data of a chart. Named, because Altair would move nameless data to a name made of its hash."""
    values: Any = _AsTheyAre(rows)
    return alt.InlineData(values=values, name=name)


def shown(names: Sequence[str], longest: int = 28, field: str = "datum.value") -> str:
    """Return the expression that turns a position into its name, so that names need not be unique nor harmless."""
    short = [name if len(name) <= longest else name[: longest - 1].rstrip() + "…" for name in names]
    # ASCII escapes only: a lone surrogate or a line separator is fine within the string then.
    return f"{json.dumps(short)}[{field}]"


def value_axis(
    unit: str, largest: float, title: str | None = None, *, grid: bool = True, whole: bool = False
) -> alt.Axis:
    """Return an axis of numbers with faint grid and unit.

    Args:
        unit: Unit of the values; they are drawn divided by the divisor of `scale_for(unit, largest)`.
        largest: The largest absolute value in that unit, NaN when there is none.
        title: What is measured.
        grid: Whether grid lines are drawn.
        whole: Whether the values are counts.
    """
    scale = scale_for(unit, largest)
    number = f"format(datum.value, '{tick_format(largest / scale.divisor)}')"
    if is_word(unit):
        title = f"{title} ({unit})" if title and title != unit else unit
    suffix = "" if is_word(unit) else scale.suffix
    # No halves between counts (tickMinStep is lost where Vega-Lite merges the axes of layers).
    step: dict[str, Any] = {"values": list(range(math.ceil(largest) + 1))} if whole and 0 < largest <= 5 else {}
    label = f"{number} + {json.dumps(suffix)}" if suffix else number
    return alt.Axis(title=title, grid=grid, tickCount=5, labelExpr=label, **step)


def value_scale(unit: str, largest: float, shown: tuple[float, float] | None = None) -> alt.Scale:
    """Return the scale of an axis of numbers: what is to be shown, or from zero to the largest; 0..1 without any."""
    if shown is not None:
        return alt.Scale(domain=[edge / scale_for(unit, largest).divisor for edge in shown])
    return alt.Scale(zero=True) if largest > 0 else alt.Scale(domain=[0, 1])


def log_axis(unit: str, shown_in_unit: tuple[float, float], divisor: float, title: str | None) -> alt.Axis:
    """Return a logarithmic axis: few ticks, each with the unit that suits its size.

    Args:
        unit: Unit of the values.
        shown_in_unit: The (low, high) that it shows.
        divisor: What the values are divided by before they are drawn.
        title: What is measured.
    """
    ticks, texts = log_ticks(unit, *shown_in_unit)
    return alt.Axis(
        title=title,
        grid=True,
        values=[tick / divisor for tick in ticks],
        labelExpr=f"{json.dumps(texts, ensure_ascii=True)}[round(datum.index * {max(1, len(ticks) - 1)})]",
    )


def log_scale(shown_in_unit: tuple[float, float], divisor: float) -> alt.Scale:
    """Return the logarithmic scale that shows this (low, high)."""
    return alt.Scale(type="log", domain=[edge / divisor for edge in shown_in_unit], nice=False)


def slant(names: Sequence[str], longest: int) -> int:
    """Return the angle of names below an axis: level as long as they are likely to find room."""
    return 0 if sum(min(len(name), longest) for name in names) < 64 else -35


def time_axis(x_range_ms: tuple[int, int] | None, moments_ms: Sequence[int], *, grid: bool = False) -> alt.Axis:
    """Return a UTC time axis.

    Args:
        x_range_ms: What the axis shows; what the moments span when None.
        moments_ms: The moments of the data.
        grid: Whether grid lines are drawn.
    """
    begin_ms, end_ms = x_range_ms or (min(moments_ms, default=0), max(moments_ms, default=0))
    span_ms = end_ms - begin_ms
    date = "utcFormat(datum.value, '%-d %b')"
    clock = f"utcFormat(datum.value, '{'%H:%M:%S' if span_ms < 300_000 else '%H:%M'}')"
    # The day is told below the first label and at midnight.
    days = f"datum.index == 0 ? {date} + ', UTC' : utchours(datum.value) + utcminutes(datum.value) == 0 ? {date} : ''"
    label = date if span_ms > 3 * _DAY_MS else f"[{clock}, {days}]"
    return alt.Axis(title=None, grid=grid, domain=True, ticks=True, tickSize=4, tickCount=7, labelExpr=label)


def time_scale(x_range_ms: tuple[int, int] | None, moments_ms: Sequence[int]) -> alt.Scale:
    """Return a UTC scale, fixed to the range when one is given."""
    shown_ms = x_range_ms or around(moments_ms)
    return alt.Scale(type="utc") if shown_ms is None else alt.Scale(type="utc", domain=list(shown_ms), nice=False)


def legend(names: Sequence[str], *, wanted: bool, columns: int = 6, **more: Any) -> alt.Legend | None:
    """Return the compact legend of positions 0..n-1 below the chart, or None."""
    if not wanted:
        return None
    return alt.Legend(title=None, columns=columns, labelExpr=shown(names), **more)


def layered(*charts: alt.Chart, data: alt.InlineData | None = None) -> alt.LayerChart:
    """Return the charts on top of each other, each under a name of its own.

    Altair would count names up from chart to chart, and the same info would never give the same spec twice.

    Args:
        charts: From the back to the front.
        data: What the charts that have none of their own share.
    """
    named = [chart.properties(name=f"layer_{place}") for place, chart in enumerate(charts)]
    return alt.layer(*named) if data is None else alt.layer(*named, data=data)


def harmless(name: str) -> str:
    """Return a name that may head a tooltip line: Vega-Lite writes it into an expression, escaping `"` alone."""
    return "".join(char if char.isprintable() else " " for char in name).replace("\\", "\\\\")


def titled(name: str, unit: str) -> str:
    """Return the head of a tooltip line: the name, and the unit when there is one."""
    return f"{harmless(name)} ({unit})" if unit else harmless(name)


def tone_scale(tones: Sequence[str]) -> alt.Scale:
    """Return the colour scale of positions 0..n-1."""
    return alt.Scale(domain=list(range(len(tones))), range=list(tones))
