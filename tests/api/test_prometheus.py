"""`GET /metrics`, read back by Prometheus' own parser."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine

from api.prometheus import MOST_SOURCES, BoardCollector, prometheus_blueprint
from db.health import StoreHealth
from db.queries import Queries
from db.recent import RecentDetail
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, scrape


class Board:
    """A store, and the route beside it."""

    def __init__(self, engine: Engine) -> None:
        self.store, recent = Store(engine), RecentDetail()
        self.store.subscribe(recent.append)
        self.health: StoreHealth | None = None
        queries = Queries(engine, recent, clock_ms=lambda: NOON_MS)
        app = Flask("prometheus-test")
        app.register_blueprint(
            prometheus_blueprint(
                BoardCollector(
                    lambda: self.health or self.store.health(),
                    lambda: {"connections": 3, "framesSent": 17, "views": 2},
                    lambda: {"pending": 1, "recorded": 9, "flushed": 6, "dropped_by_reason": {"queue_full": 2}},
                    queries,
                    clock_ms=lambda: NOON_MS,
                )
            )
        )
        self.client: FlaskClient = app.test_client()

    def read(self) -> dict[tuple[str, ...], float]:
        """Return the value of every series by its name and its labels' values in the order of their names."""
        answer = self.client.get("/metrics")
        assert answer.status_code == 200
        assert answer.mimetype == "text/plain"
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }


@pytest.fixture
def board(engine: Engine) -> Board:
    return Board(engine)


def test_figures_of_app_channel_and_collector_are_there(board: Board) -> None:
    board.store.send(batch(navigation(), batch_id="one"))
    board.store.send(batch(navigation(), batch_id="one"))
    found = board.read()
    assert found["scrapeboard_database_up",] == found["scrapeboard_database_storing",] == 1
    assert found["scrapeboard_metrics_stored_total",] == 1
    assert found["scrapeboard_batches_duplicate_total",] == 1
    assert found["scrapeboard_channel_connections",] == 3
    assert found["scrapeboard_channel_frames_sent_total",] == 17
    assert found["scrapeboard_views",] == 2
    assert found["scrapeboard_collector_dropped_total", "queue_full"] == 2


def test_each_scraper_has_its_last_five_minutes(board: Board) -> None:
    board.store.send(
        batch(
            navigation(at_ms=NOON_MS - 1_000, navigation_duration_ms=200),
            scrape(at_ms=NOON_MS - 2_000, scrape_duration_ms=100, items_extracted=7),
            scrape(at_ms=NOON_MS - 3_000, scrape_duration_ms=100, success=False, items_extracted=0),
            scrape(at_ms=NOON_MS - 3_600_000, items_extracted=99),
            navigation("cnbc", at_ms=NOON_MS - 3_600_000),
        )
    )
    found = board.read()
    assert found["scrapeboard_source_pages", "robinhood", "navigation"] == 1
    assert found["scrapeboard_source_pages", "robinhood", "scrape"] == 2
    assert found["scrapeboard_source_errors", "robinhood"] == 1
    assert found["scrapeboard_source_success_ratio", "robinhood"] == pytest.approx(2 / 3)
    assert found["scrapeboard_source_duration_seconds", "0.5", "robinhood"] == pytest.approx(0.1)
    assert found["scrapeboard_source_items", "robinhood"] == 7
    assert found["scrapeboard_source_last_seen_timestamp_seconds", "robinhood"] == (NOON_MS - 1_000) / 1000
    assert found["scrapeboard_sources",] == 1
    assert not any("cnbc" in key for key in found)


@pytest.mark.parametrize("source", ['say "hi"', "back\\slash", "two\nlines", "🦊" * 50])
def test_any_name_can_be_read_back(board: Board, source: str) -> None:
    board.store.send(batch(navigation(source, at_ms=NOON_MS - 1)))
    assert any(key[0] == "scrapeboard_source_errors" and "".join(key[1:]) for key in board.read())


def test_so_many_scrapers_are_named_and_all_are_counted(board: Board) -> None:
    board.store.send(batch(*(navigation(f"s{n}", at_ms=NOON_MS - 1) for n in range(MOST_SOURCES + 5))))
    found = board.read()
    assert sum(key[0] == "scrapeboard_source_errors" for key in found) == MOST_SOURCES
    assert found["scrapeboard_sources",] == MOST_SOURCES + 5


def test_without_a_database_the_rest_is_still_answered(board: Board) -> None:
    board.health = StoreHealth(reachable=False, unreachable_since_ms=NOON_MS, last_error="gone")
    found = board.read()
    assert found["scrapeboard_database_up",] == 0
    assert found["scrapeboard_channel_connections",] == 3
    assert ("scrapeboard_sources",) not in found


def test_openmetrics_is_spoken_to_who_asks_for_it(board: Board) -> None:
    answer = board.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.mimetype == "application/openmetrics-text"
    assert answer.text.endswith("# EOF\n")


def test_posting_is_answered_with_where_to_post(board: Board) -> None:
    answer = board.client.post("/metrics")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert "/api/ingest" in answer.text
