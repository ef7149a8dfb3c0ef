"""How record calls, handlers and threads wake each other without waiting for a lock."""

import threading


class Phase:
    """What the thread is doing now, as far as record calls must know: from which queue length on it wants a call.

    A record call may raise the bound of the phase that it saw (the thread is told already); the thread never reuses
    one, so such a late change can't touch a later phase.
    """

    __slots__ = ("attend_above",)

    def __init__(self, attend_above: int) -> None:
        self.attend_above = attend_above


def make_bell() -> threading.Lock:
    """Make a bell of a lock: released = rung. Ringing twice is ringing once; signal handlers may ring."""
    bell = threading.Lock()
    bell.acquire()
    return bell
