"""Rows per second of Store.send, beside the fastest plain way into the same tables with the same commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.storage.databases import Database
from bench.storage.fleet import Fleet, Rows
from bench.storage.times import milliseconds
from collector.sinks import Batch
from db.engine import opened
from db.recent import RecentDetail
from db.rollups import Rollups
from db.store import Store

_BATCHES = {100: 200, 1_000: 40}  # rows of a batch: batches of a round
_ROUNDS = 3
_WAYS = ("store", "store_with_listeners", "floor")


def measure_ingest(database: Database, fleet: Fleet) -> dict[str, Any]:
    """Write the same batches in each way, in turns, so that a slow moment of the machine hits all of them.

    Args:
        database: An empty one without tables, on the disk and server that everything else is measured on.
        fleet: What the rows look like.
    """
    database.make(fleet)
    rng = np.random.default_rng(3)
    report: dict[str, Any] = {"floor": database.floor}
    with opened(database.url) as engine:
        plain, heard = Store(engine), Store(engine)
        heard.subscribe(RecentDetail().append)
        heard.subscribe(Rollups(engine).mark)
        number = 0
        for size, count in _BATCHES.items():
            spent_ms = dict.fromkeys(_WAYS, 0.0)
            for _ in range(_ROUNDS):
                rows = [fleet.landing(rng, size, fleet.end_ms - 60_000, fleet.end_ms) for _ in range(count)]
                for way in _WAYS:
                    number += 1
                    if way == "floor":
                        spent_ms[way] += database.floor_ms(rows)
                    else:
                        spent_ms[way] += _send_ms(plain if way == "store" else heard, rows, f"{number}")
            rates = {way: size * count * _ROUNDS / took_ms * 1000 for way, took_ms in spent_ms.items()}
            report[f"batches_of_{size}"] = {
                **{f"{way}_rows_per_s": round(rate) for way, rate in rates.items()},
                "store_to_floor": round(rates["store"] / rates["floor"], 3),
                "store_with_listeners_to_floor": round(rates["store_with_listeners"] / rates["floor"], 3),
            }
    return report


def _send_ms(store: Store, rows: Sequence[Rows], name: str) -> float:
    batches = [Batch(f"{name}-{number}", tuple(some.metrics())) for number, some in enumerate(rows)]

    def send() -> None:
        for batch in batches:
            store.send(batch)

    return milliseconds(send)
