"""The named Vega parameter for clicks, and what a view tells of clicks and of dragged spans (`signalData`).

No chart has a parameter for spans yet: Vega tells of an interval at every step of the pointer and not once it is let
go, so that a page would change its range in the middle of a drag.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from charts.picks import Pick, moment_ms, span_ms

PICKED: Final = "picked"
SPAN: Final = "span"
SIGNALS: Final = (PICKED,)
# What the charts call their names: bars, slices, bubbles, lanes.
_NAMES: Final = ("category", "label", "name", "job")


def clickable(chart: alt.Chart, *fields: str, nearest: bool = False) -> alt.Chart:
    """Return the chart so that a click on a mark tells these fields of it.

    Args:
        chart: One layer.
        fields: Names of its data.
        nearest: Whether a click beside a mark means the nearest one.
    """
    click = alt.selection_point(
        name=PICKED, fields=list(fields), on="click", clear=False, toggle=False, nearest=nearest, empty=False
    )
    clicked: alt.Chart = chart.add_params(click)
    return clicked


def pick_of(event: Any) -> Pick | None:
    """Return what was clicked.

    Args:
        event: A view's `signalData`, any JSON value.
    """
    chosen = event.get(PICKED) if isinstance(event, dict) else None
    if not isinstance(chosen, dict):
        return None
    first = {field: values[0] for field, values in chosen.items() if isinstance(values, list) and values}
    name = next((first[field] for field in _NAMES if isinstance(first.get(field), str)), None)
    series = first.get("g")
    pick = Pick(name, series if type(series) is int and series >= 0 else None, moment_ms(first.get("t")))
    return None if pick == Pick(series=pick.series) else pick


def zoom_of(event: Any) -> tuple[int, int] | None:
    """Return the span of time that was dragged.

    Args:
        event: A view's `signalData`, any JSON value.
    """
    dragged = event.get(SPAN) if isinstance(event, dict) else None
    if not isinstance(dragged, dict):
        return None
    spans = [value for value in dragged.values() if isinstance(value, list) and len(value) == 2]
    return span_ms(*spans[0]) if len(spans) == 1 else None
