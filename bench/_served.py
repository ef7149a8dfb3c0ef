"""What the benches that look through a browser share: the app in a process of its own."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """Return a port that is free at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def running_app(database_url: str, *command: str, settled: bool = False) -> Iterator[str]:
    """Serve the app as a user would, from its own process; yields its URL.

    Args:
        database_url: Where it keeps its metrics.
        command: Another program to serve instead, run by this Python; it finds its port in SCRAPEBOARD_PORT.
        settled: Wait until it has rolled up what it found in its database, as one that has run for a while has.
    """
    port = free_port()
    environment = {
        **os.environ,
        "SCRAPEBOARD_DATABASE_URL": database_url,
        "SCRAPEBOARD_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [sys.executable, *(command or ("app.py",))],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{url}/api/health", timeout=1):
                    break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.1)
        if settled:
            wait_for_rest(process.pid)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def wait_for_rest(pid: int, *, busy_share: float = 0.1, look_s: float = 3.0, patience_s: float = 1_200.0) -> None:
    """Wait until a process and those that it started do next to nothing.

    Args:
        pid: The first of them.
        busy_share: Processor time per second that counts as nothing.
        look_s: How long each look takes.
        patience_s: When to give up.

    Raises:
        TimeoutError: They are still busy.
    """
    end_s = time.monotonic() + patience_s
    before_s = processor_s(pid)
    while time.monotonic() < end_s:
        time.sleep(look_s)
        now_s = processor_s(pid)
        if now_s - before_s < busy_share * look_s:
            return
        before_s = now_s
    raise TimeoutError(f"process {pid} is still busy after {patience_s:g} s")


def processor_s(pid: int) -> float:
    """Return the processor time of a process and of all that it started and that are still there, in seconds.

    Args:
        pid: The first of them.
    """
    stats: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stats[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
    family = {pid}
    while more := {one for one, fields in stats.items() if int(fields[1]) in family} - family:
        family |= more
    ticks = sum(int(stats[one][11]) + int(stats[one][12]) for one in family if one in stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by the nearest rank, rounded to 0.1."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


def summary(values: list[float]) -> dict[str, float]:
    """Return median, p99 and maximum, rounded to 0.1."""
    return {
        "p50": round(statistics.median(values), 1),
        "p99": percentile(values, 0.99),
        "max": round(max(values), 1),
    }
