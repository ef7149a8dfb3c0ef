"""What the integrations' tests share: the shop, the package's collector with a sink in memory, processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import collector
from collector.events import to_wire
from collector.sinks import Sink
from examples.shop import Shop
from tests.collector.conftest import REPOSITORY
from tests.collector.doubles import App, MemorySink

Recorded = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Serve the shop; one for a module, each test is a client of its own."""
    with Shop(silence_s=60) as shop:
        yield shop


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Let the package's own functions, which the examples call, record into memory; a wrong record raises.

    It gives a function that delivers, and returns what was recorded in its form on the wire.
    """
    sink = MemorySink()
    collector.configure(sinks=[sink], strict=True, handle_sigterm=False, spool_max_bytes=0)

    def give() -> list[dict[str, Any]]:
        assert collector.flush(timeout_s=90)
        return [to_wire(event) for batch in sink.batches for event in batch.events]

    yield give
    give()
    nowhere: list[Sink] = []
    collector.configure(sinks=nowhere, handle_sigterm=False, spool_max_bytes=0)


@pytest.fixture
def app() -> Iterator[App]:
    """Stand in for the app, for processes that send over HTTP."""
    with App() as app:
        yield app


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a module of this repository as a process; killed when the test ends, if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def go(module: str, *arguments: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield go
    for process in started:
        process.kill()
        process.communicate()
