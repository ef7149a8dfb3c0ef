"""Measure record() → visible in Chromium: 200 navigations at 20 a second, each found in the open Overview's events.

Run: python -m bench.record_to_visible [--records 200] [--per-second 20] [--database-url URL]. Prints one JSON document.
The figure is an upper bound: it holds the collector's batching, HTTP, the commit, the view's computation, the push,
React, and Playwright's own look at the DOM, whose cost (`look_ms`) is measured in the same run on text that is
already there. The floor is a plain HTTP request to the same app.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
import urllib.request

from playwright.sync_api import Page, sync_playwright

import collector
from bench._served import running_app, summary
from examples.browser_scraper import FLAGS


def watch(page: Page, records: int, per_second: float) -> tuple[list[float], list[float]]:
    """Record at a steady pace and note when each record stands in the page; milliseconds, plus the cost of looking."""
    recorded_s: dict[int, float] = {}
    ready = [threading.Event() for _ in range(records)]

    def record() -> None:
        start = time.monotonic()
        for n in range(records):
            time.sleep(max(0.0, start + n / per_second - time.monotonic()))
            recorded_s[n] = time.monotonic()
            collector.record_page_navigation("bench", url=f"https://bench.test/r{n:04d}x", navigation_duration_ms=150)
            ready[n].set()

    thread = threading.Thread(target=record)
    thread.start()
    visible_ms, look_ms = [], []
    for n in range(records):
        ready[n].wait(30)
        row = page.get_by_text(f"r{n:04d}x").first
        row.wait_for(state="attached", timeout=30_000)
        seen_s = time.monotonic()
        visible_ms.append(1000 * (seen_s - recorded_s[n]))
        if n % 10 == 0:
            row.wait_for(state="attached", timeout=30_000)
            look_ms.append(1000 * (time.monotonic() - seen_s))
    thread.join()
    return visible_ms, look_ms


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database_url = options.database_url or f"sqlite:///{folder}/bench.db"
        with running_app(database_url) as url, sync_playwright() as playwright:
            collector.configure(url=url)
            collector.record_page_navigation("bench", url="https://bench.test/warm", navigation_duration_ms=1)
            collector.flush(timeout_s=10)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
            page = browser.new_page(viewport={"width": 1440, "height": 1200})
            page.goto(url)
            page.get_by_text("bench.test/warm").first.wait_for(state="attached", timeout=30_000)
            page.locator("#live-pill.beat-a, #live-pill.beat-b").wait_for(timeout=30_000)
            page.locator("#overview-throughput .main-svg").first.wait_for(timeout=30_000)
            page.wait_for_timeout(3_000)  # the page has come to rest: loading it is another measurement
            visible_ms, look_ms = watch(page, options.records, options.per_second)
            browser.close()
            floor_ms = []
            for _ in range(50):
                start = time.monotonic()
                with urllib.request.urlopen(f"{url}/api/stats", timeout=5) as answer:
                    answer.read()
                floor_ms.append(1000 * (time.monotonic() - start))
    print(
        json.dumps(
            {
                "bench": "record_to_visible",
                "records": options.records,
                "per_second": options.per_second,
                "database": database_url.split(":", 1)[0],
                "visible_ms": summary(visible_ms),
                "look_ms": summary(look_ms),
                "http_floor_ms": summary(floor_ms),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
