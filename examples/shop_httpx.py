"""Scrapes the shop with httpx, page after page or all at once with asyncio; `track_client` records every page load.

Run it alone: `python -m examples.shop_httpx --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

import asyncio

import httpx
from selectolax.lexbor import LexborHTMLParser

from collector import run, scrape_page_tracked
from collector.integrations.httpx import track_client
from examples.shop_options import Item, UnknownPageError, connect, parse


def scrape(site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Visit the pages that the start page leads to; return what they offer."""
    items: list[Item] = []
    client = httpx.Client(headers={"User-Agent": source}, timeout=timeout_s, follow_redirects=True)
    with track_client(client, source), run(source, scraper_source=source):
        for url in links(site, client.get(site)):
            try:
                response = client.get(url)
                if response.is_success:
                    items += scrape_page_tracked(response.content, url, scraper_source=source, extract=parse)
            except (httpx.HTTPError, UnknownPageError):
                continue  # it is recorded; the next page may do better
    return items


async def scrape_at_once(site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Do the same with all pages at once."""
    client = httpx.AsyncClient(headers={"User-Agent": source}, timeout=timeout_s, follow_redirects=True)

    async def visit(url: str) -> list[Item]:
        try:
            response = await client.get(url)
            if not response.is_success:
                return []
            return scrape_page_tracked(response.content, url, scraper_source=source, extract=parse)
        except (httpx.HTTPError, UnknownPageError):
            return []

    async with track_client(client, source):
        with run(source, scraper_source=source):
            found = await asyncio.gather(*(visit(url) for url in links(site, await client.get(site))))
    return [item for items in found for item in items]


def links(site: str, start: httpx.Response) -> list[str]:
    """Return the pages that the start page leads to."""
    return [f"{site}{link.attributes['href']}" for link in LexborHTMLParser(start.content).css("a[href]")]


if __name__ == "__main__":
    connect(scrape, "shop-httpx")
