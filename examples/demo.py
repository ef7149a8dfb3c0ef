"""Shows Scrapeboard alive: serves a troubled site, crawls it with a fleet of scrapers, records into the app.

`make demo`, or `python -m examples.demo`; then open http://127.0.0.1:8050. Ctrl+C ends everything it started.
"""

import argparse
import importlib.util
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

from examples.docs import DocsMissingError, find_or_install_docs
from examples.fleet import Job, Worker, python, stop_all
from examples.site import DocSite
from examples.trouble import Trouble

APP_START_S = 60.0
STATUS_EVERY_S = 10.0  # where the output is no terminal


@dataclass(frozen=True, slots=True)
class Scraper:
    """One scraper of the fleet: which example it is, what it crawls and how hard."""

    source: str
    module: str
    mirror: str = ""
    pages: int = 150
    delay_s: float = 0.2
    pause_s: float = 3.0


FLEET = (
    Scraper("docs-httpx", "examples.httpx_scraper", delay_s=0.15, pages=300),
    Scraper("docs-httpx-calm", "examples.httpx_scraper", mirror="/calm", delay_s=0.1, pages=400),
    Scraper("docs-httpx-rough", "examples.httpx_scraper", mirror="/rough", delay_s=0.3, pause_s=8),
    Scraper("docs-stdlib", "examples.stdlib_scraper", delay_s=0.5),
    Scraper("docs-browser", "examples.browser_scraper", delay_s=1.0, pages=60, pause_s=5),
    Scraper("link-check", "examples.scheduled_job", pages=10, delay_s=5),
)


class DemoError(Exception):
    """The demo can't start or go on; the message says why in one line."""


def jobs(board: str, site: str, *, with_browser: bool, token: str | None = None) -> list[Job]:
    """Return the commands of the fleet.

    Args:
        board: the app's root URL, where metrics go.
        site: the site's root URL.
        with_browser: False leaves Chromium out.
        token: the app's ingest token, when it has one.
    """
    chosen = [scraper for scraper in FLEET if with_browser or "browser" not in scraper.module]
    result = []
    for scraper in chosen:
        options = ["--board", board, "--site", site + scraper.mirror, "--source", scraper.source]
        options += ["--pages", str(scraper.pages), "--delay-s", str(scraper.delay_s)]
        options += ["--token", token] if token else []
        result.append(Job(scraper.source, python(scraper.module, *options), scraper.pause_s))
    return result


def answers(board: str) -> bool:
    """Say whether anything at all answers HTTP at the app's URL, healthy or not."""
    try:
        with urllib.request.urlopen(f"{board}/api/health", timeout=5):
            return True
    except urllib.error.HTTPError as exc:
        exc.close()
        return True
    except OSError:
        return False


def start_app(board: str, wait: Callable[[float], bool]) -> Worker:
    """Start `python app.py` and wait until it answers.

    Args:
        board: the URL that it shall have, on this machine.
        wait: waits for so many seconds, True when the demo shall end.

    Raises:
        DemoError: it ended, or didn't answer in time.
    """
    parts = urlsplit(board)
    address = (f"SCRAPEBOARD_HOST={parts.hostname}", f"SCRAPEBOARD_PORT={parts.port or 80}")
    # Through env(1), because nothing but settings.py reads the environment.
    app = Worker(Job("app.py", ("env", *address, sys.executable, "app.py")))
    app.start()
    deadline_s = time.monotonic() + APP_START_S
    while not answers(board):
        code = app.process.poll() if app.process else 0
        if code is not None:
            words = app.last_words()
            stop_all([app])
            raise DemoError(f"app.py ended with code {code}: {words}")
        if time.monotonic() > deadline_s:
            stop_all([app])
            raise DemoError(f"app.py didn't answer at {board} within {APP_START_S:.0f} s.")
        if wait(0.2):
            stop_all([app])
            raise DemoError("Stopped before app.py answered.")
    return app


def status(site: DocSite, workers: Sequence[Worker], board: str, elapsed_s: float) -> str:
    """Return the one line that says how the demo goes."""
    served = site.served()
    total = served.total()
    fine = served[Trouble.NONE]
    trouble = ", ".join(f"{count} {kind}" for kind, count in served.most_common() if kind is not Trouble.NONE)
    running = sum(worker.process is not None for worker in workers)
    minutes, seconds = divmod(int(elapsed_s), 60)
    return (
        f"{minutes}:{seconds:02d}  {running} scrapers  {total} pages served ({total / max(elapsed_s, 1):.1f}/s): "
        f"{fine} fine{', ' if trouble else ''}{trouble}  →  {board}"
    )


def run(arguments: argparse.Namespace, stop: "SimpleQueue[int]") -> None:
    """Run the demo until a signal comes or its time is over; leave nothing behind."""

    def wait(seconds: float) -> bool:
        try:
            stop.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        return True

    board = arguments.board.rstrip("/")
    with_browser = arguments.browser and can_browse()
    workers: list[Worker] = []
    with DocSite(find_or_install_docs(), port=arguments.site_port, seed=arguments.seed) as site:
        app = None if answers(board) else start_app(board, wait)
        try:
            print(f"{len(site.pages)} pages at {site.url}/, metrics to {board}; Ctrl+C ends the demo", flush=True)
            workers = [Worker(job) for job in jobs(board, site.url, with_browser=with_browser, token=arguments.token)]
            supervise(site, workers, board, arguments.minutes, wait)
        finally:
            killed = stop_all(workers)
            killed += stop_all([app]) if app else []
            print(f"Stopped; had to kill {', '.join(killed)}." if killed else "Stopped.", flush=True)


def supervise(
    site: DocSite, workers: Sequence[Worker], board: str, minutes: float | None, wait: Callable[[float], bool]
) -> None:
    """Keep the workers going and print the status, until `wait` says stop or the minutes are over."""
    in_place = sys.stdout.isatty()
    started_s = time.monotonic()
    next_status_s = 0.0
    while True:
        elapsed_s = time.monotonic() - started_s
        if minutes is not None and elapsed_s >= minutes * 60:
            break
        for worker in workers:
            complaint = worker.tick(time.monotonic())
            if complaint:
                print(f"\r\x1b[K{complaint}" if in_place else complaint, flush=True)
        if in_place:
            print(f"\r\x1b[K{status(site, workers, board, elapsed_s)}", end="", flush=True)
        elif elapsed_s >= next_status_s:
            print(status(site, workers, board, elapsed_s), flush=True)
            next_status_s += STATUS_EVERY_S
        if wait(1.0):
            break
    print("\n" if in_place else "", end="")
    print(status(site, workers, board, time.monotonic() - started_s), flush=True)


def can_browse() -> bool:
    """Say whether Playwright and Chromium are there; print what is missing."""
    if importlib.util.find_spec("playwright") is None:
        print("No browser scraper: install playwright (pip install -r requirements-demo.txt).")
        return False
    if shutil.which("chromium") is None:
        print("No browser scraper: install Chromium (sudo apt-get install chromium).")
        return False
    return True


def main() -> None:
    """Read the command line and run the demo; exit code 0 when it was ended on purpose."""
    parser = argparse.ArgumentParser(description="Crawl real pages with real trouble and record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="the app's URL; started when it isn't up")
    parser.add_argument("--minutes", type=float, help="end by itself after so many minutes (default: on Ctrl+C)")
    parser.add_argument("--seed", type=int, default=2, help="decides which pages make which trouble")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="leave Chromium out")
    parser.add_argument("--site-port", type=int, default=0, help="port of the crawled site (default: a free one)")
    parser.add_argument("--token", help="the app's SCRAPEBOARD_TOKEN, when it has one")
    arguments = parser.parse_args()
    # SimpleQueue.put may be called from a signal handler; an Event's set may deadlock there.
    stop: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stop.put(number))
    try:
        run(arguments, stop)
    except (DocsMissingError, DemoError) as exc:
        raise SystemExit(str(exc)) from exc


if __name__ == "__main__":
    main()
