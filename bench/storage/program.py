"""The real program on a database, its clock set to the fleet's; run as a module, it starts once and weighs itself."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from app import Scrapeboard, create_app
from bench.storage.fleet import Fleet
from collector.events import Metric
from collector.sinks import Batch
from settings import load
from web.serve import look_for_cycles_less_often

_ROLL_EVERY = 5  # the program rolls up every five seconds


class FleetClock:
    """Stands in for `time` inside db.clock, the one clock of the program: it stands still unless it is set."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def time_ns(self) -> int:
        """Return the fleet's present."""
        return self.now_ms * 1_000_000

    @contextmanager
    def set(self) -> Iterator[None]:
        """Let the program live in the fleet's time for the length of a block."""
        with mock.patch("db.clock.time", self):
            yield


class Program:
    """A started program: what `Scrapeboard.start` does before a page is asked, without its threads and sockets.

    Args:
        url: A filled database.
        clock: The fleet's clock, set.
    """

    def __init__(self, url: str, clock: FleetClock) -> None:
        self.clock = clock
        self.engines: list[Engine] = []
        event.listen(Engine, "engine_connect", self._note_engine)
        begun_s = time.perf_counter()
        self.board: Scrapeboard = create_app(load({"SCRAPEBOARD_DATABASE_URL": url}, env_file=None))
        made_s = time.perf_counter()
        self.board.rollups.run_once()
        rolled_s = time.perf_counter()
        self.board.queries.warm(clock.now_ms)
        look_for_cycles_less_often()  # as the served program does
        self.start = {
            "create_app_s": round(made_s - begun_s, 3),
            "roll_s": round(rolled_s - made_s, 3),
            "warm_up_s": round(time.perf_counter() - rolled_s, 3),
        }
        event.remove(Engine, "engine_connect", self._note_engine)
        self._landed = 0

    def land(self, metrics: Sequence[Metric], at_ms: int) -> None:
        """Let a batch land, and roll up as often as the program would."""
        self.clock.now_ms = at_ms
        self._landed += 1
        self.board.store.send(Batch(f"tick-{at_ms}-{self._landed}", tuple(metrics)))
        if self._landed % _ROLL_EVERY == 0:
            self.board.rollups.run_once()

    def forget_connections(self) -> None:
        """Close what is open: a connection must not be in two processes."""
        for engine in self.engines:
            engine.dispose()

    def stop(self) -> None:
        """Leave no connection open."""
        self.board.hub.stop()  # whose loop never ran
        self.forget_connections()

    def _note_engine(self, connection: Connection) -> None:
        if connection.engine not in self.engines:
            self.engines.append(connection.engine)


class Ticks:
    """Batches as they land one after the other: so many metrics of each second.

    Args:
        fleet: Whose metrics.
        clock: The fleet's clock.
        per_s: Metrics of each second.
    """

    def __init__(self, fleet: Fleet, clock: FleetClock, per_s: int) -> None:
        self._fleet, self._clock, self._per_s = fleet, clock, per_s
        self._rng = np.random.default_rng(5)
        self._made: list[Metric] = []

    def next(self, seconds: float = 1.0) -> tuple[list[Metric], int]:
        """Return the metrics of the next second or seconds, and when they are over, epoch ms."""
        if not self._made:
            start_ms, span_ms = self._clock.now_ms, round(1000 * seconds)
            batch = max(1, round(self._per_s * seconds))
            for at_ms in range(start_ms, start_ms + 200 * span_ms, span_ms):
                self._made += self._fleet.landing(self._rng, batch, at_ms, at_ms + span_ms).metrics()
            self._batch = batch
        metrics, self._made = self._made[: self._batch], self._made[self._batch :]
        return metrics, self._clock.now_ms + round(1000 * seconds)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def main() -> None:
    """Start on the database of the first argument, at the moment of the second; print how long and how big."""
    url, now_ms = sys.argv[1], int(sys.argv[2])
    before_mb = _resident_mb()
    clock = FleetClock(now_ms)
    with clock.set():
        program = Program(url, clock)
        found = {
            **program.start,
            "rss_mb_before": before_mb,
            "rss_mb_after": _resident_mb(),
        }
        program.stop()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
