"""Batches, retries and counters: what becomes of a recorded metric."""

import threading
import time

import pytest

from collector import Collector
from collector.batching import batch_length
from collector.errors import SinkRefused
from collector.events import PageNavigation, PageScrape, SchedulerRun
from collector.sinks import Batch, Delivery, Rejection
from tests.collector.doubles import WAIT_S, Gate, MemorySink, away


def record(collector: Collector, count: int = 1, source: str = "cnbc") -> None:
    for number in range(count):
        collector.record_page_navigation(source, url=f"https://host/{number}", navigation_duration_ms=number)


def test_each_kind_of_metric_arrives_as_it_was_recorded(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink])
    moment_ms = 1_702_214_400_000
    collector.record_page_navigation(
        "cnbc",
        url="https://host/",
        navigation_duration_ms=150,
        success=False,
        retry_count=2,
        error="gone",
        status_code=404,
        recorded_at=moment_ms,
        run_id="r1",
        labels={"proxy": "eu"},
    )
    collector.record_page_scrape(
        "cnbc",
        url="https://host/",
        scrape_duration_ms=20.5,
        items_extracted=3,
        data_size=99,
        outcome="ok",
        recorded_at=moment_ms,
        run_id="r1",
        labels={"proxy": "eu"},
    )
    collector.record_scheduler_metric(
        "nightly",
        execution_duration_ms=1500,
        items_processed=7,
        scraper_source="cnbc",
        recorded_at=moment_ms,
        run_id="r1",
    )
    assert collector.flush()
    assert sink.metrics == [
        PageNavigation("cnbc", "https://host/", 150, False, 2, "gone", 404, moment_ms, "r1", {"proxy": "eu"}),
        PageScrape("cnbc", "https://host/", 20.5, 3, True, None, 99, "ok", moment_ms, "r1", {"proxy": "eu"}),
        SchedulerRun("nightly", 1500, True, 7, None, "cnbc", moment_ms, "r1"),
    ]


def test_metrics_arrive_in_the_order_of_their_recording(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], batch_size=7)
    record(collector, 1000)
    assert collector.flush()
    assert [m.url for m in sink.metrics if isinstance(m, PageNavigation)] == [f"https://host/{n}" for n in range(1000)]


def test_a_full_batch_leaves_at_once(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], batch_size=10, flush_interval_s=3600)
    record(collector, 25)
    sink.wait_for_metrics(20)
    assert [len(batch.metrics) for batch in sink.batches] == [10, 10]
    assert collector.get_metrics_stats()["pending"] == 5


def test_a_batch_that_is_not_full_leaves_when_its_oldest_metric_has_waited_long_enough(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], flush_interval_s=0.5)
    began_s = time.monotonic()
    record(collector, 3)
    sink.wait_for_metrics(3)
    assert time.monotonic() - began_s > 0.4
    assert len(sink.batches) == 1


def test_a_batch_leaves_in_time_although_metrics_keep_coming_while_it_waits(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], flush_interval_s=0.5, batch_size=10_000)
    waited = threading.Event()
    deadline_s = time.monotonic() + WAIT_S
    while not sink.batches and time.monotonic() < deadline_s:
        record(collector)
        waited.wait(0.005)
    assert sink.batches
    assert len(sink.batches[0].metrics) > 1


def test_every_batch_has_its_own_id(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], batch_size=1)
    for _ in range(50):
        record(collector)
        assert collector.flush()
    ids = [batch.batch_id for batch in sink.batches]
    assert len(set(ids)) == 50
    assert all(0 < len(batch_id) <= 64 for batch_id in ids)


def test_a_sink_that_is_away_gets_the_same_batch_again_until_it_takes_it(collector: Collector) -> None:
    sink = MemorySink([away(), away(), away()])
    collector.configure(sinks=[sink], batch_size=3, flush_interval_s=3600, retry_base_s=0.001)
    record(collector, 3)
    sink.wait_for_metrics(3)
    assert collector.flush()
    assert len(set(sink.attempts)) == 1
    assert len(sink.attempts) == 4
    stats = collector.get_metrics_stats()
    assert stats["retries"] == 3
    assert stats["flushed"] == 3
    assert stats["dropped"] == 0
    assert stats["last_error"] == "away"


def test_nothing_is_lost_while_the_sink_is_away(collector: Collector) -> None:
    back = threading.Event()

    def take(batch: Batch) -> Delivery:
        if not back.is_set():
            raise away()
        return Delivery(len(batch.metrics))

    sink = MemorySink([take] * 10_000)
    collector.configure(sinks=[sink], retry_base_s=0.001, retry_cap_s=0.01)
    record(collector, 500)
    sink.wait_for_attempts(10)
    assert collector.get_metrics_stats()["pending"] == 500
    back.set()
    assert collector.flush()
    assert len(sink.metrics) == 500


def test_a_sink_that_says_when_to_come_back_is_left_alone_until_then(collector: Collector) -> None:
    sink = MemorySink([away(retry_after_s=0.3)])
    collector.configure(sinks=[sink], retry_base_s=0.0)
    began_s = time.monotonic()
    record(collector)
    sink.wait_for_attempts(1)
    assert collector.flush()  # doesn't cut it short either
    assert time.monotonic() - began_s >= 0.3


def test_full_queue_drops_and_counts(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    sink = MemorySink([gate])
    collector.configure(sinks=[sink], batch_size=10, flush_interval_s=3600, max_pending=50)
    record(collector, 10, "in_flight")
    assert gate.entered.wait(90)
    record(collector, 80)
    stats = collector.get_metrics_stats()
    kept = stats["pending"]
    assert kept in (60, 70)  # on its way, in the queue, and the next batch where the thread was quick enough to make it
    assert stats["dropped_by_reason"] == {"queue_full": 90 - kept}
    assert stats["recorded"] == 90
    gate.opened.set()
    assert not collector.flush()  # not everything is out
    assert len(sink.metrics) == kept
    assert [m.url for m in sink.metrics[10:60] if isinstance(m, PageNavigation)] == [
        f"https://host/{number}" for number in range(50)
    ]
    assert "the queue is full" in caplog.text


def test_ten_thousand_calls_with_the_sink_away_stay_inside_the_bound(collector: Collector) -> None:
    sink = MemorySink([away()] * 10_000)
    collector.configure(sinks=[sink], max_pending=100, retry_base_s=3600, retry_cap_s=3600)
    record(collector, 10_000)
    stats = collector.get_metrics_stats()
    assert stats["pending"] <= 300  # the queue, one batch on its way, and the next
    assert stats["recorded"] == 10_000
    assert stats["recorded"] == stats["pending"] + stats["dropped"]


def test_a_refused_batch_is_dropped_and_counted_and_the_next_is_tried(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    sink = MemorySink([SinkRefused("wrong token")])
    collector.configure(sinks=[sink], flush_interval_s=3600)
    record(collector, 3)
    assert not collector.flush()
    record(collector, 2)
    assert collector.flush()
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"refused": 3}
    assert stats["flushed"] == 2
    assert stats["last_error"] == "wrong token"
    assert "wrong token" in caplog.text


def test_rejected_metrics_are_counted_and_the_first_reason_is_told_once(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    rejected = (Rejection(1, "url", "too rude"), Rejection(2, "url", "even ruder"), Rejection(99, "url", "no such"))
    sink = MemorySink([Delivery(2, False, rejected), Delivery(2, False, rejected)])
    collector.configure(sinks=[sink], batch_size=4, flush_interval_s=3600)
    record(collector, 8)
    assert not collector.flush()
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"rejected": 4}
    assert stats["flushed"] == 4
    assert stats["last_error"] == "rejected: url: too rude"
    assert len([line for line in caplog.records if "too rude" in line.getMessage()]) == 1


def test_a_duplicate_counts_as_delivered(collector: Collector) -> None:
    sink = MemorySink([Delivery(0, True)])
    collector.configure(sinks=[sink])
    record(collector, 3)
    assert collector.flush()
    assert collector.get_metrics_stats()["flushed"] == 3


def test_a_sink_that_raises_the_unforeseen_gets_a_few_chances_then_the_batch_is_dropped(collector: Collector) -> None:
    sink = MemorySink([ZeroDivisionError("oops")] * 5)
    collector.configure(sinks=[sink], retry_base_s=0.001, batch_size=1)
    record(collector, 2)
    assert not collector.flush()
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"sink_error": 1}
    assert stats["flushed"] == 1
    assert stats["last_error"] == "MemorySink raised ZeroDivisionError: oops"


def test_the_collector_survives_a_sink_that_wants_to_leave(collector: Collector) -> None:
    def leave(batch: Batch) -> Delivery:
        raise SystemExit

    sink = MemorySink([leave])
    collector.configure(sinks=[sink], retry_base_s=0.001)
    record(collector)
    assert collector.flush()
    assert len(sink.metrics) == 1


def test_every_sink_gets_every_batch_and_only_those_that_lack_it_are_asked_again(collector: Collector) -> None:
    steady, shaky = MemorySink(), MemorySink([away(), away()])
    collector.configure(sinks=[steady, shaky], flush_interval_s=3600, retry_base_s=0.001)
    record(collector, 3)
    assert collector.flush()
    assert len(steady.attempts) == 1
    assert len(shaky.attempts) == 3
    assert steady.metrics == shaky.metrics
    assert collector.get_metrics_stats()["flushed"] == 3


def test_a_metric_that_one_of_two_sinks_does_not_keep_counts_as_dropped_once(collector: Collector) -> None:
    first = MemorySink([Delivery(2, False, (Rejection(0, "url", "no"),))])
    second = MemorySink([Delivery(1, False, (Rejection(0, "url", "no"), Rejection(1, "url", "no")))])
    collector.configure(sinks=[first, second], flush_interval_s=3600)
    record(collector, 3)
    assert not collector.flush()
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"rejected": 2}
    assert stats["flushed"] == 1


def test_the_more_waits_the_longer_is_a_batch_but_not_for_the_disk() -> None:
    lengths = {
        waiting: batch_length(100, waiting, max_pending=50_000, answering=True)
        for waiting in (1, 999, 1000, 2500, 90_000)
    }
    assert lengths == {1: 100, 999: 100, 1000: 1000, 2500: 2500, 90_000: 4000}
    assert batch_length(100, 90_000, max_pending=100_000, answering=False) == 1000
    assert batch_length(1000, 90_000, max_pending=100_000, answering=True) == 10_000
    assert batch_length(5, 90_000, max_pending=100_000, answering=True) == 200


def test_what_waits_for_its_delivery_is_a_small_part_of_what_may_wait() -> None:
    assert batch_length(20, 200, max_pending=200, answering=False) == 20
    assert batch_length(100, 20_000, max_pending=20_000, answering=True) == 2000
    assert batch_length(1000, 90_000, max_pending=50_000, answering=True) == 5000
