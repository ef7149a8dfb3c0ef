"""The ends and beginnings of a process: flush at exit and on SIGTERM, begin anew after a fork."""

import atexit
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Protocol

from collector.ledger import Ledger
from collector.options import Options
from collector.warner import logger


class Watched(Protocol):
    """What the process's end and a fork mean to a worker."""

    options: Options
    ledger: Ledger

    def close(self, timeout_s: float, *, why: str = "the process ended") -> int:
        """Flush and stop; the number of metrics left."""
        ...

    def after_fork(self) -> None:
        """Begin anew in a child."""
        ...


# One set for the process, as there is one exit and one SIGTERM: a worker that nobody uses any more leaves it by itself.
_watched: weakref.WeakSet[Watched] = weakref.WeakSet()
_finalized_process_id: int | None = None


def watch(worker: Watched) -> None:
    """Close `worker` at the process's exit, and let it begin anew in forked children."""
    _watched.add(worker)


def on_thread_start() -> None:
    """See to it that a multiprocessing child flushes too: such a process ends without running atexit callbacks."""
    global _finalized_process_id
    process = sys.modules.get("multiprocessing.process")  # who doesn't use it needn't import it
    util = sys.modules.get("multiprocessing.util")
    if process is None or util is None or process.parent_process() is None or _finalized_process_id == os.getpid():
        return
    _finalized_process_id = os.getpid()
    util.Finalize(None, close_all, exitpriority=0)


def close_all() -> None:
    """Deliver what is pending, each collector within its `exit_timeout_s`, and say what had to stay behind."""
    for worker, timeout_s in _with_time_left():
        configured = bool(worker.options.sinks)
        left = worker.close(timeout_s)
        on_disk = worker.ledger.stats()["left_on_disk"]
        if on_disk:
            logger.warning("%d metrics wait on the disk: the next process that sends there delivers them", on_disk)
        if left:
            why = "their sink was away" if configured else "collector.configure() was not called"
            logger.warning("%d metrics were not delivered before the process ended: %s", left, why)


def handle_sigterm() -> bool:
    """Flush on SIGTERM, then let it end the process as it would have.

    Only where the default handler is in force and only from the main thread: a program that handles SIGTERM by itself
    leaves through `sys.exit`, and is flushed at exit. The exit status stays that of a process killed by SIGTERM. A
    second SIGTERM kills at once. Python runs signal handlers between two bytecodes of the main thread: one that is
    inside of a long C call ends when that returns, no longer at once.

    Returns:
        Whether the handler is in place.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGTERM) is _on_sigterm:
        return True
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False
    signal.signal(signal.SIGTERM, _on_sigterm)
    return True


def leave_sigterm() -> None:
    """Take our SIGTERM handler away again, if it is in force."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _on_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _on_sigterm(_signal_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for worker, timeout_s in _with_time_left():
        worker.close(timeout_s, why="SIGTERM")
    os.kill(os.getpid(), signal.SIGTERM)


def _with_time_left() -> Iterator[tuple[Watched, float]]:
    """Give each worker with the seconds that it has: their time-outs run side by side."""
    began_s = time.monotonic()
    for worker in list(_watched):
        yield worker, max(0.0, worker.options.exit_timeout_s - (time.monotonic() - began_s))


def _after_fork() -> None:
    for worker in list(_watched):
        worker.after_fork()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
