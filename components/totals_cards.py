"""The row of stat cards that tells a fleet's, or one scraper's, totals over a range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from dash import html
from dash.development.base_component import Component

from components import infos
from components.cards import stat_card, stat_numbers
from components.content import Content
from components.leads import events_of
from components.numbers import change, count, duration, percent
from components.spark import spark_props
from components.view import View, source_of
from db.results import Overview, Series, TimeRange, Totals


@dataclass(frozen=True, slots=True)
class _Card:
    """One figure: which, how it is written, and which direction is good news."""

    name: str
    label: str
    field: str
    hint: str
    path: str  # of the page that it leads to
    kind: Literal["count", "percent", "duration"] = "count"
    better: Literal["up", "down", "either"] = "either"

    def text(self, totals: Totals) -> str:
        return {"count": count, "percent": percent, "duration": duration}[self.kind](getattr(totals, self.field))

    def values(self, series: Series) -> Any:
        return infos.success_rate_series(series) if self.field == "success_rate" else getattr(series, self.field)


_SOURCES: Final = "sources"
_FAILED: Final = "failed"  # leads to the events that failed
_CARDS: Final = (
    _Card("navigations", "Navigations", "navigations", "Loads of a page, retries included in each", "/navigation"),
    _Card("scrapes", "Scrapes", "scrapes", "Extractions from a loaded page", "/scraping"),
    _Card(
        "success-rate",
        "Success rate",
        "success_rate",
        "Successful of all navigations and scrapes",
        _FAILED,
        "percent",
        "up",
    ),
    _Card("mean", "Mean duration", "mean_ms", "Of navigations and scrapes", "/navigation", "duration", "down"),
    _Card(
        "p95",
        "p95 duration",
        "p95_ms",
        "95 of 100 navigations and scrapes were this fast or faster",
        "/navigation",
        "duration",
        "down",
    ),
    _Card("items", "Items extracted", "items", "By scrapes", "/scraping", "count", "up"),
    _Card(_SOURCES, "Active scrapers", "active_sources", "Sources that reported in the range", "/scrapers"),
    _Card("errors", "Errors", "errors", "Failed navigations and scrapes", _FAILED, "count", "down"),
)


def totals_numbers(name: str, overview: Overview, *, before: str, one_source: bool = False) -> Content:
    """Return the live texts of all cards.

    Args:
        name: The page's name, prefix of the cards' ids.
        overview: The figures.
        before: What its earlier range is called, for instance "the 15 minutes before".
        one_source: Whether the page is about one scraper, so that counting the active ones says nothing.
    """
    content: Content = {}
    for card in _cards(one_source):
        now, then = getattr(overview.current, card.field), getattr(overview.previous, card.field)
        moved = change(now, then, better=card.better, points=card.kind == "percent")
        content.update(stat_numbers(f"{name}-{card.name}", card.text(overview.current), moved, before=before))
    return content


def totals_sparks(name: str, series: Series, range: TimeRange, now_ms: int, *, one_source: bool = False) -> Content:
    """Return the live sparklines of all cards.

    Args:
        name: The page's name.
        series: The figures per bucket.
        range: The buckets.
        now_ms: The moment, epoch milliseconds.
        one_source: Whether the page is about one scraper.
    """
    return {
        f"{name}-{card.name}-spark": spark_props(card.values(series), range, now_ms, from_zero=card.kind != "percent")
        for card in _cards(one_source)
    }


def totals_cards(name: str, view: View, content: Content, instead: Component | None = None) -> Component:
    """Build the row of cards.

    Args:
        name: The page's name.
        view: Its range and filters go into the cards' links.
        content: The page's content with what the other two functions returned.
        instead: What stands in the place of the active scrapers on a page about one.
    """
    cards = [
        instead if instead is not None and card.name == _SOURCES else _card(name, card, view, content)
        for card in _CARDS
    ]
    return html.Div(cards, className="stats")


def _card(name: str, card: _Card, view: View, content: Content) -> Component:
    if card.path == _FAILED:
        href = events_of(view, result="failed")
    else:
        sources = (source_of(view.path),) if view.path.startswith("/scrapers/") else view.sources
        href = replace(view.at(card.path), sources=sources).href()
    return stat_card(f"{name}-{card.name}", card.label, content, hint=card.hint, href=href)


def _cards(one_source: bool) -> tuple[_Card, ...]:
    return tuple(card for card in _CARDS if not (one_source and card.name == _SOURCES))
