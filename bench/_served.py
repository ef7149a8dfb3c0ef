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
def running_app(database_url: str, *command: str) -> Iterator[str]:
    """Serve the app as a user would, from its own process; yields its URL.

    Args:
        database_url: Where it keeps its metrics.
        command: Another program to serve instead, run by this Python; it finds its port in SCRAPEBOARD_PORT.
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
        yield url
    finally:
        process.terminate()
        process.wait(60)


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
