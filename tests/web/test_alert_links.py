"""Where the link in a notification leads: the page, the filters and the time of what it is about."""

from __future__ import annotations

from alerts.notices import Notice
from components.view import View
from tests.alerts.samples import AT_MS, entry, notice
from web.alert_links import alert_link, alert_view

BEFORE = str(AT_MS - 480_000 - 1_800_000)


def shown(told: Notice) -> View:
    """Return what a browser would show: the link, read again."""
    path, _, search = alert_view(told).href().partition("?")
    view = View.parse(path, search)
    assert not view.problems
    return view


def test_one_source_leads_to_its_page_from_half_an_hour_before() -> None:
    view = shown(notice(entry("shop a/1")))
    assert (view.path, view.from_, view.to, view.q) == ("/scrapers/shop%20a%2F1", BEFORE, "now", "")


def test_several_sources_with_one_domain_lead_to_these_sources_and_that_domain() -> None:
    view = shown(notice(entry("a"), entry("b"), reasons={"domain": "x.example", "label:proxy": "eu"}))
    assert (view.path, view.sources, view.q, view.labels) == ("/scrapers", ("a", "b"), "x.example", ("proxy=eu",))
    assert shown(notice(*(entry(f"s{number}") for number in range(30)))).sources == ()


def test_each_measure_leads_to_its_tab() -> None:
    two = (entry("a"), entry("b"))
    assert shown(notice(*two, measure="yield")).path == "/scraping"
    assert shown(notice(*two, measure="retries")).path == "/navigation"
    assert shown(notice(entry("nightly"), measure="run_missed", by="job")).path == "/scheduler"
    assert shown(notice(entry("eu"), by="label:proxy", reasons={})).labels == ("proxy=eu",)
    assert shown(notice(entry("x.example"), by="domain", reasons={})).q == "x.example"


def test_what_is_over_leads_to_its_time() -> None:
    view = shown(notice(what="resolved", resolved=(entry("a", resolved_ms=AT_MS),)))
    assert view.to == str(AT_MS + 60_000)


def test_without_a_public_address_there_is_no_link() -> None:
    assert alert_link(None, notice()) is None
    assert alert_link("https://b.example/x", notice(what="test")) == "https://b.example/x/alerts"
