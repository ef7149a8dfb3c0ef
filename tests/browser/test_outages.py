"""Open pages in Chromium when the channel isn't there: no SharedWorker, a network that goes, a laptop that sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import websocket
from sqlalchemy import text as sql

from collector.client import Collector
from db.engine import make_engine
from tests.apps import PrivateApp
from tests.browser.conftest import App
from tests.browser.seeing import equals_a_reload, errors, see, text, until
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


def stored(app: PrivateApp) -> int:
    """Return how many pages the app's database holds."""
    engine = make_engine(url=app.settings["DATABASE_URL"])
    with engine.connect() as connection:
        count = int(connection.execute(sql("SELECT COUNT(*) FROM scraper_page_performance")).scalar_one())
    engine.dispose()
    return count


class Reporting(threading.Thread):
    """A scraper that goes on, whatever becomes of the app."""

    def __init__(self, collector: Collector) -> None:
        super().__init__(daemon=True)
        self.collector = collector
        self.recorded = 0
        self._enough = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._enough.wait(0.1):
            self.recorded += 1
            url = f"https://robinhood.com/p{self.recorded}"
            self.collector.record_page_navigation("robinhood", url=url, navigation_duration_ms=self.recorded)

    def acknowledged(self) -> int:
        """Return how many metrics the app has taken."""
        return int(self.collector.get_metrics_stats()["flushed"])

    def enough(self) -> int:
        """Stop, and return how many metrics there are."""
        self._enough.set()
        self.join(90)
        assert self.collector.flush(timeout_s=60)
        return self.recorded


def test_pages_in_several_tabs_go_on_by_themselves_after_a_sigterm_in_the_midst_of_metrics(
    dash_br: Any, scraper: Scraper, tmp_path: Path
) -> None:
    driver = dash_br.driver
    with PrivateApp(f"sqlite:///{tmp_path / 'metrics.db'}") as app:
        reporting = Reporting(scraper(app.url))
        tabs: dict[str, str] = {}
        for path in ("/", "/navigation"):
            if tabs:
                driver.switch_to.new_window("tab")
            driver.get(f"{app.url}{path}?from=now-24h")
            see(dash_br, PILL, "Live")
            tabs[path] = driver.current_window_handle
        sockets = [
            websocket.create_connection(app.url.replace("http", "ws") + path, timeout=60)
            for path in ("/ws/metrics", "/_dash-ws-callback")
        ]
        before = reporting.acknowledged()
        until(lambda: reporting.acknowledged() > before + 5, "metrics come in")
        app.stop()
        assert reporting.acknowledged() <= stored(app)
        for one in sockets:
            opcode, data = one.recv_data(control_frame=True)
            while opcode != websocket.ABNF.OPCODE_CLOSE:
                opcode, data = one.recv_data(control_frame=True)
            one.shutdown()
            assert int.from_bytes(data[:2], "big") == 1001
        for tab in tabs.values():
            driver.switch_to.window(tab)
            see(dash_br, PILL, "Reconnecting", patience_s=60)
        app.start()
        count = reporting.enough()
        assert stored(app) == count
        newest = {"/": (EVENTS, f"/p{count}"), "/navigation": ("#navigation-slowest", f"/p{count}")}
        for path, tab in tabs.items():
            driver.switch_to.window(tab)
            see(dash_br, PILL, "Live", patience_s=60)
            see(dash_br, *newest[path], patience_s=60)
            equals_a_reload(dash_br, "Live")
        assert "Traceback" not in app.log()
        assert errors(dash_br) == []
