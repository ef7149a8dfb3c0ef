"""Whether the page is live: a pill that turns by itself without a script, and the banner of an unreachable database."""

from __future__ import annotations

from typing import Any, Final, Literal

from dash import html

from components.numbers import clock

PillState = Literal["connecting", "live", "paused", "polling"]

# Every word is always there; the stylesheet shows one of them. So a heartbeat sends nothing but a class name.
_WORDS: Final = (
    ("live", "Live"),
    ("reconnecting", "Reconnecting…"),
    ("connecting", "Connecting…"),
    ("paused", "Paused"),
    ("polling", "Polling"),
)


def live_pill(state: PillState = "connecting") -> dict[str, Any]:
    """Return the props of the live pill.

    Args:
        state: What it says; `live` turns into "Reconnecting…" by itself 12 s after the last `beat_props`.
    """
    words = [html.Span(text, className=f"pill-word word-{name}") for name, text in _WORDS]
    dot = html.Span(className="pill-dot")
    return {"className": _class(state), "children": [dot, html.Span(words, className="pill-words")]}


def pill_props(state: PillState) -> dict[str, Any]:
    """Return the one prop that turns the pill to another state.

    Args:
        state: What it says from now on.
    """
    return {"className": _class(state)}


def beat_props(n: int) -> dict[str, Any]:
    """Return the one prop that a heartbeat sends; two alike animations take turns, so each swap restarts one.

    Args:
        n: Number of the heartbeat; only whether it is odd matters.
    """
    return {"className": f"pill beat-{'ab'[n % 2]}"}


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


def _class(state: PillState) -> str:
    return "pill beat-a" if state == "live" else f"pill {state}"
