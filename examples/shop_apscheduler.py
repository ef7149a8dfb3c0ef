"""Scrapes the shop on a schedule with APScheduler; `track_scheduler` is the one line that records every run.

Run it alone: `python -m examples.shop_apscheduler --site http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

import argparse

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

import collector
from collector.integrations.apscheduler import track_scheduler
from examples.shop_options import Item, fetch, parse


def prices(site: str, source: str, number: int) -> list[Item]:
    """Return the products of one page of the catalogue."""
    return parse(fetch(f"{site}/catalogue/{number}", source))


def schedule(site: str, source: str, scheduler: BaseScheduler | None = None) -> BaseScheduler:
    """Plan a fine job and a failing one; return the scheduler, which isn't started yet."""
    scheduler = track_scheduler(scheduler or BackgroundScheduler(), scraper_source=source)
    scheduler.add_job(prices, "interval", seconds=10, args=(site, source, 1), id="first-page", name="first page")
    scheduler.add_job(prices, "interval", seconds=10, args=(site, source, 9), id="lost-page", name="lost page")
    return scheduler


def main() -> None:
    """Run the jobs until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Scrape the shop on a schedule; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--site", required=True, help="the shop's URL, without a trailing slash")
    options = parser.parse_args()
    collector.configure(url=options.board, token=options.token)
    try:
        schedule(options.site.rstrip("/"), "shop-apscheduler", BlockingScheduler()).start()
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
