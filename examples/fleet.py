"""Keeps a fleet of scraper processes running: each starts again some time after its run ended."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parent.parent
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """A program that is run again and again.

    Args:
        name: what it is called in messages.
        command: the program and its arguments.
        pause_s: seconds between the end of a run and the start of the next; doubled after each failed run.
    """

    name: str
    command: Sequence[str]
    pause_s: float = 3.0


@dataclass(slots=True)
class Worker:
    """One job's process, started again when its time has come."""

    job: Job
    process: subprocess.Popen[bytes] | None = None
    runs: int = 0
    failures_in_a_row: int = 0
    next_start_s: float = 0.0
    output: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def tick(self, now_s: float) -> str | None:
        """Start the process when it is due; notice when it ended.

        Args:
            now_s: the monotonic clock, seconds.

        Returns:
            One line when the run failed, else None.
        """
        if self.process is None:
            if now_s >= self.next_start_s:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        self.process = None
        self.failures_in_a_row = self.failures_in_a_row + 1 if code else 0
        pause_s = min(self.job.pause_s * 2**self.failures_in_a_row, LONGEST_PAUSE_S)
        self.next_start_s = now_s + pause_s
        return (
            f"{self.job.name} ended with code {code} ({self.last_words()}); again in {pause_s:.0f} s" if code else None
        )

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl+C in the terminal reaches only the demo."""
        self.output.seek(0)
        self.output.truncate()
        # Where the tool exists the process also ends when the demo is killed without a chance to clean up.
        setpriv = shutil.which("setpriv")
        ends_with_us = (setpriv, "--pdeathsig", "TERM", "--") if setpriv else ()
        self.process = subprocess.Popen(
            [*ends_with_us, *self.job.command],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.runs += 1

    def last_words(self) -> str:
        """Return the last line that the process printed, "" when it printed nothing."""
        self.output.seek(0, os.SEEK_END)
        self.output.seek(max(0, self.output.tell() - 4096))
        lines = self.output.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def python(module: str, *options: str) -> tuple[str, ...]:
    """Return the command that runs a module of this project with this Python."""
    return (sys.executable, "-m", module, *options)


def stop_all(workers: Iterable[Worker], *, patience_s: float = 6.0) -> list[str]:
    """End every process: ask all at once, wait, then kill who didn't listen.

    Args:
        workers: those that may have a process running.
        patience_s: seconds that all of them together get to end by themselves.

    Returns:
        The names of those that had to be killed.
    """
    workers = list(workers)
    running = [(worker, worker.process) for worker in workers if worker.process is not None]
    for _, process in running:
        with suppress(ProcessLookupError):  # it ended a moment ago
            process.terminate()
    deadline_s = time.monotonic() + patience_s
    killed = []
    for worker, process in running:
        try:
            process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            killed.append(worker.job.name)
        # The group outlives its leader when a browser is slow to go.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        worker.process = None
    for worker in workers:
        worker.output.close()
    return killed
