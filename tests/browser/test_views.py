"""What people do with a view, seen in Chromium: hiding a line, hovering, comparing, saving it, leaving in the rush."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from collector.client import Collector
from tests.browser.conftest import App, reporting
from tests.browser.seeing import errors, see, text, until

pytestmark = pytest.mark.xdist_group("browser-views")  # one app and one Chromium for most

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]
THROUGHPUT = "#overview-throughput"
PATHS = ("/", "/scrapers", "/scrapers/zebra", "/navigation", "/scraping", "/scheduler", "/alerts")


def some(collector: Collector, count: int = 40) -> None:
    for n in range(count):
        url = f"https://zebra.test/{n % 7}"
        collector.record_page_navigation(
            ("zebra", "yak")[n % 2],
            url=url,
            navigation_duration_ms=n,
            success=n % 5 > 0,
            error=None if n % 5 else "HTTP 503",
        )
        collector.record_page_scrape("zebra", url=url, scrape_duration_ms=n, items_extracted=n)
    collector.record_scheduler_metric("nightly", execution_duration_ms=40)
    assert collector.flush(timeout_s=90)


@pytest.fixture(scope="module")
def board(shared_app: App) -> App:
    """The app of these tests, which has heard of something of everything and may hear of more."""
    with reporting(shared_app) as collector:
        some(collector)
    return shared_app


@contextmanager
def metrics_coming(collector: Collector) -> Iterator[None]:
    """Record all the while, twenty times a second."""
    stop = threading.Event()

    def record() -> None:
        while not stop.wait(0.05):
            collector.record_page_navigation("zebra", url="https://zebra.test/", navigation_duration_ms=7)

    thread = threading.Thread(target=record)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def count_of(browser: Any) -> int:
    return int(text(browser, "#overview-navigations").replace(",", ""))


def test_a_hidden_line_and_a_label_under_the_pointer_survive_live_updates(
    browser: Any, board: App, scraper: Scraper
) -> None:
    collector = scraper(board.url)
    browser.server_url = f"{board.url}/?from=now-24h"
    see(browser, "#live-pill", "Live")
    until(lambda: "zebra" in text(browser, f"{THROUGHPUT} .legend"), "the chart stands")
    toggles = browser.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .legend .legendtoggle")
    ActionChains(browser.driver).move_to_element(toggles[0]).click().perform()

    def hidden() -> int:
        entries = browser.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .legend .traces")
        return sum("opacity: 0.5" in (one.get_attribute("style") or "") for one in entries)

    until(lambda: hidden() == 1, "one line is hidden")
    plot = browser.driver.find_element(By.CSS_SELECTOR, f"{THROUGHPUT} .nsewdrag")
    ActionChains(browser.driver).move_to_element(plot).perform()

    def label() -> list[Any]:
        return [
            one.rect["x"] for one in browser.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .hoverlayer .legend")
        ]

    until(lambda: len(label()) == 1, "the label under the pointer is there")
    place = label()
    before = count_of(browser)
    with metrics_coming(collector):
        until(lambda: count_of(browser) >= before + 60, "three seconds of updates")
    until(lambda: hidden() == 1, "it is still hidden")  # elements may be replaced while they are read
    until(lambda: label() == place, "the label is where it was")
    assert errors(browser) == []


def test_the_comparison_is_chosen_in_the_bar_and_drawn_as_a_dashed_line(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/?compare=day"
    see(browser, "#overview-body", "zebra.test/")
    see(browser, ".page-subtitle", "compared with the same time yesterday")
    until(lambda: _value(browser, "#filter-compare") == "vs. day ago", "the control says so")
    until(lambda: _choose(browser, "#filter-compare", "week ago"), "another is chosen")
    see(browser, ".page-subtitle", "compared with the same time a week ago")
    assert "compare=week" in browser.driver.current_url
    assert errors(browser) == []


def _value(browser: Any, selector: str) -> str:
    return str(browser.driver.find_element(By.CSS_SELECTOR, selector).get_attribute("value"))


def _choose(browser: Any, selector: str, words: str) -> bool:
    """Open a list and click what has these words; False when the page was redrawn meanwhile, which closes the list."""
    browser.driver.find_element(By.CSS_SELECTOR, selector).click()
    option = f"//*[@role='option'][contains(., '{words}')]"
    try:
        until(lambda: _click(browser, option), "the list opens", patience_s=5)
    except AssertionError:
        return False
    return True


def _click(browser: Any, path: str) -> bool:
    browser.driver.find_element(By.XPATH, path).click()
    return True


def test_a_view_is_saved_under_a_name_found_again_and_deleted(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/navigation?from=now-6h&source=zebra"
    see(browser, "#page h1", "Navigation")
    until(lambda: _click(browser, "//button[contains(., 'Views')]"), "the menu opens")
    see(browser, "#saved-list", "No view is saved yet")
    field = browser.driver.find_element(By.CSS_SELECTOR, "#saved-name")
    field.send_keys("Morning <b>look</b>" + Keys.ENTER)
    see(browser, "#saved-list", "Morning <b>look</b> · shown now")
    browser.driver.get(f"{board.url}/scraping")
    see(browser, "#page h1", "Scraping")
    until(lambda: _click(browser, "//button[contains(., 'Views')]"), "the menu opens")
    until(lambda: _click(browser, "//a[contains(@class, 'saved-link')]"), "the view is chosen")
    see(browser, "#page h1", "Navigation")
    assert browser.driver.current_url == f"{board.url}/navigation?from=now-6h&source=zebra"
    until(lambda: _click(browser, "//button[contains(@aria-label, 'Delete Morning')]"), "it is deleted")
    see(browser, "#saved-list", "No view is saved yet")
    assert errors(browser) == []


def test_damaged_storage_never_breaks_the_page(browser: Any, board: App) -> None:
    browser.server_url = board.url
    see(browser, "#page h1", "Overview")
    for stored in (json.dumps({"name": 7}), "{no json", json.dumps([{"name": "far", "href": "javascript:alert(1)"}])):
        browser.driver.execute_script("localStorage.setItem('saved', arguments[0])", stored)
        browser.driver.refresh()
        see(browser, "#overview-body", "zebra.test/")
        until(lambda: _click(browser, "//button[contains(., 'Views')]"), "the menu opens")
        see(browser, "#saved-list", "far" if "far" in stored else "No view is saved yet")


def test_a_page_that_is_left_gets_no_frames_that_it_cannot_place(browser: Any, board: App, scraper: Scraper) -> None:
    collector = scraper(board.url)
    browser.server_url = board.url
    see(browser, "#live-pill", "Live")
    with metrics_coming(collector):
        for title in ("Scrapers", "Navigation", "Scraping", "Scheduler", "Alerts", "Overview") * 2:
            until(
                lambda title=title: _click(browser, f"//a[starts-with(normalize-space(), '{title}')]"),
                f"{title} can be clicked",
            )
            see(browser, "#page h1", title)
    complaints = [one["message"] for one in browser.driver.get_log("browser") if "SET_PROPS" in one["message"]]
    assert complaints == []


@pytest.mark.parametrize("path", PATHS)
def test_every_tab_shows_after_live_updates_what_a_reload_shows(
    browser: Any, board: App, scraper: Scraper, path: str
) -> None:
    collector = scraper(board.url)
    browser.driver.set_window_size(1440, 5_000)  # a chart that isn't on the screen may be behind
    browser.server_url = f"{board.url}{path}?from=now-24h"  # a range that stands still while we compare
    see(browser, "#live-pill", "Live")
    some(collector)
    some(collector, 30)
    fresh = browser.driver.current_window_handle
    live: list[str] = []

    def reload_shows_the_same() -> bool:
        live[:] = [text(browser, "#page")]
        browser.driver.switch_to.new_window("tab")
        browser.driver.get(f"{board.url}{path}?from=now-24h")
        until(lambda: "zebra" in text(browser, "#page") or "nightly" in text(browser, "#page"), "its content, too")
        loaded = text(browser, "#page")
        browser.driver.close()
        browser.driver.switch_to.window(fresh)
        return loaded == live[0]

    until(reload_shows_the_same, f"a fresh load shows what the live page shows: {live}")
    assert errors(browser) == []


def test_the_pill_says_why_a_page_stands_still(browser: Any, board: App) -> None:
    browser.server_url = f"{board.url}/?from=2026-01-01&to=2026-01-02"
    see(browser, "#live-pill", "Paused: fixed range")
    browser.driver.get(f"{board.url}/?live=0")
    see(browser, "#live-pill", "Paused")
    assert "fixed" not in text(browser, "#live-pill")


def test_the_pill_tells_since_when_the_fleet_is_quiet(browser: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    old = scraper(app.url)
    for n in range(5):
        old.record_page_navigation(
            "zebra", url="https://zebra.test/", navigation_duration_ms=1, recorded_at=_minutes_ago(20 + n / 10)
        )
    assert old.flush(timeout_s=90)
    browser.server_url = f"{app.url}/?from=now-1h"
    see(browser, "#live-pill", "Stale since")
    some(old, 5)
    see(browser, "#live-pill", "Live")


def _minutes_ago(minutes: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)
