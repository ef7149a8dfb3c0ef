"""Scrapes the shop with requests; `track_session` is the one line that records every page load.

Run it alone: `python -m examples.shop_requests --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

import requests
from requests.adapters import HTTPAdapter
from selectolax.lexbor import LexborHTMLParser
from urllib3.util import Retry

from collector import run, scrape_page_tracked
from collector.integrations.requests import track_session
from examples.shop_options import Item, UnknownPageError, connect, parse

RETRIES = Retry(total=1, backoff_factor=0.02, status_forcelist=(429, 500, 503), raise_on_status=False)


def scrape(site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Visit the pages that the start page leads to; return what they offer."""
    items: list[Item] = []
    with requests.Session() as session, run(source, scraper_source=source):
        session.headers["User-Agent"] = source
        session.mount("http://", HTTPAdapter(max_retries=RETRIES))
        track_session(session, source)
        start = LexborHTMLParser(session.get(site, timeout=timeout_s).content)
        for link in start.css("a[href]"):
            url = f"{site}{link.attributes['href']}"
            try:
                response = session.get(url, timeout=timeout_s)
                if response.ok:
                    items += scrape_page_tracked(response.content, url, scraper_source=source, extract=parse)
            except (requests.RequestException, UnknownPageError):
                continue  # it is recorded; the next page may do better
    return items


if __name__ == "__main__":
    connect(scrape, "shop-requests")
