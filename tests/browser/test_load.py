"""How a page comes into Chromium: what it needs is asked for once, and rows of its tables lead on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver.common.by import By

from collector.client import Collector
from tests.browser.conftest import App
from tests.browser.seeing import errors, see, text, until
from tests.browser.test_drill import address, click, report

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]

ASKED = "return performance.getEntriesByType('resource').map(one => [one.name, one.transferSize])"


def paths(browser: Any) -> list[str]:
    """What the page that is open has asked for, without query strings."""
    return [urlsplit(name).path for name, _ in browser.driver.execute_script(ASKED)]


def test_a_page_comes_with_the_layout_and_everything_is_asked_for_once(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    report(scraper(app.url), 100)
    dash_br.server_url = f"{app.url}/navigation?from=now-1h&source=cnbc"
    see(dash_br, "#live-pill", "Live")
    until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, "#navigation-duration .main-svg")), "it is drawn")
    asked = paths(dash_br)
    # Twice would mean that what was asked for early wasn't used.
    for path in ("/_dash-layout", "/_dash-dependencies"):
        assert asked.count(path) == 1
    assert len([path for path in asked if "plotly" in path]) == 1
    assert not [path for path in asked if path.endswith("async-graph.js")]
    # Where a proxy hides what a request comes from, the router finds the page as ever.
    dash_br.driver.execute_cdp_cmd("Network.enable", {})
    dash_br.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Referer": app.url + "/"}})
    dash_br.driver.refresh()
    see(dash_br, "h1", "Navigation")
    see(dash_br, "#live-pill", "Live")
    until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, "#navigation-duration .main-svg")), "it is drawn")
    assert not dash_br.driver.find_elements(By.CSS_SELECTOR, ".page-overview")
    assert errors(dash_br) == []


def test_rows_of_events_lead_to_each(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    report(scraper(app.url), 60)
    dash_br.server_url = f"{app.url}/?from=now-1h&live=0"
    see(dash_br, "#overview-events-newest", "cnbc.test/p59")
    row = "#overview-events-newest tbody tr:nth-child(2)"
    assert "robinhood.test/p58" in text(dash_br, row)
    dash_br.driver.execute_script("document.querySelector('#overview-events').scrollIntoView()")
    click(dash_br, "#overview-events-newest-rows button:nth-child(2)")
    until(lambda: "/events/" in address(dash_br), "a row leads to its event")
    see(dash_br, "#event-url", "https://robinhood.test/p58")
    assert address(dash_br).endswith("?from=now-1h&live=0")
    assert errors(dash_br) == []


def test_pages_and_runs_lead_to_their_events(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    report(scraper(app.url), 60)
    dash_br.server_url = f"{app.url}/navigation?from=now-1h&live=0"
    see(dash_br, "#navigation-slowest", "cnbc.test/p59")
    dash_br.driver.execute_script("document.querySelector('#navigation-slowest').scrollIntoView({block: 'center'})")
    click(dash_br, "#navigation-slowest-rows button:nth-child(1)")
    see(dash_br, "#events-total", "1 event in the range")
    assert "&kind=navigation&url=https://cnbc.test/p59" in address(dash_br)
    see(dash_br, "#filter-chips", "URL is https://cnbc.test/p59")

    dash_br.driver.get(f"{app.url}/scrapers/cnbc?from=now-1h&live=0")
    see(dash_br, "#scraper-runs", "run-7")
    dash_br.driver.execute_script("document.querySelector('#scraper-runs').scrollIntoView({block: 'center'})")
    click(dash_br, "#scraper-runs-rows button:nth-child(1)")
    see(dash_br, "#events-total", "30 events in the range")
    assert "source=cnbc&run=run-7" in address(dash_br)
    assert errors(dash_br) == []
