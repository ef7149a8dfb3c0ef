"""How a page comes into Chromium: what it needs is asked for once, and rows of its tables lead on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By

from tests.browser.conftest import App, reporting
from tests.browser.seeing import errors, see, text, until
from tests.browser.test_drill import address, click, report

pytestmark = pytest.mark.xdist_group("browser-load")  # one app and one Chromium for most


@pytest.fixture(scope="module")
def board(shared_app: App) -> App:
    """The app of these tests, which has heard of sixty pages; nobody reports more."""
    with reporting(shared_app) as collector:
        report(collector, 60)
    return shared_app


ASKED = "return performance.getEntriesByType('resource').map(one => [one.name, one.transferSize])"


def paths(browser: Any) -> list[str]:
    """What the page that is open has asked for, without query strings."""
    return [urlsplit(name).path for name, _ in browser.driver.execute_script(ASKED)]


def test_a_page_comes_with_the_layout_and_everything_is_asked_for_once(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/navigation?from=now-1h&source=cnbc"
    see(browser, "#live-pill", "Live")
    until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, "#navigation-duration .main-svg")), "it is drawn")
    asked = paths(browser)
    # Twice would mean that what was asked for early wasn't used.
    for path in ("/_dash-layout", "/_dash-dependencies"):
        assert asked.count(path) == 1
    assert len([path for path in asked if "plotly" in path]) == 1
    assert not [path for path in asked if path.endswith("async-graph.js")]
    # Where a proxy hides what a request comes from, the router finds the page as ever.
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {"Referer": board.url + "/"}})
    browser.driver.refresh()
    see(browser, "h1", "Navigation")
    see(browser, "#live-pill", "Live")
    until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, "#navigation-duration .main-svg")), "it is drawn")
    assert not browser.driver.find_elements(By.CSS_SELECTOR, ".page-overview")
    assert errors(browser) == []


def test_rows_of_events_lead_to_each(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/?from=now-1h&live=0"
    see(browser, "#overview-events-newest", "cnbc.test/p59")
    row = "#overview-events-newest tbody tr:nth-child(2)"
    assert "robinhood.test/p58" in text(browser, row)
    browser.driver.execute_script("document.querySelector('#overview-events').scrollIntoView()")
    click(browser, "#overview-events-newest-rows button:nth-child(2)")
    until(lambda: "/events/" in address(browser), "a row leads to its event")
    see(browser, "#event-url", "https://robinhood.test/p58")
    assert address(browser).endswith("?from=now-1h&live=0")
    assert errors(browser) == []


def test_pages_and_runs_lead_to_their_events(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/navigation?from=now-1h&live=0"
    see(browser, "#navigation-slowest", "cnbc.test/p59")
    browser.driver.execute_script("document.querySelector('#navigation-slowest').scrollIntoView({block: 'center'})")
    click(browser, "#navigation-slowest-rows button:nth-child(1)")
    see(browser, "#events-total", "1 event in the range")
    assert "&kind=navigation&url=https://cnbc.test/p59" in address(browser)
    see(browser, "#filter-chips", "URL is https://cnbc.test/p59")

    browser.driver.get(f"{board.url}/scrapers/cnbc?from=now-1h&live=0")
    see(browser, "#scraper-runs", "run-7")
    browser.driver.execute_script("document.querySelector('#scraper-runs').scrollIntoView({block: 'center'})")
    click(browser, "#scraper-runs-rows button:nth-child(1)")
    see(browser, "#events-total", "30 events in the range")
    assert "source=cnbc&run=run-7" in address(browser)
    assert errors(browser) == []
