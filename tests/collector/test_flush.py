"""Flush, close, figures and the thread: how a collector is waited for and looked at."""

import logging
import random
import threading
import time
from collections.abc import Callable

import pytest

from collector import Collector, ConfigurationError
from collector.sinks import Batch, Delivery
from tests.collector.doubles import Gate, MemorySink, away


def record(collector: Collector, count: int = 1, source: str = "cnbc") -> None:
    for number in range(count):
        collector.record_page_navigation(source, url=f"https://host/{number}", navigation_duration_ms=number)


def test_a_flush_does_not_wait_for_the_backoff(collector: Collector) -> None:
    sink = MemorySink([away()])
    collector.configure(sinks=[sink], retry_base_s=3600, retry_cap_s=3600)
    record(collector)
    sink.wait_for_attempts(1)
    assert collector.flush()


def test_a_new_thread_takes_over_when_a_sink_kills_the_first(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kill(BaseException):
        pass

    killed = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: killed.set())

    def kill(batch: Batch) -> Delivery:
        raise Kill

    sink = MemorySink([kill])
    collector.configure(sinks=[sink], batch_size=1)
    record(collector)
    assert killed.wait(90)
    record(collector)
    assert not collector.flush()  # the first one is lost
    assert len(sink.metrics) == 1
    assert collector.get_metrics_stats()["dropped_by_reason"] == {"internal_error": 1}


def test_flush_gives_up_at_its_deadline(collector: Collector) -> None:
    gate = Gate()
    collector.configure(sinks=[MemorySink([gate])])
    record(collector)
    assert gate.entered.wait(90)
    began_s = time.monotonic()
    assert not collector.flush(timeout_s=0.1)
    assert time.monotonic() - began_s > 0.09
    gate.opened.set()
    assert collector.flush()


def test_flush_waits_only_for_what_was_recorded_before_it(collector: Collector) -> None:
    first, second = Gate(), Gate()
    sink = MemorySink([first, second])
    collector.configure(sinks=[sink], batch_size=1)
    record(collector)
    assert first.entered.wait(90)
    answers: list[bool] = []
    flusher = threading.Thread(target=lambda: answers.append(collector.flush(timeout_s=90)))
    flusher.start()
    while not collector._worker._flushes:  # until it waits: nothing public tells
        flusher.join(0.001)
    record(collector)
    first.opened.set()
    assert second.entered.wait(90)
    flusher.join(90)
    assert answers == [True]
    second.opened.set()


def test_flush_of_one_kind_delivers_it(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], flush_interval_s=3600)
    for count, flush in enumerate(
        [collector.flush_navigation_metrics, collector.flush_scrape_metrics, collector.flush_scheduler_metrics], 1
    ):
        record(collector)
        assert flush()
        assert len(sink.metrics) == count


def test_flush_with_nothing_recorded_is_true_at_once(collector: Collector) -> None:
    assert collector.flush(timeout_s=0)
    collector.configure(sinks=[MemorySink([away()])])
    assert collector.flush(timeout_s=0)


def test_unconfigured_metrics_wait_and_one_line_says_what_to_do(
    collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()

    class Listener(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            if "configure" in line.getMessage():
                told.set()

    monkeypatch.setattr("collector.worker._UNCONFIGURED_GRACE_S", 0.01)
    listener = Listener()
    logging.getLogger("collector").addHandler(listener)
    try:
        record(collector, 3)
        assert told.wait(90)
    finally:
        logging.getLogger("collector").removeHandler(listener)
    assert not collector.flush()
    assert collector.get_metrics_stats()["pending"] == 3
    sink = MemorySink()
    collector.configure(sinks=[sink])
    assert collector.flush()
    assert len(sink.metrics) == 3
    assert len([line for line in caplog.records if "configure" in line.getMessage()]) == 1


def test_unconfigured_metrics_are_bounded_too(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    record(collector, 50_100)
    stats = collector.get_metrics_stats()
    assert stats["pending"] == 50_000
    assert stats["dropped_by_reason"] == {"queue_full": 100}


def test_the_figures_always_add_up_while_threads_record(collector: Collector) -> None:
    sink = MemorySink([away() if number % 5 == 0 else None for number in range(2000)])
    collector.configure(sinks=[sink], batch_size=20, max_pending=200, flush_interval_s=0.001, retry_base_s=0.0001)
    threads = [threading.Thread(target=record, args=(collector, 3000, f"s{number}")) for number in range(8)]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        stats = collector.get_metrics_stats()
        assert stats["recorded"] == stats["flushed"] + stats["dropped"] + stats["pending"]
        assert stats["recorded"] >= seen - len(threads)  # a call that is dropping right now may count a moment later
        assert stats["pending"] <= 220 + len(threads)
        seen = stats["recorded"]
    for thread in threads:
        thread.join()
    collector.flush()
    stats = collector.get_metrics_stats()
    assert stats["recorded"] == 24_000
    assert stats["pending"] == 0
    assert stats["flushed"] == len(sink.metrics)
    assert stats["flushed"] + stats["dropped_by_reason"].get("queue_full", 0) == 24_000


def test_stats_have_every_key_before_anything_happened(collector: Collector) -> None:
    assert collector.get_metrics_stats() == {
        "pending": 0,
        "recorded": 0,
        "flushed": 0,
        "dropped": 0,
        "dropped_by_reason": {},
        "last_flush": None,
        "last_error": None,
        "spool_size": 0,
        "spool_bytes": 0,
        "adopted": 0,
        "left_on_disk": 0,
        "batches": 0,
        "retries": 0,
    }


def test_last_flush_is_the_time_of_the_last_delivery(collector: Collector) -> None:
    collector.configure(sinks=[MemorySink()])
    before_ms = time.time_ns() // 1_000_000
    record(collector)
    assert collector.flush()
    last_flush = collector.get_metrics_stats()["last_flush"]
    assert last_flush is not None
    assert before_ms <= last_flush <= time.time_ns() // 1_000_000


def test_close_delivers_and_later_calls_are_counted(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], flush_interval_s=3600)
    record(collector, 3)
    assert collector.close() == 0
    assert len(sink.metrics) == 3
    record(collector, 2)
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"closed": 2}
    assert stats["pending"] == 0
    with pytest.raises(ConfigurationError, match="closed"):
        collector.configure(sinks=[sink])


def test_close_gives_up_at_its_deadline_and_says_how_many_it_left(collector: Collector) -> None:
    sink = MemorySink([away()] * 10_000)
    collector.configure(sinks=[sink], batch_size=2)
    record(collector, 5)
    assert collector.close(timeout_s=0.2) == 5  # the sink is away for hours
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"].get("closed", 0) + stats["pending"] == 5  # the thread may still be ending


def test_the_thread_starts_with_the_first_metric_and_ends_with_the_close(collector: Collector) -> None:
    collector.configure(sinks=[MemorySink()])
    assert collector._worker._thread is None  # nothing public tells
    record(collector)
    assert collector.flush()
    thread = collector._worker._thread
    assert thread is not None
    assert thread.daemon
    collector.close()
    thread.join(90)
    assert not thread.is_alive()


def test_what_a_thread_that_cannot_start_leaves_is_delivered_at_the_close(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sink = MemorySink([away()])
    collector.configure(sinks=[sink], batch_size=10, retry_base_s=0.001)
    monkeypatch.setattr(threading.Thread, "start", fail)
    record(collector, 25)
    assert not collector.flush()
    assert "can't start" in (collector.get_metrics_stats()["last_error"] or "")
    assert collector.close() == 0
    assert len(sink.metrics) == 25


def test_the_scrapers_random_numbers_stay_reproducible(collector: Collector) -> None:
    random.seed(5)
    expected = random.random()
    collector.configure(sinks=[MemorySink([away(), away()])], retry_base_s=0.001)
    random.seed(5)
    record(collector)
    assert collector.flush()
    assert random.random() == expected


def test_collectors_do_not_share_anything(make_collector: Callable[[], Collector]) -> None:
    one, other = make_collector(), make_collector()
    sink_one, sink_other = MemorySink(), MemorySink()
    one.configure(sinks=[sink_one])
    other.configure(sinks=[sink_other])
    record(one, 2)
    record(other, 3)
    assert one.flush()
    assert other.flush()
    assert (len(sink_one.metrics), len(sink_other.metrics)) == (2, 3)
    assert one.get_metrics_stats()["recorded"] == 2


def test_flush_tells_of_a_drop_once_whenever_it_came(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], batch_size=1)
    collector.record_page_navigation("cnbc", url="", navigation_duration_ms=1)
    record(collector)
    sink.wait_for_metrics(1)  # so the other one was dropped before the flush
    assert not collector.flush()
    assert collector.flush()
    record(collector)
    assert collector.flush()
