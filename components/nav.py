"""The six tabs and the navigation bar that keeps range and filters when the tab changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from components import ids
from components.aria import aria
from components.icons import icon
from components.view import View


@dataclass(frozen=True, slots=True)
class Tab:
    """One entry of the navigation bar.

    Args:
        name: Prefix of the ids on its page.
        path: Where it is.
        title: What people read.
        icon: Name of its icon.
    """

    name: str
    path: str
    title: str
    icon: str


TABS: Final = (
    Tab("overview", "/", "Overview", "overview"),
    Tab("scrapers", "/scrapers", "Scrapers", "scrapers"),
    Tab("navigation", "/navigation", "Navigation", "navigation"),
    Tab("scraping", "/scraping", "Scraping", "scraping"),
    Tab("scheduler", "/scheduler", "Scheduler", "scheduler"),
    Tab("alerts", "/alerts", "Alerts", "alerts"),
)


def tab(name: str) -> Tab:
    """Return a tab by its name."""
    return next(tab for tab in TABS if tab.name == name)


def badge_props(firing: int) -> dict[str, str]:
    """Return the live props of the number beside the Alerts tab; nothing is shown when no alert fires.

    Args:
        firing: How many alerts fire.
    """
    return {"children": f"{firing}" if 0 < firing < 1_000 else "999+" if firing else ""}


def nav(view: View, firing: int = 0) -> Component:
    """Build the links to the tabs.

    Args:
        view: Its range and filters go into every link; its path decides which tab is marked as open.
        firing: How many alerts fire.
    """
    links = [
        dmc.NavLink(
            id=f"nav-{tab.name}",
            label=tab.title,
            href=view.at(tab.path).href(),
            leftSection=icon(tab.icon),
            **({"rightSection": _badge(firing)} if tab.name == "alerts" else {}),
            active=_is_open(tab, view),
            **(aria(current="page") if _is_open(tab, view) else {}),
        )
        for tab in TABS
    ]
    return html.Nav(links, className="nav-links", **aria(label="Tabs"))


def _badge(firing: int) -> Component:
    words = html.Span("alerts fire", className="visually-hidden")
    return html.Span(
        [html.Span(id=ids.ALERT_BADGE, className="nav-badge", children=badge_props(firing)["children"]), words]
    )


def _is_open(tab: Tab, view: View) -> bool:
    return view.path == tab.path or (tab.path != "/" and view.path.startswith(f"{tab.path}/"))
