"""Tracked scrapes, jobs, blocks and functions: what they record."""

import asyncio
import inspect
from collections.abc import Iterator

import numpy
import pytest

from collector import Collector
from collector.events import PageNavigation, PageScrape, SchedulerRun
from collector.measures import count_items, count_processed
from tests.collector.doubles import MemorySink, only

URL = "https://host/page"


class Response:
    """An answer as Playwright gives it."""

    def __init__(self, status: int) -> None:
        self.status = status


def test_a_scrape_counts_and_returns_the_items(tracked: Collector, sink: MemorySink) -> None:
    page = object()
    items = ["a", "b", "c"]

    def extract(given: object) -> list[str]:
        assert given is page
        return items

    assert tracked.scrape_page_tracked(page, URL, scraper_source="cnbc", extract=extract, run_id="r1") is items
    metric = only(PageScrape, tracked, sink)
    assert (metric.scraper_source, metric.url, metric.run_id) == ("cnbc", URL, "r1")
    assert (metric.items_extracted, metric.success, metric.outcome) == (3, True, "ok")


def test_a_scrape_that_finds_nothing_is_empty(tracked: Collector, sink: MemorySink) -> None:
    assert tracked.scrape_page_tracked(None, URL, scraper_source="cnbc", extract=lambda page: []) == []
    metric = only(PageScrape, tracked, sink)
    assert (metric.items_extracted, metric.success, metric.outcome) == (0, True, "empty")


def test_a_scrape_that_fails_is_recorded_and_raised(tracked: Collector, sink: MemorySink) -> None:
    def extract(page: object) -> list[str]:
        raise KeyError("price")

    with pytest.raises(KeyError):
        tracked.scrape_page_tracked(None, URL, scraper_source="cnbc", extract=extract)
    metric = only(PageScrape, tracked, sink)
    assert (metric.items_extracted, metric.success, metric.outcome) == (0, False, "parse_error")
    assert metric.error == "KeyError: 'price'"


def test_an_iterator_is_counted_while_it_is_consumed(tracked: Collector, sink: MemorySink) -> None:
    result = tracked.scrape_page_tracked(None, URL, scraper_source="cnbc", extract=lambda page: iter([1, 2]))
    assert tracked.flush()
    assert sink.metrics == []
    assert list(result) == [1, 2]
    metric = only(PageScrape, tracked, sink)
    assert (metric.items_extracted, metric.outcome) == (2, "ok")


def test_an_async_scrape_is_recorded_when_it_is_done(tracked: Collector, sink: MemorySink) -> None:
    async def extract(page: object) -> list[int]:
        await asyncio.sleep(0.02)
        return [1, 2]

    async def main() -> list[int]:
        return await tracked.scrape_page_tracked(None, URL, scraper_source="cnbc", extract=extract)

    assert asyncio.run(main()) == [1, 2]
    metric = only(PageScrape, tracked, sink)
    assert metric.items_extracted == 2
    assert metric.scrape_duration_ms >= 19


def test_a_job_is_one_scheduler_run(tracked: Collector, sink: MemorySink) -> None:
    result = tracked.run_metrics_scheduler_tracked("nightly", lambda: [1, 2, 3], scraper_source="cnbc", run_id="r1")
    assert result == [1, 2, 3]
    metric = only(SchedulerRun, tracked, sink)
    assert (metric.scheduler_name, metric.scraper_source, metric.run_id) == ("nightly", "cnbc", "r1")
    assert (metric.items_processed, metric.success, metric.error) == (3, True, None)


def test_a_job_that_fails_is_recorded_and_raised(tracked: Collector, sink: MemorySink) -> None:
    def job() -> None:
        raise ValueError("no feed")

    with pytest.raises(ValueError, match="no feed"):
        tracked.run_metrics_scheduler_tracked("nightly", job)
    metric = only(SchedulerRun, tracked, sink)
    assert (metric.success, metric.error) == (False, "ValueError: no feed")


@pytest.mark.parametrize(("code", "success"), [(None, True), (0, True), (2, False)])
def test_a_job_may_leave_through_sys_exit(
    tracked: Collector, sink: MemorySink, code: int | None, success: bool
) -> None:
    def job() -> None:
        raise SystemExit(code)

    with pytest.raises(SystemExit):
        tracked.run_metrics_scheduler_tracked("nightly", job)
    assert only(SchedulerRun, tracked, sink).success is success


def test_an_async_job_that_fails_is_recorded_and_raised(tracked: Collector, sink: MemorySink) -> None:
    async def job() -> None:
        raise ValueError("no feed")

    async def main() -> None:
        await tracked.run_metrics_scheduler_tracked("nightly", job)

    with pytest.raises(ValueError, match="no feed"):
        asyncio.run(main())
    assert only(SchedulerRun, tracked, sink).error == "ValueError: no feed"


def test_a_block_is_tracked(tracked: Collector, sink: MemorySink) -> None:
    with tracked.track_navigation("cnbc", url=URL, run_id="r1", labels={"a": "b"}) as track:
        track.status_code = 200
        track.retry_count = 1
    metric = only(PageNavigation, tracked, sink)
    assert (metric.success, metric.status_code, metric.retry_count) == (True, 200, 1)
    assert (metric.run_id, metric.labels) == ("r1", {"a": "b"})


def test_a_block_that_raises_is_recorded_as_failed(tracked: Collector, sink: MemorySink) -> None:
    def extract() -> None:
        with tracked.track_scrape("cnbc", url=URL) as track:
            track.items_extracted = 2
            raise ZeroDivisionError("oops")

    with pytest.raises(ZeroDivisionError):
        extract()
    metric = only(PageScrape, tracked, sink)
    assert (metric.success, metric.error, metric.items_extracted) == (False, "ZeroDivisionError: oops", 2)


def test_a_block_may_say_itself_what_became_of_it(tracked: Collector, sink: MemorySink) -> None:
    with tracked.track_scrape("cnbc", url=URL) as track:
        track.success = False
        track.error = "a challenge page"
        track.outcome = "blocked"
        track.data_size = 512
    metric = only(PageScrape, tracked, sink)
    assert (metric.success, metric.error, metric.outcome, metric.data_size) == (
        False,
        "a challenge page",
        "blocked",
        512,
    )


def test_an_async_block_is_tracked(tracked: Collector, sink: MemorySink) -> None:
    async def main() -> None:
        async with tracked.track_run("nightly", scraper_source="cnbc") as track:
            await asyncio.sleep(0.02)
            track.items_processed = 4

    asyncio.run(main())
    metric = only(SchedulerRun, tracked, sink)
    assert metric.items_processed == 4
    assert metric.execution_duration_ms >= 19


def test_an_async_block_that_raises_is_recorded_as_failed(tracked: Collector, sink: MemorySink) -> None:
    async def main() -> None:
        async with tracked.track_navigation("cnbc", url=URL):
            raise OSError("reset")

    with pytest.raises(OSError, match="reset"):
        asyncio.run(main())
    assert only(PageNavigation, tracked, sink).error == "OSError: reset"


def test_a_decorated_function_is_tracked_with_the_url_of_each_call(tracked: Collector, sink: MemorySink) -> None:
    @tracked.track_navigation("cnbc")
    def load(page: object, url: str, *, deep: bool = False) -> Response:
        """Load."""
        return Response(500 if deep else 200)

    assert load.__name__ == "load"
    assert load.__doc__ == "Load."
    assert load(None, "https://host/1").status == 200
    assert load(page=None, url="https://host/2", deep=True).status == 500
    assert tracked.flush()
    found = [(m.url, m.success, m.status_code) for m in sink.metrics if isinstance(m, PageNavigation)]
    assert found == [("https://host/1", True, 200), ("https://host/2", False, 500)]


def test_a_decorated_function_counts_its_items(tracked: Collector, sink: MemorySink) -> None:
    @tracked.track_scrape("cnbc", url=URL)
    def extract() -> list[str]:
        return ["a", "b"]

    assert extract() == ["a", "b"]
    metric = only(PageScrape, tracked, sink)
    assert (metric.url, metric.items_extracted, metric.outcome) == (URL, 2, "ok")


def test_a_decorated_coroutine_function_stays_one_and_is_tracked(tracked: Collector, sink: MemorySink) -> None:
    @tracked.track_scrape("cnbc")
    async def extract(url: str) -> list[str]:
        await asyncio.sleep(0.02)
        return ["a"]

    assert inspect.iscoroutinefunction(extract)
    assert asyncio.run(extract(URL)) == ["a"]
    metric = only(PageScrape, tracked, sink)
    assert metric.items_extracted == 1
    assert metric.scrape_duration_ms >= 19


def test_overlapping_calls_of_a_decorated_coroutine_function_are_measured_apart(
    tracked: Collector, sink: MemorySink
) -> None:
    @tracked.track_run("nightly")
    async def job(items: int, ready: asyncio.Event, other: asyncio.Event) -> list[int]:
        ready.set()
        await other.wait()
        return [0] * items

    async def main() -> None:
        one, other = asyncio.Event(), asyncio.Event()
        await asyncio.gather(job(1, one, other), job(2, other, one))

    asyncio.run(main())
    assert tracked.flush()
    assert sorted(m.items_processed for m in sink.metrics if isinstance(m, SchedulerRun)) == [1, 2]


def test_a_decorated_function_that_raises_is_recorded_as_failed(tracked: Collector, sink: MemorySink) -> None:
    @tracked.track_run("nightly")
    def job() -> None:
        raise ValueError("no feed")

    with pytest.raises(ValueError, match="no feed"):
        job()
    assert only(SchedulerRun, tracked, sink).error == "ValueError: no feed"


def test_decorating_a_generator_is_said_at_once(tracked: Collector) -> None:
    def parse(url: str) -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        tracked.track_scrape("cnbc")(parse)


def test_decorating_a_function_without_a_url_is_said_at_once(tracked: Collector) -> None:
    def load() -> None:
        return None

    with pytest.raises(TypeError, match="url"):
        tracked.track_navigation("cnbc")(load)


@pytest.mark.parametrize(
    ("result", "items", "processed"),
    [
        (None, 0, None),
        ([], 0, 0),
        ([1, 2], 2, 2),
        ({1, 2}, 2, 2),
        (range(5), 5, 5),
        (numpy.zeros((3, 2)), 3, 3),
        (numpy.array(5), 1, None),
        ({"price": 1, "title": "x"}, 1, None),
        ({}, 0, None),
        ("text", 1, None),
        (b"", 0, None),
        (12.5, 1, None),
        (object(), 1, None),
        (iter([1]), None, None),
        ((number for number in [1]), None, None),
    ],
)
def test_items_are_counted_without_touching_them(result: object, items: int | None, processed: int | None) -> None:
    assert count_items(result) == items
    assert count_processed(result) == processed
