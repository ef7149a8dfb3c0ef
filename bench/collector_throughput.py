"""Measure how many metrics a second one process brings to a real app without a drop.

Run it with `python -m bench.collector_throughput`. A process records at a steady rate for some seconds through HTTP
into `python app.py` (SQLite); the rate is raised until something is dropped, or what was recorded in the time isn't
stored two seconds after it. The spool is off, so that a drop is a drop. Then the same against a server that only says
yes, which is the collector's own limit. The floor: the same bytes, encoded before, posted to the app one batch after
the other on one connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from typing import Any

from bench._acknowledged import count_urls
from collector import Collector
from collector.events import PageNavigation, to_wire
from tests.apps import ROOT, PrivateApp

_STEP_S = 0.005
_BATCH = 1000


def attempt(app: PrivateApp, database_url: str, rate: int, seconds: float) -> dict[str, Any]:
    """Record at a rate.

    Args:
        app: Running.
        database_url: What it writes into.
        rate: Metrics a second.
        seconds: How long.

    Returns:
        What became of them, and what the collector's process paid.
    """
    prefix = f"https://rate.test/{rate}-{uuid.uuid4().hex[:6]}/"
    collector = Collector()
    collector.configure(url=app.url, spool_max_bytes=0, report=False, handle_sigterm=False)
    urls = [f"{prefix}{number}" for number in range(1000)]
    record, recorded, spent_s = collector.record_page_navigation, 0, 0.0
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    while (elapsed_s := time.monotonic() - began_s) < seconds:
        due = int(elapsed_s * rate)
        step_s = time.thread_time()
        while recorded < due:
            record("robinhood", url=urls[recorded % 1000], navigation_duration_ms=150)
            recorded += 1
        spent_s += time.thread_time() - step_s
        time.sleep(_STEP_S)
    ended_s = time.monotonic()
    pending = collector.get_metrics_stats()["pending"]
    collector.flush(60)
    flushed_s = time.monotonic() - ended_s
    cpu_s = time.process_time() - began_cpu_s
    stats = collector.get_metrics_stats()
    collector.close()
    stored, _ = count_urls(database_url, prefix)
    return {
        "rate": rate,
        "recorded_per_s": round(recorded / (ended_s - began_s)),
        "stored": stored,
        "dropped": stats["dropped"],
        "pending_at_the_end": pending,
        "flushed_after_s": round(flushed_s, 2),
        "batches": stats["batches"],
        "caller_cpu_share": round(spent_s / seconds, 3),
        "collector_cpu_us_per_metric": round((cpu_s - spent_s) / max(1, recorded) * 1e6, 2),
        "sustained": stats["dropped"] == 0 and stored == recorded and flushed_s < 2.0,
    }


def own_limit(rates: list[int], seconds: float) -> int:
    """Return the highest of the rates that reaches a server which only says yes, in a process of its own."""
    server = subprocess.Popen([sys.executable, "-m", "bench._yes_server"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        port, best = int(server.stdout.readline()), 0
        for rate in rates:
            collector = Collector()
            collector.configure(url=f"http://127.0.0.1:{port}", spool_max_bytes=0, report=False, handle_sigterm=False)
            recorded, began_s = 0, time.monotonic()
            while (elapsed_s := time.monotonic() - began_s) < seconds:
                while recorded < int(elapsed_s * rate):
                    collector.record_page_navigation("robinhood", url="https://yes.test/", navigation_duration_ms=150)
                    recorded += 1
                time.sleep(_STEP_S)
            quick = collector.flush(2)
            stats = collector.get_metrics_stats()
            collector.close(0)
            if stats["dropped"] or not quick:
                break
            best = round(recorded / seconds)
        return best
    finally:
        server.kill()
        server.communicate()


def floor(app: PrivateApp, seconds: float) -> int:
    """Post batches that are encoded before, one after the other; metrics a second."""
    now_ms = time.time_ns() // 1_000_000
    one = PageNavigation("robinhood", "https://floor.test/", 150, True, 0, None, None, now_ms)
    wires = json.dumps([to_wire(one)] * _BATCH, separators=(",", ":"))
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=10)
    sent, began_s = 0, time.monotonic()
    while time.monotonic() - began_s < seconds:
        body = f'{{"batchId":"{uuid.uuid4().hex}","metrics":{wires}}}'
        connection.request("POST", "/api/ingest", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status
        sent += _BATCH
    connection.close()
    return round(sent / (time.monotonic() - began_s))


def measure(rates: list[int], seconds: float) -> dict[str, Any]:
    """Raise the rate; see the module."""
    with tempfile.TemporaryDirectory(prefix="scrapeboard-rate-") as folder:
        url = f"sqlite:///{folder}/rate.db"
        with PrivateApp(url) as app:
            attempts = []
            for rate in rates:
                attempts.append(attempt(app, url, rate, seconds))
                if not attempts[-1]["sustained"]:
                    break
            posted = floor(app, seconds)
    alone = own_limit([*rates, 80_000, 100_000, 120_000], seconds)
    best = max((one["recorded_per_s"] for one in attempts if one["sustained"]), default=0)
    return {
        "bench": "collector_throughput",
        "cores": os.cpu_count(),
        "attempts": attempts,
        "sustained_per_s": best,
        "floor_posts_per_s": posted,
        "to_a_server_that_only_says_yes_per_s": alone,
        "goal_per_s": 50_000,
        "goal_met": best >= 49_000,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each rate (8)")
    parser.add_argument("--rates", type=int, nargs="+", default=[10_000, 20_000, 30_000, 40_000, 50_000, 60_000])
    given = parser.parse_args()
    print(json.dumps(measure(given.rates, given.seconds), indent=2))
