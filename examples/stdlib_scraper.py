"""A scraper that has nothing but Python: urllib and html.parser, with the two plain record calls.

Run it alone: `python -m examples.stdlib_scraper --site http://127.0.0.1:8060 --pages 50`
(`python -m examples.site --port 8060` serves pages to try it on; `--board` is where Scrapeboard runs).
"""

import argparse
import time
from collections import deque
from html.parser import HTMLParser
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import urldefrag, urljoin
from urllib.request import Request, urlopen

from collector import configure, flush, record_page_navigation, record_page_scrape


class DocPage(HTMLParser):
    """Counts the headings, code samples and definitions in a page's body; collects its links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.items, self.links = 0, list[str]()
        self.has_body, self.in_body = False, False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        attributes = dict(attrs)
        if tag == "div" and attributes.get("class") in ("body", "sphinxsidebar"):
            self.in_body = attributes["class"] == "body"
            self.has_body |= self.in_body
        elif self.in_body and (tag in ("h1", "h2", "h3", "pre") or (tag == "dt" and "id" in attributes)):
            self.items += 1
        elif tag == "a" and (link := attributes.get("href")):
            self.links.append(link)


def load(url: str, source: str) -> HTTPResponse | None:
    """Load a page, again when the server is busy or silent, and record that; None when it can't be had."""
    began_s = time.perf_counter()
    response, status, error = None, None, None
    for retry_count in range(3):
        time.sleep(0.2 * retry_count)
        try:
            response = urlopen(Request(url, headers={"User-Agent": source}), timeout=2.0)
            status, error = response.status, None
        except HTTPError as exc:
            exc.close()
            status, error = exc.code, str(exc)
        except (OSError, HTTPException) as exc:
            status, error = None, str(exc) or type(exc).__name__
        if response or status == 404:
            break
    duration_ms = (time.perf_counter() - began_s) * 1000
    record_page_navigation(
        source, url=url, navigation_duration_ms=duration_ms, success=response is not None,
        retry_count=retry_count, status_code=status, error=error,
    )  # fmt: skip
    return response


def scrape(response: HTTPResponse, url: str, source: str) -> list[str]:
    """Read a page, count its items, record that; return what it links to."""
    began_s = time.perf_counter()
    content, page, error = b"", DocPage(""), None
    try:
        with response:
            content = response.read()
        page = DocPage(content.decode("utf-8", "replace"))
        outcome = "ok" if page.items else "empty" if page.has_body or not content else "parse_error"
        if b"Verify you are human" in content:
            outcome = "blocked"
    except (OSError, HTTPException) as exc:  # the connection broke off in the middle
        outcome, error = "network", str(exc)
    duration_ms = (time.perf_counter() - began_s) * 1000
    record_page_scrape(
        source, url=url, scrape_duration_ms=duration_ms, success=outcome in ("ok", "empty"), outcome=outcome,
        error=error, items_extracted=page.items, data_size=len(content),
    )  # fmt: skip
    return [urldefrag(urljoin(url, link)).url for link in page.links]


def main() -> None:
    """Crawl once, breadth-first, from the command line."""
    parser = argparse.ArgumentParser(description="Crawl documentation with urllib; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="URL of the directory that holds index.html")
    parser.add_argument("--pages", type=int, default=100, help="end after so many pages")
    parser.add_argument("--delay-s", type=float, default=0.2, help="seconds to wait after each page")
    parser.add_argument("--source", default="docs-stdlib", help="the scraper's name on the board")
    options = parser.parse_args()
    configure(url=options.board, token=options.token)
    site = options.site.rstrip("/")
    queue, seen = deque([f"{site}/index.html"]), {f"{site}/index.html"}
    for _ in range(options.pages):
        if not queue:
            break
        url = queue.popleft()
        if response := load(url, options.source):
            for link in scrape(response, url, options.source):
                if link.startswith(f"{site}/") and link.endswith(".html") and link not in seen:
                    seen.add(link)
                    queue.append(link)
        time.sleep(options.delay_s)
    print(f"{options.source}: done, {'all' if flush() else 'not all'} metrics delivered")


if __name__ == "__main__":
    main()
