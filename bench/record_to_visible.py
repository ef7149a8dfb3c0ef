"""Measure record() → visible in Chromium: 200 navigations at 20 a second, each found in the open Overview's events.

Run: python -m bench.record_to_visible [--records 200] [--per-second 20] [--database-url URL]. Prints one JSON document.
The figure holds the collector's batching, HTTP, the commit, the view's computation, the push, React, and the browser's
next frame: an observer in the page notes the first frame after a record came to stand in it. (Asking from outside is no
measure: Playwright looks after 0, 20, 70, 170, 270 ms.) Both clocks are the machine's own. The floor is a plain HTTP
request to the same app.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import urllib.request

from playwright.sync_api import Page, sync_playwright

import collector
from bench._served import running_app, summary
from examples.browser_scraper import FLAGS

_OBSERVER = """() => {
  window.benchSeen = {};
  const found = new Set();
  new MutationObserver(() => {
    for (const [name] of document.body.textContent.matchAll(/r\\d{4}x/g)) {
      if (found.has(name)) continue;
      found.add(name);
      requestAnimationFrame(() => { window.benchSeen[name] = performance.timeOrigin + performance.now(); });
    }
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def watch(page: Page, records: int, per_second: float) -> list[float]:
    """Record at a steady pace and return how long each record took to its first frame, ms."""
    page.evaluate(_OBSERVER)
    recorded_ms: dict[str, float] = {}
    start_s = time.monotonic()
    for number in range(records):
        time.sleep(max(0.0, start_s + number / per_second - time.monotonic()))
        name = f"r{number:04d}x"
        recorded_ms[name] = 1000 * time.time()
        collector.record_page_navigation("bench", url=f"https://bench.test/{name}", navigation_duration_ms=150)
    page.wait_for_function(f"Object.keys(window.benchSeen).length >= {records}", timeout=30_000)
    seen_ms: dict[str, float] = page.evaluate("window.benchSeen")
    return [seen_ms[name] - at_ms for name, at_ms in recorded_ms.items()]


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
            visible_ms = watch(page, options.records, options.per_second)
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
                "http_floor_ms": summary(floor_ms),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
