"""Rollups are a pure function of the detail rows, whatever happened on the way."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db import rolling, sketch
from db.engine import begin_writing
from db.recent import RecentDetail
from db.rollups import Rollups
from db.state import DETAIL_SINCE_MS, ROLLED_ID, read_state, write_state
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def rollups(engine: Engine, store: Store) -> Rollups:
    """Rollups that hear of everything the store stores."""
    made = Rollups(engine)
    store.subscribe(made.mark)
    return made


def table(engine: Engine, name: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2"))
        return [dict(row._mapping) for row in found]


def test_minute_holds_what_its_rows_add_up_to(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(
        navigation("a", NOON_MS, navigation_duration_ms=100, retry_count=2),
        navigation("a", NOON_MS + 59_999, navigation_duration_ms=300, success=False),
        scrape("a", NOON_MS + 5, scrape_duration_ms=7, items_extracted=4),
        navigation("a", NOON_MS + 60_000),
        navigation("b", NOON_MS),
        run(),
    ))  # fmt: skip
    assert rollups.run_once() == 2
    minutes = table(engine, "scraper_metrics_minute")
    assert [(row["minute_start_ms"], row["scraper_source"]) for row in minutes] == [
        (NOON_MS, "a"), (NOON_MS, "b"), (NOON_MS + MINUTE_MS, "a"),
    ]  # fmt: skip
    first = minutes[0]
    assert sketch.quantiles(first.pop("navigation_sketch"), [0, 1]) == pytest.approx([100, 300], rel=0.01)
    assert sketch.quantiles(first.pop("scrape_sketch"), [0.5]) == pytest.approx([7], rel=0.01)
    assert sketch.quantiles(first.pop("failed_navigation_sketch"), [0, 1]) == pytest.approx([300, 300], rel=0.01)
    assert first == {
        "minute_start_ms": NOON_MS, "scraper_source": "a", "total_navigations": 2, "successful_navigations": 1,
        "avg_navigation_duration_ms": 200, "min_navigation_duration_ms": 100, "max_navigation_duration_ms": 300,
        "sum_navigation_duration_ms": 400, "total_scrapes": 1, "successful_scrapes": 1, "avg_scrape_duration_ms": 7,
        "min_scrape_duration_ms": 7, "max_scrape_duration_ms": 7, "sum_scrape_duration_ms": 7,
        "total_items_extracted": 4, "total_retries": 2, "last_recorded_at": NOON_MS + 59_999,
        "last_success_at": NOON_MS + 5, "last_failure_at": NOON_MS + 59_999,
        "sum_ok_navigation_duration_ms": 100, "min_ok_navigation_duration_ms": 100,
        "max_ok_navigation_duration_ms": 100, "sum_failed_navigation_duration_ms": 300,
        "min_failed_navigation_duration_ms": 300, "max_failed_navigation_duration_ms": 300,
        # No scrape failed: what went well is the whole.
        "sum_ok_scrape_duration_ms": None, "min_ok_scrape_duration_ms": None, "max_ok_scrape_duration_ms": None,
        "sum_failed_scrape_duration_ms": None, "min_failed_scrape_duration_ms": None,
        "max_failed_scrape_duration_ms": None, "failed_scrape_sketch": None, "failed_items_extracted": None,
    }  # fmt: skip


def test_hours_and_days_add_up_their_parts_for_plain_sql(store: Store, rollups: Rollups, engine: Engine) -> None:
    elevens_ms = NOON_MS - HOUR_MS
    store.send(batch(*(
        navigation("a", elevens_ms + minute * MINUTE_MS, navigation_duration_ms=minute) for minute in range(1, 101)
    )))  # fmt: skip
    rollups.run_once()
    hours = table(engine, "scraper_metrics_hourly")
    assert [(str(row["hour_utc"])[:19], row["total_navigations"]) for row in hours] == [
        ("2024-05-01 11:00:00", 59), ("2024-05-01 12:00:00", 41),
    ]  # fmt: skip
    (day,) = table(engine, "scraper_daily_summary")
    assert str(day["metric_date"]) == "2024-05-01"
    assert (day["total_navigations"], day["avg_navigation_duration_ms"]) == (100, 50.5)
    assert (day["min_navigation_duration_ms"], day["max_navigation_duration_ms"]) == (1, 100)
    assert day["p95_navigation_duration_ms"] == pytest.approx(95.05, rel=0.01)
    assert (day["total_scrapes"], day["avg_scrape_duration_ms"], day["p50_scrape_duration_ms"]) == (0, None, None)


def test_hours_and_days_keep_failures_and_successes_apart(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(
        scrape("a", NOON_MS, scrape_duration_ms=10, items_extracted=4),
        scrape("a", NOON_MS + MINUTE_MS, scrape_duration_ms=20, items_extracted=3, success=False),
        scrape("a", NOON_MS + MINUTE_MS, scrape_duration_ms=30, items_extracted=1),
        scrape("a", NOON_MS + HOUR_MS, scrape_duration_ms=50, items_extracted=2, success=False),
        navigation("a", NOON_MS),
    ))  # fmt: skip
    rollups.run_once()
    noon, one = table(engine, "scraper_metrics_hourly")
    (day,) = table(engine, "scraper_daily_summary")
    names = [
        f"{what}_{result}_scrape_duration_ms" for result in ("ok", "failed") for what in ("sum", "min", "max")
    ] + ["failed_items_extracted", "last_failure_at"]  # fmt: skip
    assert [noon[name] for name in names] == [40, 10, 30, 20, 20, 20, 3, NOON_MS + MINUTE_MS]
    assert [one[name] for name in names] == [0, None, None, 50, 50, 50, 2, NOON_MS + HOUR_MS]
    assert [day[name] for name in names] == [40, 10, 30, 70, 20, 50, 5, NOON_MS + HOUR_MS]
    assert sketch.quantiles(day["failed_scrape_sketch"], [0, 1]) == pytest.approx([20, 50], rel=0.01)
    assert day["sum_failed_navigation_duration_ms"] is day["failed_navigation_sketch"] is None


def test_hour_knows_no_more_of_its_failures_than_each_of_its_minutes(
    store: Store, rollups: Rollups, engine: Engine
) -> None:
    store.send(batch(*(navigation(at_ms=NOON_MS + n * MINUTE_MS, success=n > 1) for n in range(4)), scrape()))
    rollups.run_once()
    with begin_writing(engine) as connection:
        connection.execute(text(
            "UPDATE scraper_metrics_minute SET sum_failed_navigation_duration_ms = NULL, last_failure_at = NULL "
            f"WHERE minute_start_ms = {NOON_MS}"
        ))  # fmt: skip
    rolling.roll_hour(engine, NOON_MS)
    (hour,) = table(engine, "scraper_metrics_hourly")
    assert (hour["total_navigations"], hour["successful_navigations"]) == (4, 2)
    unknown = [name for name in hour if "_ok_" in name or "failed_" in name or name == "last_failure_at"]
    assert len(unknown) == 16
    assert {hour[name] for name in unknown} == {None}


def test_minutes_are_read_together_over_small_holes_for_so_many_minutes_at_most() -> None:
    minutes = [place * 60_000 for place in (0, 1, 3, 4, 8, 9, 10)]
    assert rolling.spans(minutes, most=5) == [minutes[:2], minutes[2:4], minutes[4:]]
    assert rolling.spans(minutes, most=5, hole=1) == [minutes[:4], minutes[4:]]
    assert rolling.spans(minutes, most=10, hole=3) == [minutes[:6], minutes[6:]]


def test_late_row_corrects_its_minute_hour_and_day(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(navigation(at_ms=NOON_MS - 3 * DAY_MS)))
    rollups.run_once()
    store.send(batch(navigation(at_ms=NOON_MS)))
    rollups.run_once()
    store.send(batch(navigation(at_ms=NOON_MS - 3 * DAY_MS + 1)))
    assert rollups.run_once() == 1
    for name in ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary"):
        assert [row["total_navigations"] for row in table(engine, name)] == [2, 1]


def test_running_again_changes_nothing(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(navigation(), scrape(), navigation("b", NOON_MS + HOUR_MS)))
    rollups.run_once()
    names = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")
    before = [table(engine, name) for name in names]
    rollups.rebuild(NOON_MS - DAY_MS, NOON_MS + DAY_MS)
    assert rollups.run_once() == 2
    assert rollups.run_once() == 0
    assert [table(engine, name) for name in names] == before


def test_rows_stored_before_the_start_are_rolled(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(), navigation(at_ms=NOON_MS + HOUR_MS)))
    assert Rollups(engine).run_once() == 2
    assert len(table(engine, "scraper_metrics_minute")) == 2
    assert Rollups(engine).run_once() == 0  # a small fleet's start doesn't add up again what is right


def test_late_row_whose_mark_was_lost_in_a_crash_is_found_at_the_next_start(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(at_ms=NOON_MS - DAY_MS), navigation()))
    Rollups(engine).run_once()
    store.send(batch(navigation(at_ms=NOON_MS - DAY_MS)))  # and the process is killed before anybody hears of it
    Rollups(engine).run_once()
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_minute")] == [2, 1]


def test_restart_looks_only_at_the_newest_rows(store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.rollups._ID_MARGIN", 2)
    for number in range(6):
        store.send(batch(navigation(at_ms=NOON_MS + number * MINUTE_MS)))
    assert Rollups(engine).run_once() == 6
    assert Rollups(engine).run_once() == 0
    with begin_writing(engine) as connection:
        connection.execute(text("DELETE FROM scraper_metrics_minute"))
    assert Rollups(engine).run_once() == 2


@pytest.mark.parametrize("lost", ["scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary"])
def test_restart_recomputes_what_a_kill_left_undone(store: Store, engine: Engine, lost: str) -> None:
    for number in range(6):
        store.send(batch(navigation(at_ms=NOON_MS + number * 20 * MINUTE_MS), navigation("b", NOON_MS)))
    Rollups(engine).run_once()
    tables = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")
    before = [table(engine, name) for name in tables]
    with begin_writing(engine) as connection:
        connection.execute(text(f"DELETE FROM {lost} WHERE scraper_source = 'b'"))
    assert [table(engine, name) for name in tables] != before
    Rollups(engine).run_once()
    assert [table(engine, name) for name in tables] == before


def test_ids_that_went_back_make_everything_dirty(
    store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.rollups._ID_MARGIN", 0)
    store.send(batch(navigation()))
    with begin_writing(engine) as connection:
        write_state(connection, ROLLED_ID, 1_000_000)
    assert Rollups(engine).run_once() == 1


def test_failure_in_the_middle_leaves_the_rest_dirty(
    store: Store, rollups: Rollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(navigation(), navigation(at_ms=NOON_MS + HOUR_MS)))
    real = rolling.roll_hour
    monkeypatch.setattr("db.rollups.roll_hour", lambda engine, start_ms, look: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rollups.run_once()
    monkeypatch.setattr("db.rollups.roll_hour", real)
    with engine.connect() as connection:
        assert ROLLED_ID not in read_state(connection)
    assert rollups.run_once() == 0  # the minutes are done
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_hourly")] == [1, 1]
    assert [row["total_navigations"] for row in table(engine, "scraper_daily_summary")] == [2]


def test_row_stored_while_its_minute_is_rolled_is_not_forgotten(
    store: Store, rollups: Rollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(navigation()))
    real = rolling.minute_rows

    def rows_then_another(rows: Any) -> Any:
        computed = real(rows)
        monkeypatch.setattr(rolling, "minute_rows", real)
        store.send(batch(navigation()))  # after the detail was read, before the rollup is written
        return computed

    monkeypatch.setattr(rolling, "minute_rows", rows_then_another)
    rollups.run_once()
    rollups.run_once()
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_minute")] == [2]
    assert [row["total_navigations"] for row in table(engine, "scraper_daily_summary")] == [2]


def test_minute_whose_detail_is_being_deleted_is_left_as_it_is(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(navigation(), navigation()))
    rollups.run_once()
    with begin_writing(engine) as connection:
        write_state(connection, DETAIL_SINCE_MS, NOON_MS + DAY_MS)
        connection.execute(text("DELETE FROM scraper_page_performance WHERE id = 1"))
    rollups.rebuild(0, NOON_MS + DAY_MS)
    rollups.run_once()
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_minute")] == [2]
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_hourly")] == [2]


def test_changes_are_known_by_minute(rollups: Rollups, store: Store) -> None:
    version = rollups.version
    store.send(batch(navigation(at_ms=NOON_MS + 30_000)))
    assert rollups.changed_since(version, NOON_MS, NOON_MS + MINUTE_MS)
    assert rollups.changed_since(version, NOON_MS + 10_000, NOON_MS + 40_000)
    assert not rollups.changed_since(version, NOON_MS + MINUTE_MS, NOON_MS + 2 * MINUTE_MS)
    assert not rollups.changed_since(version, NOON_MS - HOUR_MS, NOON_MS)
    assert not rollups.changed_since(rollups.version, NOON_MS, NOON_MS + MINUTE_MS)


def test_changes_too_long_ago_to_remember_count_as_changes(rollups: Rollups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.changes._MAX_REMEMBERED_MINUTES", 10)
    version = rollups.version
    for minute in range(30):
        rollups.mark([navigation(at_ms=NOON_MS + minute * MINUTE_MS)])
    assert rollups.changed_since(version, 0, 1)
    assert not rollups.changed_since(rollups.version, 0, 1)


def test_summary_of_a_day_is_made_on_demand(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(navigation("a"), scrape("b"), navigation("b", NOON_MS + DAY_MS)))
    assert store.generate_daily_summary(dt.date(2024, 5, 1)) == 2
    assert store.generate_daily_summary(dt.date(2024, 4, 30)) == 0
    assert [row["scraper_source"] for row in table(engine, "scraper_daily_summary")] == ["a", "b"]


def test_background_thread_rolls_until_it_is_stopped(store: Store, rollups: Rollups, engine: Engine) -> None:
    store.send(batch(navigation()))
    rolled = threading.Event()
    run_once = rollups.run_once

    def run_and_tell() -> int:
        count = run_once()
        rolled.set()
        return count

    rollups.run_once = run_and_tell  # type: ignore[method-assign]
    rollups.start(interval_s=0.01)
    assert rolled.wait(90)
    rollups.stop()
    rollups.stop()
    assert len(table(engine, "scraper_daily_summary")) == 1
    assert not any(thread.name == "rollups" for thread in threading.enumerate())


def test_background_thread_outlives_a_failure(rollups: Rollups, caplog: pytest.LogCaptureFixture) -> None:
    tried = threading.Event()

    def fail() -> int:
        if rollups.failures:
            tried.set()
        raise RuntimeError("a bug")

    rollups.run_once = fail  # type: ignore[method-assign]
    rollups.start(interval_s=0.01)
    assert tried.wait(90)
    rollups.stop()
    assert rollups.failures >= 2
    assert "rollups failed" in caplog.text


def test_rollups_beside_writers_end_up_equal_to_detail(engine: Engine) -> None:
    store, rollups, recent = Store(engine), Rollups(engine), RecentDetail()
    store.subscribe(recent.append)
    store.subscribe(rollups.mark)
    rollups.start(interval_s=0.001)

    def send(source: str) -> None:
        for number in range(30):
            store.send(batch(*(navigation(source, NOON_MS + (number * 7 + n) * 10_000) for n in range(5))))

    threads = [threading.Thread(target=send, args=(source,)) for source in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rollups.stop()
    rollups.run_once()
    assert rollups.failures == 0
    with engine.connect() as connection:
        expected = connection.execute(text(
            "SELECT created_at - created_at % 60000, scraper_source, COUNT(*) FROM scraper_page_performance"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )).all()  # fmt: skip
    found = [
        (row["minute_start_ms"], row["scraper_source"], row["total_navigations"])
        for row in table(engine, "scraper_metrics_minute")
    ]
    assert found == [tuple(row) for row in expected]
    assert sum(row["total_navigations"] for row in table(engine, "scraper_daily_summary")) == 300


def test_another_process_that_rolls_meanwhile_is_not_undone(
    store: Store, rollups: Rollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(navigation()))
    read, reads = rolling.read_detail, 0

    def read_then_be_overtaken(*arguments: Any, **settings: Any) -> Any:
        nonlocal reads
        reads += 1
        found = read(*arguments, **settings)
        if reads == 1:
            Store(engine).send(batch(navigation()))  # by another process, which rolls it at once
            Rollups(engine).run_once()
        return found

    monkeypatch.setattr(rolling, "read_detail", read_then_be_overtaken)
    rollups.run_once()
    assert [row["total_navigations"] for row in table(engine, "scraper_metrics_minute")] == [2]
    assert [row["total_navigations"] for row in table(engine, "scraper_daily_summary")] == [2]
