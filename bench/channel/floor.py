"""The floor where no C compiler is: accepts TCP connections and writes the same bytes to each, one by one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from shutil import which

from bench.channel.control import obey
from bench.channel.wire import BATCH_BYTES, mark
from live.frames import text_frame


def command(folder: Path, batch_bytes: int = BATCH_BYTES) -> list[str]:
    """Return how the floor is run: a C program made in the folder, or this module where there is no compiler."""
    compiler = which("cc")
    if compiler is None:
        return [sys.executable, "-m", "bench.channel.floor", str(batch_bytes)]
    made = folder / "floor"
    if not made.exists():
        source = Path(__file__).with_name("floor.c")
        subprocess.run([compiler, "-O2", "-Wall", "-o", str(made), str(source)], check=True)
    return [str(made), str(batch_bytes)]


def main() -> None:
    """Serve."""
    size = int(sys.argv[1])
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    viewers: list[int] = []

    def accept() -> None:
        while True:
            viewer, _ = listening.accept()
            viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            viewers.append(viewer.detach())

    threading.Thread(target=accept, daemon=True).start()

    def publish(number: int) -> None:
        frame = text_frame((mark(number).encode() + b"x" * 86).rjust(size, b"x"))
        for descriptor in viewers:
            os.write(descriptor, frame)

    obey(listening.getsockname()[1], publish, stats=lambda: {"viewers": len(viewers)})


if __name__ == "__main__":
    main()
