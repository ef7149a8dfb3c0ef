"""The pulse: small things that happen every few seconds, in one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Beat:
    """One thing to do every `interval_s` seconds."""

    interval_s: float
    function: Callable[[], object]
    due_s: float = 0.0


class Pulse:
    """Call functions at intervals until stopped; one that fails is logged and called again next time."""

    def __init__(self) -> None:
        self.failures = 0
        self._beats: list[Beat] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def every(self, interval_s: float, function: Callable[[], object]) -> None:
        """Call `function` every `interval_s` seconds; to be said before `start`."""
        self._beats.append(Beat(interval_s, function))

    def start(self) -> None:
        """Start beating."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Stop beating."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            for beat in self._beats:
                if beat.due_s <= now:
                    beat.due_s = now + beat.interval_s
                    try:
                        beat.function()
                    except Exception:  # one failing habit must not stop the others
                        self.failures += 1
                        log.exception("%s failed", getattr(beat.function, "__name__", "a pulse function"))
            rest_s = min((beat.due_s for beat in self._beats), default=now + 60) - time.monotonic()
            if self._stop.wait(max(0.01, rest_s)):
                return
