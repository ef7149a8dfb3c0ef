"""Pictures of the Alerts tab at work: alerts that fire, are pending and silenced, and the rule editor.

`python -m examples.alert_pictures`. An app of its own, an invented fleet of which two scrapers just broke.
"""

import argparse
import json
import random
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from examples.browser_scraper import FLAGS
from examples.screenshots import LOOKS, ROOT, app, fill, snapped

FIRES_MS = 120_000  # "Everything fails" waits for a minute


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the Alerts tab at work.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots", help="the directory to write to")
    parser.add_argument("--quality", type=int, default=72, help="of the WebP pictures, 1 to 100")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser to start")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS.split())
        with app() as url:
            fill(url, 6)
            break_two(url)
            silence(browser, url)
            for look in LOOKS:
                page = opened(browser, url, look)
                (options.out / f"alerts-firing-{look}.webp").write_bytes(snapped(page, options.quality))
                page.get_by_role("button", name="Edit: Low success rate").click()
                page.wait_for_selector(".rule-verdict", timeout=60_000)
                page.wait_for_timeout(1_000)  # the drawer slides in
                (options.out / f"alerts-editor-{look}.webp").write_bytes(snapped(page, options.quality))
                page.close()
                print(f"alerts-firing-{look} alerts-editor-{look}")
        browser.close()
    return 0


def break_two(url: str) -> None:
    """Report twenty minutes in which one scraper fails altogether, one often, and a job failed.

    Args:
        url: The app's.
    """
    rng, now_ms = random.Random(7), time.time_ns() // 1_000_000
    found: list[dict[str, object]] = []
    for n in range(800):
        source, ok = ("bistro-menus", False) if n % 2 else ("shoe-prices", rng.random() > 0.5)
        found.append(
            {
                "type": "page_navigation", "scraperSource": source, "url": f"https://{source}.example/{n}",
                "navigationDurationMs": 200.0 + n % 90, "retryCount": 0, "success": ok,
                "error": None if ok else "HTTP 503", "recordedAt": now_ms - (800 - n) * 1_500,
            }
        )  # fmt: skip
    found.append(
        {
            "type": "scheduler", "schedulerName": "weekly-report", "executionDurationMs": 900.0, "itemsProcessed": 0,
            "success": False, "error": "disk full", "recordedAt": now_ms,
        }
    )  # fmt: skip
    body = json.dumps({"batchId": f"broken-{now_ms}", "metrics": found}).encode()
    request = urllib.request.Request(f"{url}/api/ingest", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60):
        pass


def silence(browser: Browser, url: str) -> None:
    """Wait until alerts fire; acknowledge one and snooze another, as somebody would.

    Args:
        browser: Chromium.
        url: The app's.
    """
    page = browser.new_page()
    page.goto(f"{url}/alerts?from=now-1h")
    page.get_by_text("Everything fails").first.wait_for(timeout=FIRES_MS)
    page.locator("#alerts-firing .alert-bad").first.wait_for(timeout=FIRES_MS)
    page.fill("#alerts-name", "Ada")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Acknowledge: Everything fails").first.click()
    page.get_by_text("acknowledged by Ada").first.wait_for()
    page.get_by_role("button", name="Snooze 4 h: Job failed").first.click()
    page.get_by_text("silenced until").first.wait_for()
    page.close()


def opened(browser: Browser, url: str, look: str) -> Page:
    """Open the tab in a look."""
    scheme, width_px = LOOKS[look]
    page = browser.new_page(
        viewport={"width": width_px, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page.goto(f"{url}/alerts?from=now-1h")
    page.wait_for_selector("#alerts-firing .alert")
    return page


if __name__ == "__main__":
    sys.exit(main())
