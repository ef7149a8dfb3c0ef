"""Measure what an open live tab costs its browser: how busy Chromium's main thread is, and its longest task.

Run: python -m bench.browser_cost [--rates 0 20 100] [--seconds 15] [--paths / /navigation]. Prints one JSON document.
At each rate the tab is watched twice: once through the devtools' counters alone (busy share; as processor time, which
other programs on the machine hardly change, and as wall time), once with tracing, which costs something itself, for the
tasks one by one. The floor is the same tab while no metric comes. Chromium draws without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

import collector
from bench._served import running_app
from examples.browser_scraper import FLAGS

SOURCES = ("robinhood", "cnbc", "docs-httpx", "shop", "news")
TASK = "RunTask"
LONG_MS = 50.0
REST_MS = 4_000  # a page that has just been loaded still works on itself: that is another measurement


@contextmanager
def metrics_at(per_second: float) -> Iterator[None]:
    """Record navigations, scrapes and runs of a small fleet at a steady pace, from a thread of this process.

    Args:
        per_second: How many metrics; none at 0.
    """
    stop = threading.Event()

    def record() -> None:
        begun_s, n = time.monotonic(), 0
        while not stop.wait(max(0.0, begun_s + n / per_second - time.monotonic())):
            source, failed = SOURCES[n % len(SOURCES)], n % 17 == 0
            url = f"https://{source}.test/items/{n % 60}"
            if n % 50 == 49:
                collector.record_scheduler_metric(f"job{n % 3}", execution_duration_ms=500 + n % 97, items_processed=9)
            elif n % 2:
                collector.record_page_scrape(
                    source, url=url, scrape_duration_ms=20 + n % 31, items_extracted=n % 20, success=not failed
                )
            else:
                collector.record_page_navigation(
                    source,
                    url=url,
                    navigation_duration_ms=150 + n % 211,
                    success=not failed,
                    error="timeout after 3000 ms" if failed else None,
                )
            n += 1

    thread = threading.Thread(target=record) if per_second else None
    if thread:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if thread:
            thread.join()


def counters(devtools: CDPSession) -> dict[str, float]:
    """Return the renderer's counters: seconds for durations, bytes for sizes."""
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


def frames_sent(app_url: str) -> int:
    """Return how many frames the app sent until now."""
    with urllib.request.urlopen(f"{app_url}/api/stats", timeout=10) as answer:
        return int(json.load(answer)["channel"]["framesSent"])


def busy(page: Page, devtools: CDPSession, seconds: float) -> dict[str, float]:
    """Watch the main thread through the counters.

    Args:
        page: The open tab.
        devtools: Its devtools session.
        seconds: How long.

    Returns:
        Shares of the time in percent, the app's frames and what each cost, and the heap in MB.
    """
    app_url = page.url.partition("/")[0] + "//" + page.url.split("/")[2]
    frames_before, before = frames_sent(app_url), counters(devtools)
    page.wait_for_timeout(1000 * seconds)
    frames, after = frames_sent(app_url) - frames_before, counters(devtools)
    wall_s = after["Timestamp"] - before["Timestamp"]

    def share(name: str) -> float:
        return round(100 * (after[name] - before[name]) / wall_s, 1)

    return {
        "cpu_percent": share("ThreadTime"),
        "wall_percent": share("TaskDuration"),
        "script_percent": share("ScriptDuration"),
        "style_percent": share("RecalcStyleDuration"),
        "layout_percent": share("LayoutDuration"),
        "frames_per_s": round(frames / wall_s, 1),
        "cpu_ms_a_frame": round(1000 * (after["ThreadTime"] - before["ThreadTime"]) / max(1, frames), 1),
        "heap_mb": round(after["JSHeapUsedSize"] / 1e6, 1),
    }


def tasks(page: Page, devtools: CDPSession, seconds: float) -> dict[str, float]:
    """Watch the main thread's tasks one by one.

    Args:
        page: The open tab.
        devtools: Its devtools session.
        seconds: How long.

    Returns:
        The longest tasks in milliseconds, as wall and as processor time, and how many were over `LONG_MS`.
    """
    events: list[dict[str, Any]] = []
    done = threading.Event()

    def collected(message: dict[str, Any]) -> None:
        events.extend(message["value"])

    def complete(_message: dict[str, Any]) -> None:
        done.set()

    devtools.on("Tracing.dataCollected", collected)
    devtools.on("Tracing.tracingComplete", complete)
    categories = ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"]
    devtools.send(
        "Tracing.start",
        {
            "transferMode": "ReportEvents",
            "traceConfig": {"includedCategories": categories, "excludedCategories": ["*"]},
        },
    )
    page.wait_for_timeout(1000 * seconds)
    devtools.send("Tracing.end")
    while not done.is_set():
        page.wait_for_timeout(50)
    devtools.remove_listener("Tracing.dataCollected", collected)
    devtools.remove_listener("Tracing.tracingComplete", complete)
    of_main = main_threads(events)
    found = [one for one in events if one["name"] == TASK and (one["pid"], one["tid"]) in of_main and "dur" in one]
    wall_ms = sorted((one["dur"] / 1000 for one in found), reverse=True) or [0.0]
    cpu_ms = sorted((one.get("tdur", 0) / 1000 for one in found), reverse=True) or [0.0]
    return {
        "tasks": len(found),
        "longest_cpu_ms": round(cpu_ms[0], 1),
        "p99_cpu_ms": round(cpu_ms[len(cpu_ms) // 100], 1),
        "longest_wall_ms": round(wall_ms[0], 1),
        "over_50_ms_cpu": sum(one > LONG_MS for one in cpu_ms),
        "over_50_ms_wall": sum(one > LONG_MS for one in wall_ms),
    }


def main_threads(events: list[dict[str, Any]]) -> set[tuple[int, int]]:
    """Return (process, thread) of every renderer's main thread.

    Args:
        events: A trace's events.
    """
    return {
        (one["pid"], one["tid"])
        for one in events
        if one["name"] == "thread_name" and one["args"].get("name") == "CrRendererMain"
    }


def watch(page: Page, url: str, rates: list[float], seconds: float) -> dict[str, Any]:
    """Watch one tab at every rate.

    Args:
        page: A browser's page.
        url: The tab's address.
        rates: Metrics per second.
        seconds: How long each look takes.
    """
    page.goto(url)
    page.locator("#live-pill.beat-a, #live-pill.beat-b").wait_for(timeout=60_000)
    page.wait_for_timeout(REST_MS)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    by_rate: dict[str, Any] = {}
    for rate in rates:
        with metrics_at(rate):
            page.wait_for_timeout(3_000)
            by_rate[f"{rate:g}/s"] = {**busy(page, devtools, seconds), **tasks(page, devtools, seconds)}
    devtools.detach()
    return by_rate


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rates", type=float, nargs="+", default=[0, 20, 100])
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--paths", nargs="+", default=["/"])
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, running_app(f"sqlite:///{folder}/bench.db") as url:
        collector.configure(url=url)
        with metrics_at(100):
            time.sleep(3)
        collector.flush(timeout_s=10)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1440, "height": 1200})
            found = {path: watch(page, url + path, options.rates, options.seconds) for path in options.paths}
            version = browser.version
            browser.close()
    document = {
        "bench": "browser_cost",
        "seconds": options.seconds,
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": round(load_before, 1),
            "load_after": round(os.getloadavg()[0], 1),
        },
        "chromium": version,
        "tabs": found,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
