"""What opens a popover or a menu: a real button.

dash-mantine-components puts what opens into a box of its own and tells the box, not the button within, whether it is
expanded; a screen reader never hears it there, and on a plain box it is an error. So the box itself is the button here.
"""

from __future__ import annotations

from typing import Any, Literal

import dash_mantine_components as dmc
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


def _button(label: str, look: str) -> Any:
    kind: Literal["button"] = "button"  # what it is made of, and that it sends no form
    return {"component": kind, "type": kind, "className": look, **(aria(label=label) if label else {})}
