"""Scrapes the shop with Celery tasks; `track_tasks` is the one line that records every task.

Run a worker: `python -m examples.shop_celery --broker redis://127.0.0.1 worker`, and send it a task:
`python -m examples.shop_celery --broker redis://127.0.0.1 scrape http://127.0.0.1:8061`
(`python -m examples.shop --port 8061` serves the shop; `--board` is where Scrapeboard runs).
"""

import argparse
from urllib.error import HTTPError

from celery import Celery

import collector
from collector.integrations.celery import track_tasks
from examples.shop_options import Item, fetch, parse

SOURCE = "shop-celery"


def make_app(broker: str) -> Celery:
    """Make the app with its two tasks."""
    app = Celery("shop", broker=broker)
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
    track_tasks(scraper_source=SOURCE)

    @app.task(name="shop.prices", bind=True, max_retries=2, default_retry_delay=0)  # type: ignore[untyped-decorator]
    def prices(self: object, site: str, number: int) -> list[Item]:
        """Return the products of one page of the catalogue; come back when the shop is busy."""
        try:
            return parse(fetch(f"{site}/catalogue/{number}", SOURCE))
        except HTTPError as exc:
            if exc.code in (429, 503):
                raise self.retry(exc=exc) from exc  # type: ignore[attr-defined] # bound
            raise

    @app.task(name="shop.scrape")  # type: ignore[untyped-decorator]
    def scrape(site: str, numbers: list[int]) -> int:
        """Send a task for each page."""
        for number in numbers:
            prices.delay(site, number)
        return len(numbers)

    return app


def main() -> None:
    """Work, or ask for work."""
    parser = argparse.ArgumentParser(description="Scrape the shop with Celery; record into Scrapeboard.")
    parser.add_argument("--board", default="http://127.0.0.1:8050", help="where metrics go")
    parser.add_argument("--token", help="the board's ingest token, when it has one")
    parser.add_argument("--broker", default="redis://127.0.0.1:6379/0", help="Celery's broker")
    parser.add_argument("what", choices=["worker", "scrape"])
    parser.add_argument("site", nargs="?", default="http://127.0.0.1:8061", help="the shop's URL")
    options = parser.parse_args()
    collector.configure(url=options.board, token=options.token)
    app = make_app(options.broker)
    if options.what == "worker":
        app.worker_main(["worker", "--loglevel=WARNING", "--concurrency=2"])
    else:
        app.send_task("shop.scrape", (options.site.rstrip("/"), list(range(1, 19))))


if __name__ == "__main__":
    main()
