"""Scrapes the shop with Selenium; `track_driver` is the one line that records every page load.

Run it alone: `python -m examples.shop_selenium --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from collector import run, scrape_page_tracked
from collector.integrations.selenium import track_driver
from examples.shop_options import Item, UnknownPageError, connect, parse

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def open_browser(source: str, timeout_s: float = 1.0) -> webdriver.Chrome:
    """Start Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-agent={source}"):
        options.add_argument(flag)  # type: ignore[no-untyped-call]
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_page_load_timeout(timeout_s)
    return driver


def scrape_with(driver: webdriver.Chrome, site: str, source: str) -> list[Item]:
    """Visit the pages that the start page leads to; return what they offer."""
    items: list[Item] = []
    with run(source, scraper_source=source):
        track_driver(driver, source)
        driver.get(site)
        for url in [link.get_attribute("href") for link in driver.find_elements(By.CSS_SELECTOR, "a[href]")]:
            try:
                driver.get(url)
                items += scrape_page_tracked(driver.page_source, url, scraper_source=source, extract=parse)
            except (WebDriverException, UnknownPageError):
                continue  # it is recorded; the next page may do better
    return items


def scrape(site: str, source: str) -> list[Item]:
    """Scrape in a browser of its own."""
    driver = open_browser(source, timeout_s=4.0)
    try:
        return scrape_with(driver, site, source)
    finally:
        driver.quit()


if __name__ == "__main__":
    connect(scrape, "shop-selenium")
