"""Light, dark, or as the system has it: the picker in the header, and the cookie that remembers the choice.

A cookie, because the server must know it before the page is drawn: a choice that only the browser remembers shows the
other scheme for a moment at every load.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import dash_mantine_components as dmc
from dash import Dash, Input, Output, ctx, html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.icons import icon
from components.opener import popover_target

Theme: TypeAlias = Literal["auto", "light", "dark"]

COOKIE: Final = "scrapeboard_theme"
_YEAR_S: Final = 365 * 86_400


def theme_of(cookies: Mapping[str, str]) -> Theme:
    """Return the remembered theme; what nobody chose, or what isn't one, is `auto`.

    Args:
        cookies: The request's.
    """
    said = cookies.get(COOKIE)
    return "light" if said == "light" else "dark" if said == "dark" else "auto"


def forced(theme: Theme) -> Literal["light", "dark"] | None:
    """Return the colour scheme that Mantine is told to use; None leaves it to the system."""
    return None if theme == "auto" else theme


def theme_picker(theme: Theme) -> Component:
    """Build the button with its three choices.

    Args:
        theme: The one that is chosen.
    """
    shown = html.Span([html.Span(icon("sun"), className="when-light"), html.Span(icon("moon"), className="when-dark")])
    choices = dmc.SegmentedControl(
        id=ids.COLOUR_SCHEME,
        value=theme,
        data=[
            {"value": "light", "label": html.Span([icon("sun"), "Light"], className="theme-choice")},
            {"value": "dark", "label": html.Span([icon("moon"), "Dark"], className="theme-choice")},
            {"value": "auto", "label": html.Span([icon("screen"), "As the system"], className="theme-choice")},
        ],
        orientation="vertical",
        fullWidth=True,
        **aria(label="Theme"),
    )
    picker: Component = dmc.Popover(
        [popover_target(shown, label="Theme: light or dark"), dmc.PopoverDropdown(choices, p=8)],
        position="bottom-end",
        shadow="md",
        trapFocus=True,
        returnFocus=True,
    )
    return picker


def register_theme_callback(app: Dash) -> None:
    """Let a choice take effect at once, and remember it.

    Args:
        app: The app whose layout holds the picker and Mantine's provider.
    """

    @app.callback(
        Output(ids.PROVIDER, "forceColorScheme"), Input(ids.COLOUR_SCHEME, "value"), prevent_initial_call=True
    )
    def choose(value: str) -> Theme:
        theme = theme_of({COOKIE: value})
        ctx.response.set_cookie(COOKIE, theme, max_age=_YEAR_S, path="/", samesite="Lax", httponly=True)
        # Not `forced`: Mantine takes a null for no change. "auto" shows the system's scheme at once; from the next load
        # on, when nothing is forced, it also follows when the system changes.
        return theme
