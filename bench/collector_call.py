"""Measure what a record call costs its caller, beside a bare append (the floor) and other libraries, as JSON.

Run it with `python -m bench.collector_call`. The goal is half of what prometheus_client's `Histogram.observe` costs in
the same run. The peers: OpenTelemetry's `Histogram.record` (nobody collects), statsd over UDP to a socket of this
machine, sentry's `metrics.distribution` (nothing is sent).
"""

import json
import os
import platform
import socket
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import sentry_sdk
import statsd
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Histogram

from collector import Collector
from collector.sinks import Batch, Delivery

URL = "https://robinhood.com/stocks/AAPL"
CALLS_PER_BURST = 500  # far less than the interpreter's 5 ms switch interval: what is timed is the caller alone
BURSTS = 400
CALLS_PER_THREAD = 20_000
SLOW = 20  # bursts of calls that cost microseconds are so much shorter, for the same reason


class NoTransport(sentry_sdk.transport.Transport):
    """Sends nothing."""

    def capture_envelope(self, envelope: object) -> None:
        """Take what sentry would send."""


class NullSink:
    """Takes everything at once, so that only the collector itself is measured."""

    def send(self, batch: Batch) -> Delivery:
        """Take a batch."""
        return Delivery(len(batch.metrics))


def measure() -> dict[str, Any]:
    """Measure every call in turns, so that a slow moment of the machine hits all of them.

    Returns:
        By call: the median and 99th percentile over bursts of the mean time of one call, in ns. With 4 and 8 threads
        that do nothing else: CPU time of a call in its own thread, and wall time divided by calls, in ns; the latter
        holds the worker's work too, which all of them feed at once.
    """
    collector = Collector()
    collector.configure(sinks=[NullSink()], max_pending=1_000_000, handle_sigterm=False)
    unlabelled = Histogram("page_seconds", "Page load", registry=CollectorRegistry())
    by_source = Histogram("source_seconds", "Page load", ["source"], registry=CollectorRegistry())
    child = by_source.labels("robinhood")
    bare: deque[float] = deque(maxlen=100_000)
    record, scrape, run = (
        collector.record_page_navigation,
        collector.record_page_scrape,
        collector.record_scheduler_metric,
    )

    def append() -> None:
        for _ in range(CALLS_PER_BURST):
            bare.append(0.15)

    def navigation() -> None:
        for _ in range(CALLS_PER_BURST):
            record("robinhood", url=URL, navigation_duration_ms=150)

    def navigation_full() -> None:
        for _ in range(CALLS_PER_BURST):
            record("robinhood", url=URL, navigation_duration_ms=150, success=True, retry_count=1, status_code=200)

    def navigation_failed() -> None:
        for _ in range(CALLS_PER_BURST):
            record("robinhood", url=URL, navigation_duration_ms=150, success=False, error="net::ERR_TIMED_OUT")

    def page_scrape() -> None:
        for _ in range(CALLS_PER_BURST):
            scrape("robinhood", url=URL, scrape_duration_ms=20.5, items_extracted=5)

    def scheduler() -> None:
        for _ in range(CALLS_PER_BURST):
            run("nightly", execution_duration_ms=1500, items_processed=40)

    def observe() -> None:
        for _ in range(CALLS_PER_BURST):
            unlabelled.observe(0.15)

    def observe_child() -> None:
        for _ in range(CALLS_PER_BURST):
            child.observe(0.15)

    meter = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench")
    telemetry = meter.create_histogram("page_seconds")
    attributes = {"source": "robinhood"}
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    client = statsd.StatsClient("127.0.0.1", udp.getsockname()[1])
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=NoTransport, default_integrations=False)

    def otel_record() -> None:
        for _ in range(CALLS_PER_BURST // SLOW):
            telemetry.record(0.15, attributes)

    def statsd_timing() -> None:
        for _ in range(CALLS_PER_BURST // SLOW):
            client.timing("page.robinhood", 150)

    def sentry_distribution() -> None:
        for _ in range(CALLS_PER_BURST // SLOW):
            sentry_sdk.metrics.distribution("page", 150, unit="millisecond", attributes=attributes)

    slow: dict[str, Callable[[], None]] = {
        "opentelemetry Histogram.record": otel_record,
        "statsd timing over UDP": statsd_timing,
        "sentry metrics.distribution": sentry_distribution,
    }
    bursts: dict[str, Callable[[], None]] = {
        "floor: deque.append": append,
        "record_page_navigation": navigation,
        "record_page_navigation, retries and status": navigation_full,
        "record_page_navigation, failed with an error": navigation_failed,
        "record_page_scrape": page_scrape,
        "record_scheduler_metric": scheduler,
        "prometheus_client Histogram.observe": observe,
        "prometheus_client Histogram.observe, cached child": observe_child,
        **slow,
    }
    spent_ns: dict[str, list[float]] = {name: [] for name in bursts}
    for _ in range(BURSTS):
        for name, burst in bursts.items():
            began_ns = time.perf_counter_ns()
            burst()
            calls = CALLS_PER_BURST // SLOW if name in slow else CALLS_PER_BURST
            spent_ns[name].append((time.perf_counter_ns() - began_ns) / calls)
            collector.flush()
    one_thread = {
        name: {"median_ns": round(statistics.median(spent)), "p99_ns": round(statistics.quantiles(spent, n=100)[98])}
        for name, spent in spent_ns.items()
    }
    threads = {
        str(count): {
            "record_page_navigation": _with_threads(count, navigation, collector.flush),
            "prometheus_client Histogram.observe": _with_threads(count, observe, collector.flush),
            **{name: _with_threads(count, burst, collector.flush, SLOW) for name, burst in slow.items()},
        }
        for count in (4, 8)
    }
    sentry_sdk.get_client().close(timeout=0)
    udp.close()
    stats = collector.get_metrics_stats()
    collector.close()
    ours = one_thread["record_page_navigation"]["median_ns"]
    peer = one_thread["prometheus_client Histogram.observe"]["median_ns"]
    return {
        "bench": "collector_call",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "one_thread": one_thread,
        "threads": threads,
        "ratio_to_prometheus_client": round(ours / peer, 3),
        "goal_ratio": 0.5,
        "goal_met": ours <= 0.5 * peer,
        "dropped": stats["dropped"],
    }


def _with_threads(count: int, burst: Callable[[], None], flush: Callable[[], object], slow: int = 1) -> dict[str, int]:
    """Run bursts in so many threads at once; medians of five rounds. A burst of a slow one has fewer calls."""
    wall_ns: list[float] = []
    cpu_ns: list[float] = []
    per_burst = CALLS_PER_BURST // slow
    calls = CALLS_PER_THREAD // slow // per_burst * per_burst
    for _ in range(5):
        start = threading.Barrier(count + 1)
        used_ns: deque[int] = deque()  # one entry by each thread; append is atomic

        def work(start: threading.Barrier = start, used_ns: deque[int] = used_ns) -> None:
            start.wait()
            began_ns = time.thread_time_ns()
            for _ in range(calls // per_burst):
                burst()
            used_ns.append(time.thread_time_ns() - began_ns)

        workers = [threading.Thread(target=work) for _ in range(count)]
        for worker in workers:
            worker.start()
        start.wait()
        began_ns = time.perf_counter_ns()
        for worker in workers:
            worker.join()
        wall_ns.append((time.perf_counter_ns() - began_ns) / (count * calls))
        cpu_ns.append(sum(used_ns) / (count * calls))
        flush()
    return {
        "caller_cpu_ns": round(statistics.median(cpu_ns)),
        "wall_ns_with_the_worker": round(statistics.median(wall_ns)),
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
