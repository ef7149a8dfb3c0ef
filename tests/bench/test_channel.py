"""The bench of the channel: its viewers count what they get, and see what is missing or out of order."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.channel import floor
from bench.channel.measured import Kind, Measured, Program
from bench.channel.wire import mark
from live.frames import text_frame

OURS = Kind("ours", (sys.executable, "-m", "bench.channel.ours", "one"), "metrics", "/ws/metrics", joins=True)


@pytest.fixture
def viewers_of() -> Iterator[tuple[socket.socket, Program]]:
    """A listening socket, and viewers that were told to connect to it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        viewers = Program([sys.executable, "-m", "bench.channel.viewers", f"--port={port}", "--kind=raw"])
        assert viewers.ask("connect 2 7")["connected"] == 2
        yield listening, viewers
        viewers.end()


@pytest.mark.parametrize("name", ["floor in C", "floor in Python", "ours"])
def test_every_batch_comes_to_every_viewer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "floor in C" and not floor.which("cc"):
        pytest.skip("there is no C compiler")
    if name == "floor in Python":
        monkeypatch.setattr(floor, "which", lambda _: None)
    measured = Measured(OURS if name == "ours" else Kind(name, floor.command(tmp_path), "raw"), 5)
    try:
        burst = measured.burst(3, 0.05)
        assert len(burst.last_ms) == 3
        assert min(burst.last_ms) > 0
        assert (burst.missing, burst.wrong_order) == (0, 0)
    finally:
        measured.end()


def test_viewers_notice_what_is_missing_and_what_comes_in_the_wrong_order(
    viewers_of: tuple[socket.socket, Program],
) -> None:
    listening, viewers = viewers_of
    first, _ = listening.accept()
    second, _ = listening.accept()
    frames = {number: text_frame(b"x" * 300 + mark(number).encode() + b"x" * 80) for number in (7, 8, 9)}
    for number in (7, 8, 9):
        first.sendall(frames[number])
    for part in (frames[8][:250], frames[8][250:], frames[7]):
        second.sendall(part)
    heard = viewers.ask("expect 7 3 1")
    assert heard["missing"] == 1
    assert heard["wrong_order"] == 2
    assert heard["last_ns"][0] > 0
    first.close()
    second.close()
