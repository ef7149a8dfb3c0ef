"""Whatever a scraper passes: it goes on, and nothing is silently lost."""

import datetime
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from collector import Collector
from collector.events import PageNavigation
from tests.collector.doubles import App, MemorySink, only

URL = "https://host/"


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Angry:
    """Raises whatever is done with it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    __hash__ = object.__hash__


def recursive() -> dict[str, Any]:
    labels: dict[str, Any] = {}
    labels["self"] = labels
    return labels


WRONG: list[dict[str, Any]] = [
    {"url": None},
    {"url": b"https://host/"},
    {"url": Angry()},
    {"url": ["https://host/"]},
    {"navigation_duration_ms": math.nan},
    {"navigation_duration_ms": -1},
    {"navigation_duration_ms": 1e300},
    {"navigation_duration_ms": math.inf},
    {"navigation_duration_ms": None},
    {"navigation_duration_ms": "150"},
    {"navigation_duration_ms": Angry()},
    {"success": None},
    {"success": "yes"},
    {"retry_count": -1},
    {"retry_count": 1.5},
    {"status_code": 20},
    {"error": 5},
    {"error": Angry()},
    {"labels": recursive()},
    {"labels": Angry()},
    {"labels": (pair for pair in [("a", "b")])},
    {"labels": {"a": None}},
    {"run_id": 5},
    {"run_id": "r" * 65},
    {"recorded_at": "yesterday"},
    {"recorded_at": datetime.date(2026, 1, 1)},
    {"recorded_at": 5},
]


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{number}-{next(iter(w))}" for number, w in enumerate(WRONG)])
def test_a_wrong_value_is_counted_and_the_next_metric_arrives(
    collector: Collector, sink: MemorySink, wrong: dict[str, Any]
) -> None:
    collector.configure(sinks=[sink])
    good = {"url": URL, "navigation_duration_ms": 150}
    collector.record_page_navigation("cnbc", **(good | wrong))
    collector.record_page_navigation("cnbc", **good)  # type: ignore[arg-type]
    assert not collector.flush()
    assert len(sink.metrics) == 1
    assert collector.get_metrics_stats()["dropped_by_reason"] == {"invalid": 1}


def test_an_exception_without_words_is_told_by_its_type(tracked: Collector, sink: MemorySink) -> None:
    tracked.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1, success=False, error=Mute())
    assert only(PageNavigation, tracked, sink).error == "Mute"


def test_a_generator_as_items_is_refused_and_left_alone(collector: Collector, sink: MemorySink) -> None:
    def items() -> Iterator[int]:
        yield 1

    collector.configure(sinks=[sink])
    given = items()
    collector.record_page_scrape("cnbc", url=URL, scrape_duration_ms=1, items=given)  # type: ignore[arg-type]
    assert not collector.flush()
    assert list(given) == [1]


@pytest.mark.parametrize("hours", [-30 * 24, -5, 5, 23])
def test_a_clock_that_is_hours_off_costs_nothing(
    collector: Collector, sink: MemorySink, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    import time

    real = time.time
    monkeypatch.setattr("collector.recorder.time", lambda: real() + hours * 3600)
    collector.configure(sinks=[sink])
    collector.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1)
    metric = only(PageNavigation, collector, sink)
    assert abs(metric.recorded_at_ms - (real() + hours * 3600) * 1000) < 60_000


def test_a_redaction_of_ones_own_comes_after_ours_for_urls_and_errors(collector: Collector, sink: MemorySink) -> None:
    seen: list[str] = []

    def mine(text: str) -> str:
        seen.append(text)
        return text.replace("ada", "someone")

    collector.configure(sinks=[sink], redact=mine)
    collector.record_page_navigation(
        "cnbc", url="https://u:p@host/ada?token=x", navigation_duration_ms=1, success=False, error="no ada"
    )
    metric = only(PageNavigation, collector, sink)
    assert (metric.url, metric.error) == ("https://host/someone?token=***", "no someone")
    assert seen == ["https://host/ada?token=***", "no ada"]


@pytest.mark.parametrize("answer", [None, 5, ZeroDivisionError("oops")])
def test_a_redaction_that_fails_hides_the_whole_text(collector: Collector, sink: MemorySink, answer: object) -> None:
    def mine(text: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    collector.configure(sinks=[sink], redact=mine)
    collector.record_page_navigation("cnbc", url="https://host/ada", navigation_duration_ms=1, error="no ada")
    metric = only(PageNavigation, collector, sink)
    assert (metric.url, metric.error) == ("***", "***")


def test_megabytes_as_a_url_or_an_error_are_cut_before_they_wait(tracked: Collector, sink: MemorySink) -> None:
    tracked.record_page_navigation("cnbc", url=URL + "x" * 10**7, navigation_duration_ms=1, error="e" * 10**7)
    assert sum(len(str(value)) for entry in tracked._worker.queue for value in entry) < 20_000
    metric = only(PageNavigation, tracked, sink)
    assert (len(metric.url), len(metric.error or "")) == (2048, 4000)


def test_the_app_is_told_how_the_collector_is_doing(collector: Collector) -> None:
    with App() as app:
        collector.configure(url=app.url, name="my crawler")
        collector.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1)
        collector.record_page_navigation("cnbc", url=None, navigation_duration_ms=1)  # type: ignore[arg-type]
        collector.flush()
        first = app.requests[0]["body"]["collector"]
        assert (first["name"], first["recorded"], first["pending"]) == ("my crawler", 2, 1)
        assert abs(first["sentAt"] - first["startedAt"]) < 60_000
        collector.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1)
        collector.flush()
        assert "collector" not in app.requests[1]["body"]  # once in five seconds is enough
        collector.close()
        last = app.requests[-1]["body"]
        assert last["metrics"] == []
        assert (last["collector"]["id"], last["collector"]["flushed"]) == (first["id"], 2)
        assert last["collector"]["dropped"] == {"invalid": 1}
        assert last["collector"]["pending"] == 0


def test_nothing_is_reported_when_that_is_not_wanted(collector: Collector) -> None:
    with App() as app:
        collector.configure(url=app.url, report=False)
        collector.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1)
        assert collector.flush()
        collector.close()
        assert [list(request["body"]) for request in app.requests] == [["batchId", "metrics"]]


def test_eight_threads_lose_nothing(collector: Collector, sink: MemorySink) -> None:
    collector.configure(sinks=[sink], max_pending=100_000)
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(1000):
            collector.record_page_navigation("cnbc", url=URL, navigation_duration_ms=1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collector.flush(90)
    assert len(sink.metrics) == 8000
