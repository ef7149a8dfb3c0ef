"""How far the database has come."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from collector.events import from_wire
from collector.sinks import Batch
from db.newest import newest_ids
from db.store import Store
from tests.db.samples import NOON_MS


def test_it_grows_by_at_least_one_with_every_batch_that_brings_rows(engine: Engine, store: Store) -> None:
    assert newest_ids(engine) == 0
    run = {"type": "scheduler", "schedulerName": "nightly", "executionDurationMs": 1}
    page = {"type": "page_scrape", "scraperSource": "a", "url": "https://a.test/", "scrapeDurationMs": 1}
    for n, wire in enumerate((page, run, page), start=1):
        store.send(Batch(f"b-{n}", (from_wire(wire, now_ms=NOON_MS),)))
        assert newest_ids(engine) >= n
