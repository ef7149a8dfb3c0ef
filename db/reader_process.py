"""A process that reads rows and adds them up for the rollups, so that whoever stores metrics has the interpreter."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection as Line
from multiprocessing.connection import Pipe

from sqlalchemy.engine import Engine

from db.engine import make_engine
from db.errors import one_line
from db.hosts import split_hosts
from db.rolling import Found, Read, look

_log = logging.getLogger(__name__)

# The same modules as here, wherever this process found them; nothing of what runs here is imported there.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from db.reader_process import main; main()"
_RESTART_S = 60.0


class ReaderProcess:
    """Does what `db.rolling.look` does in a process of its own, and here whenever that one can't.

    A minute's rows that are turned into numbers keep the interpreter for milliseconds at a time, dozens of times: every
    batch that is stored meanwhile waits for it again after each answer of the database. The process only reads; what it
    found is written here, by the transaction that sees whether another program was faster.

    Args:
        url: As for `make_engine`. With several servers nothing is done elsewhere: a row that was committed on one may
            not have reached the other yet.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._single = len(split_hosts(url)) == 1
        # Protects what is below. Held while the process works: who comes meanwhile looks for himself.
        self._lock = threading.Lock()
        self._line: Line | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._owner = 0
        self._started_s: float | None = None
        self.asked = 0
        self.failures = 0

    def start(self) -> None:
        """Start the process; until it is there, work is done here."""
        with self._lock:
            self._start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End the process; from now on all work is done here.

        Args:
            timeout_s: How long it may take to end by itself.
        """
        with self._lock:
            self._started_s = None
            self._end(timeout_s)

    def ready(self, timeout_s: float = 0.0) -> bool:
        """Say whether work is done in the process now.

        Args:
            timeout_s: How long to wait for it to be there.
        """
        with self._lock:
            return self._is_there(timeout_s)

    def look(self, engine: Engine, read: Read, turn_name: str) -> Found:
        """Do what `db.rolling.look` does.

        Args:
            engine: The database of `url`, for what is done here.
            read: It can be pickled.
            turn_name: As for `db.rolling.look`.
        """
        found: Found | None = None
        if self._lock.acquire(blocking=False):
            try:
                if self._is_there(0.0):
                    found = self._ask(read, turn_name)
            finally:
                self._lock.release()
        return look(engine, read, turn_name) if found is None else found

    # The caller holds the lock ---------------------------------------------------------------------------------

    def _is_there(self, timeout_s: float) -> bool:
        if self._started_s is None or self._owner != os.getpid():  # a fork must not talk into its parent's line
            return False
        if self._line is None and time.monotonic() > self._started_s + _RESTART_S:
            self._start()
        if self._line is not None and not self._ready:
            try:
                self._ready = self._line.poll(timeout_s) and self._line.recv() is None
            except (EOFError, OSError) as exc:
                self._lost(exc)
        return self._ready

    def _start(self) -> None:
        self._end(0.0)
        if not self._single:
            return
        self._owner, self._started_s = os.getpid(), time.monotonic()
        here, there = Pipe()
        try:
            words = [sys.executable, "-c", _PROGRAM.format(path=sys.path), str(there.fileno())]
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, pass_fds=[there.fileno()])
            here.send(self._url)  # not among the words: they can be seen by everybody on the machine
            self._line = here
        except OSError as exc:
            here.close()
            self._lost(exc)
        finally:
            there.close()

    def _ask(self, read: Read, turn_name: str) -> Found | None:
        assert self._line is not None
        self.asked += 1
        try:
            self._line.send((read, turn_name))
            answer: Found | str = self._line.recv()
        except (EOFError, OSError) as exc:
            self._lost(exc)
            return None
        if isinstance(answer, str):
            self.failures += 1
            _log.warning("the process that reads for rollups failed: %s; it is tried here", answer)
            return None
        return answer

    def _lost(self, exc: Exception) -> None:
        self.failures += 1
        _log.warning("the process that reads for rollups is gone (%s); work is done here", one_line(exc))
        self._end(0.0)

    def _end(self, timeout_s: float) -> None:
        if self._line is not None:
            self._line.close()  # it ends when it sees that
        if self._process is not None and self._owner == os.getpid():
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()  # it only reads: nothing is left half done
                self._process.wait()
        self._line, self._process, self._ready = None, None, False


def main() -> None:
    """Answer on the line whose number is the first argument, until its other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches everybody; who started this one ends it
    line = Line(int(sys.argv[1]))
    try:
        engine = make_engine(url=line.recv(), pool_size=1, max_overflow=0)
        line.send(None)
        while True:
            read, turn_name = line.recv()
            answer: Found | str
            try:
                answer = look(engine, read, turn_name)
            except Exception as exc:  # noqa: BLE001 - it is tried again by who asked, who knows what to do with it
                answer = one_line(exc)
            line.send(answer)
    except (EOFError, OSError):
        return
