"""What every page has around its own content: heading, notice, empty state, and the body that an empty state hides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from components.compare import earlier_words
from components.content import Content
from components.empty import AWAY, notice_props
from components.export_menu import report_link
from components.more_filters import KIND_WORDS
from components.timerange import describe
from components.view import View

_MOST_NAMED: Final = 4


def frame_content(name: str, view: View, now_ms: int, empty: dict[str, Any] | None = None) -> Content:
    """Return the live props of a page's frame.

    Args:
        name: The page's name, prefix of its ids.
        view: What is asked for; its problems become the notice.
        now_ms: The moment, epoch milliseconds.
        empty: The empty state's props, or None when there is data to show.
    """
    return {
        f"{name}-notice": notice_props(view.problems_at(now_ms)),
        f"{name}-empty": empty or AWAY,
        f"{name}-body": {"className": "page-body" if empty is None else "page-body page-body-away"},
    }


def frame(name: str, title: str | Component, view: View, content: Content, body: Sequence[Component]) -> Component:
    """Build a page's skeleton.

    Args:
        name: The page's name.
        title: Its heading.
        view: Its range is said beside the heading.
        content: The page's content with what `frame_content` returned.
        body: What the page shows when there is data.
    """
    heading: list[Component] = [html.H1(title, className="page-title")]
    heading.append(html.P(described(view), className="page-subtitle"))
    heading.append(report_link(view))
    return html.Div(
        [
            html.Div(heading, className="page-head"),
            html.Div(id=f"{name}-notice", role="status", **content[f"{name}-notice"]),
            html.Div(id=f"{name}-empty", **content[f"{name}-empty"]),
            html.Div(list(body), id=f"{name}-body", **content[f"{name}-body"]),
        ],
        className=f"page page-{name}",
    )


def described(view: View) -> str:
    """Say range and filters in one line.

    Args:
        view: The range and filters.
    """
    said = [describe(view.from_, view.to)]
    if view.sources:
        shown = ", ".join(view.sources[:_MOST_NAMED])
        rest = len(view.sources) - _MOST_NAMED
        said.append(f"{shown} and {rest} more" if rest > 0 else shown)
    if view.shown_kind != "all":
        said.append(f"{KIND_WORDS[view.shown_kind]} only")
    if view.result != "all":
        said.append(f"{view.result} only")
    if view.outcomes:
        said.append(f"outcome {' or '.join(view.outcomes)}")
    if view.error:
        said.append(f"error “{view.error}”")
    if view.labels:
        said.append(f"label {', '.join(view.labels)}")
    if view.q:
        said.append(f"URLs with “{view.q}”")
    if view.url:
        said.append(f"only {view.url}")
    if view.run:
        said.append(f"run {view.run}")
    if view.compare:
        said.append(f"compared with {earlier_words(view)}")
    return " · ".join(said)


def grid(*cards: Component) -> Component:
    """Lay cards out in two columns, one on a narrow window."""
    return html.Div(list(cards), className="grid")
