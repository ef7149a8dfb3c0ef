"""Reads documentation in a real browser (Playwright and Chromium), through the collector's tracked wrappers.

Run it alone: `python -m examples.browser_scraper --site http://127.0.0.1:8060 --pages 20`
(`python -m examples.site --port 8060` serves pages to try it on; `--board` is where Scrapeboard runs).
"""

import argparse
import time
from collections import deque
from urllib.parse import urldefrag, urljoin

from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Page, sync_playwright

from collector import configure, flush, goto_with_retries_tracked, scrape_page_tracked

ITEMS = "div.body :is(h1, h2, h3, pre, dt[id])"  # headings, code samples, definitions
LINKS_A_PAGE = 25  # asking the browser for a link takes a millisecond or two
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
)


class UnknownPageError(Exception):
    """The page isn't what the scraper was written for."""


def extract(page: Page) -> list[str]:
    """Return the texts of a page's items."""
    if "just a moment" in page.title().lower():
        raise UnknownPageError("blocked: asked to prove to be human")
    if page.locator("div.body").count() == 0 and page.locator("h1").count() > 0:
        raise UnknownPageError("parse error: no div.body in the page")
    return page.locator(ITEMS).all_inner_texts()


def read(page: Page, site: str, source: str, pages: int, delay_s: float) -> int:
    """Visit pages breadth-first from the start page; return how many gave their items."""
    run_id = f"{source}-{time.time_ns() // 1_000_000}"
    queue, seen, scraped = deque([f"{site}/index.html"]), {f"{site}/index.html"}, 0
    for _ in range(pages):
        if not queue:
            break
        url = queue.popleft()
        try:
            response = goto_with_retries_tracked(
                page, url, scraper_source=source, run_id=run_id, timeout=4000, wait_until="domcontentloaded"
            )
            if response is not None and response.ok:
                scrape_page_tracked(page, url, scraper_source=source, extract=extract, run_id=run_id)
                scraped += 1
                for link in page.locator("div.body a[href]").all()[:LINKS_A_PAGE]:
                    target = urldefrag(urljoin(url, link.get_attribute("href") or "")).url
                    if target.startswith(f"{site}/") and target.endswith(".html") and target not in seen:
                        seen.add(target)
                        queue.append(target)
        except (BrowserError, UnknownPageError) as exc:
            print(f"{url}: {exc}")  # it is recorded; the next page may do better
        time.sleep(delay_s)
    return scraped


def main() -> None:
    """Read once, from the command line."""
    parser = argparse.ArgumentParser(description="Read documentation in Chromium; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="URL of the directory that holds index.html")
    parser.add_argument("--pages", type=int, default=50, help="end after so many pages")
    parser.add_argument("--delay-s", type=float, default=1.0, help="seconds to wait after each page")
    parser.add_argument("--source", default="docs-browser", help="the scraper's name on the board")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser to start")
    options = parser.parse_args()
    configure(url=options.board, token=options.token)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS.split())
        page = browser.new_page(user_agent=options.source)
        scraped = read(page, options.site.rstrip("/"), options.source, options.pages, options.delay_s)
        browser.close()
    print(f"{options.source}: {scraped} pages scraped, {'all' if flush() else 'not all'} metrics delivered")


if __name__ == "__main__":
    main()
