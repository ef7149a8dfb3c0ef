"""The spine, seen in Chromium: what a scraper reports stands in the open page a moment later, and nothing is lost."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import websocket
from sqlalchemy import text as sql
from sqlalchemy.engine import Engine

from collector.client import Collector
from db.engine import make_engine
from tests.browser.conftest import App
from tests.browser.seeing import equals_a_reload, errors, moves, rests, see, text, until
from tests.servers import PrivateMariaDB

pytestmark = pytest.mark.xdist_group("browser-live")  # one app and one Chromium for most

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]

NAVIGATIONS = "#overview-navigations"
EVENTS = "#overview-events"
PILL = "#live-pill"
ROUND = itertools.count()


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(sql("SELECT COUNT(*) FROM scraper_page_performance")).scalar_one())


def test_a_metric_reaches_the_open_page_the_channel_and_the_database(
    browser: Any, app_on: AppOn, scraper: Scraper, database_url: str
) -> None:
    app = app_on(database_url)
    browser.server_url = app.url
    see(browser, PILL, "Live")
    client = websocket.create_connection(app.url.replace("http", "ws") + "/ws/metrics", timeout=90)
    assert json.loads(client.recv())["type"] == "connected"
    client.send(json.dumps({"type": "subscribe", "scraperSource": "robinhood"}))
    assert json.loads(client.recv())["type"] == "subscribed"

    collector = scraper(app.url)
    collector.record_page_navigation("robinhood", url="https://robinhood.com/stocks/AAPL", navigation_duration_ms=150)
    assert collector.flush(timeout_s=90)

    batch = json.loads(client.recv())
    client.shutdown()
    assert (batch["type"], batch["scraperSource"], batch["count"], batch["seq"]) == ("metrics_batch", "robinhood", 1, 1)
    assert list(batch["metrics"][0]) == [
        "type", "scraperSource", "url", "navigationDurationMs", "retryCount", "success", "error", "recordedAt",
    ]  # fmt: skip
    see(browser, EVENTS, "robinhood.com/stocks/AAPL")
    see(browser, NAVIGATIONS, "1")
    engine = make_engine(url=database_url)
    assert rows(engine) == 1
    engine.dispose()
    assert errors(browser) == []


def test_after_many_live_updates_a_page_shows_what_a_reload_shows(
    browser: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    # A range that stands still while we compare: the same hours before and after.
    browser.server_url = f"{app.url}/?from=now-24h"
    see(browser, PILL, "Live")
    collector = scraper(app.url)
    for n in range(300):
        source = ("robinhood", "cnbc", "docs-httpx")[n % 3]
        collector.record_page_navigation(
            source, url=f"https://{source}.test/p{n}", navigation_duration_ms=n, success=n % 7 > 0, error=None
        )
        if n % 2:
            collector.record_page_scrape(
                source, url=f"https://{source}.test/p{n}", scrape_duration_ms=2, items_extracted=n
            )
        if n % 25 == 0:
            collector.flush(timeout_s=90)
    assert collector.flush(timeout_s=90)
    see(browser, NAVIGATIONS, "300")
    see(browser, EVENTS, "p299")
    equals_a_reload(browser, "Live")
    see(browser, NAVIGATIONS, "300")
    assert errors(browser) == []


def test_a_chart_off_the_screen_is_not_drawn_until_it_is_scrolled_to(
    browser: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)

    def content(selector: str) -> str:
        return str(browser.driver.execute_script(f"return document.querySelector('{selector}').textContent"))

    def report(status: int, times: int) -> None:
        for _ in range(times):
            collector.record_page_navigation(
                "cnbc", url="https://cnbc.test/", navigation_duration_ms=9, success=False, status_code=status
            )
        assert collector.flush(timeout_s=90)

    report(400, 1)
    browser.server_url = f"{app.url}/navigation?from=now-24h"
    browser.driver.set_window_size(1440, 700)
    see(browser, PILL, "Live")
    drawing, words = "#navigation-statuses .js-plotly-plot", "#navigation-statuses-words"
    until(lambda: "400" in content(drawing), "when the page is loaded, all is drawn")
    told = [400]

    def stays_behind() -> bool:
        told.append(told[-1] + 1)
        report(told[-1], len(told))
        until(lambda: f"{len(told)} {told[-1]}" in content(words), "its description follows all the same")
        rests(browser)
        return str(told[-1]) not in content(drawing)

    until(stays_behind, "a chart out of sight that isn't drawn anew")
    browser.driver.execute_script("document.querySelector('#navigation-statuses').scrollIntoView()")
    until(lambda: str(told[-1]) in content(drawing), "it is drawn once it is seen")
    assert errors(browser) == []


def test_killed_in_the_middle_it_has_everything_it_acknowledged_and_the_page_lives_again(
    browser: Any, app_on: AppOn, scraper: Scraper, tmp_path: Path
) -> None:
    app = app_on(f"sqlite:///{tmp_path}/kill.db")
    browser.server_url = f"{app.url}/?from=now-24h"
    see(browser, PILL, "Live")
    collector = scraper(app.url)
    for n in range(500):
        collector.record_page_navigation("robinhood", url=f"https://robinhood.com/{n}", navigation_duration_ms=n)
        if n == 250:
            until(lambda: collector.get_metrics_stats()["flushed"] >= 50, "some are acknowledged")
            app.kill()
            acknowledged = collector.get_metrics_stats()["flushed"]
    engine = make_engine(url=app.database_url)
    assert rows(engine) >= acknowledged
    engine.dispose()
    see(browser, PILL, "Reconnecting", patience_s=120)
    app.start()
    assert collector.flush(timeout_s=60)
    see(browser, PILL, "Live", patience_s=120)
    see(browser, NAVIGATIONS, "500")  # each of them once, and without a reload
    live = text(browser, NAVIGATIONS)
    browser.driver.refresh()
    see(browser, NAVIGATIONS, live)


def test_while_the_database_is_away_the_page_says_so_and_metrics_wait(
    browser: Any, app_on: AppOn, scraper: Scraper, own_mariadb: PrivateMariaDB
) -> None:
    app = app_on(own_mariadb.url("board"))
    browser.server_url = app.url
    see(browser, PILL, "Live")
    collector = scraper(app.url)
    collector.record_page_navigation("robinhood", url="https://robinhood.com/before", navigation_duration_ms=1)
    see(browser, EVENTS, "robinhood.com/before")
    own_mariadb.kill()
    collector.record_page_navigation("robinhood", url="https://robinhood.com/during", navigation_duration_ms=2)
    see(browser, "#database-banner", "Database unreachable since")
    assert "robinhood.com/before" in text(browser, EVENTS)  # what is known stays
    browser.driver.refresh()  # somebody opens the page now
    see(browser, "#page", "The database can’t be reached")
    own_mariadb.start()
    see(browser, EVENTS, "robinhood.com/during", patience_s=120)
    see(browser, EVENTS, "robinhood.com/before")
    until(lambda: not text(browser, "#database-banner"), "the banner is gone")
    assert collector.get_metrics_stats()["dropped"] == 0


def test_a_paused_page_stands_still(browser: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    collector = scraper(app.url)
    collector.record_page_navigation("robinhood", url="https://robinhood.com/first", navigation_duration_ms=1)
    assert collector.flush(timeout_s=90)
    browser.server_url = f"{app.url}/?live=0"
    see(browser, PILL, "Paused")
    see(browser, EVENTS, "robinhood.com/first")
    rests(browser)
    collector.record_page_navigation("robinhood", url="https://robinhood.com/second", navigation_duration_ms=1)
    assert collector.flush(timeout_s=90)
    assert not moves(browser)
    browser.driver.get(app.url)
    see(browser, EVENTS, "robinhood.com/second")


# Names of the test's own, which no other test of the same app reported.
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "zebra-news"),
        ("/scrapers", "yak-news"),
        ("/scrapers/gnu-news", "gnu.test/"),
        ("/navigation", "emu.test/"),
        ("/scraping", "ibex.test/"),
        ("/scheduler", "lynx-nightly"),
        ("/alerts", "wolf-news"),
    ],
)
def test_every_tab_follows_live_without_complaints(
    browser: Any, shared_app: App, scraper: Scraper, path: str, words: str
) -> None:
    browser.server_url = shared_app.url + path
    see(browser, PILL, "Live")
    assert words not in text(browser, "#page")
    collector = scraper(shared_app.url)
    name = re.split(r"[-.]", words)[0]
    slower_ms = 100 * next(ROUND)  # so that lists of the slowest begin with these
    for n in range(20):
        url = f"https://{name}.test/{n}"
        collector.record_page_navigation(
            f"{name}-news",
            url=url,
            navigation_duration_ms=slower_ms + n,
            success=n > 9,
            error=None if n > 9 else "timeout",
        )
        collector.record_page_scrape(f"{name}-news", url=url, scrape_duration_ms=slower_ms + n, items_extracted=n)
        collector.record_scheduler_metric(f"{name}-nightly", execution_duration_ms=40)
    assert collector.flush(timeout_s=90)
    see(browser, "#page", words)
    assert errors(browser) == []
