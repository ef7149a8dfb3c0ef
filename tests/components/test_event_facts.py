"""The facts of an event, above all what its URL may become."""

from __future__ import annotations

import pytest
from dash import html

from components.event_facts import event_facts, event_url
from components.view import View
from db.results import Event, EventDetail
from tests.pages.tree import components_of


def detail(url: str | None = "https://x.example/", **changes: object) -> EventDetail:
    event = Event("p:5", "scrape", "cnbc", url, 12.0, 3, None, False, "boom", None, "blocked", 1_795_348_800_000)
    return EventDetail(event, **({"run_id": "r", "labels": (), "data_size": 5, "scraper_source": None} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["https://x.example/a?b=c", "HTTP://x.example"])
def test_a_web_address_opens_without_telling_where_it_was_opened_from(url: str) -> None:
    link = event_url(detail(url))
    assert isinstance(link, html.A)
    assert (link.href, link.rel, link.target) == (url, "noopener noreferrer", "_blank")


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", " javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//x.example", "http:",
     "https://[", "x", "java\tscript:alert(1)", "vbscript:x", "blob:https://x.example/1"],
)  # fmt: skip
def test_any_other_url_is_text(url: str) -> None:
    assert event_url(detail(url)) == url


def test_facts_lead_to_the_source_and_the_minutes_around() -> None:
    view = View.parse("/events/p%3A5", "?from=now-6h")
    facts = event_facts(detail(labels=(("team", "a"),)), view)
    links = [one.href for one in components_of(facts) if getattr(one, "href", None)]
    assert "/scrapers/cnbc?from=now-6h" in links
    assert "/events?from=now-6h&label=team%3Da" in links
    assert f"/events?from={1_795_348_800_000 - 300_000}&to={1_795_348_800_000 + 360_000}" in links
    said = " ".join(str(one.children) for one in components_of(facts) if isinstance(one, html.Dt))
    assert "Labels" in said
    assert "Retries" not in said
