"""Scrapes the shop with aiohttp, all pages at once; `trace_config` is the one line that records every page load.

Run it alone: `python -m examples.shop_aiohttp --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

import asyncio

import aiohttp
from selectolax.lexbor import LexborHTMLParser

from collector import run, scrape_page_tracked
from collector.integrations.aiohttp import trace_config
from examples.shop_options import Item, UnknownPageError, connect, parse


async def scrape_at_once(site: str, source: str, timeout_s: float = 1.0) -> list[Item]:
    """Visit the pages that the start page leads to, all at once; return what they offer."""
    session = aiohttp.ClientSession(
        headers={"User-Agent": source},
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        trace_configs=[trace_config(source)],
    )

    async def visit(url: str) -> list[Item]:
        try:
            async with session.get(url) as response:
                html = await response.read()
            return scrape_page_tracked(html, url, scraper_source=source, extract=parse) if response.ok else []
        except (aiohttp.ClientError, TimeoutError, UnknownPageError):
            return []  # it is recorded; the next page may do better

    async with session:
        with run(source, scraper_source=source):
            async with session.get(site) as response:
                start = LexborHTMLParser(await response.read())
            found = await asyncio.gather(*(visit(f"{site}{link.attributes['href']}") for link in start.css("a[href]")))
    return [item for items in found for item in items]


def scrape(site: str, source: str) -> list[Item]:
    """Do it from a program without an event loop."""
    return asyncio.run(scrape_at_once(site, source))


if __name__ == "__main__":
    connect(scrape, "shop-aiohttp")
