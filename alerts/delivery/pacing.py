"""How fast and how often a channel is tried: a token bucket, and waits that grow."""

from __future__ import annotations

import random
from typing import Final

MOST_ATTEMPTS: Final = 20  # with the waits below, for about six hours
FIRST_WAIT_S: Final = 5.0
LONGEST_WAIT_S: Final = 1_800.0
LONGEST_ASKED_S: Final = 3_600.0  # a receiver may ask for so long a wait, not for longer
_LONGEST_REST_S: Final = 60.0


class TokenBucket:
    """Takes so many messages at once, and so many a minute in the long run.

    Args:
        per_minute: How many in the long run.
        burst: How many at once.
    """

    def __init__(self, per_minute: float, burst: int) -> None:
        self._rate = per_minute / 60
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at_s: float | None = None

    def tokens(self, now_s: float) -> int:
        """Return how many messages may go now.

        Args:
            now_s: By a clock that nobody sets.
        """
        if self._at_s is not None:
            self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate)
        self._at_s = now_s
        return int(self._tokens + 1e-9)

    def take(self) -> None:
        """Take the token of one message."""
        self._tokens = max(0.0, self._tokens - 1)

    def wait_s(self) -> float:
        """Return how long it takes until there is a token, as of the last look."""
        return max(0.0, (1 - self._tokens) / self._rate)


def wait_after(attempts: int, *, asked_s: float | None = None) -> float:
    """Return how long a notification waits before it is tried again, seconds.

    Args:
        attempts: How often it was tried, from 1.
        asked_s: How long the receiver asks to be left alone.
    """
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 30)) * random.uniform(0.75, 1.25)
    return max(wait_s, min(asked_s or 0.0, LONGEST_ASKED_S))


def rest_after(failures: int) -> float:
    """Return how long a channel rests before another notification is tried, seconds.

    Args:
        failures: How many attempts in a row failed, from 1.
    """
    return min(_LONGEST_REST_S, 2.0 ** min(failures - 1, 10))
