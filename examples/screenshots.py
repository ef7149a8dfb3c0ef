"""Takes the pictures in docs/screenshots of the running program: every tab; empty, with 6 and with 50 scrapers.

`make screenshots`, or `python -m examples.screenshots --only overview-demo`. Each state has an app of its own, on a
database of its own, with an invented fleet; nothing that runs already is touched.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

from playwright.sync_api import Browser, Page, sync_playwright

from examples.browser_scraper import FLAGS
from examples.invented import metrics

ROOT = Path(__file__).resolve().parents[1]
TABS = {
    "overview": "/",
    "scrapers": "/scrapers",
    "navigation": "/navigation",
    "scraping": "/scraping",
    "scheduler": "/scheduler",
    "alerts": "/alerts",
}
STATES = {"empty": 0, "demo": 6, "fifty": 50}  # how many scrapers
LOOKS = {"light": ("light", 1440), "dark": ("dark", 1440), "phone": ("light", 390)}
TALLEST_PX = 2_600
MOST_BYTES = 6_000_000  # of all pictures together
START_S = 60.0
BATCH = 1_000


class ScreenshotError(Exception):
    """The pictures can't be taken; the message says why in one line."""


def main() -> int:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description="Take the pictures in docs/screenshots.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots", help="the directory to write to")
    parser.add_argument("--only", default="", help="only pictures whose name holds this, for instance phone")
    parser.add_argument("--quality", type=int, default=72, help="of the WebP pictures, 1 to 100")
    parser.add_argument("--chromium", default="/usr/bin/chromium", help="the browser to start")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS.split())
            for state, sources in STATES.items():
                wanted = [name for name in _names(state) if options.only in name]
                if wanted:
                    with app() as url:
                        fill(url, sources)
                        take(browser, url, wanted, options.out, options.quality)
            browser.close()
    except ScreenshotError as exc:
        print(exc, file=sys.stderr)
        return 1
    total = sum(path.stat().st_size for path in options.out.glob("*.webp"))
    print(f"{total / 1e6:.1f} MB in {options.out}")
    if total > MOST_BYTES:
        print(f"that is more than {MOST_BYTES / 1e6:.0f} MB: use a lower --quality", file=sys.stderr)
    return int(total > MOST_BYTES)


@contextmanager
def app() -> Iterator[str]:
    """Run an app on an empty database of its own; yields its URL."""
    with create_server(("127.0.0.1", 0)) as socket:
        port = socket.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="scrapeboard-pictures-") as directory:
        # Through env(1), because nothing but settings.py reads the environment.
        settings = [f"SCRAPEBOARD_DATABASE_URL=sqlite:///{directory}/board.db", f"SCRAPEBOARD_PORT={port}"]
        with (Path(directory) / "log").open("wb") as log:
            process = subprocess.Popen(
                ["env", *settings, sys.executable, str(ROOT / "app.py")], cwd=ROOT, stdout=log, stderr=log
            )
        try:
            _await(url, process)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def fill(url: str, sources: int) -> None:
    """Report two invented days of a fleet to the app.

    Args:
        url: The app's.
        sources: How many scrapers the fleet has; nothing is reported for none.
    """
    found = metrics(sources, now_ms=time.time_ns() // 1_000_000, pages=sources * 1_500) if sources else []
    for start in range(0, len(found), BATCH):
        batch = {"batchId": f"picture-{start}", "metrics": found[start : start + BATCH]}
        request = urllib.request.Request(
            f"{url}/api/ingest", json.dumps(batch).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60):
                pass
        except urllib.error.HTTPError as exc:
            raise ScreenshotError(f"the app refused invented metrics: {exc.read().decode()[:300]}") from exc


def take(browser: Browser, url: str, names: list[str], out: Path, quality: int) -> None:
    """Take pictures, each of a whole page.

    Args:
        browser: Chromium.
        url: The app's.
        names: Of the pictures: tab-state-look.
        out: Where to write them.
        quality: Of a WebP picture, 1..100.
    """
    for name in names:
        tab, _, look = name.split("-")
        scheme, width_px = LOOKS[look]
        page = browser.new_page(
            viewport={"width": width_px, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        page.goto(f"{url}{TABS[tab]}?from=now-24h&live=0")
        page.wait_for_selector("#page h1")
        for chart in page.locator("#page .chart:visible").all():
            chart.locator(".main-svg").first.wait_for(state="attached")
        height_px = min(TALLEST_PX, max(640, int(page.evaluate("document.querySelector('.page').offsetHeight")) + 120))
        page.set_viewport_size({"width": width_px, "height": height_px})  # so that what sticks stands where it belongs
        (out / f"{name}.webp").write_bytes(snapped(page, quality))
        page.close()
        print(name)


def snapped(page: Page, quality: int) -> bytes:
    """Return a WebP picture of what a page shows, once it has been drawn.

    Args:
        page: The page.
        quality: 1..100.
    """
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))")
    shot = page.context.new_cdp_session(page).send(
        "Page.captureScreenshot", {"format": "webp", "quality": quality, "optimizeForSpeed": False}
    )
    return base64.b64decode(shot["data"])


def _names(state: str) -> list[str]:
    return [f"{tab}-{state}-{look}" for tab in TABS for look in LOOKS]


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise ScreenshotError("the app ended at its start; run `python app.py` to see why")
        try:
            with urllib.request.urlopen(f"{url}/api/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise ScreenshotError(f"the app didn't answer within {START_S:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
