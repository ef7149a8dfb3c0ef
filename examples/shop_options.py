"""What the shop's examples share: what an item is, how a page is read, and their command line."""

import argparse
from collections.abc import Callable
from typing import TypedDict
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from selectolax.lexbor import LexborHTMLParser

import collector


class Item(TypedDict):
    """A product; its price is None where the page says none."""

    title: str
    price: float | None


class UnknownPageError(Exception):
    """The page isn't what the scraper was written for."""


def fetch(url: str, source: str, timeout_s: float = 3.0) -> bytes:
    """Return a page, with nothing but Python.

    Raises:
        HTTPError: The status is 400 or more.
        OSError: There was no answer.
    """
    try:
        with urlopen(Request(url, headers={"User-Agent": source}), timeout=timeout_s) as response:
            return bytes(response.read())
    except HTTPError as exc:
        exc.close()
        raise


def parse(html: bytes | str) -> list[Item]:
    """Return the products of a page of the catalogue.

    Raises:
        UnknownPageError: it is no page of the catalogue.
    """
    page = LexborHTMLParser(html)
    if page.css_first("main") is None or page.css_first("form") is not None:
        raise UnknownPageError("no catalogue in the page")
    items = []
    for product in page.css("article.product"):
        title, price = product.css_first("h2"), product.css_first(".price")
        items.append(Item(title=title.text() if title else "", price=float(price.text()) if price else None))
    return items


def connect(scrape: Callable[[str, str], list[Item]], source: str) -> None:
    """Scrape once, from the command line, and deliver what was recorded."""
    parser = argparse.ArgumentParser(description="Scrape the shop; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="the shop's URL, without a trailing slash")
    parser.add_argument("--source", default=source, help="the scraper's name on the board")
    options = parser.parse_args()
    collector.configure(url=options.board, token=options.token)
    items = scrape(options.site.rstrip("/"), options.source)
    print(f"{options.source}: {len(items)} items, {'all' if collector.flush() else 'not all'} metrics delivered")
