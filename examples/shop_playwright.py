"""Scrapes the shop with Playwright, sync or async; `track_page` is the one line that records every page load.

Run it alone: `python -m examples.shop_playwright --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

from playwright import async_api, sync_api

from collector import run, scrape_page_tracked
from collector.integrations.playwright import track_context, track_page
from examples.shop_options import Item, UnknownPageError, connect, parse

CHROMIUM = "/usr/bin/chromium"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


def scrape_with(browser: sync_api.Browser, site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Visit the pages that the start page leads to; return what they offer."""
    items: list[Item] = []
    with browser.new_context(user_agent=source) as context, run(source, scraper_source=source):
        page = track_page(context.new_page(), source)
        page.set_default_navigation_timeout(timeout_s * 1000)
        page.goto(site)
        for link in [link.get_attribute("href") for link in page.locator("a[href]").all()]:
            url = f"{site}{link}"
            try:
                response = page.goto(url)
                if response is not None and response.ok:
                    items += scrape_page_tracked(page.content(), url, scraper_source=source, extract=parse)
            except UnknownPageError:
                continue  # it is recorded; the next page may do better
            except sync_api.Error:  # Chromium still shows its error page: don't let that meet the next one
                page.close()
                page = track_page(context.new_page(), source)
                page.set_default_navigation_timeout(timeout_s * 1000)
    return items


async def scrape_async(browser: async_api.Browser, site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Do the same in asyncio, with every page of a context."""
    items: list[Item] = []
    context = track_context(await browser.new_context(user_agent=source), source)
    with run(source, scraper_source=source):
        page = await context.new_page()
        page.set_default_navigation_timeout(timeout_s * 1000)
        await page.goto(site)
        for link in [await link.get_attribute("href") for link in await page.locator("a[href]").all()]:
            url = f"{site}{link}"
            try:
                response = await page.goto(url)
                if response is not None and response.ok:
                    items += scrape_page_tracked(await page.content(), url, scraper_source=source, extract=parse)
            except UnknownPageError:
                continue
            except async_api.Error:
                await page.close()
                page = await context.new_page()
                page.set_default_navigation_timeout(timeout_s * 1000)
    await context.close()
    return items


def scrape(site: str, source: str) -> list[Item]:
    """Scrape in a browser of its own."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        return scrape_with(browser, site, source, timeout_s=4.0)


if __name__ == "__main__":
    connect(scrape, "shop-playwright")
