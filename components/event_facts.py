"""What is known of one event: a list of facts, each of which leads somewhere where it can."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from dash import dcc, html
from dash.development.base_component import Component

from components.event_table import event_status
from components.numbers import count, duration, exact_time, size
from components.timerange import MINUTE_MS
from components.view import View, source_path
from db.results import EventDetail

_MOODS = {"ok": "ok", "warn": "warn", "bad": "bad"}


def event_facts(detail: EventDetail, view: View) -> list[Component]:
    """Return the facts as terms and descriptions.

    Args:
        detail: The event.
        view: Its range and filters go into the links.
    """
    event = detail.event
    status = event_status(event)
    source = dcc.Link(event.source, href=view.at(source_path(event.source)).href())
    if event.kind == "scheduler":
        source = dcc.Link(event.source, href=replace(view.at("/scheduler"), sources=(event.source,)).href())
    facts: list[tuple[str, Component | str | None]] = [
        ("Result", html.Span(status.text, className=f"state {_MOODS[status.mood]}")),
        ("Time (UTC)", dcc.Link(exact_time(event.recorded_at_ms), href=_around(view, event.recorded_at_ms).href())),
        ("Job" if event.kind == "scheduler" else "Source", source),
        ("Kind", "scheduler run" if event.kind == "scheduler" else event.kind),
        ("Duration", duration(event.duration_ms)),
        ("Retries", None if event.retry_count is None else count(event.retry_count)),
        ("HTTP status", None if event.status_code is None else str(event.status_code)),
        ("Outcome", event.outcome),
        ("Items", None if event.items is None else count(event.items)),
        ("Fields", _fields(detail)),
        ("Data", None if detail.data_size is None else size(detail.data_size)),
        ("Scraper", _scraper(detail, view)),
        ("Run", detail.run_id),
        ("Labels", _labels(detail, view)),
        ("Event", event.id),
    ]
    return [
        html.Div([html.Dt(term), html.Dd(said)], className="fact") for term, said in facts if said not in (None, "")
    ]


def event_url(detail: EventDetail) -> Component | str:
    """Return the URL as a link where a browser can open it safely, as plain text where not.

    Args:
        detail: The event.
    """
    url = detail.event.url
    if not url:
        return "–"
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that isn't closed, for instance
        return url
    # Scrapers write what they like here: only these two can be followed without running anything.
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        return url
    return html.A(url, href=url, target="_blank", rel="noopener noreferrer")


def _around(view: View, moment_ms: int) -> View:
    """Return all events of the minutes around a moment."""
    minute_ms = moment_ms // MINUTE_MS * MINUTE_MS
    from_, to = str(minute_ms - 5 * MINUTE_MS), str(minute_ms + 6 * MINUTE_MS)
    return replace(view.at("/events"), from_=from_, to=to)


def _scraper(detail: EventDetail, view: View) -> Component | None:
    name = detail.scraper_source
    return None if not name else dcc.Link(name, href=view.at(source_path(name)).href())


def _fields(detail: EventDetail) -> str | None:
    """Say how many of the items had each field, the rarest first."""
    items = detail.event.items or 0
    pairs = sorted(detail.fields, key=lambda pair: (pair[1], pair[0]))
    return ", ".join(f"{name} {count(had)} of {count(items)}" for name, had in pairs) or None


def _labels(detail: EventDetail, view: View) -> Component | None:
    if not detail.labels:
        return None
    pairs = [f"{name}={value}" for name, value in detail.labels]
    links = [(pair, replace(view.at("/events"), labels=(pair,)).href()) for pair in pairs]
    return html.Span([dcc.Link(pair, href=href, className="label") for pair, href in links])
