"""Scrapy: the example, as a process with Twisted's reactor; spiders of other kinds in this process, without one."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import scrapy
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.exceptions import CloseSpider, NotConfigured
from scrapy.http import Response
from twisted.python.failure import Failure

import collector
from collector.integrations.scrapy import Scrapeboard
from examples.shop import Shop
from tests.collector.doubles import App
from tests.collector.integrations.conftest import Recorded
from tests.collector.integrations.truth import check_navigations, check_run, check_scrapes, of_kind

SETTINGS = {
    "ADDONS": {"collector.integrations.scrapy.Scrapeboard": 500},
    "TWISTED_REACTOR_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "DOWNLOAD_DELAY": 0,
    "LOG_ENABLED": False,
    "RETRY_ENABLED": False,
}


@dataclass
class Product:
    """An item that is no dict."""

    title: str | None
    price: str | None


class ProductItem(scrapy.Item):
    """An item of Scrapy's own kind."""

    title = scrapy.Field()
    price = scrapy.Field()


class ShopSpider(scrapy.Spider):
    """Visits one page with each of its callbacks."""

    name = "kinds"
    site = ""
    first = 1

    def products(self, response: Response) -> list[tuple[str | None, str | None]]:
        return [(one.css("h2::text").get(), one.css(".price::text").get()) for one in response.css("article")]


def crawl(spider: type[scrapy.Spider], shop: Shop, **settings: Any) -> None:
    """Crawl in this process; the User-Agent is the spider's name."""
    together = {**SETTINGS, "USER_AGENT": spider.name, **settings}

    async def go() -> None:
        await AsyncCrawlerRunner(together).crawl(spider, site=shop.url)

    asyncio.run(go())


def test_the_example_records_what_the_shop_saw(
    shop: Shop, app: App, start: Callable[..., subprocess.Popen[str]]
) -> None:
    source = "shop-scrapy-example"
    process = start("examples.shop_scrapy", "--board", app.url, "--site", shop.url, "--source", source)
    _, complaints = process.communicate(timeout=150)
    assert (process.returncode, complaints) == (0, "")
    check_navigations(shop, app.metrics(), source)
    # Where the page that has moved leads to is recorded under its own name, as the callback gets it.
    check_scrapes(shop, app.metrics(), source, moved="/catalogue/100")
    check_run(app.metrics(), source, name="shop-scrapy")


def test_items_of_every_kind_are_counted_with_their_fields(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "kinds"

        async def start(self) -> AsyncIterator[Any]:
            for number, callback in enumerate((self.as_dict, self.as_dataclass, self.as_item, self.as_object)):
                yield scrapy.Request(f"{self.site}/catalogue/14?{number}", callback=callback)

        def as_dict(self, response: Response) -> list[dict[str, Any]]:
            return [{"title": title, "price": price} for title, price in self.products(response)]

        async def as_dataclass(self, response: Response) -> AsyncIterator[Product]:
            for title, price in self.products(response):
                yield Product(title, price)

        def as_item(self, response: Response) -> Iterator[ProductItem]:
            for title, price in self.products(response):
                yield ProductItem(title=title, price=price)

        def as_object(self, response: Response) -> Iterator[object]:
            yield from self.products(response)

    crawl(Spider, shop)
    scrapes = [one for one in recorded() if one["type"] == "page_scrape"]
    fields = {one["url"].rpartition("?")[2]: one.get("fields") for one in scrapes}
    assert fields == {str(number): {"title": 6, "price": 3} for number in range(3)} | {"3": None}
    assert {one["itemsExtracted"] for one in scrapes} == {6}
    assert all(one["scrapeDurationMs"] > 0 for one in scrapes)


def test_what_callbacks_raise_is_a_failed_scrape_and_the_crawl_goes_on(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "raising"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/1", callback=self.at_once)
            yield scrapy.Request(f"{self.site}/catalogue/4", callback=self.in_the_middle)
            yield scrapy.Request(f"{self.site}/catalogue/7", callback=self.enough)

        def at_once(self, response: Response) -> list[Any]:
            raise LookupError("no such thing")

        def in_the_middle(self, response: Response) -> Iterator[Any]:
            yield {"title": "one"}
            raise LookupError("no second one")

        def enough(self, response: Response) -> Iterator[Any]:
            yield {"title": "one"}
            raise CloseSpider("closespider_itemcount")

    crawl(Spider, shop)
    scrapes = of_kind(recorded(), "page_scrape", "raising")
    at_once, middle, enough = (scrapes[f"/catalogue/{number}"] for number in (1, 4, 7))
    assert (at_once["success"], at_once["outcome"], at_once["itemsExtracted"]) == (False, "parse_error", 0)
    assert at_once["error"] == "LookupError: no such thing"
    assert (middle["success"], middle["error"], middle["itemsExtracted"]) == (False, "LookupError: no second one", 1)
    assert (enough["success"], enough["error"], enough["itemsExtracted"]) == (True, None, 1)
    assert recorded()[-1]["state"] == "ok"


def test_what_an_errback_gives_is_no_scrape(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "errback"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/9", errback=self.give_up)

        def give_up(self, failure: Failure) -> Iterator[Any]:
            yield {"title": None}

    crawl(Spider, shop)
    assert list(of_kind(recorded(), "page_navigation", "errback")) == ["/catalogue/9"]
    assert not of_kind(recorded(), "page_scrape", "errback")


def test_requests_that_are_no_pages_or_never_leave_are_no_navigations(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "obedient"
        allowed_domains = ("127.0.0.1",)

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/1")

        def parse(self, response: Response) -> Iterator[Any]:
            yield {"title": "one"}
            yield scrapy.Request("http://elsewhere.example/")  # kept back: it is off the site

    crawl(Spider, shop, ROBOTSTXT_OBEY=True)
    assert list(of_kind(recorded(), "page_navigation", "obedient")) == ["/catalogue/1"]


def test_a_page_that_only_leads_on_is_no_scrape_unless_its_callback_gives_items_elsewhere(
    shop: Shop, recorded: Recorded
) -> None:
    class Spider(ShopSpider):
        name = "leading"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/1?lead", callback=self.lead)

        def lead(self, response: Response) -> Iterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/4", callback=self.give)

        def give(self, response: Response) -> Iterator[Any]:
            for title, _ in self.products(response):
                yield {"title": title}
            if "/4" in response.url:
                yield scrapy.Request(f"{self.site}/catalogue/10", callback=self.give)  # an empty page
            else:
                yield scrapy.Request(f"{self.site}/catalogue/1?lead", callback=self.lead)  # seen: filtered

    crawl(Spider, shop)
    scrapes = of_kind(recorded(), "page_scrape", "leading")
    assert {path: one["outcome"] for path, one in scrapes.items()} == {"/catalogue/4": "ok", "/catalogue/10": "empty"}


def test_a_start_that_fails_fails_the_run(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "stillborn"

        async def start(self) -> AsyncIterator[Any]:
            raise RuntimeError("no start pages today")
            yield

    crawl(Spider, shop, SCRAPEBOARD_EXPECTED_ITEMS=10, SCRAPEBOARD_SOURCE="another name")
    (run,) = [one for one in recorded() if one["type"] == "run" and one["state"] != "running"]
    assert (run["state"], run["error"]) == ("failed", "RuntimeError: no start pages today")
    assert (run["name"], run["scraperSource"], run["expectedItems"]) == ("stillborn", "another name", 10)


def test_it_says_so_when_nothing_says_where_metrics_go(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_collector", collector.Collector())

    class Spider(ShopSpider):
        name = "unconfigured"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/1")

        def parse(self, response: Response) -> Iterator[Any]:
            yield {"title": "one"}

    with pytest.raises(NotConfigured, match="SCRAPEBOARD_URL in the settings"):  # Scrapy logs that, and goes on
        Scrapeboard.from_crawler(Crawler(Spider, SETTINGS))
    crawl(Spider, shop)
    assert len(shop.requests("unconfigured")) == 1  # it scraped all the same


def test_named_as_add_on_and_as_extension_it_records_once(shop: Shop, recorded: Recorded) -> None:
    class Spider(ShopSpider):
        name = "twice"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(f"{self.site}/catalogue/1")

        def parse(self, response: Response) -> Iterator[Any]:
            yield {"title": "one"}

    crawl(Spider, shop, EXTENSIONS={Scrapeboard: 0}, SPIDER_MIDDLEWARES={Scrapeboard: 2000})
    crawl(Spider, shop, ADDONS={}, EXTENSIONS={"collector.integrations.scrapy.Scrapeboard": 0})
    kinds = [one["type"] for one in recorded() if one.get("state") != "running"]
    assert sorted(kinds) == ["page_navigation"] * 2 + ["page_scrape"] * 2 + ["run"] * 2
