"""Icons without a network: an empty element whose shape the stylesheet cuts out of the text's colour."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from components.aria import aria


def icon(name: str) -> Component:
    """Build an icon; decoration, so screen readers skip it.

    Args:
        name: One of the shapes in assets/icons.css.
    """
    return html.Span(className=f"icon icon-{name}", **aria(hidden="true"))
