"""Whether the page is live: a pill that turns by itself without a script, and the banner of an unreachable database."""

from __future__ import annotations

from typing import Any, Final, Literal

from dash import html
from dash.development.base_component import Component

from components import ids
from components.numbers import clock
from components.view import View

PillState = Literal["connecting", "live", "paused", "fixed", "polling", "crowded"]

# Every word is always there; the stylesheet shows one of them. So a heartbeat sends nothing but a class name.
_WORDS: Final = (
    ("live", "Live"),
    ("reconnecting", "Reconnecting…"),
    ("connecting", "Connecting…"),
    ("paused", "Paused"),
    ("fixed", "Paused: fixed range"),
    ("polling", "Polling"),
    ("crowded", "Polling: too many views"),
)


def live_pill(state: PillState = "connecting", quiet_since_ms: int | None = None) -> dict[str, Any]:
    """Return the props of the live pill.

    Args:
        state: What it says; `live` turns into "Reconnecting…" by itself 12 s after the last `beat_props`.
        quiet_since_ms: Since when the fleet reports less than usual, epoch milliseconds; None when all is as usual.
    """
    words: list[Component] = [html.Span(text, className=f"pill-word word-{name}") for name, text in _WORDS]
    words.append(html.Span(id=ids.LIVE_STALE, className="pill-word word-stale", **stale_props(quiet_since_ms)))
    dot = html.Span(className="pill-dot")
    return {"className": _class(state, quiet_since_ms), "children": [dot, html.Span(words, className="pill-words")]}


def paused_state(view: View) -> PillState:
    """Return what the pill of a view that doesn't follow says: who paused it, people or its fixed range.

    Args:
        view: The view.
    """
    return "fixed" if view.live else "paused"


def pill_props(state: PillState, quiet_since_ms: int | None = None) -> dict[str, Any]:
    """Return the one prop that turns the pill to another state.

    Args:
        state: What it says from now on.
        quiet_since_ms: As for `live_pill`.
    """
    return {"className": _class(state, quiet_since_ms)}


def stale_props(quiet_since_ms: int | None) -> dict[str, Any]:
    """Return the text that a live pill shows instead of "Live" while the fleet is quiet.

    Args:
        quiet_since_ms: As for `live_pill`.
    """
    if quiet_since_ms is None:
        return {"children": ""}
    return {"children": f"Stale since {clock(quiet_since_ms)[:5]} UTC"}


def beat_props(n: int, quiet_since_ms: int | None = None) -> dict[str, Any]:
    """Return the one prop that a heartbeat sends; two alike animations take turns, so each swap restarts one.

    Args:
        n: Number of the heartbeat; only whether it is odd matters.
        quiet_since_ms: As for `live_pill`.
    """
    return {"className": f"pill beat-{'ab'[n % 2]}{'' if quiet_since_ms is None else ' stale'}"}


def database_banner(unreachable_since_ms: int | None, unwritable_since_ms: int | None = None) -> dict[str, Any]:
    """Return the props of the banner that tells of a database that is away, or that stores nothing.

    Args:
        unreachable_since_ms: Since when, epoch milliseconds; None when it answers.
        unwritable_since_ms: Since when it answers but takes no writes; None when all is well and the banner is away.
    """
    if unreachable_since_ms is not None:
        trouble, since_ms = "Database unreachable", unreachable_since_ms
    elif unwritable_since_ms is not None:
        trouble, since_ms = "Database full or read-only", unwritable_since_ms
    else:
        return {"className": "banner banner-away", "children": ""}
    text = f"{trouble} since {clock(since_ms)[:5]} UTC: new metrics wait, nothing is lost."
    return {"className": "banner banner-bad", "children": text}


def _class(state: PillState, quiet_since_ms: int | None) -> str:
    if state == "live":
        return beat_props(0, quiet_since_ms)["className"]  # type: ignore[no-any-return]
    return "pill paused fixed" if state == "fixed" else f"pill {state}"
