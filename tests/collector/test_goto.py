"""`goto_with_retries_tracked`: what it does for the scraper, and what it records."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from collector import Collector
from collector.events import PageNavigation
from collector.measures import status_of
from tests.collector.doubles import MemorySink, only

URL = "https://host/page"


class Response:
    """An answer as Playwright gives it."""

    def __init__(self, status: int) -> None:
        self.status = status


class Page:
    """A page-like object that answers as told: a status, or an exception to raise."""

    def __init__(self, *answers: int | BaseException) -> None:
        self._answers = iter(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def goto(self, url: str, **options: Any) -> Response:
        self.calls.append((url, options))
        answer = next(self._answers)
        if isinstance(answer, BaseException):
            raise answer
        return Response(answer)


class AsyncPage(Page):
    """The same with `await`."""

    async def goto(self, url: str, **options: Any) -> Response:  # type: ignore[override] # as Playwright has it
        await asyncio.sleep(0)
        return super().goto(url, **options)


class Driver:
    """A browser driver as Selenium has it."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def get(self, url: str) -> None:
        self.got.append(url)


def go(collector: Collector, page: Page, **options: Any) -> Any:
    """Go to the page, with `await` when it is an async one."""
    result = collector.goto_with_retries_tracked(page, URL, scraper_source="cnbc", backoff_s=0.0, **options)
    if inspect.isawaitable(result):

        async def wait() -> Any:
            return await result

        return asyncio.run(wait())
    return result


both = pytest.mark.parametrize("make_page", [Page, AsyncPage], ids=["sync", "async"])


@both
def test_a_page_that_loads_is_one_successful_navigation(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    page = make_page(200)
    assert go(tracked, page, timeout=500, run_id="r1", labels={"proxy": "eu"}).status == 200
    assert page.calls == [(URL, {"timeout": 500})]
    metric = only(PageNavigation, tracked, sink)
    assert (metric.scraper_source, metric.url, metric.success) == ("cnbc", URL, True)
    assert (metric.retry_count, metric.status_code, metric.error) == (0, 200, None)
    assert (metric.run_id, metric.labels) == ("r1", {"proxy": "eu"})
    assert metric.navigation_duration_ms > 0


@both
def test_a_page_is_tried_again_after_an_exception_a_429_and_a_5xx(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    page = make_page(TimeoutError("30 s"), 429, 503, 200)
    assert go(tracked, page, max_attempts=4).status == 200
    metric = only(PageNavigation, tracked, sink)
    assert (metric.retry_count, metric.status_code, metric.success, metric.error) == (3, 200, True, None)


@both
def test_the_last_exception_is_recorded_and_raised(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    page = make_page(503, TimeoutError("first"), TimeoutError("last"))
    with pytest.raises(TimeoutError, match="last"):
        go(tracked, page)
    assert len(page.calls) == 3
    metric = only(PageNavigation, tracked, sink)
    assert (metric.retry_count, metric.status_code, metric.success) == (2, None, False)
    assert metric.error == "TimeoutError: last"


@both
def test_a_page_that_stays_busy_is_returned_and_recorded_as_failed(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    assert go(tracked, make_page(503, 503, 503)).status == 503
    metric = only(PageNavigation, tracked, sink)
    assert (metric.retry_count, metric.status_code, metric.success, metric.error) == (2, 503, False, "HTTP 503")


@both
def test_a_page_that_does_not_exist_is_not_tried_again(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    page = make_page(404)
    assert go(tracked, page).status == 404
    assert len(page.calls) == 1
    metric = only(PageNavigation, tracked, sink)
    assert (metric.retry_count, metric.status_code, metric.success, metric.error) == (0, 404, False, "HTTP 404")


@both
def test_an_interruption_is_recorded_and_not_tried_again(
    tracked: Collector, sink: MemorySink, make_page: Callable[..., Page]
) -> None:
    page = make_page(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        go(tracked, page)
    assert len(page.calls) == 1
    assert only(PageNavigation, tracked, sink).error == "KeyboardInterrupt"


def test_a_cancelled_navigation_is_recorded(tracked: Collector, sink: MemorySink) -> None:
    class Slow:
        async def goto(self, url: str) -> None:
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(tracked.goto_with_retries_tracked(Slow(), URL, scraper_source="cnbc"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert only(PageNavigation, tracked, sink).error == "CancelledError"


def test_one_attempt_is_the_least(tracked: Collector, sink: MemorySink) -> None:
    page = Page(503)
    assert go(tracked, page, max_attempts=0).status == 503
    assert only(PageNavigation, tracked, sink).retry_count == 0


def test_a_selenium_driver_is_a_page_too(tracked: Collector, sink: MemorySink) -> None:
    driver = Driver()
    assert tracked.goto_with_retries_tracked(driver, URL, scraper_source="cnbc") is None
    assert driver.got == [URL]
    metric = only(PageNavigation, tracked, sink)
    assert (metric.success, metric.status_code) == (True, None)


def test_something_that_is_no_page_is_said_at_once(tracked: Collector) -> None:
    with pytest.raises(TypeError, match="goto"):
        tracked.goto_with_retries_tracked(object(), URL, scraper_source="cnbc")


def test_the_wait_between_attempts_grows_and_is_random(tracked: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("collector.tracked.time.sleep", waited.append)
    page = Page(*[503] * 8)
    tracked.goto_with_retries_tracked(page, URL, scraper_source="cnbc", max_attempts=8, backoff_s=8.0)
    assert len(waited) == 7
    assert all(0 <= wait <= bound for wait, bound in zip(waited, [8, 16, 30, 30, 30, 30, 30], strict=True))
    assert len(set(waited)) == 7


def test_impossible_wait_is_none_and_what_is_no_number_is_said_before_the_first_attempt(tracked: Collector) -> None:
    page = Page(503, 200)
    assert tracked.goto_with_retries_tracked(page, URL, scraper_source="cnbc", backoff_s=-1.0).status == 200
    with pytest.raises(TypeError):
        tracked.goto_with_retries_tracked(page, URL, scraper_source="cnbc", backoff_s="1")  # type: ignore[arg-type]
    assert len(page.calls) == 2


class Rude:
    """Raises when asked for its status."""

    @property
    def status(self) -> int:
        raise RuntimeError("rude")


class Requests:
    """An answer as requests and httpx give it."""

    status_code = 418


@pytest.mark.parametrize(
    ("response", "status"),
    [(Response(200), 200), (Requests(), 418), (None, None), (Rude(), None), (Response(7), None), ("text", None)],
)
def test_the_status_of_any_response_is_read(response: object, status: int | None) -> None:
    assert status_of(response) == status
