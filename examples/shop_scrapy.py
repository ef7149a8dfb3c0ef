"""Scrapes the shop with Scrapy; the line with ADDONS in the settings records pages, items, errors and the run.

Run it alone: `python -m examples.shop_scrapy --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
In a project of your own the settings below are lines of settings.py.
"""

import argparse
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response


class ShopSpider(scrapy.Spider):
    """Visits the pages that the start page leads to."""

    name = "shop-scrapy"
    site = ""

    async def start(self) -> AsyncIterator[Any]:
        """Begin at the start page."""
        yield scrapy.Request(self.site)

    def parse(self, response: Response) -> Iterator[Any]:
        """Follow the links."""
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link, callback=self.parse_catalogue)

    def parse_catalogue(self, response: Response) -> Iterator[Any]:
        """Give the products of a page."""
        if not response.css("main"):
            raise ValueError("no catalogue in the page")
        for product in response.css("article.product"):
            price = product.css(".price::text").get()
            yield {"title": product.css("h2::text").get(), "price": float(price) if price else None}


def settings(board: str, token: str | None, source: str) -> dict[str, Any]:
    """Return the project's settings."""
    return {
        "ADDONS": {"collector.integrations.scrapy.Scrapeboard": 500},
        "SCRAPEBOARD_URL": board,
        "SCRAPEBOARD_TOKEN": token,
        "SCRAPEBOARD_SOURCE": source,
        "USER_AGENT": source,
        "DOWNLOAD_TIMEOUT": 5,
        "RETRY_TIMES": 1,
        "DOWNLOAD_DELAY": 0,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 8,
        "REDIRECT_MAX_TIMES": 5,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "CRITICAL",
    }


def main() -> None:
    """Scrape once, from the command line."""
    parser = argparse.ArgumentParser(description="Scrape the shop with Scrapy; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="the shop's URL, without a trailing slash")
    parser.add_argument("--source", default=ShopSpider.name, help="the scraper's name on the board")
    options = parser.parse_args()
    process = AsyncCrawlerProcess(settings(options.board, options.token, options.source))
    process.crawl(ShopSpider, site=options.site.rstrip("/"))
    process.start()
    print(f"{options.source}: done")


if __name__ == "__main__":
    main()
