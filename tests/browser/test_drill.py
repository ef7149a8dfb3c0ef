"""From a number to what explains it, with a real mouse: bars, dragged spans, points in time, rows of the grid."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from collector.client import Collector
from tests.browser.conftest import App, reporting
from tests.browser.seeing import errors, see, text, until

pytestmark = pytest.mark.xdist_group("browser-drill")  # one app and one Chromium for most

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]

PLOT = "#overview-throughput .nsewdrag"
BARS = "#overview-success .bars .point path"
ROWS = "#events-list .ag-row .event-time"


def report(collector: Collector, count: int, *, begin: int = 0, span_ms: int = 3_000_000) -> None:
    """Report so many navigations of two sources over a span that ends now."""
    begin_ms = int(time.time() * 1000) - span_ms
    for n in range(begin, begin + count):
        source = ("robinhood", "cnbc")[n % 2]
        collector.record_page_navigation(
            source, url=f"https://{source}.test/p{n}", navigation_duration_ms=10 + n, success=n % 5 > 0,
            error=None if n % 5 else f"no table in /p{n}", labels={"team": "a"}, run_id="run-7",
            recorded_at=begin_ms + (n - begin + 1) * span_ms // count,
        )  # fmt: skip
    assert collector.flush(timeout_s=90)


def drag(browser: Any, selector: str, start: float, end: float) -> None:
    """Drag along an element, from one part of its width to another."""
    element = browser.driver.find_element(By.CSS_SELECTOR, selector)
    width = element.size["width"]
    chain = ActionChains(browser.driver).move_to_element(element).move_by_offset(int((start - 0.5) * width), 0)
    chain.click_and_hold()
    for _ in range(5):
        chain.move_by_offset(int((end - start) * width / 5), 1)
    chain.release().perform()


def click(browser: Any, selector: str) -> bool:
    """Click into the middle of an element."""
    element = browser.driver.find_element(By.CSS_SELECTOR, selector)
    ActionChains(browser.driver).move_to_element(element).click().perform()
    return True


@contextmanager
def a_scraper_at_work(collector: Collector) -> Iterator[None]:
    """Let a scraper report ten times a second, so that the page is redrawn all the time."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.1):
            collector.record_page_navigation("robinhood", url="https://robinhood.test/live", navigation_duration_ms=9)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def address(browser: Any) -> str:
    found: str = browser.driver.current_url
    return found


@pytest.fixture(scope="module")
def board(shared_app: App) -> App:
    """The app of those tests that don't mind how many events there are beside the two hundred of the last hour."""
    with reporting(shared_app) as collector:
        report(collector, 200)
    return shared_app


def test_a_bar_leads_to_its_source_and_a_dragged_span_becomes_the_range_while_the_page_is_redrawn(
    browser: Any, board: App, scraper: Scraper
) -> None:
    collector = scraper(board.url)
    browser.server_url = f"{board.url}/?from=now-1h&result=ok"
    see(browser, "#live-pill", "Live")
    until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, BARS)), "bars are drawn")
    with a_scraper_at_work(collector):
        see(browser, "#overview-events", "robinhood.test/live")
        assert address(browser) == f"{board.url}/?from=now-1h&result=ok"  # no redraw was taken for a click

        drag(browser, PLOT, 0.2, 0.6)
        until(lambda: "&to=" in address(browser), "the span is the page's range")
        see(browser, "#live-pill", "Paused")
        zoomed = address(browser)
        assert "result=ok" in zoomed

        browser.driver.back()
        until(lambda: address(browser) == f"{board.url}/?from=now-1h&result=ok", "the back button zooms out")
        see(browser, "#live-pill", "Live")
        until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, BARS)), "bars are drawn")

        until(lambda: click(browser, BARS), "a bar can be clicked")
        until(lambda: "/scrapers/" in address(browser), "the bar led to its source")
        assert address(browser).endswith("?from=now-1h&result=ok")
    assert errors(browser) == []


def test_a_span_dragged_on_a_chart_of_altair_becomes_the_range_and_the_back_button_zooms_out(
    browser: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on(SCRAPEBOARD_CHARTS="altair")
    report(scraper(app.url), 200)
    browser.server_url = f"{app.url}/?from=now-1h"
    chart = ".page-overview .chart-box svg.marks"  # the first one; Vega views have no ids in the page
    until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, chart)), "the chart is drawn")
    until(lambda: _dragged(browser, chart), "the span is the page's range")
    browser.driver.back()
    until(lambda: address(browser) == f"{app.url}/?from=now-1h", "the back button zooms out")
    assert errors(browser) == []


def _dragged(browser: Any, chart: str) -> bool:
    """Drag along the chart, which may just have been drawn anew and forget it."""
    drag(browser, chart, 0.3, 0.6)
    with contextlib.suppress(TimeoutException):
        WebDriverWait(browser.driver, 5).until(lambda _: "&to=" in address(browser))
    return "&to=" in address(browser)


def test_a_click_on_a_time_chart_is_not_lost_though_the_chart_is_redrawn_under_the_pointer(
    browser: Any, board: App, scraper: Scraper
) -> None:
    collector = scraper(board.url)
    browser.server_url = f"{board.url}/?from=now-1h"
    see(browser, "#live-pill", "Live")
    until(lambda: bool(browser.driver.find_elements(By.CSS_SELECTOR, PLOT)), "the chart is drawn")
    plot = browser.driver.find_element(By.CSS_SELECTOR, PLOT)
    ActionChains(browser.driver).move_to_element(plot).perform()
    with a_scraper_at_work(collector):
        see(browser, "#overview-events", "robinhood.test/live")
        time.sleep(2.5)  # over at least one redraw, with a pointer that rests
        ActionChains(browser.driver).click().perform()
        until(lambda: "/events?from=" in address(browser), "the click led to the events of its bucket")
        see(browser, "#events-total", "in the range")
    assert "&to=" in address(browser)
    assert errors(browser) == []


def test_the_grid_shows_every_event_tells_of_new_ones_and_leads_to_each(
    browser: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    report(collector, 1_000)
    browser.server_url = f"{app.url}/?from=now-6h"
    see(browser, "#live-pill", "Live")
    loaded = "return performance.getEntriesByType('resource').filter(e => e.name.includes('ag_grid')).length"
    assert browser.driver.execute_script(loaded) == 0  # the tabs don't pay for the grid
    browser.driver.find_element(By.LINK_TEXT, "See all").click()
    see(browser, "#events-total", "1,000 events")
    see(browser, "#events-list .ag-row", "p999")

    browser.driver.execute_script("document.querySelector('#events-list .ag-body-viewport').scrollTop = 1e7")
    see(browser, "#events-list .ag-row[row-index='999']", "p0")

    report(collector, 3, begin=1_000, span_ms=30)
    see(browser, "#events-show", "3 new events: show")
    until(lambda: click(browser, "#events-show"), "they can be asked for")
    see(browser, "#events-list .ag-row[row-index='0']", "p1002")
    until(lambda: text(browser, "#events-show") == "", "nothing is new any more")

    until(lambda: click(browser, "#events-list .ag-row[row-index='2'] .event-time"), "a row can be clicked")
    see(browser, "#event-error", "no table in /p1000")
    see(browser, "#event-facts", "team=a")
    see(browser, "#event-facts", "run-7")
    assert "from=now-6h" in address(browser)
    browser.driver.back()
    see(browser, "#events-list .ag-row", "p1002")
    assert errors(browser) == []
