"""Measure whether an open tab's memory stays flat under live updates, by Chromium's own figures.

Run: python -m bench.browser_memory [--minutes 60] [--per-second 100] [--path /]. Prints one JSON document: each minute
the heap after a collection, the DOM nodes and the event listeners, and how much the second half grew over the first.
The floor is the same page, open for as long, while nothing is recorded (`--per-second 0`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from typing import Any

from playwright.sync_api import CDPSession, sync_playwright

import collector
from bench._served import running_app
from examples.browser_scraper import FLAGS

_FIGURES = {"JSHeapUsedSize": "heap_bytes", "Nodes": "nodes", "JSEventListeners": "listeners"}
# A page that has just been loaded still fills caches.
_SETTLES_MIN = 2


def record(per_second: float, stop: threading.Event) -> None:
    """Record navigations and scrapes of ten sources at a steady pace until told to stop."""
    start_s, n = time.monotonic(), 0
    while per_second and not stop.wait(max(0.0, start_s + n / per_second - time.monotonic())):
        source, url = f"bench-{n % 10}", f"https://bench.test/{n % 500}"
        if n % 2:
            collector.record_page_navigation(source, url=url, navigation_duration_ms=100 + n % 300, success=n % 25 > 0)
        else:
            collector.record_page_scrape(source, url=url, scrape_duration_ms=20 + n % 50, items_extracted=n % 9)
        n += 1


def figures(session: CDPSession) -> dict[str, int]:
    """Return heap, nodes and listeners after a collection of garbage."""
    session.send("HeapProfiler.collectGarbage")
    told = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {name: int(told[key]) for key, name in _FIGURES.items()}


def growth(minutes: list[dict[str, int]]) -> dict[str, float | None]:
    """Return how many times the first half's median the second half's is."""
    settled = minutes[_SETTLES_MIN:]
    half = len(settled) // 2
    if not half:
        return dict.fromkeys(_FIGURES.values())
    return {
        name: round(
            statistics.median(one[name] for one in settled[-half:])
            / statistics.median(one[name] for one in settled[:half]),
            4,
        )
        for name in _FIGURES.values()
    }


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--per-second", type=float, default=100.0)
    parser.add_argument("--path", default="/")
    options = parser.parse_args()
    minutes: list[dict[str, Any]] = []
    stop = threading.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(f"sqlite:///{folder}/bench.db") as url,
        sync_playwright() as playwright,
    ):
        collector.configure(url=url)
        recording = threading.Thread(target=record, args=(options.per_second, stop), daemon=True)
        recording.start()
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        page = browser.new_page(viewport={"width": 1440, "height": 1200})
        page.goto(url + options.path)
        page.locator("#live-pill.beat-a, #live-pill.beat-b").wait_for(timeout=30_000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        for _ in range(options.minutes):
            page.wait_for_timeout(60_000)
            minutes.append(figures(session))
        browser.close()
        stop.set()
        recording.join(5)
    print(
        json.dumps(
            {
                "bench": "browser_memory",
                "per_second": options.per_second,
                "path": options.path,
                "minutes": minutes,
                "second_half_to_first": growth(minutes),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
