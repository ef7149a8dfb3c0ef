"""The named Vega signals for clicks and for dragged spans of time, and what a view tells of them (`signalData`).

Vega-Lite's own interval is told at every step of the pointer, so that a page would change its range in the middle of a
drag. One more signal takes it over when the pointer is let go; Vega-Lite has no words for that, so it is put into the
compiled chart (vega-embed's `patch`).
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from charts.picks import Pick, moment_ms, span_ms

PICKED: Final = "picked"
SPAN: Final = "span"
SIGNALS: Final = (PICKED, SPAN)
_DRAGGED: Final = "dragged"  # the interval as it is being dragged
_LEAST_DRAG_PX: Final = 8  # less is a click with an unsteady hand
# Any press forgets the span before: a view that is drawn anew doesn't, and what it told last would count once more.
_LET_GO: Final = {
    "name": SPAN,
    "value": [],
    "on": [
        {"events": {"source": "scope", "type": "pointerdown"}, "update": "null"},
        {
            "events": {"source": "window", "type": "pointerup"},
            "update": f"!{SPAN} && isArray({_DRAGGED}_t) && abs({_DRAGGED}_x[1] - {_DRAGGED}_x[0]) >= {_LEAST_DRAG_PX}"
            f" ? {{t: [+{_DRAGGED}_t[0], +{_DRAGGED}_t[1]]}} : {SPAN}",
        },
    ],
}
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


def draggable(chart: alt.Chart) -> alt.Chart:
    """Return the chart so that a span of its time can be dragged; its spec needs `patched`.

    Args:
        chart: One layer, with `t` on its horizontal axis.
    """
    drag = alt.selection_interval(
        name=_DRAGGED, encodings=["x"], translate=False, zoom=False, mark=alt.BrushConfig(stroke="#868e96")
    )
    dragged: alt.Chart = chart.add_params(drag)
    return dragged


def patched(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec so that a page is told of a dragged span; any other spec as it is.

    Args:
        spec: A Vega-Lite spec.
    """
    if not any(param["name"] == _DRAGGED for param in spec.get("params", ())):
        return spec
    return spec | {"usermeta": {"embedOptions": {"patch": [{"op": "add", "path": "/signals/-", "value": _LET_GO}]}}}


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
