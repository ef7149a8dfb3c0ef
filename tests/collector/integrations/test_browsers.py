"""Playwright (sync and async) and Selenium, in one Chromium: the examples record what the shop saw."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import async_playwright
from playwright.sync_api import sync_playwright
from selenium import webdriver
from selenium.webdriver.support.abstract_event_listener import AbstractEventListener
from selenium.webdriver.support.event_firing_webdriver import EventFiringWebDriver

from collector.integrations.playwright import track_context, track_page
from collector.integrations.selenium import track_driver
from examples import shop_playwright, shop_selenium
from examples.shop import PLAN, Mishap, Shop
from tests.collector.integrations.conftest import Recorded
from tests.collector.integrations.truth import check_navigations, check_run, check_scrapes, of_kind

pytestmark = pytest.mark.xdist_group("integrations-browser")  # one Chromium for all

TIMEOUT_S = 10.0  # what the silent page costs, twice
SELENIUM = "shop-selenium"


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    """Start Chromium, which Playwright uses as well."""
    driver = shop_selenium.open_browser(SELENIUM, TIMEOUT_S)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(driver: webdriver.Chrome) -> str:
    """Where Chromium listens for another one that wants to drive it."""
    return f"http://{driver.capabilities['goog:chromeOptions']['debuggerAddress']}"


def test_the_selenium_example_records_what_the_shop_saw(
    shop: Shop, recorded: Recorded, driver: webdriver.Chrome
) -> None:
    items = shop_selenium.scrape_with(driver, shop.url, SELENIUM)
    metrics = recorded()
    assert items
    check_navigations(shop, metrics, SELENIUM, sees_resends=False)
    check_scrapes(shop, metrics, SELENIUM)
    check_run(metrics, SELENIUM)
    loop = of_kind(metrics, "page_navigation", SELENIUM)["/catalogue/6"]
    assert loop["error"] == "net::ERR_TOO_MANY_REDIRECTS"  # the driver raises nothing there


def test_the_playwright_example_records_what_the_shop_saw(shop: Shop, recorded: Recorded, address: str) -> None:
    source = "shop-playwright"
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(address)
        items = shop_playwright.scrape_with(browser, shop.url, source, TIMEOUT_S)
    metrics = recorded()
    assert items
    check_navigations(shop, metrics, source, sees_resends=False)
    check_scrapes(shop, metrics, source)
    check_run(metrics, source)
    errors = [one["error"] for one in metrics if one.get("error")]
    assert not any("\n" in error for error in errors)  # no call logs


def test_the_async_playwright_example_records_what_the_shop_saw(recorded: Recorded, address: str) -> None:
    source = "shop-playwright-async"
    plan = {number: mishap for number, mishap in PLAN.items() if mishap is not Mishap.SILENT}

    async def scrape(site: str) -> None:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.connect_over_cdp(address)
            await shop_playwright.scrape_async(browser, site, source, TIMEOUT_S)

    with Shop(plan=plan) as shop:
        asyncio.run(scrape(shop.url))
        metrics = recorded()
        check_navigations(shop, metrics, source, sees_resends=False)
        check_scrapes(shop, metrics, source)
        check_run(metrics, source)


def test_every_way_to_load_a_page_is_a_navigation_and_none_that_loads_nothing(
    shop: Shop, recorded: Recorded, driver: webdriver.Chrome, address: str
) -> None:
    first, second = f"{shop.url}/catalogue/1", f"{shop.url}/catalogue/4"
    track_driver(driver, "driver")
    driver.get(first)
    driver.refresh()
    track_driver(EventFiringWebDriver(driver, AbstractEventListener()), "listened to").get(second)
    with sync_playwright() as playwright, playwright.chromium.connect_over_cdp(address).new_context() as context:
        page = track_context(context, "context").new_page()
        page.goto("about:blank")
        page.goto(first)
        page.goto(f"{first}#products")
        page.goto(url=second)
        page.reload()
    loaded = [(metric["scraperSource"], metric["url"]) for metric in recorded()]
    assert [url for source, url in loaded if source == "driver"] == [first, first]
    assert [url for source, url in loaded if source == "listened to"] == [second]
    assert [url for source, url in loaded if source == "context"] == [first, second, second]


@pytest.mark.parametrize("track", [track_page, track_context, track_driver])
def test_something_else_than_a_browser_is_refused(track: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=r"needs a .*, got object"):
        track(object(), "source")
