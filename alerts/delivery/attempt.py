"""What became of one attempt to deliver a message, and the deadline that every attempt has."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

# How long one attempt may take, whatever a library or a receiver does.
DEADLINE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt.

    Args:
        delivered: Whether the receiver took the message.
        error: Why not, in one line without secrets.
        permanent: Whether trying again is of no use.
        retry_after_s: How long the receiver asks to be left alone, None when it doesn't say.
        took_ms: How long it took.
    """

    delivered: bool
    error: str = ""
    permanent: bool = False
    retry_after_s: float | None = None
    took_ms: float = 0.0


class Hanging:
    """Counts the attempts that nobody waits for any more, but that haven't ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects the number
        self._number = 0

    @property
    def number(self) -> int:
        """How many there are."""
        return self._number

    def add(self, by: int) -> None:
        """Count one more, or one less."""
        with self._lock:
            self._number += by


def bounded(
    send: Callable[[], Attempt],
    *,
    deadline_s: float = DEADLINE_S,
    hanging: Hanging | None = None,
    late: Callable[[Attempt], object] | None = None,
) -> Attempt:
    """Make an attempt that ends in time.

    A thread can't be ended from outside: one that hangs is left alone, and counted until it ends.

    Args:
        send: Makes the attempt; what it raises is an attempt that failed.
        deadline_s: How long it may take.
        hanging: Counts those that are still under way.
        late: Told what became of an attempt that ended when nobody waited for it any more.
    """
    done: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
    lock = threading.Lock()  # protects `given_up`: an attempt is either returned or told late, never both
    given_up = False

    def run() -> None:
        began_s = time.monotonic()
        try:
            attempt = send()
        except Exception as exc:  # noqa: BLE001 - whatever a library raises, the alert must be tried again
            attempt = Attempt(False, f"failed unexpectedly ({type(exc).__name__})")  # its text might tell a secret
        attempt = replace(attempt, took_ms=(time.monotonic() - began_s) * 1000)
        with lock:
            done.put(attempt)
            too_late = given_up
        if too_late:
            if hanging is not None:
                hanging.add(-1)
            if late is not None:
                late(attempt)

    threading.Thread(target=run, name="alert-attempt", daemon=True).start()
    try:
        return done.get(timeout=deadline_s)
    except queue.Empty:
        with lock:
            if not done.empty():
                return done.get()
            given_up = True
            if hanging is not None:
                hanging.add(1)
        return Attempt(False, f"took longer than {deadline_s:g} s", took_ms=deadline_s * 1000)
