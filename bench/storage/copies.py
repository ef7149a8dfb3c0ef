"""Copies (forks) of a process in which something is tried once, as often as needed from the very same state.

A copy shares its memory with the original until it writes to it; each page then costs a fault, which would make a first
question half as long again as in a program that was really started. So a copy takes all its memory to itself before
the clock runs; with that, it takes as much processor time as a program that was started for it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import statistics
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from bench.storage.times import milliseconds, wall_and_cpu_ms

_POPULATE_WRITE = 23  # madvise's MADV_POPULATE_WRITE, Linux 5.14
_LONGEST_S = 300


def timed_in_copy(
    prepare: Callable[[], object], makes: Iterable[Callable[[], Callable[[], Any]]], *, slow_ms: float = float("inf")
) -> list[tuple[float, float]] | None:
    """Return how long things take in a fork of this process and how long that works, ms; None when it failed.

    Args:
        prepare: Done in the copy first, untimed.
        makes: Give what is timed, one after the other.
        slow_ms: The first one that takes longer is the last one.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.alarm(_LONGEST_S)  # a copy that hangs ends
            _own_memory()
            prepare()
            times: list[tuple[float, float]] = []
            for make in makes:
                times.append(wall_and_cpu_ms(make()))
                if times[-1][0] > slow_ms:
                    break
            os.write(writing, json.dumps(times).encode())
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(pid, 0)
    if status:
        return None
    return [(float(took_ms), float(cpu_ms)) for took_ms, cpu_ms in json.loads(said)]


def price_of_copying() -> dict[str, float]:
    """Return how long the same work takes here and in copies, ms: what copying still adds to a question."""
    here_ms = [milliseconds(_some_work) for _ in range(9)]
    copies = [timed_in_copy(_some_work, [lambda: _some_work]) for _ in range(9)]
    there_ms = [copy[0][0] for copy in copies if copy]
    return {
        "some_work_here_ms": round(statistics.median(here_ms), 3),
        "the_same_in_a_copy_ms": round(statistics.median(there_ms), 3),
    }


def _own_memory() -> None:
    """Have every page copied now; where the system can't, `price_of_copying` shows it."""
    libc = ctypes.CDLL(None)
    for line in Path("/proc/self/maps").read_text().splitlines():
        places, rights = line.split()[:2]
        if rights == "rw-p":
            start, end = (int(place, 16) for place in places.split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _POPULATE_WRITE)


def _some_work() -> None:
    """Do a few milliseconds of what answering does: objects and arrays made and looked at."""
    made = [{"at": number, "name": str(number)} for number in range(5_000)]
    values = np.array([row["at"] for row in made], dtype=np.float64)
    for _ in range(20):
        np.sort(np.repeat(values, 4))[::-1].cumsum()
