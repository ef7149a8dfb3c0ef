"""Reading every event of a range in chunks: the same rows as one query, whatever the chunks' size."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from db.errors import DatabaseUnavailable
from db.event_walk import EVENT_FIELDS, event_chunks, run_chunks
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

RANGE = TimeRange(NOON_MS, NOON_MS + 3_600_000, 60_000)
FILTERS = (
    Filter(),
    Filter(sources=("a",)),
    Filter(sources=("a", "rare")),
    Filter(sources=(*(f"s{n}" for n in range(24)), "a")),
    Filter(sources=("nightly",)),
    Filter(result="failed"),
    Filter(url_contains="RARE"),
    Filter(error="HTTP #"),
    Filter(kind="scrape", sources=("a", "b")),
    Filter(sources=("nobody",)),
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    dice = random.Random(7)
    metrics: list[Any] = []
    for place in range(700):
        # Few moments, so that chunks end in the middle of a millisecond; some rows lie outside of the range.
        at_ms = NOON_MS + dice.randrange(-3, 40) * 100_000
        source = "rare" if place % 200 == 0 else dice.choice("abc")
        make: Callable[..., Any] = dice.choice((navigation, scrape))
        metrics.append(
            make(
                source,
                at_ms,
                success=(ok := dice.random() > 0.2),
                error=None if ok else dice.choice(("HTTP 503", "HTTP 429", "timeout")),
            )
        )
        if place % 10 == 0:
            metrics.append(run("nightly", at_ms, scraper_source=dice.choice((None, "a"))))
    Store(engine, clock_ms=lambda: NOON_MS + 4_000_000).send(batch(*metrics))
    return engine


def asked(engine: Engine) -> Queries:
    recent = RecentDetail()
    recent.load(engine)
    return Queries(engine, recent)


@pytest.mark.parametrize("chunk_rows", [3, 100, 5_000])
def test_chunks_together_are_what_one_query_finds(filled: Engine, chunk_rows: int) -> None:
    for filter in FILTERS:
        compare(filled, filter, chunk_rows)


def compare(engine: Engine, filter: Filter, chunk_rows: int) -> None:
    runs = not filter.without_runs
    chunks = list(event_chunks(engine, RANGE.start_ms, RANGE.end_ms, filter, runs=runs, chunk_rows=chunk_rows))
    rows = [dict(zip(EVENT_FIELDS, row, strict=True)) for chunk in chunks for row in chunk]
    expected = asked(engine).events(RANGE, filter, 100_000)
    assert all(0 < len(chunk) <= chunk_rows for chunk in chunks)
    assert {row["id"] for row in rows} == {event.id for event in expected}
    assert len(rows) == len(expected)
    assert [row["recorded_at_ms"] for row in rows] == [event.recorded_at_ms for event in expected]
    known = {event.id: event for event in expected}
    for row in rows:
        for name in ("kind", "source", "url", "duration_ms", "items", "retry_count", "success", "error", "outcome"):
            assert row[name] == getattr(known[row["id"]], name)


def test_runs_alone_are_all_runs_of_the_range(filled: Engine) -> None:
    rows = [row for chunk in run_chunks(filled, RANGE.start_ms, RANGE.end_ms, Filter(), chunk_rows=3) for row in chunk]
    expected = asked(filled).scheduler_runs(RANGE, Filter(), 100_000)
    assert [row[-1] for row in rows] == [found.id for found in expected]


def test_no_connection_is_held_between_two_chunks(filled: Engine) -> None:
    chunks = event_chunks(filled, RANGE.start_ms, RANGE.end_ms, Filter(), chunk_rows=50)
    next(chunks)
    assert filled.pool.checkedout() == 0  # type: ignore[attr-defined]
    next(chunks)
    assert filled.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_reading_is_lazy_and_ends_with_the_reader(filled: Engine) -> None:
    statements: list[str] = []
    event.listen(filled, "before_cursor_execute", lambda *args: statements.append(args[2]))
    chunks = event_chunks(filled, RANGE.start_ms, RANGE.end_ms, Filter(), chunk_rows=50)
    next(chunks)
    read = len(statements)
    chunks.close()  # type: ignore[attr-defined]
    assert len(statements) == read <= 6


def test_a_database_that_goes_away_is_said() -> None:
    from db.engine import make_engine

    gone = make_engine(url="mysql://nobody:secret@127.0.0.1:1/metrics")
    with pytest.raises(DatabaseUnavailable):
        next(event_chunks(gone, RANGE.start_ms, RANGE.end_ms, Filter()))
