"""Scrapy: `ADDONS = {"collector.integrations.scrapy.Scrapeboard": 500}` in settings.py records what its spiders do."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from time import perf_counter
from typing import TYPE_CHECKING, Any

from collector.coverage import is_usable
from collector.entries import describe_exception
from collector.fields import MAX_FIELD_NAME_CHARS, MAX_FIELDS
from collector.integrations.pages import Pages, missing, rounded_ms
from collector.outcomes import BLOCKED, EMPTY, Verdict
from collector.outcomes import OK as FULL
from collector.run_events import FAILED, KILLED, OK
from collector.warner import logger

try:
    from itemadapter import ItemAdapter
    from scrapy import Request, signals
    from scrapy.exceptions import CloseSpider, NotConfigured
    from scrapy.http import Response
    from scrapy.http.request import NO_CALLBACK
except ImportError as exc:
    raise missing("scrapy", "scrapy>=2.14", exc) from exc

if TYPE_CHECKING:
    from scrapy import Spider
    from scrapy.crawler import Crawler
    from scrapy.settings import BaseSettings

    from collector.runs import Run

PATH = "collector.integrations.scrapy.Scrapeboard"
JOURNEY = "scrapeboard"  # the key in Request.meta; copies of a request (retries, redirects) take it along
_FLUSH_INTERVAL_S = 1.0  # each delivery costs about a millisecond of the crawl's own processor
_BATCH_SIZE = 1_000  # so that the interval says when a delivery is due, however quick the crawl
_INNERMOST = 2000  # of spider middlewares: next to the spider, to see what its callbacks give
_GENERATES = 0x20 | 0x200  # co_flags of generator functions, plain and async
_FINE_ENDS = ("finished", "closespider_itemcount", "closespider_pagecount", "closespider_timeout")
_FULL, _BARE = Verdict(FULL), Verdict(EMPTY)
_known: weakref.WeakKeyDictionary[Crawler, Scrapeboard] = weakref.WeakKeyDictionary()


class Scrapeboard:
    """Add-on, extension and spider middleware in one object for each crawler.

    Navigations: one for each request that came to an end, a response or an error, with all attempts of the retry
    middleware and all redirects; its duration is the time that they were on the network, without the time that requests
    waited for their turn. Scrapes: one for each callback that gave items. A run from the spider's opening to its end.

    Settings: `SCRAPEBOARD_URL` and `SCRAPEBOARD_TOKEN` (unless the program calls `collector.configure` itself),
    `SCRAPEBOARD_SOURCE` (default: the spider's name), `SCRAPEBOARD_EXPECTED_ITEMS`, `SCRAPEBOARD_LABELS` (a dict),
    `SCRAPEBOARD_FLUSH_INTERVAL_S` (how long metrics wait for company, default 1 s).

    Args:
        crawler: Whose spider it watches.

    Raises:
        NotConfigured: Nothing says where metrics go.
    """

    def __init__(self, crawler: Crawler) -> None:
        import collector

        self._crawler = crawler
        self._collector = collector._collector
        url = crawler.settings.get("SCRAPEBOARD_URL")
        if url:
            self._collector.configure(
                url=url,
                token=crawler.settings.get("SCRAPEBOARD_TOKEN"),
                flush_interval_s=crawler.settings.getfloat("SCRAPEBOARD_FLUSH_INTERVAL_S", _FLUSH_INTERVAL_S),
                batch_size=_BATCH_SIZE,
                handle_sigterm=False,  # Scrapy has handlers of its own
            )
        elif not self._collector._worker.options.sinks:
            raise NotConfigured(
                "say where metrics go: SCRAPEBOARD_URL in the settings, or collector.configure() before"
            )
        self._scrapes: dict[int, _Scrape] = {}  # by id of the response; those under way
        self._blocked: weakref.WeakKeyDictionary[Response, Verdict] = weakref.WeakKeyDictionary()
        self._giving: set[Any] = set()  # callbacks that have given items
        self._pages: Pages
        self._default_callback: Any = None
        self._labels: dict[str, str] | None = crawler.settings.getdict("SCRAPEBOARD_LABELS") or None
        self._run: Run | None = None
        self._run_id: str | None = None
        self._error: str | None = None
        crawler.signals.connect(self._opened, signals.spider_opened)
        crawler.signals.connect(self._closed, signals.spider_closed)
        crawler.signals.connect(self._erred, signals.spider_error)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Scrapeboard:
        """Give the crawler's one object, whichever setting names it."""
        made = _known.get(crawler)
        if made is None:
            made = _known[crawler] = cls(crawler)
            if not crawler.settings.frozen:
                made.update_settings(crawler.settings)
        return made

    def update_settings(self, settings: BaseSettings) -> None:
        """Put it among the spider middlewares, too."""
        middlewares = settings["SPIDER_MIDDLEWARES"]
        if not any(one is Scrapeboard or one == PATH for one in middlewares):
            middlewares[PATH] = _INNERMOST

    # -- the run ------------------------------------------------------------------------------------------------------

    def _opened(self, spider: Spider) -> None:
        settings = self._crawler.settings
        source = settings.get("SCRAPEBOARD_SOURCE") or spider.name
        self._run = self._collector.run(
            spider.name,
            expected_items=settings.getint("SCRAPEBOARD_EXPECTED_ITEMS") or None,
            scraper_source=source,
        ).begin()
        self._run_id = self._run.run_id
        self._default_callback = getattr(spider, "parse", None)
        self._pages = Pages(source, collector=self._collector, run_id=self._run_id, labels=self._labels)
        downloader: Any = self._crawler.engine.downloader
        handlers: Any = getattr(downloader, "handlers", None)
        if not callable(getattr(handlers, "download_request_async", None)):
            logger.warning("collector: page loads aren't recorded: this needs Scrapy 2.14 or newer, and its downloader")
            return
        # Scrapy tells of no failed download by a signal, and of no redirect that it follows no longer.
        downloader.fetch = self._fetching(downloader.fetch)
        handlers.download_request_async = _timing(handlers.download_request_async)

    def _closed(self, reason: str) -> None:
        self._scrapes.clear()
        if self._run is None:
            return
        if reason in _FINE_ENDS:
            self._run.end(OK)
        elif reason == "shutdown":  # Ctrl+C or SIGTERM
            self._run.end(KILLED, "the spider was told to shut down")
        else:
            self._run.end(FAILED, self._error or f"the spider was closed: {reason}")

    def _erred(self, failure: Any, response: Any) -> None:
        """Keep what was raised where there is no page: in `start()`, which ends the crawl."""
        if response is None:
            self._error = describe_exception(failure.value)

    # -- page loads ---------------------------------------------------------------------------------------------------

    def _fetching(self, fetch: Any) -> Any:
        """Go around the downloader with its middlewares: one call for each attempt and each step of a redirect."""

        def fetching(request: Request, *args: Any) -> Any:
            if request.callback is NO_CALLBACK:  # robots.txt, images: no page of the spider
                return fetch(request, *args)
            if JOURNEY not in request.meta:  # [seconds on the network, requests sent, retries before]
                request.meta[JOURNEY] = [0.0, 0, request.meta.get("retry_times", 0)]
            return fetch(request, *args).addBoth(self._fetched, request)

        return fetching

    def _fetched(self, result: Any, request: Request) -> Any:
        meta = request.meta
        again = isinstance(result, Request)
        if again and (result.dont_filter or result.url not in result.meta.get("redirect_urls", ())):
            return result  # a retry or a redirect: the journey goes on, in the meta of its copy
        journey = meta.pop(JOURNEY, None)
        if not (journey and journey[1]):  # from a cache, or kept back by a middleware
            return result
        spent_s, _, retries_before = journey
        redirects = meta.get("redirect_urls")
        url = redirects[0] if redirects else request.url
        retry_count = max(0, meta.get("retry_times", 0) - retries_before)
        if again:
            result.meta[JOURNEY] = None  # told; should it not be dropped, nothing more is
            self._pages.failed(url, spent_s * 1000, "redirect loop: dropped as a duplicate", retry_count=retry_count)
        elif isinstance(result, Response):
            self._answered(result, url, spent_s * 1000, retry_count)
        else:
            self._pages.failed(url, spent_s * 1000, result.value, retry_count=retry_count)
        return result

    def _answered(self, response: Response, url: str, duration_ms: float, retry_count: int) -> None:
        body = response.body
        verdict = self._pages.answered(
            url,
            duration_ms,
            response.status,
            retry_count=retry_count,
            body=body,
            data_size=len(body),
        )
        if verdict is not None and verdict.outcome == BLOCKED:
            self._blocked[response] = verdict

    # -- callbacks ----------------------------------------------------------------------------------------------------

    def process_spider_input(self, response: Response) -> None:
        """Note when a callback gets a page."""
        self._scrapes[id(response)] = _Scrape(response, self._default_callback, self._blocked.get(response))

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Count what a callback gives, and pass it on."""
        scrape = self._scrapes.get(id(response))
        if scrape is None:  # of an errback: nothing was scraped
            async for one in result:
                yield one
            return
        scrape.begin_output()
        try:
            began_s = perf_counter()
            async for one in result:
                scrape.spent_s += perf_counter() - began_s
                if isinstance(one, Request):
                    scrape.leads += 1
                elif one is not None:
                    scrape.count(one)
                yield one
                began_s = perf_counter()
            scrape.spent_s += perf_counter() - began_s
        finally:
            self._end(scrape)

    def process_spider_exception(self, response: Response, exception: Exception) -> None:
        """Note what a callback raised."""
        scrape = self._scrapes.get(id(response))
        if scrape is None or isinstance(exception, CloseSpider):  # the latter is a way to say that it is enough
            return
        scrape.error = exception
        if not scrape.giving:  # raised before anything came out: nobody will ask for its output
            scrape.begin_output()
            self._end(scrape)

    def _end(self, scrape: _Scrape) -> None:
        response = scrape.response
        self._scrapes.pop(id(response), None)
        if scrape.items:
            self._giving.add(scrape.callback)
        elif scrape.error is None and scrape.leads and scrape.callback not in self._giving:
            return  # a page that only leads on: there is nothing to miss on it
        verdict = self._judge(scrape, response)
        self._collector.record_page_scrape(
            self._pages.scraper_source,
            url=response.url,
            scrape_duration_ms=rounded_ms(scrape.spent_s * 1000),
            items_extracted=scrape.items,
            success=scrape.error is None and verdict.is_success,
            error=scrape.error or verdict.reason,
            data_size=len(response.body),
            outcome=verdict.outcome,
            run_id=self._run_id,
            labels=self._labels,
            fields=scrape.fields or None,
        )

    def _judge(self, scrape: _Scrape, response: Response) -> Verdict:
        if scrape.blocked is not None and not scrape.items:
            return scrape.blocked
        if scrape.error is None and self._collector._classifying.classifier is None:
            return _FULL if scrape.items else _BARE  # what a page usually has is known by its callback
        return self._collector.classify(
            self._pages.scraper_source, url=response.url, items_extracted=scrape.items, exception=scrape.error
        )


class _Scrape:
    """A callback at work on one response."""

    __slots__ = ("began_s", "blocked", "callback", "error", "fields", "giving", "items", "leads", "response", "spent_s")

    def __init__(self, response: Response, default_callback: Any, blocked: Verdict | None) -> None:
        self.response = response
        self.blocked = blocked
        self.began_s = perf_counter()
        self.spent_s = 0.0
        self.items = 0
        self.leads = 0
        self.fields: dict[str, int] = {}
        self.error: Exception | None = None
        self.giving = False
        request = response.request
        callback = request.callback if request is not None and request.callback is not None else default_callback
        self.callback = getattr(callback, "__func__", callback)

    def begin_output(self) -> None:
        """Take the callback's own time until now, unless it is a generator: that does nothing before it is asked."""
        self.giving = True
        code = getattr(self.callback, "__code__", None)
        if code is None or not code.co_flags & _GENERATES:
            self.spent_s = perf_counter() - self.began_s

    def count(self, item: Any) -> None:
        """Count an item and those of its fields that have a usable value."""
        self.items += 1
        fields = self.fields
        if type(item) is not dict:
            if not ItemAdapter.is_item(item):
                return
            item = ItemAdapter(item)
        for name, value in item.items():
            # The most frequent kinds of value here, without a call: this is done for every field of every item.
            kind = type(value)
            if kind is str:
                usable = value != "" and not value.isspace()
            elif kind is list:
                usable = bool(value)
            else:
                usable = kind is int or is_usable(value)
            if name in fields:
                if usable:
                    fields[name] += 1
            elif isinstance(name, str) and len(fields) < MAX_FIELDS and 0 < len(name) <= MAX_FIELD_NAME_CHARS:
                fields[name] = int(usable)


def _timing(download: Any) -> Any:
    """Go around the download handlers: what is spent there is spent on the network."""

    async def downloading(request: Request) -> Response:
        began_s = perf_counter()
        try:
            return await download(request)  # type: ignore[no-any-return]
        finally:
            journey = request.meta.get(JOURNEY)
            if journey is not None:
                journey[0] += perf_counter() - began_s
                journey[1] += 1

    return downloading
