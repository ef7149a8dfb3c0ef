"""The whole app, served for real, and Debian's Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from dash.testing.browser import Browser
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options

from collector.client import Collector
from tests.servers import PrivateMariaDB, Process, free_port
from tests.warm_start import start_app

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1440,1400"
)
# Without a graphics card most of what Chromium computes is pixels, which these tests never look at.
COARSE = "--force-device-scale-factor=0.5"


def pytest_setup_options() -> Options:
    """Tell dash[testing] which browser to start, and how."""
    options = Options()
    options.binary_location = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium") or CHROMIUM
    for flag in f"{FLAGS} {COARSE} {os.environ.get('SCRAPEBOARD_TEST_BROWSER_FLAGS', '')}".split():
        options.add_argument(flag)
    return options


@dataclass
class App:
    """The program in its own process, on a port that stays the same when it is started again."""

    database_url: str
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start `python app.py` and wait until it answers."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")},
            "SCRAPEBOARD_DATABASE_URL": self.database_url,
            "SCRAPEBOARD_PORT": str(self.port),
            **self.settings,
        }
        self.process = start_app(environment, None)
        deadline = time.monotonic() + 150
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "the app ended at its start"
            try:
                with urllib.request.urlopen(f"{self.url}/api/stats", timeout=60):
                    return
            except OSError as exc:
                if isinstance(exc, urllib.error.HTTPError):
                    exc.close()  # it holds the connection open
                time.sleep(0.05)
        raise AssertionError("the app didn't answer within 150 s")

    def kill(self) -> None:
        """End it the hard way: SIGKILL, nothing flushed, no good-byes."""
        assert self.process is not None
        children = subprocess.run(
            ["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        self.process.kill()
        for child in children:
            subprocess.run(["kill", "-KILL", child], check=False)
        self.process.wait(60)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)


@pytest.fixture
def app_on(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Start apps that end with the test."""
    apps: list[App] = []

    def start(database_url: str | None = None, **settings: str) -> App:
        app = App(database_url or f"sqlite:///{tmp_path}/board.db", free_port(), settings)
        apps.append(app)
        app.start()
        return app

    yield start
    for app in apps:
        app.stop()


@pytest.fixture
def drivers() -> Iterator[list[Any]]:
    """Close what selenium 4.2 leaves open when it quits: its connections to the driver."""
    found: list[Any] = []
    yield found
    for driver in found:
        driver.command_executor._conn.clear()


@pytest.fixture
def dash_br(drivers: list[Any], dash_br: Any) -> Any:
    """dash[testing]'s browser, without its leak."""
    drivers.append(dash_br.driver)
    return dash_br


class SharedBrowser:
    """dash[testing]'s browser for one test after the other; a start, and scripts that it doesn't know, cost seconds.

    Args:
        make: Starts one.
    """

    def __init__(self, make: Callable[[], Browser]) -> None:
        self._make = make
        self._made: Browser | None = None

    def emptied(self) -> Browser:
        """Return the browser as if nobody had looked at anything; a new one where the last one broke."""
        if self._made is not None:
            try:
                _empty(self._made.driver)
            except WebDriverException:
                self.end()
        if self._made is None:
            self._made = self._make()
        return self._made

    def end(self) -> None:
        """Close it."""
        made, self._made = self._made, None
        if made is not None:
            made.__exit__(None, None, None)
            made.driver.command_executor._conn.clear()


def _empty(driver: Any) -> None:
    driver.execute_script("localStorage.clear()")
    before = driver.window_handles
    driver.switch_to.new_window("tab")  # it has no past, and no headers of its own
    fresh = driver.current_window_handle
    for window in before:
        driver.switch_to.window(window)
        driver.close()
    driver.switch_to.window(fresh)
    driver.set_window_size(1440, 1400)
    driver.get_log("browser")  # what is read is gone


@pytest.fixture(scope="module")
def shared_browser(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedBrowser]:
    """The browser of a module's tests; see `browser`."""
    shared = SharedBrowser(
        lambda: Browser(
            browser=request.config.getoption("webdriver"),
            options=request.config.hook.pytest_setup_options(),
            download_path=str(tmp_path_factory.mktemp("download")),
        )
    )
    yield shared
    shared.end()


@pytest.fixture
def browser(shared_browser: SharedBrowser) -> Browser:
    """A browser that nobody has looked at anything with; `dash_br` is one that was just started."""
    return shared_browser.emptied()


@pytest.fixture(scope="module")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app for those tests of a module that don't mind what the others report."""
    app = App(f"sqlite:///{tmp_path_factory.mktemp('shared')}/board.db", free_port())
    app.start()
    yield app
    app.stop()


@contextmanager
def reporting(app: App) -> Iterator[Collector]:
    """Report to an app over HTTP, as a scraper in another process does."""
    collector = Collector()
    collector.configure(url=app.url, strict=True, retry_cap_s=1.0, handle_sigterm=False)
    yield collector
    assert collector.flush(timeout_s=90)
    collector.close(timeout_s=2)


@pytest.fixture
def own_mariadb() -> Iterator[PrivateMariaDB]:
    """A MariaDB server of the test's own, to stop and start."""
    with PrivateMariaDB() as server:
        server.execute("CREATE DATABASE board")
        yield server


@pytest.fixture
def scraper() -> Iterator[Callable[[str], Collector]]:
    """Make collectors that report to an app over HTTP, as scrapers in other processes do."""
    collectors: list[Collector] = []

    def connect(url: str) -> Collector:
        collector = Collector()
        collector.configure(url=url, strict=True, retry_cap_s=1.0, handle_sigterm=False)
        collectors.append(collector)
        return collector

    yield connect
    for collector in collectors:
        collector.close(timeout_s=2)
