"""`python app.py` from a process that has imported the program: what a start imports costs more than most tests."""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
_MOST_BYTES = 1 << 20  # of an order: arguments and an environment
_FILES = 2  # come with it: where the app writes to, and the line on which its parent says how it fares

_warm: WarmStart | None = None  # whom this process orders apps from; without one they are started the long way


class Forked:
    """What tests use of `subprocess.Popen`, of a process that is the child of another one.

    Args:
        line: On which its parent says its id, and at its end how it ended.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.returncode: int | None = None
        self.pid = self._heard()

    def poll(self) -> int | None:
        """Return how it ended, as `Popen` does; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, when it has.

        Args:
            timeout: How long to wait for that, in seconds.

        Raises:
            TimeoutExpired: It runs on.
        """
        if self.returncode is None:
            if not select.select([self._line], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("app.py", timeout or 0.0)
            self.returncode = self._heard()
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended, and its parent is about to say so
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def _heard(self) -> int:
        said = self._line.recv(64)
        assert said, "the process that apps are forked from is gone"
        return int(said)


class WarmStart:
    """A process that has imported the program, and forks for each app that is to be started."""

    def __init__(self) -> None:
        self._orders, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # protects what is above: one order after the other

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], output: IO[bytes] | None) -> Forked:
        """Start `python app.py`, in the project's directory and a session of its own.

        Args:
            arguments: Its arguments.
            environment: All of its environment.
            output: What it writes to; None for what this process writes to.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = json.dumps([list(arguments), dict(environment)]).encode()
        with theirs:
            files = [sys.__stderr__.fileno() if output is None else output.fileno(), theirs.fileno()]  # type: ignore[union-attr]
            with self._lock:
                if self._process is None:
                    self._process = self._begin()
                socket.send_fds(self._orders, [order], files)
        return Forked(ours)

    def end(self) -> None:
        """End the process; the apps that it forked run on."""
        self._orders.close()
        self._theirs.close()
        if self._process is not None:
            self._process.wait(60)

    def _begin(self) -> subprocess.Popen[bytes]:
        file = self._theirs.fileno()
        command = [sys.executable, "-m", "tests.warm_start", str(file)]
        try:
            return subprocess.Popen(
                command, cwd=ROOT, pass_fds=[file], stdin=subprocess.DEVNULL, start_new_session=True
            )
        finally:
            self._theirs.close()


@contextlib.contextmanager
def warm_starts() -> Iterator[None]:
    """Let `start_app` fork, from a process that is made for the first app."""
    global _warm
    _warm = WarmStart()
    yield
    ended, _warm = _warm, None
    ended.end()


@contextlib.contextmanager
def cold_starts() -> Iterator[None]:
    """Let `start_app` start apps as an operator does, imports and all."""
    global _warm
    kept, _warm = _warm, None
    yield
    _warm = kept


def start_app(
    environment: Mapping[str, str], output: IO[bytes] | None, *arguments: str
) -> Forked | subprocess.Popen[bytes]:
    """Start `python app.py` in a session of its own: forked where that was prepared, else as an operator does it.

    Args:
        environment: All of its environment.
        output: What it writes to; None for what this process writes to.
        arguments: Its arguments.
    """
    if _warm is not None:
        return _warm.start(arguments, environment, output)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
    )  # fmt: skip


def _serve(orders: socket.socket) -> None:
    """Fork for each order until whoever gives them is gone."""
    from sqlalchemy.orm import configure_mappers

    import app  # noqa: F401 - what this process is for
    import web.commands
    import web.serve
    import web.worker  # noqa: F401

    configure_mappers()
    inspect.stack()  # Dash asks for it at its start, and it looks at the file of every module that it doesn't know yet
    gc.collect()
    gc.freeze()  # or the collector of each app would copy all of this
    running: dict[int, tuple[int, socket.socket]] = {}  # by the file that becomes readable at its end
    poll = select.poll()  # nothing that parent and child would share
    poll.register(orders, select.POLLIN)
    while True:
        for file, _ in poll.poll():
            if file in running:
                poll.unregister(file)
                os.close(file)
                pid, line = running.pop(file)
                line.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
                line.close()
                continue
            order, files, _, _ = socket.recv_fds(orders, _MOST_BYTES, _FILES)
            if not order:
                return
            output, line = files[0], socket.socket(fileno=files[1])
            pid = os.fork()
            if not pid:
                for at, (_, other) in running.items():
                    os.close(at)
                    other.close()
                line.close()
                orders.close()
                arguments, environment = json.loads(order)
                _become(arguments, environment, output)
            os.close(output)
            line.send(str(pid).encode())
            watched = os.pidfd_open(pid)
            running[watched] = (pid, line)
            poll.register(watched, select.POLLIN)


def _become(arguments: list[str], environment: dict[str, str], output: int) -> None:
    """Be `python app.py` from here on."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    random.seed()  # or all of them would draw the same numbers
    program = str(ROOT / "app.py")
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")  # it ends with SystemExit, which goes through to the interpreter


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
