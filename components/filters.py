"""The filter bar: every control writes the address, and the address sets every control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.content import Content
from components.icons import icon
from components.timerange import QUICK_RANGES, MomentError, describe, parse_moment
from components.view import View, range_problem
from components.view_text import LONGEST_Q

_DEBOUNCE_MS: Final = 350
_CUSTOM: Final = "custom"
_RESULTS: Final = [
    {"value": "all", "label": "All"},
    {"value": "ok", "label": "OK"},
    {"value": "failed", "label": "Failed"},
]


@dataclass(frozen=True, slots=True)
class Controls:
    """What the controls of the bar say; names as in the query string.

    Args:
        range: A quick range's `from`, or "custom".
        from_: Text of the custom start.
        to: Text of the custom end.
        sources: Chosen sources.
        result: `all`, `ok` or `failed`.
        q: Text searched for in URLs.
        live: Whether the page follows.
    """

    range: str
    from_: str
    to: str
    sources: tuple[str, ...]
    result: str
    q: str
    live: bool

    @classmethod
    def of(cls, view: View) -> Controls:
        """Return what the controls say for a view."""
        quick = view.to == "now" and any(quick.from_ == view.from_ for quick in QUICK_RANGES)
        return cls(view.from_ if quick else _CUSTOM, view.from_, view.to, view.sources, view.result, view.q, view.live)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a touched control leads to: another view, or errors at the fields that were wrong."""

    view: View
    from_error: str = ""
    to_error: str = ""


def answer(view: View, touched: str, controls: Controls, now_ms: int) -> Answer:
    """Apply the one control that was touched; the others may lag behind the address and are left alone.

    Args:
        view: What the address says now.
        touched: The touched control's id.
        controls: What the controls say.
        now_ms: What `now` is, epoch milliseconds.
    """
    match touched:
        case ids.FILTER_RANGE if controls.range != _CUSTOM:
            return Answer(_settle(view, from_=controls.range, to="now"))
        case ids.FILTER_APPLY | ids.FILTER_FROM | ids.FILTER_TO:
            from_, to = controls.from_.strip() or "now-15m", controls.to.strip() or "now"
            from_error, to_error = custom_errors(from_, to, now_ms)
            if from_error or to_error:
                return Answer(view, from_error, to_error)
            return Answer(_settle(view, from_=from_, to=to))
        case ids.FILTER_SOURCES:
            return Answer(_settle(view, sources=controls.sources))
        case ids.FILTER_RESULT:
            return Answer(_settle(view, result=controls.result))
        case ids.FILTER_Q:
            return Answer(_settle(view, q=controls.q))
        case ids.FILTER_LIVE:
            return Answer(_settle(view, live=controls.live))
        case _:
            return Answer(view)


def custom_errors(from_: str, to: str, now_ms: int) -> tuple[str, str]:
    """Say what is wrong with a custom range, at which of its two fields.

    Args:
        from_: Text of the start.
        to: Text of the end.
        now_ms: What `now` is, epoch milliseconds.
    """
    errors = ["", ""]
    moments = [0, 0]
    for place, text in enumerate((from_, to)):
        try:
            moments[place] = parse_moment(text, now_ms, end=place == 1)
        except MomentError as exc:
            errors[place] = exc.message
    if not any(errors):
        errors[1] = range_problem(moments[0], moments[1])
    return errors[0], errors[1]


def filters(view: View, source_names: Sequence[str]) -> Component:
    """Build the filter bar.

    Args:
        view: What the controls say.
        source_names: Every source that can be chosen.
    """
    said = Controls.of(view)
    sources = dmc.MultiSelect(
        id=ids.FILTER_SOURCES,
        value=list(said.sources),
        placeholder="All sources",
        searchable=True,
        clearable=True,
        limit=200,
        nothingFoundMessage="No such source",
        hidePickedOptions=True,
        leftSection=icon("scrapers"),
        **aria(label="Sources"),
        **filter_content(source_names, view)[ids.FILTER_SOURCES],
    )
    result = dmc.SegmentedControl(
        id=ids.FILTER_RESULT, value=said.result, data=_RESULTS, fullWidth=True, **aria(label="Result")
    )
    search = dmc.TextInput(
        id=ids.FILTER_Q,
        value=said.q,
        placeholder="Search in URLs",
        debounce=_DEBOUNCE_MS,
        leftSection=icon("search"),
        inputProps={"maxLength": LONGEST_Q, "type": "search"},
        **aria(label="Search in URLs"),
    )
    live = dmc.Switch(id=ids.FILTER_LIVE, checked=said.live, label="Live", size="sm")
    # Each in a box of ours: some of Mantine's components bring one that no class reaches.
    boxes = (
        ("range", _range_picker(view, said)),
        ("sources", sources),
        ("result", result),
        ("q", search),
        ("live", live),
    )
    return html.Div(
        [html.Div(control, className=f"filter-{name}") for name, control in boxes], className="filters", role="search"
    )


def filter_content(source_names: Sequence[str], view: View) -> Content:
    """Return the live props of the bar: which sources can be chosen.

    Args:
        source_names: Every known source.
        view: Its chosen sources are kept even when nobody knows them (yet).
    """
    return {ids.FILTER_SOURCES: {"data": sorted({*source_names, *view.sources})}}


def register_filter_callbacks(
    app: Dash, *, source_names: Callable[[], Sequence[str]], clock_ms: Callable[[], int]
) -> None:
    """Connect the bar with the address.

    One callback does both ways: Dash allows a circle only within one, and it must know which side was touched.

    Args:
        app: The app whose layout holds the bar and the `url` location.
        source_names: Every source that can be chosen now.
        clock_ms: The current time, epoch milliseconds.
    """

    @app.callback(
        Output(ids.URL, "search"),
        Output(ids.FILTER_RANGE, "value"),
        Output(ids.FILTER_FROM, "value"),
        Output(ids.FILTER_TO, "value"),
        Output(ids.FILTER_FROM, "error"),
        Output(ids.FILTER_TO, "error"),
        Output(ids.FILTER_SOURCES, "value"),
        Output(ids.FILTER_SOURCES, "data"),
        Output(ids.FILTER_RESULT, "value"),
        Output(ids.FILTER_Q, "value"),
        Output(ids.FILTER_LIVE, "checked"),
        Output(ids.FILTER_RANGE_LABEL, "children"),
        Output(ids.FILTER_POPOVER, "opened"),
        Input(ids.URL, "pathname"),
        Input(ids.URL, "search"),
        Input(ids.FILTER_RANGE, "value"),
        Input(ids.FILTER_APPLY, "n_clicks"),
        Input(ids.FILTER_FROM, "n_submit"),
        Input(ids.FILTER_TO, "n_submit"),
        Input(ids.FILTER_SOURCES, "value"),
        Input(ids.FILTER_RESULT, "value"),
        Input(ids.FILTER_Q, "value"),
        Input(ids.FILTER_LIVE, "checked"),
        State(ids.FILTER_FROM, "value"),
        State(ids.FILTER_TO, "value"),
    )
    def keep_in_step(
        pathname: str | None,
        search: str | None,
        quick: str | None,
        _apply: int,
        _from_submit: int,
        _to_submit: int,
        sources: list[str] | None,
        result: str | None,
        q: str | None,
        live: bool,
        from_: str | None,
        to: str | None,
    ) -> tuple[Any, ...]:
        view = View.parse(pathname, search)
        said = Controls(quick or _CUSTOM, from_ or "", to or "", tuple(sources or ()), result or "all", q or "", live)
        touched = str(ctx.triggered_id or ids.URL)
        told = answer(view, touched, said, clock_ms())
        names = filter_content(source_names(), told.view)[ids.FILTER_SOURCES]["data"]
        return _outputs(view, told, touched, said, names)


def _outputs(view: View, told: Answer, touched: str, said: Controls, names: list[str]) -> tuple[Any, ...]:
    """Set address and controls; a control that says the right thing already is left alone: one may be typing in it."""
    wanted = Controls.of(told.view)
    wrong = bool(told.from_error or told.to_error)
    writing = touched == ids.FILTER_RANGE and said.range == _CUSTOM
    kept = {"range"} if writing else {"from_", "to"} if wrong else set()

    def only(name: str) -> Any:
        value = getattr(wanted, name)
        if value == getattr(said, name) or name in kept:
            return no_update
        return list(value) if isinstance(value, tuple) else value

    changed = told.view != view
    close = touched in (ids.FILTER_RANGE, ids.FILTER_APPLY, ids.FILTER_FROM, ids.FILTER_TO) and not (wrong or writing)
    return (
        told.view.search() if changed else no_update,
        *(only(name) for name in ("range", "from_", "to")),
        told.from_error or None,
        told.to_error or None,
        only("sources"),
        names,
        *(only(name) for name in ("result", "q", "live")),
        describe(told.view.from_, told.view.to),
        False if close else no_update,
    )


def _settle(view: View, **changes: Any) -> View:
    """Change a view and read it back from its own address, so that controls and address can't differ in form."""
    changed = replace(view, **changes)
    return View.parse(changed.path, changed.search())


def _range_picker(view: View, said: Controls) -> Component:
    label = html.Span(describe(view.from_, view.to), id=ids.FILTER_RANGE_LABEL)
    quick = dmc.SegmentedControl(
        id=ids.FILTER_RANGE,
        value=said.range,
        data=[
            *({"value": quick.from_, "label": quick.title} for quick in QUICK_RANGES),
            {"value": _CUSTOM, "label": "Custom"},
        ],
        orientation="vertical",
        fullWidth=True,
        **aria(label="Quick range"),
    )
    custom = [
        dmc.TextInput(id=ids.FILTER_FROM, value=said.from_, label="From", debounce=True, className="filter-moment"),
        dmc.TextInput(id=ids.FILTER_TO, value=said.to, label="To", debounce=True, className="filter-moment"),
        html.P("For example now-6h, now/d, 2026-11-22T10:00. All times are UTC.", className="filter-help"),
        dmc.Button("Apply", id=ids.FILTER_APPLY, fullWidth=True),
    ]
    popover: Component = dmc.Popover(
        [
            dmc.PopoverTarget(
                dmc.Button(
                    [label, html.Span("UTC", className="filter-zone")],
                    leftSection=icon("clock"),
                    rightSection=icon("down"),
                    variant="default",
                    fullWidth=True,
                )
            ),
            dmc.PopoverDropdown(html.Div([html.Div(quick), html.Div(custom)], className="filter-popover")),
        ],
        id=ids.FILTER_POPOVER,
        position="bottom-start",
        shadow="md",
        width=440,
        trapFocus=True,
        keepMounted=True,
    )
    return popover
