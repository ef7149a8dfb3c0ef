"""From a number to what explains it, with a real mouse: bars, dragged spans, points in time, rows of the grid."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from collector.client import Collector
from tests.browser.conftest import App
from tests.browser.seeing import errors, see, text, until

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


def test_a_bar_leads_to_its_source_and_a_dragged_span_becomes_the_range_while_the_page_is_redrawn(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    report(collector, 200)
    dash_br.server_url = f"{app.url}/?from=now-1h&result=ok"
    see(dash_br, "#live-pill", "Live")
    until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, BARS)), "bars are drawn")
    with a_scraper_at_work(collector):
        see(dash_br, "#overview-events", "robinhood.test/live")
        assert address(dash_br) == f"{app.url}/?from=now-1h&result=ok"  # no redraw was taken for a click

        drag(dash_br, PLOT, 0.2, 0.6)
        until(lambda: "&to=" in address(dash_br), "the span is the page's range")
        see(dash_br, "#live-pill", "Paused")
        zoomed = address(dash_br)
        assert "result=ok" in zoomed

        dash_br.driver.back()
        until(lambda: address(dash_br) == f"{app.url}/?from=now-1h&result=ok", "the back button zooms out")
        see(dash_br, "#live-pill", "Live")
        until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, BARS)), "bars are drawn")

        until(lambda: click(dash_br, BARS), "a bar can be clicked")
        until(lambda: "/scrapers/" in address(dash_br), "the bar led to its source")
        assert address(dash_br).endswith("?from=now-1h&result=ok")
    assert errors(dash_br) == []


def test_a_span_dragged_on_a_chart_of_altair_becomes_the_range_and_the_back_button_zooms_out(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on(SCRAPEBOARD_CHARTS="altair")
    report(scraper(app.url), 200)
    dash_br.server_url = f"{app.url}/?from=now-1h"
    chart = ".page-overview .chart-box svg.marks"  # the first one; Vega views have no ids in the page
    until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, chart)), "the chart is drawn")
    until(lambda: _dragged(dash_br, chart), "the span is the page's range")
    dash_br.driver.back()
    until(lambda: address(dash_br) == f"{app.url}/?from=now-1h", "the back button zooms out")
    assert errors(dash_br) == []


def _dragged(browser: Any, chart: str) -> bool:
    """Drag along the chart, which may just have been drawn anew and forget it."""
    drag(browser, chart, 0.3, 0.6)
    with contextlib.suppress(TimeoutException):
        WebDriverWait(browser.driver, 5).until(lambda _: "&to=" in address(browser))
    return "&to=" in address(browser)


def test_a_click_on_a_time_chart_is_not_lost_though_the_chart_is_redrawn_under_the_pointer(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    report(collector, 200)
    dash_br.server_url = f"{app.url}/?from=now-1h"
    see(dash_br, "#live-pill", "Live")
    until(lambda: bool(dash_br.driver.find_elements(By.CSS_SELECTOR, PLOT)), "the chart is drawn")
    plot = dash_br.driver.find_element(By.CSS_SELECTOR, PLOT)
    ActionChains(dash_br.driver).move_to_element(plot).perform()
    with a_scraper_at_work(collector):
        see(dash_br, "#overview-events", "robinhood.test/live")
        time.sleep(2.5)  # over at least one redraw, with a pointer that rests
        ActionChains(dash_br.driver).click().perform()
        until(lambda: "/events?from=" in address(dash_br), "the click led to the events of its bucket")
        see(dash_br, "#events-total", "in the range")
    assert "&to=" in address(dash_br)
    assert errors(dash_br) == []


def test_the_grid_shows_every_event_tells_of_new_ones_and_leads_to_each(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    report(collector, 1_000)
    dash_br.server_url = f"{app.url}/?from=now-6h"
    see(dash_br, "#live-pill", "Live")
    loaded = "return performance.getEntriesByType('resource').filter(e => e.name.includes('ag_grid')).length"
    assert dash_br.driver.execute_script(loaded) == 0  # the tabs don't pay for the grid
    dash_br.driver.find_element(By.LINK_TEXT, "See all").click()
    see(dash_br, "#events-total", "1,000 events")
    see(dash_br, "#events-list .ag-row", "p999")

    dash_br.driver.execute_script("document.querySelector('#events-list .ag-body-viewport').scrollTop = 1e7")
    see(dash_br, "#events-list .ag-row[row-index='999']", "p0")

    report(collector, 3, begin=1_000, span_ms=30)
    see(dash_br, "#events-show", "3 new events: show")
    until(lambda: click(dash_br, "#events-show"), "they can be asked for")
    see(dash_br, "#events-list .ag-row[row-index='0']", "p1002")
    until(lambda: text(dash_br, "#events-show") == "", "nothing is new any more")

    until(lambda: click(dash_br, "#events-list .ag-row[row-index='2'] .event-time"), "a row can be clicked")
    see(dash_br, "#event-error", "no table in /p1000")
    see(dash_br, "#event-facts", "team=a")
    see(dash_br, "#event-facts", "run-7")
    assert "from=now-6h" in address(dash_br)
    dash_br.driver.back()
    see(dash_br, "#events-list .ag-row", "p1002")
    assert errors(dash_br) == []
