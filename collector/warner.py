"""Log lines that don't repeat themselves: at most one a minute of each kind."""

import logging
import math
import time
from collections.abc import Callable

logger = logging.getLogger("collector")


class Warner:
    """Says each kind of thing at most once per `every_s` seconds; used by the collector's threads.

    Should two of them say the same at once, it is said twice.

    Args:
        every_s: The least time between two lines of one kind, in seconds.
        clock_s: A clock that never goes back, in seconds.
    """

    __slots__ = ("_clock_s", "_every_s", "_said_at_s")

    _MOST_KINDS = 100  # kinds come from a program's errors: they mustn't pile up

    def __init__(self, *, every_s: float = 60.0, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock_s = clock_s
        self._said_at_s: dict[str, float] = {}

    def warn(self, kind: str, message: str, *args: object) -> None:
        """Log a warning unless one of this kind was logged less than `every_s` ago."""
        self._say(kind, self._every_s, message, args)

    def warn_once(self, kind: str, message: str, *args: object) -> None:
        """Log a warning unless one of this kind was logged before."""
        self._say(kind, math.inf, message, args)

    def _say(self, kind: str, every_s: float, message: str, args: tuple[object, ...]) -> None:
        now_s = self._clock_s()
        said_at_s = self._said_at_s.get(kind)
        if said_at_s is not None and now_s - said_at_s < every_s:
            return
        if len(self._said_at_s) >= self._MOST_KINDS:
            self._said_at_s.clear()
        self._said_at_s[kind] = now_s
        logger.warning(message, *args)
