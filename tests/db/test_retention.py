"""Old detail goes, and everything that was counted stays."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.retention import cleanup, generate_daily_summary
from db.rollups import Rollups
from db.state import DETAIL_SINCE_MS, HOURS_SINCE_MS, MINUTES_SINCE_MS, read_state
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run

DAY_MS = 86_400_000


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()


def test_detail_goes_by_whole_days_after_it_was_rolled(store: Store, engine: Engine) -> None:
    midnight_ms = NOON_MS // DAY_MS * DAY_MS - 2 * DAY_MS
    store.send(batch(
        navigation(at_ms=midnight_ms - 1), run(at_ms=midnight_ms - 1), navigation(at_ms=midnight_ms),
        navigation(at_ms=NOON_MS),
    ))  # fmt: skip
    assert store.cleanup_old_metrics(2) == 2
    assert (count(engine, "scraper_page_performance"), count(engine, "scheduler_metrics")) == (2, 0)
    assert [count(engine, f"scraper_{name}") for name in ("metrics_minute", "metrics_hourly", "daily_summary")] == [
        3
    ] * 3


def test_cleaning_up_again_changes_nothing(store: Store, engine: Engine) -> None:
    store.send(batch(*(navigation(at_ms=NOON_MS - days * DAY_MS) for days in range(20))))
    assert store.cleanup_old_metrics(7) == 12
    assert store.cleanup_old_metrics(7) == 0
    assert (count(engine, "scraper_page_performance"), count(engine, "scraper_daily_summary")) == (8, 20)


def test_many_rows_go_in_many_chunks(store: Store, engine: Engine) -> None:
    for first in range(0, 9000, 3000):
        store.send(batch(*(navigation(at_ms=NOON_MS - 9 * DAY_MS + first + n) for n in range(3000))))
    assert cleanup(engine, 7, now_ms=NOON_MS) == 9000
    assert count(engine, "scraper_page_performance") == 0


def test_each_level_has_its_own_age_and_days_stay_for_ever(store: Store, engine: Engine) -> None:
    ages = (1, 20, 40, 300, 500)
    store.send(batch(*(navigation(at_ms=NOON_MS - days * DAY_MS) for days in ages)))
    cleanup(engine, 7, now_ms=NOON_MS)
    tables = ("scraper_page_performance", "scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")
    assert [count(engine, table) for table in tables] == [1, 2, 4, 5]
    with engine.connect() as connection:
        state = read_state(connection)
    assert state[DETAIL_SINCE_MS] > state[MINUTES_SINCE_MS] > state[HOURS_SINCE_MS]


def test_database_that_never_held_a_metric_takes_the_history_of_scrapers(store: Store, engine: Engine) -> None:
    assert cleanup(engine, 7, now_ms=NOON_MS) == 0  # as the app does when it starts for the first time
    history = batch(navigation(at_ms=NOON_MS - 500 * DAY_MS), navigation(at_ms=NOON_MS - 20 * DAY_MS), navigation())
    assert store.send(history).rejected == ()
    assert cleanup(engine, 7, now_ms=NOON_MS) == 2
    assert (count(engine, "scraper_page_performance"), count(engine, "scraper_daily_summary")) == (1, 3)
    assert [no.field for no in store.send(batch(navigation(at_ms=NOON_MS - 20 * DAY_MS))).rejected] == ["recordedAt"]


def test_horizon_never_moves_back(store: Store, engine: Engine) -> None:
    store.send(batch(navigation()))
    cleanup(engine, 2, now_ms=NOON_MS)
    with engine.connect() as connection:
        before = read_state(connection)
    cleanup(engine, 30, now_ms=NOON_MS)
    with engine.connect() as connection:
        assert read_state(connection)[DETAIL_SINCE_MS] == before[DETAIL_SINCE_MS]


def test_summary_of_a_day_whose_hours_are_gone_is_left_alone(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(at_ms=NOON_MS - 500 * DAY_MS)))
    cleanup(engine, 7, now_ms=NOON_MS)
    date = dt.datetime.fromtimestamp((NOON_MS - 500 * DAY_MS) / 1000, tz=dt.UTC).date()
    assert generate_daily_summary(engine, date) == 1
    assert count(engine, "scraper_daily_summary") == 1


def test_batch_ids_outlive_their_rows(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(at_ms=NOON_MS - 20 * DAY_MS), batch_id="spooled"))
    cleanup(engine, 7, now_ms=NOON_MS + 20 * DAY_MS)
    assert store.send(batch(navigation(), batch_id="spooled")).duplicate
    cleanup(engine, 7, now_ms=NOON_MS + 40 * DAY_MS)
    assert count(engine, "ingest_batches") == 0


@pytest.mark.paced
def test_cleaning_up_beside_inserts_loses_and_stops_nothing(engine: Engine) -> None:
    store, rollups = Store(engine, clock_ms=lambda: NOON_MS), Rollups(engine)
    store.subscribe(rollups.mark)
    store.send(batch(*(navigation(at_ms=NOON_MS - 9 * DAY_MS + number) for number in range(5000))))
    stop = threading.Event()
    sent = 0

    def send() -> None:
        nonlocal sent
        while not stop.is_set():
            sent += store.send(batch(navigation(at_ms=NOON_MS + sent))).accepted

    sender = threading.Thread(target=send)
    sender.start()
    assert store.cleanup_old_metrics(7) == 5000
    stop.set()
    sender.join()
    rollups.run_once()
    assert count(engine, "scraper_page_performance") == sent
    with engine.connect() as connection:
        total = connection.execute(text("SELECT SUM(total_navigations) FROM scraper_daily_summary")).scalar_one()
    assert total == 5000 + sent


def test_what_is_no_number_of_days_deletes_nothing(engine: Engine) -> None:
    wrong: tuple[Any, ...] = (0, -1, 0.5, float("nan"), True, "7", None, 10**15)
    for days in wrong:
        with pytest.raises(ValueError, match="whole number from 1"):
            cleanup(engine, days, now_ms=NOON_MS)
