"""Rows per second of Store.send, beside the fastest plain way into the same tables with the same commits.

The plain way (LOAD DATA LOCAL INFILE on MariaDB, executemany on SQLite) is measured twice. `floor`: all that it takes
was made beforehand, so it tells what the server can do. `same_start`: it begins with the same metrics as the store, so
making its rows and files is in its time, as making statements is in the store's. And each with one sender and several.

Rates are by the clock; `work` is what this process and the server worked, and says more when the machine was busy.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np

from bench.storage.databases import Database
from bench.storage.fleet import Fleet, Rows
from bench.storage.times import milliseconds, together
from collector.sinks import Batch
from db.engine import opened
from db.recent import RecentDetail
from db.rollups import Rollups
from db.store import Store
from web.serve import look_for_cycles_less_often

_BATCHES = {100: 200, 1_000: 40}  # rows of a batch: batches of a round
_QUICK = 4  # in a quick run there are so many times fewer
_ROUNDS = 3
_SENDERS = (2, 4)  # besides one


class _Race:
    """Several ways to write the same batches, in turns, so that a slow moment of the machine hits all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._took_ms: dict[str, float] = defaultdict(float)
        self._worked_ms: dict[str, float] = defaultdict(float)
        self._rows = 0

    def run(self, rows: Sequence[Rows], stores: dict[str, Store], senders: int) -> None:
        """Write some batches with each store and in the plain ways."""
        self._rows += sum(map(len, rows))
        for way, store in stores.items():
            with self._sending(store, rows, senders) as work:
                self._clock(way, work)
        for way, ready in (("floor", True), ("same_start", False)):
            with self._database.plain_way(rows, senders, ready=ready) as work:
                self._clock(way, work)

    def report(self) -> dict[str, Any]:
        """Return rates, work and ratios."""
        rates = {way: self._rows / took_ms * 1000 for way, took_ms in self._took_ms.items()}
        works = {way: worked_ms / self._rows * 1000 for way, worked_ms in self._worked_ms.items()}
        stores = [way for way in rates if way.startswith("store")]
        found: dict[str, Any] = {f"{way}_rows_per_s": round(rate) for way, rate in rates.items()}
        for other in ("floor", "same_start"):
            found |= {f"{way}_to_{other}": round(rates[way] / rates[other], 3) for way in stores}
        found["work_ms_per_1000_rows"] = {way: round(work, 2) for way, work in works.items()}
        found["work"] = {
            f"store_to_{other}": round(works[other] / works["store"], 3) for other in ("floor", "same_start")
        }
        return found

    @contextmanager
    def _sending(self, store: Store, rows: Sequence[Rows], senders: int) -> Iterator[Any]:
        batches = [Batch(str(uuid4()), tuple(some.metrics())) for some in rows]

        def send(some: Sequence[Batch]) -> None:
            for batch in some:
                store.send(batch)

        yield together(send, [batches[sender::senders] for sender in range(senders)])

    def _clock(self, way: str, work: Any) -> None:
        worked_ms = self._database.worked_ms()
        self._took_ms[way] += milliseconds(work)
        self._worked_ms[way] += self._database.worked_ms() - worked_ms


def measure_ingest(database: Database, fleet: Fleet, *, quick: bool = False) -> dict[str, Any]:
    """Write the same batches in each way.

    Args:
        database: An empty one without tables, on the disk and server that everything else is measured on.
        fleet: What the rows look like.
        quick: Few rows, for a look.
    """
    database.make(fleet)
    rng = np.random.default_rng(3)
    report: dict[str, Any] = {
        "floor": f"{database.floor}, {database.ready}",
        "same_start": f"{database.floor}, from the same metrics as the store",
    }

    def batches(size: int) -> list[Rows]:
        count = _BATCHES[size] // (_QUICK if quick else 1)
        return [fleet.landing(rng, size, fleet.end_ms - 60_000, fleet.end_ms) for _ in range(count)]

    with _collecting_as_served(), opened(database.url) as engine:
        # By the fleet's clock: rows of more than a day ago cost a store one question more a batch.
        plain, heard = (Store(engine, clock_ms=lambda: fleet.end_ms) for _ in range(2))
        heard.subscribe(RecentDetail().append)
        heard.subscribe(Rollups(engine).mark)
        for size in _BATCHES:
            race = _Race(database)
            races = {senders: _Race(database) for senders in _SENDERS}
            for _ in range(_ROUNDS):
                race.run(batches(size), {"store": plain, "store_with_listeners": heard}, 1)
                for senders, one in races.items():
                    one.run(batches(size), {"store": plain}, senders)
            report[f"batches_of_{size}"] = {
                **race.report(),
                **{f"{senders}_senders": one.report() for senders, one in races.items()},
            }
    return report


@contextmanager
def _collecting_as_served() -> Iterator[None]:
    """Look for cycles of objects as seldom as the app does when it serves."""
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    look_for_cycles_less_often()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not frozen:
            gc.unfreeze()
