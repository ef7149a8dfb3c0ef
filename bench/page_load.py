"""Measure how long each tab takes to its charts in Chromium: cold cache, warm cache, and by a click on its link.

Run: python -m bench.page_load [--sources 50] [--metrics 300000] [--range now-30d] [--rounds 5]. Prints one JSON
document. The database holds thirty days of metrics. "charts" is the time until every chart of the tab is drawn (the
last of them may be below the window), "first" until the first one is. The floor is a Dash page with one chart and
nothing else, served by the same web server in the same run. Loads are measured without a test driver, which alone would
cost a first one 380 ms (see bench._raw_browser); "thread" is the processor time of the page's thread until its charts
stand, which a busy machine changes little. Switches are measured with one: their scripts are compiled long before.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench._month import fill
from bench._raw_browser import raw_browser
from bench._served import running_app, summary
from components.nav import TABS
from examples.browser_scraper import FLAGS

_TIMEOUT_MS = 60_000


def wait_for_charts(page: Page, name: str | None) -> dict[str, float]:
    """Wait until the charts of a tab are drawn; milliseconds from now to the first and to the last of them."""
    start_s = time.monotonic()
    holder = f".page-{name} .chart-box" if name else "body"
    page.locator(f"{holder} .main-svg").first.wait_for(state="attached", timeout=_TIMEOUT_MS)
    first_ms = 1000 * (time.monotonic() - start_s)
    if name:
        boxes = page.locator(holder)
        for place in range(boxes.count()):
            boxes.nth(place).locator(".main-svg").first.wait_for(state="attached", timeout=_TIMEOUT_MS)
    return {"first": first_ms, "charts": 1000 * (time.monotonic() - start_s)}


def load(page: Page, url: str, name: str | None) -> dict[str, float]:
    """Open an address and wait for its charts."""
    start_s = time.monotonic()
    page.goto(url, wait_until="commit")
    before_ms = 1000 * (time.monotonic() - start_s)
    return {key: before_ms + value for key, value in wait_for_charts(page, name).items()}


def measure_tab(url: str, name: str | None) -> dict[str, dict[str, float]]:
    """Open an address with a profile that knows nothing yet, and again when its scripts have been compiled."""
    times = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, raw_browser(profile) as browser:
        for visit in ("cold", "second", "third", "warm"):
            with browser.tab() as tab:
                times[visit] = tab.load(url, name)
                time.sleep(0.5)  # it writes its caches when it is done
    return {visit: times[visit] for visit in ("cold", "warm")}


def measure_switches(browser: Browser, url: str, query: str) -> dict[str, dict[str, float]]:
    """Click through the tabs, each link once, in a page that has shown them all before."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    load(page, f"{url}/{query}", "overview")
    times: dict[str, dict[str, float]] = {}
    for turn in range(2):
        for tab in (*TABS[1:], TABS[0]):
            page.wait_for_timeout(1_000)  # the tab before has come to rest
            page.locator(f"#nav-{tab.name}").click(no_wait_after=True)
            spent = wait_for_charts(page, tab.name)
            if turn:
                times[tab.name] = spent
    context.close()
    return times


def gathered(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Turn rounds of {name: {figure: ms}} into {name: {figure: p50, p99, max}}."""
    return {
        name: {figure: summary([one[name][figure] for one in rounds]) for figure in rounds[0][name]}
        for name in rounds[0]
    }


def main() -> None:
    """Run the measurement and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sources", type=int, default=50)
    parser.add_argument("--metrics", type=int, default=300_000)
    parser.add_argument("--range", default="now-30d")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    query = f"?from={options.range}&live=0"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        database_url = f"sqlite:///{folder}/bench.db"
        fill(database_url, sources=options.sources, metrics=options.metrics)
        # While a month that was never rolled up is, everything is slow: whoever is measured first would pay for it.
        with running_app(database_url, settled=True) as url:
            load(browser.new_page(), f"{url}/{query}", "overview")
            tabs = {
                tab.name: gathered([measure_tab(f"{url}{tab.path}{query}", tab.name) for _ in range(options.rounds)])
                for tab in TABS
            }
            switches = gathered([measure_switches(browser, url, query) for _ in range(options.rounds)])
        with running_app("", "bench/_bare_dash.py") as url:
            floor = gathered([measure_tab(url, None) for _ in range(options.rounds)])
        browser.close()
    document = {
        "bench": "page_load",
        "sources": options.sources,
        "metrics": options.metrics,
        "range": options.range,
        "rounds": options.rounds,
        "floor_ms": floor,
        "load_ms": tabs,
        "switch_ms": switches,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
