"""Open pages in Chromium when the channel isn't there: no SharedWorker, a network that goes, a laptop that sleeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from collector.client import Collector
from tests.browser.conftest import App
from tests.browser.seeing import equals_a_reload, errors, see, text
from tests.proxies import CuttingProxy

AppOn = Callable[..., App]
Scraper = Callable[[str], Collector]

NAVIGATIONS = "#overview-navigations"
EVENTS = "#overview-events"
PILL = "#live-pill"


def report(collector: Collector, first: int, last: int) -> None:
    """Report navigations to pages with these numbers."""
    for n in range(first, last + 1):
        collector.record_page_navigation("robinhood", url=f"https://robinhood.com/p{n}", navigation_duration_ms=n)
    assert collector.flush(timeout_s=90)


@pytest.fixture
def sleeping(dash_br: Any) -> Iterator[Callable[[], Callable[[], None]]]:
    """Return what freezes all processes of the browser, as a laptop does that is closed; it returns what wakes them."""
    driver = psutil.Process(dash_br.driver.service.process.pid)
    frozen: list[psutil.Process] = []

    def wake() -> None:
        while frozen:
            frozen.pop().resume()

    def sleep() -> Callable[[], None]:
        for process in driver.children(recursive=True):
            process.suspend()
            frozen.append(process)
        return wake

    yield sleep
    wake()


def test_a_browser_without_shared_workers_polls_by_itself(dash_br: Any, app_on: AppOn, scraper: Scraper) -> None:
    app = app_on()
    collector = scraper(app.url)
    dash_br.driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.SharedWorker"}
    )  # as in browsers that don't have it
    dash_br.server_url = f"{app.url}/?from=now-24h"
    see(dash_br, PILL, "Polling")
    for last in (3, 5):  # the empty state gives way, and numbers move again after that
        report(collector, last - 2, last)
        see(dash_br, EVENTS, f"robinhood.com/p{last}")
    see(dash_br, NAVIGATIONS, "6")
    equals_a_reload(dash_br, "Polling")
    assert errors(dash_br) == []


def test_after_a_loss_of_the_network_a_page_is_live_again_without_a_reload(
    dash_br: Any, app_on: AppOn, scraper: Scraper
) -> None:
    app = app_on()
    collector = scraper(app.url)
    with CuttingProxy(app.port) as network:
        report(collector, 1, 3)
        dash_br.server_url = f"http://127.0.0.1:{network.port}/?from=now-24h"
        see(dash_br, PILL, "Live")
        see(dash_br, EVENTS, "robinhood.com/p3")
        network.refuse()
        report(collector, 4, 6)
        see(dash_br, PILL, "Reconnecting")
        assert "robinhood.com/p3" in text(dash_br, EVENTS)  # what is known stays
        report(collector, 7, 9)
        network.accept()
        see(dash_br, PILL, "Live", patience_s=120)
        see(dash_br, NAVIGATIONS, "9")
        report(collector, 10, 12)
        see(dash_br, EVENTS, "robinhood.com/p12")
        equals_a_reload(dash_br, "Live")


def test_after_a_sleep_in_which_the_server_gave_it_up_a_page_is_live_again_without_a_reload(
    dash_br: Any, app_on: AppOn, scraper: Scraper, sleeping: Callable[[], Callable[[], None]]
) -> None:
    app = app_on()
    collector = scraper(app.url)
    with CuttingProxy(app.port) as network:
        report(collector, 1, 3)
        dash_br.server_url = f"http://127.0.0.1:{network.port}/?from=now-24h"
        see(dash_br, PILL, "Live")
        see(dash_br, EVENTS, "robinhood.com/p3")
        wake = sleeping()
        network.refuse()  # as the server does with who is silent for a minute
        network.accept()
        report(collector, 4, 9)
        wake()
        see(dash_br, NAVIGATIONS, "9", patience_s=120)
        see(dash_br, PILL, "Live", patience_s=120)
        report(collector, 10, 12)
        see(dash_br, EVENTS, "robinhood.com/p12")
        equals_a_reload(dash_br, "Live")
