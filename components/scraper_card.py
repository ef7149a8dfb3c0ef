"""The cards of the active scrapers: state, success rate, p95, items per minute, last seen, sparkline; links to each.

What a card says and that there is a card are sent apart: the grid's children change only when a scraper comes, goes or
changes its place, the texts of each card are components of their own that a live update addresses alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from components.aria import aria
from components.content import Content
from components.numbers import clock, count, duration, per_minute, percent
from components.spark import spark_props
from components.states import State
from components.view import View, source_path
from db.results import SourceStats, TimeRange

MOST_CARDS: Final = 60
_MANY: Final = 16  # more scroll in a place of their own
_FIRST: Final = {"bad": 0, "warn": 1, "ok": 2}
_NARROW: Final = "\u202f"  # a space that neither breaks nor stretches


def scraper_content(
    id: str, sources: Sequence[SourceStats], states: Mapping[str, State], range: TimeRange, view: View, now_ms: int
) -> Content:
    """Return the live props of the grid of cards and of every card in it, those that need attention first.

    Args:
        id: The grid's id, prefix of the cards' ids.
        sources: Figures over the range, with all filters.
        states: Source -> how it is doing, whatever the filters.
        range: The range.
        view: Its range and filters go into the links.
        now_ms: The moment, epoch milliseconds.
    """
    ordered = sorted(sources, key=lambda stats: (_FIRST[states[stats.source].mood], stats.source))
    shown, hidden = ordered[:MOST_CARDS], len(ordered) - MOST_CARDS
    # Ids name the arrangement: in a new one every text is new to the browser, and is sent.
    arrangement = f"{id}-{_digest(tuple(stats.source for stats in shown))}"
    cards = [_card(f"{arrangement}-{place}", stats.source, view) for place, stats in enumerate(shown)]
    if hidden > 0:
        more = f"and {count(hidden)} more scrapers"
        cards.append(dcc.Link(more, href=view.at("/scrapers").href(), className="card scraper scraper-more"))
    many = " scrapers-many" if len(cards) > _MANY else ""
    content: Content = {id: {"children": cards, "className": f"scrapers{many}"}}
    for place, stats in enumerate(shown):
        content |= _texts(f"{arrangement}-{place}", stats, states[stats.source], range, now_ms)
    return content


def scraper_grid(id: str, content: Content) -> Component:
    """Build the grid with every card's texts in place.

    Args:
        id: The grid's id.
        content: The page's content with what `scraper_content` returned.
    """
    cards = [_filled(card, content) for card in content[id]["children"]]
    return html.Div(cards, id=id, className=content[id]["className"])


def _card(id: str, source: str, view: View) -> Component:
    return dcc.Link(
        [
            html.Span(source, className="scraper-name"),
            html.Span(id=f"{id}-state"),
            html.Span(id=f"{id}-facts", className="facts"),
            html.Div(id=f"{id}-spark", className="spark scraper-spark", **aria(hidden="true")),
        ],
        href=view.at(source_path(source)).href(),
        className="card scraper",
        title=source,
    )


def _texts(id: str, stats: SourceStats, state: State, range: TimeRange, now_ms: int) -> Content:
    span_ms = range.end_ms - range.start_ms
    facts = (
        ("Success", percent(stats.totals.success_rate)),
        ("p95", duration(stats.totals.p95_ms)),
        ("Items", per_minute(stats.items_per_min)),
        ("Seen", clock(stats.last_seen_ms, span_ms=span_ms)),
    )
    # One text for all four, a line each. The only full space of a line stands between name and value: there the
    # stylesheet stretches it.
    lines = (f"{_unstretched(name)} {_unstretched(value)}" for name, value in facts)
    return {
        f"{id}-state": {"children": state.status.text, "className": f"state {state.mood}"},
        f"{id}-facts": {"children": "\n".join(lines)},
        f"{id}-spark": spark_props(stats.counts, range, now_ms),
    }


def _unstretched(text: str) -> str:
    return _NARROW.join(text.split())


def _filled(card: Any, content: Content) -> Component:
    """Return a card with the texts that the content has for its parts; the content's own card stays bare."""
    if not isinstance(card.children, list):
        return dcc.Link(card.children, href=card.href, className=card.className)
    parts = [type(part)(**{**_props(part), **content.get(_props(part).get("id", ""), {})}) for part in card.children]
    return dcc.Link(parts, href=card.href, className=card.className, title=card.title)


def _props(part: Any) -> dict[str, Any]:
    props: dict[str, Any] = part.to_plotly_json()["props"]
    return props


def _digest(names: tuple[str, ...]) -> str:
    # Lone surrogates must not raise; hash() differs from process to process.
    return hashlib.blake2b("\0".join(names).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
