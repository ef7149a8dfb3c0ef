"""A sink's absence: since when it doesn't answer, and how long to wait before it is asked again."""

import random
import time

from collector.errors import SinkDenied, SinkUnavailable
from collector.options import Options

_LONGEST_RETRY_AFTER_S = 300.0  # a sink may ask for more: it isn't believed
_LONGEST_PAUSE_WHEN_AWAITED_S = 1.0  # between retries while somebody waits in flush()
_LONG_S = 1.0  # a sink that is away no longer than that costs no disk


class Absence:
    """Whether and since when a sink is away; its courier's thread writes, anybody reads.

    Args:
        options: How long to wait between attempts.
    """

    __slots__ = ("_options", "_random", "_since_s", "is_denial")

    def __init__(self, options: Options) -> None:
        self._options = options
        self._random = random.Random()  # its own, so that a scraper's seeded one stays reproducible
        self._since_s: float | None = None
        self.is_denial = False  # the sink wants nothing from us: asking again soon is of no use

    def begin(self, trouble: SinkUnavailable) -> None:
        """Note that the sink didn't take a batch; nothing new when it is away already."""
        self._since_s = self._since_s or time.monotonic()
        self.is_denial = isinstance(trouble, SinkDenied)

    def end(self) -> None:
        """Note that it took one."""
        self._since_s = None
        self.is_denial = False

    def is_now(self) -> bool:
        """Whether the sink didn't answer when it was asked last."""
        return self._since_s is not None

    def is_long(self) -> bool:
        """Whether it has been away for so long that the disk is worth it."""
        since_s = self._since_s
        return since_s is not None and time.monotonic() - since_s >= min(_LONG_S, self._options.retry_cap_s)

    def pause_s(self, retry_after_s: float | None, attempts: int, *, is_awaited: bool) -> float:
        """Say how long to wait: exponential backoff with full jitter, at least what the sink asked for.

        See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

        Args:
            retry_after_s: What it asked for, in seconds.
            attempts: How often it was asked.
            is_awaited: Whether somebody waits in flush().
        """
        options = self._options
        longest_s = min(options.retry_cap_s, options.retry_base_s * 2 ** min(attempts - 1, 40))
        if is_awaited:
            longest_s = min(longest_s, _LONGEST_PAUSE_WHEN_AWAITED_S)
        return max(self._random.uniform(0, longest_s), min(retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S))

    def about(self, interval_s: float) -> float:
        """Give an interval that isn't the same in all processes: half of it to one and a half."""
        return interval_s * self._random.uniform(0.5, 1.5)
