"""The card of one scraper: state, last seen, success rate, p95, items per minute, sparkline; a link to its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.sparkline import sparkline
from components.numbers import clock, count, duration, per_minute, percent
from components.states import State
from components.view import View, source_path
from db.results import SourceStats, TimeRange

MOST_CARDS: Final = 60
_FIRST: Final = {"bad": 0, "warn": 1, "ok": 2}


def scraper_cards(
    sources: Sequence[SourceStats], states: Mapping[str, State], range: TimeRange, view: View
) -> list[Component]:
    """Build a card per scraper, those that need attention first.

    Args:
        sources: Their figures over the range, with all filters.
        states: Source -> how it is doing, whatever the filters.
        range: The range.
        view: Its range and filters go into the links.
    """
    ordered = sorted(sources, key=lambda stats: (_FIRST[states[stats.source].mood], stats.source))
    cards = [scraper_card(stats, states[stats.source], range, view) for stats in ordered[:MOST_CARDS]]
    if len(ordered) > MOST_CARDS:
        more = f"and {count(len(ordered) - MOST_CARDS)} more scrapers"
        cards.append(dcc.Link(more, href=view.at("/scrapers").href(), className="card scraper scraper-more"))
    return cards


def scraper_card(stats: SourceStats, state: State, range: TimeRange, view: View) -> Component:
    """Build one card, of as few components as it can be: sixty of them move ten times a second.

    The stylesheet writes the labels ("success", "p95", ...) before the values.

    Args:
        stats: The scraper's figures over the range.
        state: How it is doing.
        range: The range.
        view: Its range and filters go into the link.
    """
    span_ms = range.end_ms - range.start_ms
    return dcc.Link(
        [
            html.Span(stats.source, className="scraper-name"),
            html.Span(state.status.text, className=f"state {state.mood}"),
            html.Span(percent(stats.totals.success_rate), className="fact fact-rate"),
            html.Span(duration(stats.totals.p95_ms), className="fact fact-p95"),
            html.Span(per_minute(stats.items_per_min), className="fact fact-items"),
            html.Span(clock(stats.last_seen_ms, span_ms=span_ms), className="fact fact-seen"),
            html.Img(src=sparkline(stats.counts, label="metrics over time"), alt="", className="scraper-spark"),
        ],
        href=view.at(source_path(stats.source)).href(),
        className=f"card scraper scraper-{state.name}",
        title=stats.source,
    )
