"""When a source last navigated, or scraped: detail rows are read only where its newest minute can't tell."""

from __future__ import annotations

import pytest
from sqlalchemy import delete
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.engine import begin_writing
from db.models import PagePerformance as Page
from db.packed_rows import PackedRows
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, SourceStats, TimeRange
from db.rollups import Rollups
from db.state import DETAIL_SINCE_MS, write_state
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, scrape

MINUTE_MS = 60_000
SPAN = TimeRange(NOON_MS, NOON_MS + 10 * MINUTE_MS, MINUTE_MS)
LATER_MS = NOON_MS + 5 * MINUTE_MS
BOTH = (scrape("a", NOON_MS), navigation("a", NOON_MS + 1))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Spans whose detail rows were read."""
    spans: list[tuple[int, int]] = []
    between = PackedRows.between

    def noted(self: PackedRows, start_ms: int, end_ms: int) -> object:
        spans.append((start_ms, end_ms))
        return between(self, start_ms, end_ms)

    monkeypatch.setattr(PackedRows, "between", noted)
    return spans


def program(engine: Engine, *metrics: Metric) -> Queries:
    """Return the questions to a program whose memory holds no more than the newest metric."""
    Store(engine).send(batch(*metrics))
    recent, rollups = RecentDetail(max_rows=1), Rollups(engine)
    recent.load(engine)
    rollups.settle(SPAN.start_ms, SPAN.end_ms)
    return Queries(engine, recent, rollups=rollups, exact_rows=0, clock_ms=lambda: NOON_MS)


def one(queries: Queries, kind: str) -> SourceStats:
    return next(stats for stats in queries.sources(SPAN, Filter(("a",), kind=kind)))  # type: ignore[arg-type]


def test_minute_of_both_kinds_is_looked_into_when_one_is_asked_for(engine: Engine, read: list[tuple[int, int]]) -> None:
    queries = program(engine, *BOTH, navigation("other", LATER_MS))
    assert (one(queries, "scrape").last_seen_ms, one(queries, "scrape").last_ok_ms) == (NOON_MS, NOON_MS)
    assert (one(queries, "navigation").last_seen_ms, one(queries, "navigation").last_ok_ms) == (NOON_MS + 1,) * 2
    assert set(read) == {(NOON_MS, NOON_MS + 2)}
    sums = queries.alert_sums(SPAN.start_ms, SPAN.end_ms, "scrape")
    assert sums.last_ms[queries.alert_sources().code("a")] == NOON_MS


def test_no_detail_is_read_where_rollups_or_memory_tell(engine: Engine, read: list[tuple[int, int]]) -> None:
    one_kind = (scrape("a", LATER_MS - MINUTE_MS), navigation("a", LATER_MS - 2 * MINUTE_MS, success=False))
    queries = program(engine, *BOTH, *one_kind, navigation("other", LATER_MS))
    assert one(queries, "all").last_seen_ms == one(queries, "scrape").last_seen_ms == LATER_MS - MINUTE_MS
    assert queries.overview(SPAN).sources
    assert read == []


def test_newest_metric_in_memory_spares_the_look_into_its_older_minutes(
    engine: Engine, read: list[tuple[int, int]]
) -> None:
    queries = program(engine, *BOTH, scrape("a", LATER_MS))
    assert (one(queries, "scrape").last_seen_ms, one(queries, "scrape").last_ok_ms) == (LATER_MS, LATER_MS)
    assert read == []


def test_minute_whose_detail_is_deleted_says_when_either_kind_was_seen(engine: Engine) -> None:
    queries = program(engine, *BOTH, navigation("other", LATER_MS))
    with begin_writing(engine) as connection:
        write_state(connection, DETAIL_SINCE_MS, LATER_MS)
        connection.execute(delete(Page).where(Page.scraper_source == "a"))
    assert one(queries, "scrape").last_seen_ms == NOON_MS + 1
