"""The whole road: a record call in a collector, HTTP, the commit, and the last of many viewers of `/ws/metrics`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench.channel.cells import summary_ms
from bench.channel.measured import Program, cpu_s, group
from bench.channel.wire import SOURCE, mark
from bench.storage.times import say
from collector.client import Collector
from collector.sinks import Batch, Delivery, HttpSink
from tests.apps import PrivateApp
from tests.servers import PrivateMariaDB

WARM_UP = 50  # metrics


def measure(
    *, databases: list[str], viewers: int, per_s: float, seconds: float, flush_intervals_s: list[float], rounds: int
) -> dict[str, Any]:
    """Measure it for every database and interval, in turns.

    Args:
        databases: Of `sqlite` and `mariadb`.
        viewers: Of the channel of each app.
        per_s: Record calls a second.
        seconds: How long in one round.
        flush_intervals_s: The collector's setting.
        rounds: How often.

    Returns:
        By database and interval: milliseconds from the record call to the last viewer, and what was lost.
    """
    with ExitStack() as running:
        roads = {}
        for database in databases:
            folder = running.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{folder}/bench.db"
            if database == "mariadb":
                server = running.enter_context(PrivateMariaDB())
                server.execute("CREATE DATABASE road")
                url = server.url("road")
            app = running.enter_context(PrivateApp(url))
            say(f"the road through {database}: {viewers} viewers connect")
            roads[database] = Road(app, viewers)
            running.callback(roads[database].viewers.end)
            roads[database].go(WARM_UP, per_s, 0.05)
        found: dict[str, list[Drive]] = {}
        for number in range(rounds):
            for database, road in roads.items():
                for interval_s in flush_intervals_s:
                    say(f"the road through {database}, flush interval {interval_s:g} s, {number + 1} of {rounds}")
                    name = f"{database}, flush interval {1000 * interval_s:g} ms"
                    found.setdefault(name, []).append(road.go(round(per_s * seconds), per_s, interval_s))
        return {name: _summary(drives) for name, drives in found.items()}


@dataclass(frozen=True, slots=True)
class Drive:
    """What one round came to."""

    times_ms: list[float]  # from each record call to the last viewer
    persisted_ms: list[float]  # from each batch's leaving the collector to the app's word that it is persisted
    missing: int
    app_cpu_share: float
    viewers_cpu_share: float


def _summary(drives: Sequence[Drive]) -> dict[str, Any]:
    return {
        "record_to_last_viewer_ms": summary_ms([each for drive in drives for each in drive.times_ms]),
        "p99_median_of_rounds": statistics.median(summary_ms(drive.times_ms)["p99"] for drive in drives),
        "post_to_persisted_ms": summary_ms([each for drive in drives for each in drive.persisted_ms]),
        "missing": sum(drive.missing for drive in drives),
        "app_cpu_share": round(statistics.median(drive.app_cpu_share for drive in drives), 3),
        "viewers_cpu_share": round(statistics.median(drive.viewers_cpu_share for drive in drives), 3),
    }


class TimedSink(HttpSink):
    """Notes how long each batch took until the app had persisted it.

    Args:
        url: The app's.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.times_ms: list[float] = []

    def send(self, batch: Batch) -> Delivery:
        """Send a batch."""
        begin_s = time.perf_counter()
        said = super().send(batch)
        self.times_ms.append(1000 * (time.perf_counter() - begin_s))
        return said


class Road:
    """An app with its viewers.

    Args:
        app: It runs.
        viewers: How many.
    """

    def __init__(self, app: PrivateApp, viewers: int) -> None:
        self.app = app
        command = [sys.executable, "-m", "bench.channel.viewers", f"--port={app.port}", "--path=/ws/metrics"]
        self.viewers = Program([*command, "--kind=metrics", "--every-mark"])
        self.viewers.ask(f"connect {viewers} 0")
        self._next = 0

    def go(self, count: int, per_s: float, flush_interval_s: float) -> Drive:
        """Record at a steady pace."""
        collector = Collector()
        sink = TimedSink(self.app.url)
        collector.configure(sinks=[sink], flush_interval_s=flush_interval_s)
        self.viewers.ask("expect 0 0 0")  # sets its stopwatch
        sent_ns = []
        pids = group(self.app.pid)
        begin_s, before_s = time.monotonic(), cpu_s(pids)
        for number in range(count):
            time.sleep(max(0.0, begin_s + number / per_s - time.monotonic()))
            sent_ns.append(time.monotonic_ns())
            url = f"https://shop.example.com/{mark(self._next + number)}"
            collector.record_page_navigation(SOURCE, url=url, navigation_duration_ms=150)
        heard = self.viewers.ask(f"expect {self._next} {count} 30")
        took_s, app_s = time.monotonic() - begin_s, cpu_s(pids) - before_s
        collector.close()
        sink.close()
        self._next += count
        times_ms = [(last - sent) / 1e6 for sent, last in zip(sent_ns, heard["last_ns"], strict=True) if last]
        return Drive(times_ms, sink.times_ms, heard["missing"], app_s / took_s, heard["cpu_s"] / took_s)
