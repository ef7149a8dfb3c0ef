"""Comparing with an earlier period: which one, its name, its ghost line on a chart, and the control of the bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import dash_mantine_components as dmc
import numpy as np
from dash import Dash, Input, State, set_props
from dash.development.base_component import Component

from charts.info import MUTED_KEY, Line, LineInfo
from components import ids
from components.aria import aria
from components.icons import icon
from components.timerange import DAY_MS, duration_words
from components.view import View
from db.results import FloatArray, TimeRange

_NOTHING: Final = "none"  # a control's value is never empty
_CHOICES: Final = (
    (_NOTHING, "Compare"),
    ("before", "vs. before"),
    ("day", "vs. day ago"),
    ("week", "vs. week ago"),
)
_GHOSTS: Final = {"day": ", day before", "week": ", week before"}  # short enough for a legend on a phone
_SHIFTS_MS: Final = {"day": DAY_MS, "week": 7 * DAY_MS}
_TODAY: Final = frozenset({"now", "now/d"})


def earlier_range(view: View, range: TimeRange) -> TimeRange:
    """Return what the view's figures are compared with: the period before unless the view says otherwise.

    Args:
        view: Its `compare` decides.
        range: The view's range, in any buckets.
    """
    shift_ms = _SHIFTS_MS.get(view.compare)
    return range.before() if shift_ms is None else range.earlier(shift_ms)


def earlier_words(view: View, range: TimeRange | None = None) -> str:
    """Name what the view's figures are compared with, for instance "the 15 minutes before".

    Args:
        view: Its `compare` decides; of a range that ends today, a day before is yesterday.
        range: The view's range, None where its length needn't be said.
    """
    match view.compare:
        case "day":
            return "the same time yesterday" if view.to in _TODAY else "the same time a day before"
        case "week":
            return "the same time a week ago" if view.to in _TODAY else "the same time a week before"
        case _:
            return f"the {'period' if range is None else duration_words(range.end_ms - range.start_ms)} before"


def with_ghost(view: View, range: TimeRange, draw: Callable[[TimeRange], LineInfo], line: str = "") -> LineInfo:
    """Draw lines of a range, and where the view compares, one of them (or a stack's sum) of the earlier range, too.

    Args:
        view: What it is compared with.
        range: The range and its buckets.
        draw: Draws the lines of any range.
        line: Which line's ghost is shown, the first one's when empty; of a stack it is the sum's.
    """
    info = draw(range)
    if not view.compare:
        return info
    said = earlier_words(view, range)
    name, values = _ghost_of(draw(earlier_range(view, range)), line)
    if not np.isfinite(values).any():
        return replace(info, description=f"{info.description} There is nothing to compare with from {said}.")
    ghost = Line(f"{name}{_GHOSTS.get(view.compare, ' before')}", values, colour_key=MUTED_KEY, dash=True)
    return replace(info, lines=(*info.lines, ghost), description=f"{info.description} Dashed: {name} of {said}.")


def compare_control(view: View) -> Component:
    """Build the control that chooses the period to compare with.

    Args:
        view: What it says.
    """
    built: Component = dmc.Select(
        id=ids.FILTER_COMPARE,
        value=compare_value(view),
        data=[{"value": value, "label": label} for value, label in _CHOICES],
        allowDeselect=False,
        checkIconPosition="right",
        leftSection=icon("compare"),
        comboboxProps={"shadow": "md"},
        **aria(label="Compare with"),
    )
    return built


def register_compare_callback(app: Dash) -> None:
    """Let the control write the address; that the address sets the control is the router's part.

    Args:
        app: The app whose filter bar holds `compare_control`.
    """

    @app.callback(
        Input(ids.FILTER_COMPARE, "value"),
        State(ids.URL, "pathname"),
        State(ids.URL, "search"),
        prevent_initial_call=True,
    )
    def choose(chosen: str | None, pathname: str | None, search: str | None) -> None:
        view = View.parse(pathname, search)
        wanted = replace(view, compare="" if chosen in (None, _NOTHING) else str(chosen))
        if wanted != view:
            # No output: a page that is being opened would wait until this callback is through.
            set_props(ids.URL, {"search": wanted.search()})


def compare_value(view: View) -> str:
    """Return what the control says for a view.

    Args:
        view: What is compared, if anything.
    """
    return view.compare or _NOTHING


def _ghost_of(info: LineInfo, line: str) -> tuple[str, FloatArray]:
    """Return the name and the values, float64[n], of the line that stands for all: of a stack, their sum."""
    if not info.lines:
        return line, np.empty(0)
    if info.stacked:
        return "all", np.sum([np.asarray(one.y, dtype=np.float64) for one in info.lines], axis=0, dtype=np.float64)
    shown = next((one for one in info.lines if one.name == line), info.lines[0])
    return shown.name, np.asarray(shown.y, dtype=np.float64)
