"""One measured server and its viewers, each in processes of their own, and what a burst of batches came to."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench._served import ROOT

WARM_VIEWERS = 50  # connect before anything is measured: what comes once isn't a viewer's
_CONNECT_AT_ONCE = 2_000  # a server that accepts between bursts keeps no more waiting
_PATIENCE_S = 15  # what hasn't come by then is missing
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_s(pids: Sequence[int]) -> float:
    """Return the CPU seconds that processes have used, user and system."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / _TICKS_PER_S


def group(leader: int) -> list[int]:
    """Return the processes of a group."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(pid) == leader:
                found.append(pid)
    return found


def rss_bytes(pids: Sequence[int]) -> int:
    """Return the resident memory of processes."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES for pid in pids)


class Program:
    """A program of this bench that answers lines with JSON.

    Args:
        command: How it is run.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def tell(self, line: str) -> None:
        """Say a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for an answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, line: str) -> dict[str, Any]:
        """Say a line and wait for the answer."""
        self.tell(line)
        return self.hear()

    def end(self) -> None:
        """End it, and what it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to bring batches to viewers, to be measured.

    Args:
        name: As the report calls it.
        command: How its server is run.
        speaks: What its viewers say first: `raw`, `plain`, `metrics` or `dash`.
        path: Where they connect.
        deflate: Whether they offer to have their frames compressed, as browsers do.
        busy: Whether it is measured beside a busy thread, too.
        joins: Whether it puts several batches into one frame when they come faster than it sends.
    """

    name: str
    command: Sequence[str]
    speaks: str
    path: str = "/"
    deflate: bool = False
    busy: bool = False
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst of batches came to."""

    last_ms: list[float]  # from publishing until the last viewer has it, each batch
    rate_per_s: float
    missing: int
    wrong_order: int
    server_cpu_ms: float  # a batch
    viewers_cpu_share: float
    loaded: float  # how many processors others kept busy meanwhile


class Measured:
    """A running server with its viewers.

    Args:
        kind: What is measured.
        viewers: How many look.
    """

    def __init__(self, kind: Kind, viewers: int) -> None:
        self.kind, self.count = kind, viewers
        self._next = self._connected = 0
        self.server = Program(kind.command)
        self.viewers: Program | None = None
        try:
            ready = self.server.hear()
            self.port, self.pids = ready["port"], ready["pids"]
            self.viewers = Program(self._viewers_command())
            # What handshakes leave behind until Python looks for cycles is the same for few and many viewers: so the
            # second half of them says what each costs.
            half = viewers // 2
            accept_s, weights = [], []
            for some in (min(WARM_VIEWERS, half), max(0, half - WARM_VIEWERS), viewers - half):
                accept_s.append(self._connect(some))
                self.burst(3, 0.02)
                weights.append(rss_bytes(self.pids) / 1024)
        except BaseException:
            self.end()
            raise
        self.accept_ms = 1000 * sum(accept_s[1:]) / (viewers - min(WARM_VIEWERS, half))
        self.rss_kb = (weights[2] - weights[1]) / (viewers - half)
        self.rss_kb_with_garbage = (weights[2] - weights[0]) / (viewers - min(WARM_VIEWERS, half))

    def burst(self, count: int, interval_s: float, *, busy: bool = False) -> Burst:
        """Publish batches at a steady pace and wait until everybody has them."""
        assert self.viewers is not None
        if self.kind.busy:
            self.server.ask(f"busy {int(busy)}")
        self.viewers.ask("expect 0 0 0")  # sets its stopwatch
        begin_s, before_s, all_before_s = time.monotonic(), cpu_s(self.pids), _everybody_s()
        sent_ns = self.server.ask(f"run {self._next} {count} {round(interval_s * 1e6)}")["sent_ns"]
        heard = self.viewers.ask(f"expect {self._next} {len(sent_ns)} {_PATIENCE_S}")
        took_s, server_s = time.monotonic() - begin_s, cpu_s(self.pids) - before_s
        others_s = _everybody_s() - all_before_s - server_s - heard["cpu_s"]
        if self.kind.busy:
            self.server.ask("busy 0")
        self._next += len(sent_ns)
        return Burst(
            [(last - sent) / 1e6 for sent, last in zip(sent_ns, heard["last_ns"], strict=True) if last],
            (len(sent_ns) - 1) / ((sent_ns[-1] - sent_ns[0]) / 1e9) if len(sent_ns) > 1 else 0.0,
            heard["missing"],
            heard["wrong_order"],
            1000 * server_s / len(sent_ns),
            heard["cpu_s"] / took_s,
            max(0.0, others_s / took_s),
        )

    def end(self) -> None:
        """End both."""
        self.server.end()
        if self.viewers is not None:
            self.viewers.end()

    def _viewers_command(self) -> list[str]:
        command = [sys.executable, "-m", "bench.channel.viewers", f"--port={self.port}", f"--path={self.kind.path}"]
        command += [f"--kind={self.kind.speaks}"]
        if self.kind.deflate:
            command.append("--deflate")
        if self.kind.joins:
            command.append("--every-mark")
        if self.kind.speaks == "dash":
            command.append(f"--output={self.server.ask('stats')['output']}")
        return command

    def _connect(self, more: int) -> float:
        assert self.viewers is not None
        took_s = 0.0
        while more:
            some = min(more, _CONNECT_AT_ONCE)
            took_s += self.viewers.ask(f"connect {some} {self._next}")["took_s"]
            more -= some
            self._connected += some
            until_s = time.monotonic() + 60
            while self.server.ask("stats")["viewers"] < self._connected:
                if time.monotonic() > until_s:
                    raise TimeoutError(f"{self.kind.name} doesn't see its viewers")
                time.sleep(0.05)  # the last one's handshake is over, but its thread may not have come to it yet
        return took_s


def _everybody_s() -> float:
    """Return the CPU seconds that all processes of the machine have used."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(fields[place]) for place in (1, 2, 3, 6, 7)) / _TICKS_PER_S
