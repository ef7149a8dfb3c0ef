"""What the frame's controls say of an address: set by the callback that loads its page, not by one request each."""

from __future__ import annotations

from typing import Any, Final

from dash import Input, State, ctx, set_props

from components import ids
from components.compare import compare_value
from components.saved_views import read_saved, saved_list
from components.view import View

# What the router has to know of them, as the states of its callback.
FRAME_STATES: Final = {
    "href": State(ids.URL, "href"),
    "compare": State(ids.FILTER_COMPARE, "value"),
    "burger": State(ids.BURGER, "opened"),
    "saved_opened": State(ids.SAVED_POPOVER, "opened"),
    "saved": State(ids.SAVED, "data"),
}
_MOVED: Final = f"{Input(ids.URL, 'pathname')}"


def set_frame(view: View, said: dict[str, Any]) -> None:
    """Let the controls say what an address says; one that does already is left alone.

    Args:
        view: What the address says.
        said: What the browser told of them, by the names of `FRAME_STATES`.
    """
    if said["href"]:
        set_props(ids.COPY_LINK, {"value": said["href"]})
    if said["compare"] != compare_value(view):
        set_props(ids.FILTER_COMPARE, {"value": compare_value(view)})
    if said["burger"] and _MOVED in ctx.triggered_prop_ids:  # on a phone, it covers the page that was chosen
        set_props(ids.BURGER, {"opened": False})
    if said["saved_opened"]:  # else it is listed when it is opened
        set_props(ids.SAVED_LIST, {"children": saved_list(read_saved(said["saved"]), view.href())})
