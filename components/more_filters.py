"""The filters behind one button (type, outcome, kind of error, labels), and the chips that show what is active."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.icons import icon
from components.numbers import count
from components.opener import popover_later, popover_target
from components.view import ONE_KIND_PATHS, View
from components.view_text import MOST_LABELS, MOST_OUTCOMES
from db.results import FilterChoices

KIND_WORDS: Final = {"navigation": "navigations", "scrape": "scrapes"}
_KINDS: Final = [
    {"value": "all", "label": "All"},
    {"value": "navigation", "label": "Navigation"},
    {"value": "scrape", "label": "Scrape"},
]
# Of more sources, one chip stands for all.
_MOST_SOURCE_CHIPS: Final = 4
_LONGEST_CHIP: Final = 60
# Lists open inside the popover: one of their own would count as a click beside it, which closes it.
_INSIDE: Final = {"withinPortal": False}


def more_filters(view: View) -> Component:
    """Build the button and the popover it opens.

    Args:
        view: What the controls say.
    """
    shown = more_content(view, FilterChoices())
    fields = [
        html.Div(
            [
                html.Span("Type", className="filter-name"),
                dmc.SegmentedControl(
                    id=ids.FILTER_KIND, value=view.kind, data=_KINDS, fullWidth=True, **aria(label="Type")
                ),
            ],
            id=ids.FILTER_KIND_BOX,
            **shown[ids.FILTER_KIND_BOX],
        ),
        dmc.MultiSelect(
            id=ids.FILTER_OUTCOMES,
            value=list(view.outcomes),
            label="Outcome of scrapes",
            placeholder="Any outcome",
            searchable=True,
            clearable=True,
            maxValues=MOST_OUTCOMES,
            nothingFoundMessage="No such outcome in this range",
            comboboxProps=_INSIDE,
            **shown[ids.FILTER_OUTCOMES],
        ),
        dmc.Select(
            id=ids.FILTER_ERROR,
            value=view.error or None,
            label="Kind of error",
            placeholder="Any error or none",
            searchable=True,
            clearable=True,
            nothingFoundMessage="No such error in this range",
            comboboxProps=_INSIDE,
            **shown[ids.FILTER_ERROR],
        ),
        dmc.TagsInput(
            id=ids.FILTER_LABELS,
            value=list(view.labels),
            label="Labels",
            description="Of one key any, of several keys all",
            placeholder="key=value",
            # What is wrong stands above the field: suggestions open below.
            inputWrapperOrder=["label", "description", "error", "input"],
            clearable=True,
            maxTags=MOST_LABELS,
            splitChars=["\n"],
            comboboxProps=_INSIDE,
            **shown[ids.FILTER_LABELS],
        ),
    ]
    label = html.Span(id=ids.FILTER_MORE_LABEL, **shown[ids.FILTER_MORE_LABEL])
    popover: Component = dmc.Popover(
        [
            popover_target(html.Span([icon("filter"), label]), look="filter-button filter-more-button"),
            popover_later(html.Div(fields, className="filter-fields"), ids.FILTER_MORE_CONTENT),
        ],
        id=ids.FILTER_MORE,
        position="bottom-start",
        shadow="md",
        width=360,
        trapFocus=True,
    )
    return popover


def more_content(view: View, choices: FilterChoices) -> dict[str, dict[str, Any]]:
    """Return what the address decides about these filters besides their values: what can be chosen, how many are.

    Args:
        view: Its chosen values can be chosen even when no row has them.
        choices: What rows have.
    """
    hidden = sum(map(bool, (view.shown_kind != "all", view.outcomes, view.error, view.labels)))
    away = " filter-away" if view.path in ONE_KIND_PATHS else ""
    return {
        ids.FILTER_KIND_BOX: {"className": f"filter-kind{away}"},
        ids.FILTER_OUTCOMES: {"data": sorted({*choices.outcomes, *view.outcomes})},
        ids.FILTER_ERROR: {"data": sorted({*choices.errors, *([view.error] if view.error else [])})},
        ids.FILTER_LABELS: {"data": sorted({*choices.labels, *view.labels})},
        ids.FILTER_MORE_LABEL: {
            "children": ["More filters", html.Span(str(hidden), className="filter-count")] if hidden else "More filters"
        },
    }


def chips_props(view: View) -> dict[str, Any]:
    """Return the props of the row of active filters: each a link to the view without it.

    Args:
        view: Its filters are shown; nothing without any.
    """
    if not view.is_filtered:
        return {"children": [], "className": "filter-chips filter-away"}
    chips = [_chip(text, without) for text, without in active(view)]
    clear = dcc.Link("Clear filters", href=view.unfiltered().href(), className="filter-clear")
    return {"children": [*chips, clear], "className": "filter-chips"}


def active(view: View) -> list[tuple[str, View]]:
    """Return every active filter in words, with the view that lacks it.

    Args:
        view: The filters.
    """
    found: list[tuple[str, View]] = []
    if len(view.sources) > _MOST_SOURCE_CHIPS:
        found.append((f"{count(len(view.sources))} sources", replace(view, sources=())))
    else:
        found += [(f"source: {one}", replace(view, sources=_less(view.sources, one))) for one in view.sources]
    if view.shown_kind != "all":
        found.append((f"{KIND_WORDS[view.shown_kind]} only", replace(view, kind="all")))
    if view.result != "all":
        found.append((f"{view.result} only", replace(view, result="all")))
    found += [(f"outcome: {one}", replace(view, outcomes=_less(view.outcomes, one))) for one in view.outcomes]
    if view.error:
        found.append((f"error: {view.error}", replace(view, error="")))
    found += [(f"label: {one}", replace(view, labels=_less(view.labels, one))) for one in view.labels]
    if view.q:
        found.append((f"URL: {view.q}", replace(view, q="")))
    if view.url:
        found.append((f"URL is {view.url}", replace(view, url="")))
    if view.run:
        found.append((f"run: {view.run}", replace(view, run="")))
    return found


def _chip(text: str, without: View) -> Component:
    short = text if len(text) <= _LONGEST_CHIP else text[: _LONGEST_CHIP - 1] + "…"
    return dcc.Link(
        [
            html.Span("Remove the filter ", className="visually-hidden"),
            html.Bdi(short),
            html.Span("×", className="filter-cross", **aria(hidden="true")),
        ],
        href=without.href(),
        title=f"Remove {text}",
        className="filter-chip",
    )


def _less(values: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(value for value in values if value != one)
