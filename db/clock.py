"""The present, in the one unit that the tables know."""

import time


def now_ms() -> int:
    """Return the present in epoch milliseconds UTC."""
    return time.time_ns() // 1_000_000
