"""Crawls documentation with httpx and selectolax, link by link, and records every page load and every extraction.

Run it alone: `python -m examples.httpx_scraper --site http://127.0.0.1:8060 --pages 50`
(`python -m examples.site --port 8060` serves pages to try it on; `--board` is where Scrapeboard runs).
"""

import argparse
import time
from collections import deque
from urllib.parse import urldefrag, urljoin

import httpx
from selectolax.lexbor import LexborHTMLParser

from collector import configure, flush, goto_with_retries_tracked, track_scrape

ITEMS = "h1, h2, h3, pre, dt[id], table.indextable a"  # headings, code, definitions, index terms


def scrape(response: httpx.Response, source: str, run_id: str) -> list[str]:
    """Extract a page's items and record that; return the URLs of the pages that it links to."""
    with track_scrape(source, url=str(response.url), run_id=run_id) as track:
        page = LexborHTMLParser(response.content)
        body = page.css_first("div.body")
        title = page.css_first("title")
        track.data_size = len(response.content)
        track.items_extracted = 0  # recorded as outcome "empty" when nothing is added below
        if body is not None:
            track.items_extracted = len([node.text(strip=True) for node in body.css(ITEMS)])
        elif title is not None and "just a moment" in title.text().lower():
            track.success, track.outcome, track.error = False, "blocked", "asked to prove to be human"
        elif response.content:
            track.success, track.outcome, track.error = False, "parse_error", "no div.body in the page"
    links = [link.attributes.get("href") or "" for link in page.css("a[href]")]
    return [urldefrag(urljoin(str(response.url), href)).url for href in links]


def crawl(client: httpx.Client, site: str, source: str, pages: int, delay_s: float) -> int:
    """Visit pages breadth-first from the start page; return how many were loaded."""
    run_id = f"{source}-{time.time_ns() // 1_000_000}"
    start = f"{site}/index.html"
    queue, seen, loaded = deque([start]), {start}, 0
    for _ in range(pages):
        if not queue:
            break
        url = queue.popleft()
        try:
            response = goto_with_retries_tracked(client, url, scraper_source=source, run_id=run_id)
        except httpx.HTTPError:
            continue  # it is recorded; the next page may do better
        if response.is_success:
            loaded += 1
            for link in scrape(response, source, run_id):
                if link.startswith(f"{site}/") and link.endswith(".html") and link not in seen:
                    seen.add(link)
                    queue.append(link)
        time.sleep(delay_s)
    return loaded


def main() -> None:
    """Crawl once, from the command line."""
    parser = argparse.ArgumentParser(description="Crawl documentation with httpx; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="URL of the directory that holds index.html")
    parser.add_argument("--pages", type=int, default=100, help="end after so many pages")
    parser.add_argument("--delay-s", type=float, default=0.2, help="seconds to wait after each page")
    parser.add_argument("--source", default="docs-httpx", help="the scraper's name on the board")
    options = parser.parse_args()
    configure(url=options.board, token=options.token)
    with httpx.Client(headers={"User-Agent": options.source}, timeout=2.0, follow_redirects=True) as client:
        loaded = crawl(client, options.site.rstrip("/"), options.source, options.pages, options.delay_s)
    print(f"{options.source}: {loaded} pages loaded, {'all' if flush() else 'not all'} metrics delivered")


if __name__ == "__main__":
    main()
