"""How a measured server is told what to do: lines on standard input, one JSON line each in answer."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from bench.figures import an_info
from charts import make_adapter


class Busy:
    """A thread that computes figures and their JSON all the time, as one that renders pages does."""

    def __init__(self) -> None:
        self._on = threading.Event()
        self._thread: threading.Thread | None = None
        self._adapter, self._info = make_adapter("plotly"), an_info()
        self.drawn = 0

    def switch(self, on: bool) -> None:
        """Let it work or rest."""
        if on and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="busy", daemon=True)
            self._thread.start()
        (self._on.set if on else self._on.clear)()

    def _work(self) -> None:
        while True:
            self._on.wait()
            orjson.dumps(self._adapter.line(self._info).spec)
            self.drawn += 1


def obey(
    port: int,
    publish: Callable[[int], object],
    *,
    stats: Callable[[], dict[str, Any]] = dict,
    flood: Callable[[], object] = lambda: None,
    pids: Sequence[int] = (),
) -> None:
    """Say that the server is ready, and do what standard input says until it ends; then end the process.

    Args:
        port: Where viewers connect.
        publish: Sends the batch of a number to every viewer; its call is where the time begins.
        stats: What the server counts.
        flood: Sends to the viewer that never reads until it is dropped from.
        pids: Further processes that work for the server.
    """
    busy = Busy()
    busy.switch(True)  # what comes once isn't measured
    while not busy.drawn:
        time.sleep(0.01)
    busy.switch(False)
    _say({"port": port, "pids": [os.getpid(), *pids]})
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "run":
            first, count, interval_us = map(int, rest)
            _say({"sent_ns": _publish(publish, first, count, interval_us / 1e6)})
        elif word == "busy":
            busy.switch(rest == ["1"])
            _say({})
        elif word == "flood":
            flood()
            _say({})
        else:
            _say({**stats(), "drawn": busy.drawn})
    os._exit(0)


def _publish(publish: Callable[[int], object], first: int, count: int, interval_s: float) -> list[int]:
    """Publish at a steady pace; who can't keep it publishes fewer. Returns when each was begun."""
    sent_ns = []
    begin_s = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin_s + number * interval_s - time.monotonic()))
        if time.monotonic() - begin_s > 2 * count * interval_s + 1:
            break
        sent_ns.append(time.monotonic_ns())
        publish(first + number)
    return sent_ns


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
