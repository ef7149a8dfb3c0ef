"""The stat card: a label, one big number, its change against the period before, and a sparkline."""

from __future__ import annotations

from typing import Any, Literal

from dash import dcc, html
from dash.development.base_component import Component

from components.aria import aria
from components.content import Content
from components.numbers import Change


def stat_numbers(id: str, value: str, change: Change, *, before: str) -> Content:
    """Return the live texts of a card.

    Args:
        id: The card's id; its number carries it.
        value: The number as people read it.
        change: How it moved.
        before: What it is compared with, for instance "the 15 minutes before".
    """
    spoken = f"{change.words}, compared with {before}"
    return {
        id: {"children": value},
        f"{id}-change": {
            "children": change.text,
            "className": f"stat-change {change.mood}",
            "title": spoken,
            "aria-label": spoken,
        },
    }


def stat_state(id: str, value: str, state: str, mood: Literal["ok", "warn", "bad", "flat"]) -> Content:
    """Return the live texts of a card that tells a state instead of a change.

    Args:
        id: The card's id; its value carries it.
        value: What it tells.
        state: The judgement: a symbol and a word.
        mood: Its colour.
    """
    return {id: {"children": value}, f"{id}-change": {"children": state, "className": f"stat-change {mood}"}}


def stat_card(id: str, label: str, content: Content, *, hint: str = "", href: str = "") -> Component:
    """Build a card from what `stat_numbers` (or `stat_state`) returned, and what is under `<id>-spark`.

    Args:
        id: The card's id.
        label: What the number is.
        content: The page's content; ids that are missing in it are drawn empty.
        hint: How the number is defined, shown on hover.
        href: Where the card leads.
    """
    parts = [
        html.Div(label, className="stat-label", title=hint or None),
        html.Div(id=id, className="stat-value", **content.get(id, {})),
        html.Div([_change(id, content), _spark(id, content)], className="stat-foot"),
    ]
    if href:
        return dcc.Link(parts, href=href, className="card stat stat-link")
    return html.Div(parts, className="card stat")


def _change(id: str, content: Content) -> Component:
    props: dict[str, Any] = {"className": "stat-change flat", **content.get(f"{id}-change", {})}
    # A symbol with a spoken text of its own is an image to assistive technology.
    role = "img" if "aria-label" in props else None
    return html.Span(id=f"{id}-change", role=role, **props)


def _spark(id: str, content: Content) -> Component:
    # Decoration: the chart of the same numbers has a description, so screen readers skip this.
    return html.Div(
        id=f"{id}-spark", className="spark stat-spark", **aria(hidden="true"), **content.get(f"{id}-spark", {})
    )
