"""The parts of the System page: a section with cards of figures, and tables of what was counted by reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dash import html
from dash.development.base_component import Component

from components.cards import stat_card
from components.content import Content
from components.numbers import count
from components.tables import Column, table, table_card

COUNT_COLUMNS = (Column("Reason", "clip"), Column("Times", "number"))


def figures(cards: Sequence[tuple[str, str, str]], content: Content) -> Component:
    """Build a row of cards.

    Args:
        cards: (id, label, hint) of each.
        content: The page's content, with what `stat_state` returned under each id.
    """
    return html.Div([stat_card(id, label, content, hint=hint) for id, label, hint in cards], className="stats")


def section(title: str, *parts: Component) -> Component:
    """Build a section of the page.

    Args:
        title: Its heading.
        parts: What it shows, from top to bottom.
    """
    return html.Section([html.H2(title, className="section-title"), *parts], className="system-section")


def count_rows(counts: Mapping[str, int], nothing: str) -> list[list[str]]:
    """Return the rows of a table of what was counted by reason, most first.

    Args:
        counts: Reason -> times.
        nothing: What is said when there is none.
    """
    found = sorted(((reason, times) for reason, times in counts.items() if times), key=lambda one: (-one[1], one[0]))
    return [[reason, count(times)] for reason, times in found] or [[nothing, "0"]]


def count_card(id: str, title: str, subtitle: str, content: Content) -> Component:
    """Build the card of such a table.

    Args:
        id: The table's id.
        title: The card's heading.
        subtitle: A line that says what is counted.
        content: The page's content, with what `table_props(COUNT_COLUMNS, count_rows(…))` returned under the id.
    """
    found = table(id, COUNT_COLUMNS, content[id], min_width_px=240)
    return table_card(title, found, subtitle=subtitle)
