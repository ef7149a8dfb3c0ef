"""What a page says instead of nothing: what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from components.more_filters import active
from components.numbers import age, date_time
from components.timerange import HOUR_MS, MINUTE_MS, describe
from components.view import View
from db.queries import Queries

FIRST_LINES: Final = """\
from collector import configure, flush, record_page_navigation
configure(url="http://127.0.0.1:8050")
record_page_navigation("my-scraper", url="https://example.org/",
                       navigation_duration_ms=150)
flush()"""

AWAY: Final[dict[str, Any]] = {"children": None, "className": "empty empty-away"}


def no_reports() -> dict[str, Any]:
    """Return the props of the empty state of a fresh installation."""
    return _shown(
        html.H2("No scraper has reported yet", className="empty-title"),
        html.P(
            "Run these five lines where your scraper runs, with this page’s own address as the url. "
            "The page fills by itself, no reload needed."
        ),
        dmc.CodeHighlight(code=FIRST_LINES, language="python", className="empty-code"),
    )


def no_data(
    queries: Queries, view: View, what: str = "Nothing", *, now_ms: int | None = None, own_ms: int | None = None
) -> dict[str, Any]:
    """Return the props of the empty state that fits: a fresh installation's, or that of a range without data.

    Args:
        queries: Who knows whether there is anything at all.
        view: What was asked for.
        what: What is missing.
        now_ms: The moment, epoch milliseconds: to say how long ago the last data came; None to leave that out.
        own_ms: When what is missing came last, epoch milliseconds, where a page knows: other data is no help there.
    """
    last_ms = queries.last_recorded_ms()
    return no_reports() if last_ms is None else nothing_in_range(view, own_ms or last_ms, what=what, now_ms=now_ms)


def nothing_in_range(
    view: View, last_ms: int | None, *, what: str = "Nothing", now_ms: int | None = None
) -> dict[str, Any]:
    """Return the props of the empty state of a range without data.

    Args:
        view: What was asked for.
        last_ms: When the newest metric of all was recorded, epoch milliseconds.
        what: What is missing.
        now_ms: The moment, epoch milliseconds; None to leave out how long ago that is.
    """
    way_out: list[Component] = []
    if view.is_filtered:
        way_out.append(dcc.Link("Clear the filters", href=view.unfiltered().href(), className="empty-link"))
    if last_ms is not None:
        way_out.append(dcc.Link("Jump to the last data", href=around(view, last_ms).href(), className="empty-link"))
    title = f"{what} matches these filters" if view.is_filtered else f"{what} in this range"
    said = describe(view.from_, view.to)
    last = f" Last data: {_when(last_ms, now_ms)}." if last_ms is not None else ""
    filters = [html.P(" · ".join(text for text, _ in active(view)), className="empty-filters")]
    return _shown(
        html.H2(title, className="empty-title"),
        *(filters if view.is_filtered else ()),
        html.P(f"{said}.{last}{_why(view)}"),
        html.Div(way_out),
    )


def _why(view: View) -> str:
    """Say why a filter leaves nothing on a tab, whatever its range."""
    if view.path == "/scheduler" and view.filter.without_runs:
        return " Scheduler runs have no type, outcome, label, URL or scraper’s run."
    return " Only scrapes have an outcome." if view.path == "/navigation" and view.outcomes else ""


def no_such_scraper(view: View, source: str) -> dict[str, Any]:
    """Return the props of the empty state of a scraper that never reported.

    Args:
        view: Its range stays in the link back.
        source: What was asked for.
    """
    return _shown(
        html.H2("There is no such scraper", className="empty-title"),
        html.P(f"“{source}” has never reported. Names are told apart by every letter, large and small."),
        html.Div(dcc.Link("See all scrapers", href=view.unfiltered().at("/scrapers").href(), className="empty-link")),
    )


def _when(last_ms: int, now_ms: int | None) -> str:
    if now_ms is None or now_ms < last_ms:
        return date_time(last_ms)
    return f"{age(now_ms - last_ms)} ago, {date_time(last_ms)}"


def around(view: View, moment_ms: int) -> View:
    """Return the view over the hour that ends with a moment, in whole minutes.

    Args:
        view: Its page and filters stay.
        moment_ms: Epoch milliseconds.
    """
    end_ms = (moment_ms // MINUTE_MS + 1) * MINUTE_MS
    return replace(view, from_=str(end_ms - HOUR_MS), to=str(end_ms), problems=())


def notice_props(problems: tuple[str, ...]) -> dict[str, Any]:
    """Return the props of the line that says what was wrong with the address.

    Args:
        problems: A sentence each; nothing is shown without any.
    """
    if not problems:
        return {"children": "", "className": "banner banner-away"}
    return {"children": " ".join(problems), "className": "banner banner-warn"}


def _shown(*children: Component) -> dict[str, Any]:
    return {"children": list(children), "className": "empty"}
