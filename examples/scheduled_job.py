"""A scheduler job (APScheduler): every few seconds it checks the next few pages that a site's map promises.

Run it alone: `python -m examples.scheduled_job --site http://127.0.0.1:8060 --delay-s 5`
(`python -m examples.site --port 8060` serves a site to check; `--board` is where Scrapeboard runs).
"""

import argparse
from datetime import UTC, datetime
from http.client import HTTPException
from itertools import count
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from xml.etree import ElementTree

from apscheduler.schedulers.blocking import BlockingScheduler

from collector import configure, run_metrics_scheduler_tracked


class LinkCheckError(Exception):
    """The site's map can't be read, or promises pages that aren't there."""


def read_sitemap(site: str, name: str) -> list[str]:
    """Return the URLs of all pages that the site's map lists."""
    try:
        with urlopen(Request(f"{site}/sitemap.xml", headers={"User-Agent": name}), timeout=2.0) as response:
            tree = ElementTree.fromstring(response.read())
    except (OSError, HTTPException, ElementTree.ParseError) as exc:
        raise LinkCheckError(f"no sitemap: {exc}") from exc
    urls = [element.text or "" for element in tree.findall(".//{*}loc")]
    if not urls:
        raise LinkCheckError("no sitemap: it lists no pages")
    return urls


def complaint(url: str, name: str) -> str | None:
    """Ask for a page twice before calling its link broken; return what is wrong with it, None when it is fine."""
    problem = None
    for _ in range(2):
        try:
            with urlopen(Request(url, method="HEAD", headers={"User-Agent": name}), timeout=2.0):
                return None
        except HTTPError as exc:
            exc.close()
            problem = f"{url}: HTTP {exc.code}"
        except (OSError, HTTPException) as exc:
            problem = f"{url}: {exc}"
    return problem


def check_links(site: str, name: str, run: int, how_many: int) -> list[str]:
    """Check the run's share of the site's pages; return those that are fine.

    Raises:
        LinkCheckError: some are not, or the map couldn't be read.
    """
    urls = read_sitemap(site, name)
    chosen = [urls[(run * how_many + place) % len(urls)] for place in range(min(how_many, len(urls)))]
    broken = [problem for url in chosen if (problem := complaint(url, name))]
    if broken:
        raise LinkCheckError(f"{len(broken)} of {len(chosen)} links are broken: {'; '.join(broken)}")
    return chosen


def main() -> None:
    """Run the job on its schedule until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Check a site's links on a schedule; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="URL of the directory that holds sitemap.xml")
    parser.add_argument("--pages", type=int, default=10, help="links to check in each run")
    parser.add_argument("--delay-s", type=float, default=5.0, help="seconds from the start of a run to the next")
    parser.add_argument("--source", default="link-check", help="the job's name on the board")
    options = parser.parse_args()
    configure(url=options.board, token=options.token)
    runs = count()

    def job() -> None:
        try:
            run_metrics_scheduler_tracked(
                options.source,
                lambda: check_links(options.site.rstrip("/"), options.source, next(runs), options.pages),
            )
        except LinkCheckError as exc:
            print(exc, flush=True)  # it is recorded; the next run comes anyway

    scheduler = BlockingScheduler()
    scheduler.add_job(job, "interval", seconds=options.delay_s, next_run_time=datetime.now(UTC))
    try:
        scheduler.start()
    except KeyboardInterrupt:
        print(f"{options.source}: stopped")


if __name__ == "__main__":
    main()
