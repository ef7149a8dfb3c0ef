"""The fleet that bench.storage measures with: the same for the same seed, and like a real one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from bench.storage.fleet import DAY_MS, MINUTE_MS, Fleet
from collector.events import from_wire, to_wire
from db.engine import begin_writing
from db.rows import PAGE_COLUMNS, PAGE_TABLE, SCHEDULER_COLUMNS, SCHEDULER_TABLE, insert_many, page_row

END_MS = 1_795_278_840_000
ROWS = 20_000


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return Fleet(ROWS, END_MS)


def test_the_same_seed_makes_the_same_rows_in_the_order_of_time(fleet: Fleet) -> None:
    rows = [row for chunk in fleet.chunks(3_000) for row in chunk.tuples()]
    times = [row[PAGE_COLUMNS.index("created_at")] for row in rows]
    assert len(rows) == ROWS
    assert times == sorted(times)
    assert times[0] >= END_MS - 7 * DAY_MS
    assert times[-1] < END_MS
    assert rows == [row for chunk in Fleet(ROWS, END_MS).chunks(3_000) for row in chunk.tuples()]
    assert rows != [row for chunk in Fleet(ROWS, END_MS, seed=2).chunks(3_000) for row in chunk.tuples()]


def test_some_sources_are_much_busier_than_others_and_each_was_dead_for_an_hour(fleet: Fleet) -> None:
    columns = [chunk.columns for chunk in fleet.chunks()]
    counts = Counter(name for chunk in columns for name in chunk["scraper_source"])
    assert len(counts) == 20
    assert counts["scraper00"] > 10 * counts["scraper19"]
    busiest = [
        at_ms
        for chunk in columns
        for at_ms, name in zip(chunk["created_at"], chunk["scraper_source"], strict=True)
        if name == "scraper00"
    ]
    assert max(b - a for a, b in pairwise(busiest)) >= 60 * MINUTE_MS


def test_rows_are_what_the_program_makes_of_the_same_metrics(fleet: Fleet) -> None:
    chunk = next(fleet.chunks(1_000))
    metrics = chunk.metrics()
    assert [page_row(metric) for metric in metrics] == chunk.tuples()  # type: ignore[arg-type]
    assert [from_wire(to_wire(metric), now_ms=END_MS) for metric in metrics] == metrics


def test_a_crawl_hardly_asks_a_page_twice() -> None:
    urls = [url for chunk in Fleet(ROWS, END_MS, distinct_urls=True).chunks() for url in chunk.columns["page_url"]]
    assert len(set(urls)) > 0.9 * len(urls)


def test_every_database_takes_its_rows_and_runs(fleet: Fleet, engine: Engine) -> None:
    runs = fleet.scheduler_runs()
    with begin_writing(engine) as connection:
        insert_many(connection, PAGE_TABLE, PAGE_COLUMNS, next(fleet.chunks(1_000)).tuples())
        insert_many(connection, SCHEDULER_TABLE, SCHEDULER_COLUMNS, runs[:1_000])
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT COUNT(*) FROM {SCHEDULER_TABLE}")) == 1_000
    assert len({run[0] for run in runs}) == 20
