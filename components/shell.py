"""The frame around every page: header with the live pill, navigation bar, filter bar, and the place for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from charts.theme import FONT_FAMILY
from components import ids
from components.aria import aria
from components.filters import filters
from components.help import help_button
from components.icons import icon
from components.nav import nav
from components.opener import register_later
from components.skeleton import skeleton
from components.status import database_banner, live_pill
from components.theme_picker import Theme, forced, register_theme_callback, theme_picker
from components.view import View

__all__ = ["KEEPALIVE_MS", "Shown", "nav", "register_shell_callbacks", "shell"]

KEEPALIVE_MS: Final = 5_000
_NAVBAR: Final[dict[str, Any]] = {"width": 208, "breakpoint": "sm"}
# The system's own font, as in the charts.
_FONT: Final = FONT_FAMILY
_THEME: Final[dict[str, Any]] = {
    "primaryColor": "blue",
    "primaryShade": {"light": 7, "dark": 8},
    "fontFamily": _FONT,
    "headings": {"fontFamily": _FONT, "fontWeight": "600"},
    # From text to page background; the greys of the stylesheet's dark tokens.
    "colors": {
        "dark": [
            "#e9ebee",
            "#c3c8cf",
            "#a3aab4",
            "#6f7680",
            "#3a3e45",
            "#2c2f34",
            "#212327",
            "#1a1b1e",
            "#141517",
            "#0e0f10",
        ]
    },
    "defaultRadius": "md",
    "cursorType": "pointer",
    "respectReducedMotion": True,
    "components": {"Menu": {"defaultProps": {"transitionProps": {"duration": 80}}}},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the frame shows: a page and what the frame says of it.

    Args:
        view: The page's range and filters.
        page: The page.
        title: What the browser's tab says.
        pill: Props of the live pill.
        banner: Props of the banner that tells of the database.
        data: What the router knows of the page, `data` of the store `view`.
        sources: Every source that can be chosen.
        firing: How many alerts fire.
    """

    view: View = field(default_factory=View)
    page: Component = field(default_factory=skeleton)
    title: str = "Scrapeboard"
    pill: dict[str, Any] = field(default_factory=live_pill)
    banner: dict[str, Any] = field(default_factory=lambda: database_banner(None))
    data: dict[str, Any] | None = None
    sources: Sequence[str] = ()
    firing: int = 0


def shell(theme: Theme = "auto", shown: Shown | None = None) -> Component:
    """Build the frame; the router fills `page`, `nav`, `title` and `view`, the live channel the pill and the banner.

    Args:
        theme: What this browser chose.
        shown: The page that it is built with; outlines, which the router replaces, when it isn't known yet.
    """
    shown = shown or Shown()
    frame: Component = dmc.MantineProvider(
        [
            # The document's title: the page that Dash is started from has none of its own (see web.index).
            html.Title(shown.title, id=ids.TITLE),
            # It finds the address by itself: what it says is true whatever the page was built for.
            dcc.Location(id=ids.URL, refresh="callback-nav"),
            dcc.Store(id=ids.VIEW, data=shown.data),
            dcc.Interval(id=ids.KEEPALIVE, interval=KEEPALIVE_MS),
            html.A("Skip to the content", href=f"#{ids.PAGE}", className="skip-link"),
            dmc.AppShell(
                [
                    dmc.AppShellHeader(_header(theme, shown)),
                    dmc.AppShellNavbar(html.Div(nav(shown.view, shown.firing), id=ids.NAV)),
                    dmc.AppShellMain(
                        [
                            html.Div(id=ids.DATABASE_BANNER, role="alert", **shown.banner),
                            html.Div(filters(shown.view, shown.sources), id=ids.FILTER_BAR),
                            html.Div(shown.page, id=ids.PAGE, tabIndex="-1"),
                        ]
                    ),
                ],
                id=ids.APP_SHELL,
                header={"height": 56},
                navbar=_navbar(open=False),
                padding=0,
            ),
        ],
        id=ids.PROVIDER,
        defaultColorScheme="auto",
        forceColorScheme=forced(theme),
        theme=_THEME,
    )
    return frame


def register_shell_callbacks(app: Dash) -> None:
    """Let the burger open and close the navigation bar on a phone, and themes be chosen.

    Args:
        app: The app whose layout is `shell()`.
    """

    @app.callback(Output(ids.APP_SHELL, "navbar"), Input(ids.BURGER, "opened"), prevent_initial_call=True)
    def open_or_close(opened: bool) -> dict[str, Any]:
        return _navbar(open=bool(opened))

    register_theme_callback(app)
    register_later(
        app,
        {
            ids.FILTER_POPOVER: ids.FILTER_POPOVER_CONTENT,
            ids.FILTER_MORE: ids.FILTER_MORE_CONTENT,
            ids.SAVED_POPOVER: ids.SAVED_POPOVER_CONTENT,
        },
    )


def _header(theme: Theme, shown: Shown) -> Component:
    return html.Div(
        [
            dmc.Burger(id=ids.BURGER, hiddenFrom="sm", size="sm", **aria(label="Open or close the navigation")),
            dcc.Link([icon("logo"), html.Span("Scrapeboard")], href="/", className="brand"),
            html.Div(className="spacer"),
            html.Div(id=ids.LIVE_PILL, role="status", **shown.pill),
            html.Div([theme_picker(theme), _system_link(), help_button()], className="header-tools"),
        ],
        className="header",
    )


def _system_link() -> Component:
    said = "System: how Scrapeboard itself is doing"
    spoken = html.Span(said, className="visually-hidden")
    link: Component = dcc.Link([icon("system"), spoken], href="/system", className="icon-button", title=said)
    return link


def _navbar(*, open: bool) -> dict[str, Any]:
    return {**_NAVBAR, "collapsed": {"mobile": not open}}
