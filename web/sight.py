"""Open pages tell which of their charts are on the screen; the others aren't sent until they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from dash import ALL, Dash, Input, State, ctx

from components.sight import SEEN, UNSEEN, sight_id
from live.sight import Glance
from live.views import ViewEngine

SIGHTS: Final = State(sight_id(ALL), "event")


def register_sight(app: Dash, engine: ViewEngine) -> None:
    """Register the callback that listens to the layers over charts.

    Args:
        app: The app.
        engine: Who sends charts.
    """

    @app.callback(Input(sight_id(ALL), "event"), websocket=True, prevent_initial_call=True)
    def see(_events: Sequence[object]) -> None:
        """A chart came onto the screen or left it."""
        if ctx.websocket is not None:  # else the page asks for all of it every few seconds
            tell_sight(engine, ctx.inputs_list[0])


def tell_sight(engine: ViewEngine, sights: Sequence[Any]) -> None:
    """Tell the engine what the page that is being answered sees.

    Args:
        engine: Who sends charts.
        sights: What Dash says of the layers (see `glances`).
    """
    engine.sees(ctx.websocket.renderer_id, glances(sights))


def glances(sights: Sequence[Any]) -> dict[str, Glance]:
    """Return what a page told of its charts; what makes no sense is left out.

    Args:
        sights: What Dash says of the layers: each with its `id`, and its `value` once there was an event.
    """
    told = {}
    for one in sights:
        event = one.get("value")
        if isinstance(event, dict) and event.get("animationName") in (SEEN, UNSEEN):
            at_ms, chart_id = event.get("timeStamp"), one["id"].get("chart")
            if isinstance(at_ms, int | float) and math.isfinite(at_ms) and isinstance(chart_id, str):
                told[chart_id[:100]] = Glance(at_ms, event["animationName"] == SEEN)
    return told
