"""Wrappers that do a scraper's step and record it: load a page with retries, extract, run a job."""

import random
import time
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, TypeVar

from collector.recorder import Recorder
from collector.tracking import NavigationTrack, RunTrack, ScrapeTrack, Track

T = TypeVar("T")

_LONGEST_BACKOFF_S = 30.0
_random = random.SystemRandom()  # no state: neither a scraper's seed nor a fork matters


class TrackedCalls(Recorder):
    """The tracked wrappers, on top of the record calls."""

    __slots__ = ()

    def goto_with_retries_tracked(
        self,
        page: Any,
        url: str,
        *,
        scraper_source: str,
        max_attempts: int = 3,
        backoff_s: float = 0.5,
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        **goto: Any,
    ) -> Any:
        """Load a page, again when that fails, and record one navigation.

        An attempt fails when it raises, or when the answer's status is 429 or 5xx. The wait between attempts is random:
        0 to `backoff_s`, then 0 to twice that, and so on, up to 30 seconds; it is part of the navigation's duration.

        Args:
            page: Anything with `goto(url, ...)` (Playwright, sync or async) or else `get(url, ...)` (Selenium,
                requests, httpx).
            url: The page.
            scraper_source: Name of the scraper.
            max_attempts: How many attempts in all, at least 1.
            backoff_s: Longest wait after the first attempt, in seconds.
            run_id: The run that it belongs to.
            labels: For the metric.
            **goto: Passed on: `timeout`, `wait_until`, ...

        Returns:
            What the last attempt gave (a response; None with Selenium), also with a status that means failure: from 400
            on the navigation is recorded as failed. With an async page: an awaitable of that.

        Raises:
            Exception: What the last attempt raised, after it was recorded.
            TypeError: `page` has neither `goto` nor `get`.
        """
        navigate = getattr(page, "goto", None) or getattr(page, "get", None)
        if not callable(navigate):
            raise TypeError(f"page must have goto(url) or get(url), {type(page).__name__} has neither")
        track = self.track_navigation(scraper_source, url=url, run_id=run_id, labels=labels)
        attempts = _Attempts(track, max_attempts, backoff_s)
        track.begin()
        try:
            while True:
                try:
                    response = navigate(url, **goto)
                    if isawaitable(response):  # an async page: nothing is loaded yet, and it goes on from here
                        return _goto_async(response, lambda: navigate(url, **goto), attempts)
                except Exception:  # whatever a browser raises is a failed attempt
                    if not attempts.again_after_error():
                        raise
                else:
                    if not attempts.again_with(response):
                        track.finish()
                        return response
                time.sleep(attempts.pause_s())
        except BaseException as exc:
            track.finish(exc)
            raise

    def scrape_page_tracked(
        self,
        page: Any,
        url: str,
        *,
        scraper_source: str,
        extract: Callable[[Any], T],
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> T:
        """Time `extract(page)`, count its items and their fields, and record one scrape with its outcome.

        Where nothing comes out of it, or it raises, the page is looked at: a challenge page is `blocked`, whatever its
        status was.

        Args:
            page: What `extract` gets.
            url: The page.
            scraper_source: Name of the scraper.
            extract: Gives the items. The length of a list, a DataFrame, ... is counted; a mapping or a text is one
                item, None is none. An iterator is counted while you consume it, and the scrape recorded at its end.
            run_id: The run that it belongs to.
            labels: For the metric.

        Returns:
            What `extract` gave, an iterator wrapped; when that is awaitable, an awaitable of the result, which is
            recorded when it is done.

        Raises:
            Exception: What `extract` raised, after it was recorded.
        """
        track = self.track_scrape(scraper_source, url=url, run_id=run_id, labels=labels)
        track.page = page
        return _measure(track, lambda: extract(page))

    def run_metrics_scheduler_tracked(
        self, name: str, job: Callable[[], T], *, scraper_source: str | None = None, run_id: str | None = None
    ) -> T:
        """Time a job and record one scheduler run.

        Args:
            name: Name of the scheduler job.
            job: Does the work; when it returns a collection, its length is the number of items processed.
            scraper_source: The scraper that it drives, if it drives one.
            run_id: The run that it is.

        Returns:
            What `job` gave; when that is awaitable, an awaitable of the result, which is recorded when it is done.

        Raises:
            Exception: What `job` raised, after it was recorded.
        """
        return _measure(self.track_run(name, scraper_source=scraper_source, run_id=run_id), job)

    def track_navigation(
        self,
        scraper_source: str,
        *,
        url: str | None = None,
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> NavigationTrack:
        """Measure a page navigation: `with track_navigation("cnbc", url=url) as track:`, or as a decorator.

        Args:
            scraper_source: Name of the scraper.
            url: The page; a decorator takes it from the call's argument `url` when it is None.
            run_id: The run that it belongs to.
            labels: For the metric.

        Returns:
            A track; set its `retry_count`, `status_code`, `success`, `error` inside the block.
        """
        return NavigationTrack(self, scraper_source, url, run_id, labels)

    def track_scrape(
        self,
        scraper_source: str,
        *,
        url: str | None = None,
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> ScrapeTrack:
        """Measure a page scrape: `with track_scrape("cnbc", url=url) as track:`, or as a decorator.

        Args:
            scraper_source: Name of the scraper.
            url: The page; a decorator takes it from the call's argument `url` when it is None.
            run_id: The run that it belongs to.
            labels: For the metric.

        Returns:
            A track; set its `items_extracted`, `data_size`, `outcome`, `success`, `error` inside the block.
        """
        return ScrapeTrack(self, scraper_source, url, run_id, labels)

    def track_run(
        self, scheduler_name: str, *, scraper_source: str | None = None, run_id: str | None = None
    ) -> RunTrack:
        """Measure a scheduler run: `with track_run("nightly") as track:`, or as a decorator.

        Args:
            scheduler_name: Name of the scheduler job.
            scraper_source: The scraper that it drives, if it drives one.
            run_id: The run that it is.

        Returns:
            A track; set its `items_processed`, `success`, `error` inside the block.
        """
        return RunTrack(self, scheduler_name, scraper_source, run_id)


class _Attempts:
    """Decides whether a page is tried again, and counts that on its track."""

    def __init__(self, track: NavigationTrack, most: int, backoff_s: float) -> None:
        self.track = track
        self._left = max(1, most) - 1
        self._backoff_s = max(0.0, backoff_s)  # a mistake shows now, and not at the first page that fails

    def again_after_error(self) -> bool:
        self.track.status_code = None  # of an attempt before
        return self._again()

    def again_with(self, response: object) -> bool:
        self.track.status_code = None
        self.track.observe(response)
        status = self.track.status_code
        return status is not None and (status == 429 or status >= 500) and self._again()

    def pause_s(self) -> float:
        longest_s = self._backoff_s * 2 ** min(self.track.retry_count - 1, 40)
        return _random.uniform(0, min(longest_s, _LONGEST_BACKOFF_S))

    def _again(self) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        self.track.retry_count += 1
        return True


async def _goto_async(first: Awaitable[Any], navigate: Callable[[], Awaitable[Any]], attempts: _Attempts) -> Any:
    """Go on with an async page; the same as the loop in `goto_with_retries_tracked`, with `await`."""
    import asyncio  # here: it would triple the time that importing the collector takes

    track = attempts.track
    track.begin()
    attempt: Awaitable[Any] | None = first
    try:
        while True:
            try:
                response = await (attempt or navigate())
            except Exception:  # whatever a browser raises is a failed attempt
                if not attempts.again_after_error():
                    raise
            else:
                if not attempts.again_with(response):
                    track.finish()
                    return response
            attempt = None
            await asyncio.sleep(attempts.pause_s())
    except BaseException as exc:
        track.finish(exc)
        raise


def _measure(track: Track, work: Callable[[], T]) -> T:
    track.begin()
    try:
        result = work()
    except BaseException as exc:
        track.finish(exc)
        raise
    if isawaitable(result):
        return track.wait_for(result)  # type: ignore[return-value] # T is that awaitable
    result = track.observe(result)
    track.finish()
    return result
