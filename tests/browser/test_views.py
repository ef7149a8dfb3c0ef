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
from tests.browser.conftest import App
from tests.browser.seeing import errors, see, text, until

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
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    some(collector)
    dash_br.server_url = f"{app.url}/?from=now-24h"
    see(dash_br, "#live-pill", "Live")
    until(lambda: "zebra" in text(dash_br, f"{THROUGHPUT} .legend"), "the chart stands")
    toggles = dash_br.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .legend .legendtoggle")
    ActionChains(dash_br.driver).move_to_element(toggles[0]).click().perform()

    def hidden() -> int:
        entries = dash_br.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .legend .traces")
        return sum("opacity: 0.5" in (one.get_attribute("style") or "") for one in entries)

    until(lambda: hidden() == 1, "one line is hidden")
    plot = dash_br.driver.find_element(By.CSS_SELECTOR, f"{THROUGHPUT} .nsewdrag")
    ActionChains(dash_br.driver).move_to_element(plot).perform()

    def label() -> list[Any]:
        return [
            one.rect["x"] for one in dash_br.driver.find_elements(By.CSS_SELECTOR, f"{THROUGHPUT} .hoverlayer .legend")
        ]

    until(lambda: len(label()) == 1, "the label under the pointer is there")
    place = label()
    before = count_of(dash_br)
    with metrics_coming(collector):
        until(lambda: count_of(dash_br) >= before + 60, "three seconds of updates")
    until(lambda: hidden() == 1, "it is still hidden")  # elements may be replaced while they are read
    until(lambda: label() == place, "the label is where it was")
    assert errors(dash_br) == []


def test_the_comparison_is_chosen_in_the_bar_and_drawn_as_a_dashed_line(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    some(scraper(app.url))
    dash_br.server_url = f"{app.url}/?compare=day"
    see(dash_br, "#overview-body", "zebra.test/")
    see(dash_br, ".page-subtitle", "compared with the same time yesterday")
    until(lambda: _value(dash_br, "#filter-compare") == "vs. day ago", "the control says so")
    until(lambda: _choose(dash_br, "#filter-compare", "week ago"), "another is chosen")
    see(dash_br, ".page-subtitle", "compared with the same time a week ago")
    assert "compare=week" in dash_br.driver.current_url
    assert errors(dash_br) == []


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


def test_a_view_is_saved_under_a_name_found_again_and_deleted(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    some(scraper(app.url))
    dash_br.server_url = f"{app.url}/navigation?from=now-6h&source=zebra"
    see(dash_br, "#page h1", "Navigation")
    until(lambda: _click(dash_br, "//button[contains(., 'Views')]"), "the menu opens")
    see(dash_br, "#saved-list", "No view is saved yet")
    field = dash_br.driver.find_element(By.CSS_SELECTOR, "#saved-name")
    field.send_keys("Morning <b>look</b>" + Keys.ENTER)
    see(dash_br, "#saved-list", "Morning <b>look</b> · shown now")
    dash_br.driver.get(f"{app.url}/scraping")
    see(dash_br, "#page h1", "Scraping")
    until(lambda: _click(dash_br, "//button[contains(., 'Views')]"), "the menu opens")
    until(lambda: _click(dash_br, "//a[contains(@class, 'saved-link')]"), "the view is chosen")
    see(dash_br, "#page h1", "Navigation")
    assert dash_br.driver.current_url == f"{app.url}/navigation?from=now-6h&source=zebra"
    until(lambda: _click(dash_br, "//button[contains(@aria-label, 'Delete Morning')]"), "it is deleted")
    see(dash_br, "#saved-list", "No view is saved yet")
    assert errors(dash_br) == []


def test_damaged_storage_never_breaks_the_page(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    some(scraper(app.url))
    dash_br.server_url = app.url
    see(dash_br, "#page h1", "Overview")
    for stored in (json.dumps({"name": 7}), "{no json", json.dumps([{"name": "far", "href": "javascript:alert(1)"}])):
        dash_br.driver.execute_script("localStorage.setItem('saved', arguments[0])", stored)
        dash_br.driver.refresh()
        see(dash_br, "#overview-body", "zebra.test/")
        until(lambda: _click(dash_br, "//button[contains(., 'Views')]"), "the menu opens")
        see(dash_br, "#saved-list", "far" if "far" in stored else "No view is saved yet")


def test_a_page_that_is_left_gets_no_frames_that_it_cannot_place(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    collector = scraper(app.url)
    some(collector)
    dash_br.server_url = app.url
    see(dash_br, "#live-pill", "Live")
    with metrics_coming(collector):
        for title in ("Scrapers", "Navigation", "Scraping", "Scheduler", "Alerts", "Overview") * 2:
            until(
                lambda title=title: _click(dash_br, f"//a[starts-with(normalize-space(), '{title}')]"),
                f"{title} can be clicked",
            )
            see(dash_br, "#page h1", title)
    complaints = [one["message"] for one in dash_br.driver.get_log("browser") if "SET_PROPS" in one["message"]]
    assert complaints == []


@pytest.mark.parametrize("path", PATHS)
def test_every_tab_shows_after_live_updates_what_a_reload_shows(
    dash_br: Any, app_on: AppOn, scraper: Scraper, path: str
) -> None:
    app = app_on()
    collector = scraper(app.url)
    some(collector, 6)
    dash_br.driver.set_window_size(1440, 5_000)  # a chart that isn't on the screen may be behind
    dash_br.server_url = f"{app.url}{path}?from=now-24h"  # a range that stands still while we compare
    see(dash_br, "#live-pill", "Live")
    some(collector)
    some(collector, 30)
    fresh = dash_br.driver.current_window_handle
    live: list[str] = []

    def reload_shows_the_same() -> bool:
        live[:] = [text(dash_br, "#page")]
        dash_br.driver.switch_to.new_window("tab")
        dash_br.driver.get(f"{app.url}{path}?from=now-24h")
        until(lambda: "zebra" in text(dash_br, "#page") or "nightly" in text(dash_br, "#page"), "its content, too")
        loaded = text(dash_br, "#page")
        dash_br.driver.close()
        dash_br.driver.switch_to.window(fresh)
        return loaded == live[0]

    until(reload_shows_the_same, f"a fresh load shows what the live page shows: {live}")
    assert errors(dash_br) == []


def test_the_pill_says_why_a_page_stands_still(dash_br: Any, app_on: AppOn) -> None:
    app = app_on()
    dash_br.server_url = f"{app.url}/?from=2026-01-01&to=2026-01-02"
    see(dash_br, "#live-pill", "Paused: fixed range")
    dash_br.driver.get(f"{app.url}/?live=0")
    see(dash_br, "#live-pill", "Paused")
    assert "fixed" not in text(dash_br, "#live-pill")


def test_the_pill_tells_since_when_the_fleet_is_quiet(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    old = scraper(app.url)
    for n in range(5):
        old.record_page_navigation(
            "zebra", url="https://zebra.test/", navigation_duration_ms=1, recorded_at=_minutes_ago(20 + n / 10)
        )
    assert old.flush(timeout_s=90)
    dash_br.server_url = f"{app.url}/?from=now-1h"
    see(dash_br, "#live-pill", "Stale since")
    some(old, 5)
    see(dash_br, "#live-pill", "Live")


def _minutes_ago(minutes: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)
