"""Measure how long a metric takes from one app process to the viewers and pages of another one, as JSON.

Run: python -m bench.across_processes [--records 600] [--per-second 50]. Two apps with one SQLite database and a private
Redis; a batch of one metric is posted to the first, and both have a client of `/ws/metrics` in this process. The times
begin before the post, so they hold HTTP and the commit. `page` is when an export of the other app shows the metric; it
is asked for without a pause, and what one such question costs is in the same run. The floor is a message through the
same Redis: XADD by one connection, read by another one that waits for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from typing import Any

import websocket
from redis import Redis

from collector.events import PageNavigation
from collector.sinks import Batch, HttpSink
from db.clock import now_ms
from tests.apps import PrivateApp
from tests.servers import PrivateRedis

FLOOR_MESSAGES = 300


def summary_ms(values_s: list[float]) -> dict[str, float]:
    """Return median, p99 (nearest rank) and maximum of seconds in milliseconds."""
    ordered = sorted(values_s)
    at_99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {
        name: round(1000 * value, 1)
        for name, value in (("p50", statistics.median(ordered)), ("p99", at_99), ("max", ordered[-1]))
    }


class Viewer:
    """A client that notes when each URL came."""

    def __init__(self, app: PrivateApp) -> None:
        self.heard_s: dict[str, float] = {}
        self.order: list[tuple[str, int]] = []
        self._socket = websocket.create_connection(app.url.replace("http", "ws") + "/ws/metrics", timeout=30)
        self._socket.recv()
        self._socket.send(json.dumps({"type": "subscribe", "scraperSource": "*"}))
        self._socket.recv()

    def listen(self, count: int) -> None:
        """Hear so many metrics."""
        while len(self.heard_s) < count:
            message = json.loads(self._socket.recv())
            now_s = time.perf_counter()
            self.order.append((message["scraperSource"], message["seq"]))
            for metric in message["metrics"]:
                self.heard_s[metric["url"]] = now_s


def an_url(number: int) -> str:
    """Return the URL of one metric."""
    return f"https://bench.test/{number:06d}"


def post(sink: HttpSink, number: int) -> float:
    """Send a batch of one metric; return when it left."""
    metric = PageNavigation("bench", an_url(number), 150, True, 0, None, 200, now_ms(), None)
    sent_s = time.perf_counter()
    sink.send(Batch(f"across-{number}", (metric,)))
    return sent_s


def pages(app: PrivateApp, sink: HttpSink, first: int, records: int) -> tuple[list[float], list[float]]:
    """Post at one app and ask the other one's export until it shows it; (times, times of one question), seconds."""
    times_s, question_s = [], []
    for number in range(first, first + records):
        sent_s = post(sink, number)
        while True:
            asked_s = time.perf_counter()
            with urllib.request.urlopen(f"{app.url}/api/export/overview-events.csv?from=now-5m", timeout=10) as answer:
                found = an_url(number).encode() in answer.read()
            question_s.append(time.perf_counter() - asked_s)
            if found:
                break
        times_s.append(time.perf_counter() - sent_s)
        time.sleep(0.05)
    return times_s, question_s


def floor(url: str) -> list[float]:
    """Return the seconds that single messages take through Redis."""
    writes, reads = Redis.from_url(url), Redis.from_url(url)
    times_s = []
    last = "0-0"
    for number in range(FLOOR_MESSAGES):
        sent_s: list[float] = []

        def add(number: int = number, sent_s: list[float] = sent_s) -> None:
            time.sleep(0.01)
            sent_s.append(time.perf_counter())
            writes.xadd("floor", {"m": b"x" * 300, "n": number})

        thread = threading.Thread(target=add)
        thread.start()
        said: Any = reads.xread({"floor": last}, block=5_000)
        heard_s = time.perf_counter()
        thread.join()
        last = said[0][1][-1][0].decode()
        times_s.append(heard_s - sent_s[0])
    return times_s


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=600)
    parser.add_argument("--per-second", type=float, default=50.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, PrivateRedis() as redis:
        database_url = f"sqlite:///{folder}/bench.db"
        with (
            PrivateApp(database_url, REDIS_URL=redis.url) as here,
            PrivateApp(database_url, REDIS_URL=redis.url) as there,
        ):
            sink = HttpSink(here.url)
            viewers = [Viewer(here), Viewer(there)]
            threads = [threading.Thread(target=viewer.listen, args=(options.records,)) for viewer in viewers]
            for thread in threads:
                thread.start()
            sent_s = []
            begin_s = time.perf_counter()
            for number in range(options.records):
                time.sleep(max(0.0, begin_s + number / options.per_second - time.perf_counter()))
                sent_s.append(post(sink, number))
            for thread in threads:
                thread.join()
            took = [[viewer.heard_s[an_url(number)] - at_s for number, at_s in enumerate(sent_s)] for viewer in viewers]
            page_s, question_s = pages(there, sink, options.records, 60)
            sink.close()
            print(
                json.dumps(
                    {
                        "bench": "across_processes",
                        "records": options.records,
                        "perSecond": options.per_second,
                        "viewerOfTheSameApp_ms": summary_ms(took[0]),
                        "viewerOfTheOtherApp_ms": summary_ms(took[1]),
                        "sameOrderAndNumbers": viewers[0].order == viewers[1].order,
                        "pageOfTheOtherApp_ms": summary_ms(page_s),
                        "oneQuestion_ms": summary_ms(question_s),
                        "floorThroughRedis_ms": summary_ms(floor(redis.url)),
                        "loadAverage": os.getloadavg()[0],
                    },
                    indent=2,
                )
            )


if __name__ == "__main__":
    main()
