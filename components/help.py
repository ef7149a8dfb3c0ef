"""The help behind the question mark: what symbols mean, what charts and ranges take, which keys do what."""

from __future__ import annotations

from typing import Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components.icons import icon
from components.opener import popover_target
from components.states import FAILING_BELOW_PERCENT, HEALTHY_FROM_PERCENT, SILENT_AFTER_PAUSES

# Heading -> (what to look at or to do, what it means).
_SECTIONS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "States",
        (
            ("✓ healthy", f"at least {HEALTHY_FROM_PERCENT:.0f} % of all attempts went well"),
            ("▲ degraded", "fewer"),
            ("✕ failing", f"less than {FAILING_BELOW_PERCENT:.0f} %"),
            ("◌ silent", f"no word for more than {SILENT_AFTER_PAUSES} times its usual longest pause"),
        ),
    ),
    (
        "Charts",
        (
            ("Drag", "zoom in; a double click zooms out"),
            ("Click in a legend", "hide or show a line; a double click shows it alone"),
            ("⋯", "save a chart: CSV, PNG, SVG or PDF"),
        ),
    ),
    (
        "Time range",
        (
            ("now-6h", "six hours ago; also m, d, w"),
            ("now/d", "the start (or end) of today, UTC"),
            ("2026-11-22T10:00", "a moment, UTC"),
        ),
    ),
    (
        "Keys",
        (
            ("Tab", "to the next control; the first one skips to the content"),
            ("Enter or Space", "open a menu or a picker; Escape closes it"),
            ("Arrow keys", "move within a menu, and scroll a table that has the focus"),
        ),
    ),
)


def help_button() -> Component:
    """Build the question mark and what opens below it."""
    sections = [
        html.Section([html.H2(title, className="help-title"), html.Dl(_entries(entries), className="help-list")])
        for title, entries in _SECTIONS
    ]
    closing = html.P("The address of a page holds its range and filters: copy it to share what you see.")
    popover: Component = dmc.Popover(
        [
            popover_target(icon("help"), label="Help"),
            dmc.PopoverDropdown(html.Div([*sections, closing], className="help", tabIndex="0")),
        ],
        position="bottom-end",
        shadow="md",
        width=400,
        trapFocus=True,
        returnFocus=True,
    )
    return popover


def _entries(entries: tuple[tuple[str, str], ...]) -> list[Component]:
    return [part for term, meaning in entries for part in (html.Dt(term), html.Dd(meaning))]
