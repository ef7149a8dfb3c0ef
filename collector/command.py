"""Runs a command as a run: its output passes through unchanged, signals are forwarded, its end is told."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import IO

from collector.run_events import FAILED, KILLED, OK
from collector.runs import RUN_ID_VARIABLE, Run

_TAIL_BYTES = 3000  # of the output: the error's end says most
_CHUNK_BYTES = 1 << 16
_FORWARDED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell says it


def run_command(run: Run, words: Sequence[str]) -> int:
    """Run a command to its end, and tell what became of it.

    Standard input is the command's own; its output and its errors come out here as they come. What it records itself
    with a collector belongs to this run (`SCRAPEBOARD_RUN_ID` in its environment).

    Args:
        run: Not begun yet.
        words: The program and its arguments.

    Returns:
        Its exit code; 128 and the signal's number when a signal ended it, 127 and 126 when it can't be started.
    """
    run.begin()
    try:
        process = subprocess.Popen(
            list(words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, RUN_ID_VARIABLE: run.run_id},
        )
    except OSError as exc:
        run.end(FAILED, f"{words[0]}: {exc.strerror or exc}")
        print(f"python -m collector: {words[0]}: {exc.strerror or exc}", file=sys.stderr)  # noqa: T201 - says why
        return _NOT_FOUND if isinstance(exc, FileNotFoundError) else _NOT_EXECUTABLE
    assert process.stdout is not None
    assert process.stderr is not None
    tail = _Tail()
    with _forwarding(process):
        readers = [
            threading.Thread(target=_pass_on, args=(1, process.stdout, sys.stdout.buffer, tail), daemon=True),
            threading.Thread(target=_pass_on, args=(2, process.stderr, sys.stderr.buffer, tail), daemon=True),
        ]
        for reader in readers:
            reader.start()
        code = _ended(process)
        for reader in readers:  # something that it left running may hold the pipes open
            reader.join(timeout=1.0)
    if code == 0:
        run.end(OK)
        return 0
    said = tail.text()
    if code < 0:
        run.end(KILLED, f"{_name_of(-code)}\n{said}".strip())
        return 128 - code
    run.end(FAILED, f"exit code {code}\n{said}".strip())
    return code


def _ended(process: "subprocess.Popen[bytes]") -> int:
    """Wait for its end; a signal that comes just before a wait begins is passed on when that one is over."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=1.0)


class _Tail:
    """The end of what a command said, on both of its outputs, in the order in which it came.

    A flood on one of them never pushes the last words of the other one out: each may fill at least half of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects all below, as both readers write
        self._chunks: dict[int, deque[tuple[int, bytes]]] = {1: deque(), 2: deque()}  # by file: (its turn, bytes)
        self._sizes = {1: 0, 2: 0}  # bytes
        self._turn = 0

    def add(self, output: int, chunk: bytes) -> None:
        """Add what came from one of its outputs: 1 or 2."""
        with self._lock:
            self._turn += 1
            self._chunks[output].append((self._turn, chunk[-_TAIL_BYTES:]))
            self._sizes[output] += len(self._chunks[output][-1][1])
            while (too_many := sum(self._sizes.values()) - _TAIL_BYTES) > 0:
                self._forget(max(self._sizes, key=self._sizes.__getitem__), too_many)

    def _forget(self, output: int, too_many: int) -> None:
        """Forget up to so many of an output's oldest bytes, so that neither comes to have much less than the other."""
        beyond = self._sizes[output] - self._sizes[3 - output]
        turn, chunk = self._chunks[output].popleft()
        kept = chunk[min(too_many, max(beyond, (too_many + 1) // 2)) :]
        self._sizes[output] -= len(chunk) - len(kept)
        if kept:
            self._chunks[output].appendleft((turn, kept))

    def text(self) -> str:
        with self._lock:
            chunks = sorted(chunk for of_output in self._chunks.values() for chunk in of_output)
        return b"".join(chunk for _, chunk in chunks).decode("utf-8", "replace").strip()


def _pass_on(output: int, source: IO[bytes], target: IO[bytes], tail: _Tail) -> None:
    """Copy what comes as it comes; a target that is closed (`| head`) doesn't stop the command."""
    is_open = True
    while chunk := os.read(source.fileno(), _CHUNK_BYTES):
        tail.add(output, chunk)
        if is_open:
            try:
                target.write(chunk)
                target.flush()
            except OSError:
                is_open = False
    source.close()


@contextlib.contextmanager
def _forwarding(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Pass signals on to the command, which decides what they mean; afterwards they are ours again."""

    def forward(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    before = {}
    for name in _FORWARDED:
        number = getattr(signal, name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            before[number] = signal.signal(number, forward)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
