"""Chromium as people have it, told where to go over its devtools' bare socket.

Whoever enables the devtools' `Runtime` domain, as every test driver does, makes V8 compile scripts as for a debugger:
plotly.js is then parsed twice, which costs a first load 380 ms that no visitor ever pays. Nothing is enabled here.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from examples.browser_scraper import FLAGS

_TIMEOUT_S: Final = 60.0
# Each look waits until the page's thread is free: so there are few while it works, and none is late by much.
_LOOK_S: Final = 0.01


class RawTab:
    """One tab, spoken to over its own socket.

    Args:
        socket: The connection to its devtools.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the devtools' protocol and return its result."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=_TIMEOUT_S))
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def count(self, selector: str) -> int:
        """Return how many elements a selector finds now."""
        said = self.ask("Runtime.evaluate", expression=f"document.querySelectorAll({json.dumps(selector)}).length")
        return int(said["result"].get("value", 0))

    def thread_ms(self) -> float:
        """Return the processor time of the page's thread since the tab was opened, milliseconds."""
        metrics = {one["name"]: one["value"] for one in self.ask("Performance.getMetrics")["metrics"]}
        return 1000 * float(metrics["TaskDuration"])

    def load(self, url: str, name: str | None) -> dict[str, float]:
        """Open an address and wait for its charts.

        Args:
            url: The address.
            name: The tab's name; None for a page whose only chart is waited for.

        Returns:
            Milliseconds to the `first` and to all `charts`, and the `thread`'s processor time until then.
        """
        holder = f".page-{name} .chart-box" if name else "body"
        self.ask("Performance.enable", timeDomain="threadTicks")
        start_s = time.monotonic()
        self.ask("Page.navigate", url=url)
        first_ms = 0.0
        while (passed_s := time.monotonic() - start_s) < _TIMEOUT_S:
            drawn = self.count(f"{holder}:has(.main-svg)")
            spent_ms = 1000 * (time.monotonic() - start_s)
            first_ms = first_ms or (spent_ms if drawn else 0.0)
            if drawn and drawn == self.count(holder):
                return {"first": first_ms, "charts": spent_ms, "thread": self.thread_ms()}
            time.sleep(_LOOK_S)
        raise TimeoutError(f"{url} has not drawn its charts after {passed_s:.0f} s")


class RawBrowser:
    """A running Chromium.

    Args:
        port: Where its devtools listen.
    """

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}/json"

    @contextmanager
    def tab(self) -> Iterator[RawTab]:
        """Open an empty tab; it is closed afterwards."""
        new = urllib.request.Request(f"{self._address}/new?about:blank", method="PUT")
        with urllib.request.urlopen(new) as answer:
            told = json.load(answer)
        with connect(told["webSocketDebuggerUrl"], max_size=None, compression=None) as socket:
            yield RawTab(socket)
        with urllib.request.urlopen(f"{self._address}/close/{told['id']}"):
            pass


@contextmanager
def raw_browser(profile: str) -> Iterator[RawBrowser]:
    """Run Chromium with a profile on disk, as people have one: a private window keeps no compiled scripts.

    Args:
        profile: The profile's folder; an empty one is a browser that knows nothing yet.
    """
    told = Path(profile) / "DevToolsActivePort"
    told.unlink(missing_ok=True)
    process = subprocess.Popen(
        [
            "/usr/bin/chromium",
            *FLAGS.split(),
            "--window-size=1440,1000",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while not told.exists() or "\n" not in told.read_text():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise TimeoutError("Chromium doesn't say where its devtools are")
            time.sleep(0.05)
        time.sleep(1.0)  # what it does when it starts isn't the page's
        yield RawBrowser(int(told.read_text().split("\n")[0]))
    finally:
        process.terminate()
        process.wait(60)
