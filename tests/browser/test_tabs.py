"""Moving about: tabs, filters in the address, a browser without SharedWorker, and dash[testing]'s own server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from app import create_app
from collector.client import Collector
from settings import load
from tests.browser.conftest import App, reporting
from tests.browser.seeing import errors, see, text, until

pytestmark = pytest.mark.xdist_group("browser-tabs")  # one app and one Chromium for most

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]


def two_sources(collector: Collector) -> None:
    for n in range(10):
        collector.record_page_navigation("robinhood", url=f"https://robinhood.com/{n}", navigation_duration_ms=10)
        collector.record_page_navigation(
            "cnbc", url=f"https://cnbc.com/{n}", navigation_duration_ms=20, success=False, error="timeout"
        )
    collector.record_scheduler_metric("nightly", execution_duration_ms=40)
    assert collector.flush(timeout_s=90)


@pytest.fixture(scope="module")
def board(shared_app: App) -> App:
    """The app of these tests, which has heard of two sources; nobody reports more."""
    with reporting(shared_app) as collector:
        two_sources(collector)
    return shared_app


def test_every_tab_is_a_click_away_and_keeps_range_and_filters(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/?from=now-1h&source=robinhood"
    see(browser, "#page", "Overview")
    for title, path in (
        ("Scrapers", "/scrapers"),
        ("Navigation", "/navigation"),
        ("Scraping", "/scraping"),
        ("Scheduler", "/scheduler"),
        ("Alerts", "/alerts"),
        ("Overview", "/"),
    ):
        until(lambda title=title: _click_tab(browser, title), f"the tab {title} can be clicked")
        see(browser, "#page h1", title)
        address = browser.driver.current_url
        assert address.startswith(f"{board.url}{path}?")
        assert "from=now-1h" in address
        assert "source=robinhood" in address
        see(browser, "#live-pill", "Live")
    assert errors(browser) == []


def _click_tab(browser: Any, title: str) -> bool:
    browser.driver.find_element(By.PARTIAL_LINK_TEXT, title).click()  # Alerts may have a number beside it
    return True


def test_the_frame_says_what_the_address_says(browser: Any, board: App) -> None:
    browser.driver.set_window_size(390, 844)
    browser.server_url = f"{board.url}/?from=now-1h&live=0"
    see(browser, "#page h1", "Overview")
    until(lambda: _shown(browser, "#burger") and _clicked(browser, "#burger"), "the burger is there")
    until(lambda: _shown(browser, "#nav-navigation"), "the navigation bar opens")
    until(lambda: _clicked(browser, "#nav-navigation"), "the tab can be clicked")
    see(browser, "#page h1", "Navigation")
    until(lambda: not _shown(browser, "#nav-navigation"), "the navigation bar closes when a tab was chosen")
    copied = 'return JSON.stringify(dash_stores[0].getState().layout).includes(`"value":"${location.href}"`)'
    until(lambda: bool(browser.driver.execute_script(copied)), "the button copies where the page is now")
    browser.driver.execute_script("dash_clientside.set_props('url', {search: '?from=now-1h&compare=before&live=0'})")
    compared = "return document.querySelector('#filter-compare').value"
    until(lambda: browser.driver.execute_script(compared) == "vs. before", "the control says so")
    browser.driver.back()
    until(lambda: browser.driver.execute_script(compared) == "Compare", "the control says so again")
    assert errors(browser) == []


def _shown(browser: Any, selector: str) -> bool:
    box = browser.driver.find_element(By.CSS_SELECTOR, selector).rect
    return bool(box["width"] > 0 and box["x"] >= 0)


def _clicked(browser: Any, selector: str) -> bool:
    browser.driver.find_element(By.CSS_SELECTOR, selector).click()
    return True


def test_a_link_with_filters_shows_only_what_they_let_through(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/?source=cnbc&result=failed&q=com/7"
    see(browser, "#overview-events", "cnbc.com/7")
    assert "robinhood" not in text(browser, "#overview-events")
    assert "cnbc.com/6" not in text(browser, "#overview-events")
    see(browser, "#overview-errors", "1")


@pytest.mark.parametrize(
    "query", ["?from=yesterday-ish", "?from=now&to=now-1h", "?source=" + "x" * 300, "?result=maybe", "?from=%00&to=%ff"]
)
def test_an_address_that_makes_no_sense_says_so_and_shows_the_default(browser: Any, board: App, query: str) -> None:
    browser.server_url = board.url + "/" + query
    see(browser, "#page", "Overview")
    see(browser, "#overview-events", "robinhood.com/9")
    assert errors(browser) == []


def test_without_data_the_page_says_what_to_do(browser: Any, app_on: AppOn) -> None:
    app = app_on()
    browser.server_url = app.url
    see(browser, "#page", "No scraper has reported yet")
    see(browser, "#page", "configure(")


def test_an_unknown_address_is_a_page_that_leads_back(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/no/such/page"
    see(browser, "#page", "/no/such/page")


class TestWithoutSharedWorker:
    """Some browsers have none: pages poll there."""

    @pytest.fixture(autouse=True)
    def no_shared_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCRAPEBOARD_TEST_BROWSER_FLAGS", "--disable-blink-features=SharedWorker")

    def test_a_page_polls_by_itself(
        self, no_shared_worker: None, dash_br: Any, app_on: AppOn, scraper: Scraper
    ) -> None:
        app = app_on()
        dash_br.server_url = app.url
        see(dash_br, "#live-pill", "Polling")
        two_sources(scraper(app.url))
        see(dash_br, "#overview-events", "cnbc.com/9")
        see(dash_br, "#overview-navigations", "20")


@pytest.fixture
def made_here(tmp_path: Path) -> Iterator[Any]:
    made = create_app(load({"SCRAPEBOARD_DATABASE_URL": f"sqlite:///{tmp_path}/duo.db"}, env_file=None))
    made.start()
    yield made
    made.stop(timeout_s=4)


# Flask-Compress leaves the files that it has read to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_it_also_runs_in_the_test_server_of_dash(
    drivers: list[Any], made_here: Any, dash_duo: Any, scraper: Scraper
) -> None:
    drivers.append(dash_duo.driver)
    dash_duo.start_server(made_here.dash)
    see(dash_duo, "#live-pill", "Live")
    two_sources(scraper(dash_duo.server_url))
    see(dash_duo, "#overview-events", "cnbc.com/9")
