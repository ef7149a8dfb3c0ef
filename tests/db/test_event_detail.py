"""One event in full, and what happened at its URL."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Engine

import db.event_detail
from db.event_detail import event_statement, older_statement
from db.queries import Queries
from db.recent import RecentDetail
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape
from tests.db.test_query_plans import LAST_MS, full, full_scans

__all__ = ["full"]  # the fixture


def asking(engine: Engine, memory_rows: int = 1000) -> Queries:
    recent = RecentDetail(max_rows=memory_rows)
    recent.load(engine)
    return Queries(engine, recent)


def test_an_event_is_shown_with_all_that_was_recorded(engine: Engine) -> None:
    labels = {"proxy": "eu", "team": "ä"}
    error = "no table\n" + "x" * 3000
    Store(engine).send(batch(
        navigation(
            "a", NOON_MS, run_id="r1", labels=labels, retry_count=2, status_code=503, success=False, error=error,
        ),
        scrape("b", NOON_MS + 1, data_size=77, outcome="blocked", success=False),
        run("nightly", NOON_MS + 2, scraper_source="a", run_id="r2"),
    ))  # fmt: skip
    queries = asking(engine)
    newest = {event.source: event.id for event in queries.events(None)}
    first = queries.event_detail(newest["a"])
    assert first is not None
    assert (first.run_id, dict(first.labels), first.event.error) == ("r1", labels, error)
    assert (first.event.retry_count, first.event.status_code, first.data_size) == (2, 503, None)
    second, third = queries.event_detail(newest["b"]), queries.event_detail(newest["nightly"])
    assert second is not None
    assert (second.data_size, second.event.outcome, second.labels) == (77, "blocked", ())
    assert third is not None
    assert (third.run_id, third.scraper_source, third.event.url, third.event.items) == ("r2", "a", None, 7)


@pytest.mark.parametrize(
    "id", ["", "p:", "p:99", "s:1", "x:1", "1", "p:1;", "p:-1", "p:" + "9" * 30, "p:1 or 1=1", "p:١"]
)
def test_an_unknown_id_is_no_event(engine: Engine, id: str) -> None:
    assert asking(engine).event_detail(id) is None


@pytest.mark.parametrize("memory_rows", [1000, 30], ids=["all in memory", "a few in memory"])
def test_the_history_of_a_url_is_its_newest_events_at_that_source(engine: Engine, memory_rows: int) -> None:
    Store(engine).send(batch(*(
        (navigation, scrape)[n % 2](("a", "b")[n % 5 == 0], NOON_MS + n * 1000, url=f"https://x.example/{n % 3}")
        for n in range(300)
    )))  # fmt: skip
    queries = asking(engine, memory_rows)
    event = next(event for event in queries.events(None) if event.source == "a")
    history = queries.url_history(event, 20)
    wanted = [one for one in queries.events(None, limit=1000) if (one.source, one.url) == ("a", event.url)]
    assert list(history.events) == wanted[:20]
    assert (queries.url_history(event, 500).events, history.gap) == (tuple(wanted), False)
    assert queries.url_history(event, 500).whole


def test_an_old_event_is_seen_among_its_neighbours_and_no_more_rows_than_agreed_are_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.event_detail, "MOST_LOOKED_AT", 20)
    Store(engine).send(batch(*(
        navigation("a", NOON_MS + n * 1000, url=f"https://x.example/{n % 2}") for n in range(300)
    )))  # fmt: skip
    queries = asking(engine, 10)
    old = queries.events(None, limit=300)[-101]  # the 100th of all
    history = queries.url_history(old, 50)
    moments = [(event.recorded_at_ms - NOON_MS) // 1000 for event in history.events]
    at = (old.recorded_at_ms - NOON_MS) // 1000
    assert moments == [n for n in (*range(299, 289, -1), *range(at, at - 20, -1)) if n % 2 == at % 2]
    assert (history.whole, history.gap) == (False, True)


def test_detail_and_history_walk_indexes(full: Engine) -> None:
    event = asking(full).events(None, limit=1)[0]
    assert full_scans(full, event_statement(7, of_run=False)) == []
    assert full_scans(full, event_statement(7, of_run=True)) == []
    assert full_scans(full, older_statement(event, LAST_MS)) == []
