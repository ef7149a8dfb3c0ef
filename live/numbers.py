"""Where the numbers of an era begin, so that they never go back and no two processes give the same one meanwhile."""

from __future__ import annotations

import random
from typing import Final

# A number has 53 bits, as many as JSON's readers keep exactly: 26 for the time in steps of 16 s (34 years), 27 below.
STEP: Final = 1 << 27
_STEP_S: Final = 16
_SINCE_S: Final = 1_735_689_600  # 2025


def shared_base(now_s: float, above: int) -> int:
    """Return where an era begins that processes share: above what each of them gave alone until now.

    Args:
        now_s: The wall clock, epoch seconds.
        above: The highest number that this process gave.
    """
    return max(_step(now_s) + 2, above // STEP + 1) * STEP


def private_base(now_s: float, above: int) -> int:
    """Return where a process' numbers begin that it gives alone.

    Two processes that lose Redis at the same moment must not give the same numbers: a client that goes from one to the
    other would be told that nothing is missing. They begin at random places of the 134 million in a step.

    Args:
        now_s: The wall clock, epoch seconds.
        above: The highest number that this process gave or passed on.
    """
    return max(_step(now_s), above // STEP + 1) * STEP + random.randrange(1, STEP)


def _step(now_s: float) -> int:
    return max(0, int(now_s - _SINCE_S)) // _STEP_S
