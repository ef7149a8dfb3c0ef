"""The filter bar: every control writes the address, and the address sets every control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, ctx, html, no_update, set_props
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.compare import compare_control
from components.content import Content
from components.controls import CUSTOM, Answer, Controls, answer
from components.empty import notice_props
from components.icons import icon
from components.more_filters import chips_props, more_content, more_filters
from components.opener import popover_later, popover_target
from components.saved_views import views_menu
from components.timerange import QUICK_RANGES, describe
from components.view import View
from components.view_text import LONGEST_Q
from db.results import FilterChoices

_DEBOUNCE_MS: Final = 350
# What each control says and in which of its props, by the names of `Controls`.
_CONTROLS: Final = {
    "range": (ids.FILTER_RANGE, "value"),
    "from_": (ids.FILTER_FROM, "value"),
    "to": (ids.FILTER_TO, "value"),
    "sources": (ids.FILTER_SOURCES, "value"),
    "kind": (ids.FILTER_KIND, "value"),
    "result": (ids.FILTER_RESULT, "value"),
    "outcomes": (ids.FILTER_OUTCOMES, "value"),
    "error": (ids.FILTER_ERROR, "value"),
    "labels": (ids.FILTER_LABELS, "value"),
    "q": (ids.FILTER_Q, "value"),
    "live": (ids.FILTER_LIVE, "checked"),
}
_RESULTS: Final = [
    {"value": "all", "label": "All"},
    {"value": "ok", "label": "OK"},
    {"value": "failed", "label": "Failed"},
]


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
        ("more", more_filters(view)),
        ("compare", compare_control(view)),
        ("views", views_menu()),
        ("live", live),
    )
    return html.Div(
        [
            *(html.Div(control, className=f"filter-{name}") for name, control in boxes),
            html.Div(
                html.Div(id=ids.FILTER_PROBLEMS, role="alert", **notice_props(view.problems)), className="filter-said"
            ),
            html.Div(id=ids.FILTER_CHIPS, role="group", **aria(label="Active filters"), **chips_props(view)),
        ],
        className="filters",
        role="search",
    )


def filter_content(source_names: Sequence[str], view: View) -> Content:
    """Return the live props of the bar: which sources can be chosen.

    Args:
        source_names: Every known source.
        view: Its chosen sources are kept even when nobody knows them (yet).
    """
    return {ids.FILTER_SOURCES: {"data": sorted({*source_names, *view.sources})}}


def register_filter_callbacks(
    app: Dash,
    *,
    source_names: Callable[[], Sequence[str]],
    choices: Callable[[View], FilterChoices],
    clock_ms: Callable[[], int],
) -> None:
    """Connect the bar with the address.

    One callback does both ways: it must know which side was touched.

    Args:
        app: The app whose layout holds the bar and the `url` location.
        source_names: Every source that can be chosen now.
        choices: What the other filters can be set to, in a view's range.
        clock_ms: The current time, epoch milliseconds.
    """

    @app.callback(
        output={
            **{name: Output(*control) for name, control in _CONTROLS.items()},
            "from_error": Output(ids.FILTER_FROM, "error"),
            "to_error": Output(ids.FILTER_TO, "error"),
            "labels_error": Output(ids.FILTER_LABELS, "error"),
            "source_names": Output(ids.FILTER_SOURCES, "data"),
            "outcome_names": Output(ids.FILTER_OUTCOMES, "data"),
            "error_names": Output(ids.FILTER_ERROR, "data"),
            "label_names": Output(ids.FILTER_LABELS, "data"),
            "kind_class": Output(ids.FILTER_KIND_BOX, "className"),
            "more": Output(ids.FILTER_MORE_LABEL, "children"),
            "chips": Output(ids.FILTER_CHIPS, "children"),
            "chips_class": Output(ids.FILTER_CHIPS, "className"),
            "problems": Output(ids.FILTER_PROBLEMS, "children"),
            "problems_class": Output(ids.FILTER_PROBLEMS, "className"),
            "range_label": Output(ids.FILTER_RANGE_LABEL, "children"),
            "opened": Output(ids.FILTER_POPOVER, "opened"),
        },
        inputs={
            "pathname": Input(ids.URL, "pathname"),
            "search": Input(ids.URL, "search"),
            # Written texts count when they are sent off.
            "said": {
                name: State(*control) if name in ("from_", "to") else Input(*control)
                for name, control in _CONTROLS.items()
            },
            "_touched": (
                Input(ids.FILTER_APPLY, "n_clicks"),
                Input(ids.FILTER_FROM, "n_submit"),
                Input(ids.FILTER_TO, "n_submit"),
                Input(ids.FILTER_MORE, "opened"),
            ),
        },
    )
    def keep_in_step(
        pathname: str | None, search: str | None, said: dict[str, Any], _touched: tuple[object, ...]
    ) -> dict[str, Any]:
        view = View.parse(pathname, search)
        touched = str(ctx.triggered_id or ids.URL)
        controls = _controls(said)
        told = answer(view, touched, controls, clock_ms())
        # What can be chosen is looked for when somebody is about to, not at every letter of a search.
        fresh = touched in (ids.URL, ids.FILTER_MORE)
        values = outputs(view, told, touched, controls, source_names(), choices(told.view) if fresh else None)
        # The address is no output: a page that is being opened would wait until this callback is through.
        search = values.pop("search")
        if search is not no_update:
            set_props(ids.URL, {"search": search})
        return values


def outputs(
    view: View,
    told: Answer,
    touched: str,
    said: Controls,
    source_names: Sequence[str],
    choices: FilterChoices | None,
) -> dict[str, Any]:
    """Set address and controls; a control that says the right thing already is left alone: one may be typing in it.

    Args:
        view: What the address says.
        told: What the touched control leads to.
        touched: Its id.
        said: What the controls say.
        source_names: Every source that can be chosen.
        choices: What the other filters can be set to, None to leave what they offer.
    """
    wanted = Controls.of(told.view)
    wrong = bool(told.from_error or told.to_error)
    writing = touched == ids.FILTER_RANGE and said.range == CUSTOM
    kept = {"range"} if writing else {"from_", "to"} if wrong else set()

    def only(name: str) -> Any:
        value = getattr(wanted, name)
        if value == getattr(said, name) or name in kept:
            return no_update
        return list(value) if isinstance(value, tuple) else value

    close = touched in (ids.FILTER_RANGE, ids.FILTER_APPLY, ids.FILTER_FROM, ids.FILTER_TO) and not (wrong or writing)
    more = more_content(told.view, choices or FilterChoices())
    chips = chips_props(told.view)
    # Views live under their canonical address, which has none: what was wrong with the one in use is told here.
    problems = notice_props(told.view.problems)
    return {
        "search": told.view.search() if told.view != view else no_update,
        **{name: only(name) for name in _CONTROLS},
        "from_error": told.from_error or None,
        "to_error": told.to_error or None,
        "labels_error": told.labels_error or None,
        "source_names": filter_content(source_names, told.view)[ids.FILTER_SOURCES]["data"],
        "outcome_names": no_update if choices is None else more[ids.FILTER_OUTCOMES]["data"],
        "error_names": no_update if choices is None else more[ids.FILTER_ERROR]["data"],
        "label_names": no_update if choices is None else more[ids.FILTER_LABELS]["data"],
        "kind_class": more[ids.FILTER_KIND_BOX]["className"],
        "more": more[ids.FILTER_MORE_LABEL]["children"],
        "chips": chips["children"],
        "chips_class": chips["className"],
        "problems": problems["children"],
        "problems_class": problems["className"],
        "range_label": describe(told.view.from_, told.view.to),
        "opened": False if close else no_update,
    }


def _controls(said: dict[str, Any]) -> Controls:
    """Return what the browser sent; a control that was cleared says nothing."""
    default = Controls()
    values: dict[str, Any] = {
        name: getattr(default, name) if said.get(name) is None else said[name] for name in _CONTROLS
    }
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Controls(**values)


def _range_picker(view: View, said: Controls) -> Component:
    label = html.Span(describe(view.from_, view.to), id=ids.FILTER_RANGE_LABEL)
    quick = dmc.SegmentedControl(
        id=ids.FILTER_RANGE,
        value=said.range,
        data=[
            *({"value": quick.from_, "label": quick.title} for quick in QUICK_RANGES),
            {"value": CUSTOM, "label": "Custom"},
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
            popover_target(
                html.Span([icon("clock"), label, html.Span("UTC", className="filter-zone"), icon("down")]),
                look="filter-button",
            ),
            popover_later(
                html.Div([html.Div(quick), html.Div(custom)], className="filter-popover"), ids.FILTER_POPOVER_CONTENT
            ),
        ],
        id=ids.FILTER_POPOVER,
        position="bottom-start",
        shadow="md",
        width=440,
        trapFocus=True,
    )
    return popover
