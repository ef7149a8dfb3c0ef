"""What opens a popover or a menu: a real button.

dash-mantine-components puts what opens into a box of its own and tells the box, not the button within, whether it is
expanded; a screen reader never hears it there, and on a plain box it is an error. So the box itself is the button here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import dash_mantine_components as dmc
from dash import Dash, Input, Output
from dash.development.base_component import Component

from components.aria import aria


def popover_target(children: Component | list[Component], *, label: str = "", look: str = "icon-button") -> Component:
    """Build the button that opens a popover.

    Args:
        children: What it shows; nothing that could be clicked by itself.
        label: What it is, for who doesn't see an icon; leave it out when `children` say it in words.
        look: Class of the stylesheet that says how it looks.
    """
    target: Component = dmc.PopoverTarget(children, boxWrapperProps=_button(label, look))
    return target


def menu_target(children: Component | list[Component], *, label: str = "", look: str = "icon-button") -> Component:
    """Build the button that opens a menu.

    Args:
        children: What it shows; nothing that could be clicked by itself.
        label: What it is, for who doesn't see an icon; leave it out when `children` say it in words.
        look: Class of the stylesheet that says how it looks.
    """
    target: Component = dmc.MenuTarget(children, boxWrapperProps=_button(label, look))
    return target


def popover_later(children: Component, id: str) -> Component:
    """Build what opens in a popover whose controls a callback writes to, drawn when the rest of the page stands.

    Controls that nobody sees yet are a tenth of what a page's first load draws. Dash knows them from the start.

    Args:
        children: What opens.
        id: Its own id; name it to `register_later` together with the popover's.
    """
    content: Component = dmc.PopoverDropdown(children, id=id)
    return content


def register_later(app: Dash, popovers: Mapping[str, str]) -> None:
    """Let the popovers' contents be drawn, unseen, once the page is there; from then on they follow like all others.

    Args:
        app: The app whose layout holds them.
        popovers: Id of each popover -> id of its content.
    """

    # A class that nothing looks for: Dash draws a component with what its children say by now only when one of its own
    # properties is set. Without it, what is opened would say what it said when the page was built.
    @app.callback(
        output={
            "classes": [Output(content, "className") for content in popovers.values()],
            "kept": [Output(popover, "keepMounted") for popover in popovers],
        },
        inputs={"_once": Input(next(iter(popovers)), "id")},
    )
    def draw(_once: str) -> dict[str, list[Any]]:
        return {"classes": ["popover-drawn"] * len(popovers), "kept": [True] * len(popovers)}


def _button(label: str, look: str) -> Any:
    kind: Literal["button"] = "button"  # what it is made of, and that it sends no form
    return {"component": kind, "type": kind, "className": look, **(aria(label=label) if label else {})}
