"""Rollups of scheduler runs are a pure function of the runs, whatever happened on the way."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db import job_rolling
from db.columns import Names
from db.engine import begin_writing
from db.job_cells import cells_of_runs
from db.job_history import JobHistory
from db.job_rolling import read_job_hours
from db.job_rollups import JobRollups
from db.job_rows import cells_of_rows, hour_rows
from db.recent_runs import RecentRuns
from db.results import Filter, TimeRange
from db.retention import generate_daily_summary
from db.run_columns import RunColumns
from db.state import DETAIL_SINCE_MS, ROLLED_RUN_ID, read_state, write_state
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
TABLES = ("scheduler_metrics_hourly", "scheduler_daily_summary")


@pytest.fixture
def rollups(engine: Engine, store: Store) -> JobRollups:
    """Rollups that hear of everything the store stores."""
    made = JobRollups(engine, clock_ms=lambda: NOON_MS + 2 * HOUR_MS)
    store.subscribe(made.mark)
    return made


def table(engine: Engine, name: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2, 3"))
        return [dict(row._mapping) for row in found]


def counts(engine: Engine, name: str) -> list[int]:
    return [row["total_runs"] for row in table(engine, name)]


def test_hour_and_day_hold_what_their_runs_add_up_to_for_plain_sql(
    store: Store, rollups: JobRollups, engine: Engine
) -> None:
    store.send(batch(
        run("a", NOON_MS, execution_duration_ms=100, items_processed=1),
        run("a", NOON_MS + 9, execution_duration_ms=300, success=False, error="late", items_processed=2),
        run("a", NOON_MS + 9, execution_duration_ms=200, items_processed=4),
        run("a", NOON_MS + 9, scraper_source="s"),
        run("a", NOON_MS + HOUR_MS),
        navigation(),
    ))  # fmt: skip
    assert rollups.run_once() == 2
    hours = table(engine, "scheduler_metrics_hourly")
    assert [(row["hour_start_ms"], row["scheduler_name"], row["scraper_source"]) for row in hours] == [
        (NOON_MS, "a", ""), (NOON_MS, "a", "s"), (NOON_MS + HOUR_MS, "a", ""),
    ]  # fmt: skip
    first = hours[0]
    for name, value in (("p50", 200), ("p95", 290), ("p99", 298)):
        assert first.pop(f"{name}_execution_duration_ms") == pytest.approx(value, rel=0.01)
    assert str(first.pop("hour_utc"))[:19] == "2024-05-01 12:00:00"
    assert len(first.pop("job_state")) < 400
    assert first == {
        "hour_start_ms": NOON_MS, "scheduler_name": "a", "scraper_source": "", "total_runs": 3, "successful_runs": 2,
        "avg_execution_duration_ms": 200, "min_execution_duration_ms": 100, "max_execution_duration_ms": 300,
        "sum_execution_duration_ms": 600, "total_items_processed": 7, "last_recorded_at": NOON_MS + 9,
        "last_success": 1, "last_failure_at": NOON_MS + 9, "last_error": "late",
    }  # fmt: skip
    days = table(engine, "scheduler_daily_summary")
    assert [(str(day["metric_date"]), day["scraper_source"], day["total_runs"]) for day in days] == [
        ("2024-05-01", "", 4), ("2024-05-01", "s", 1),
    ]  # fmt: skip
    assert (days[0]["last_recorded_at"], days[0]["last_error"]) == (NOON_MS + HOUR_MS, "late")


def test_what_is_packed_into_a_row_comes_out_the_same(engine: Engine) -> None:
    names = Names()
    rows = [
        (
            NOON_MS + n * 1000,
            n,
            "job",
            None if n % 3 else "s",
            10.0 * n,
            n,
            n % 4 > 0,
            "x" if n % 4 == 0 else None,
            None,
        )
        for n in range(50)
    ]
    cells = cells_of_runs(RunColumns.of_rows(rows, names), np.full(50, NOON_MS))
    state = [(row[0], row[1], row[2], row[-2], row[-1]) for row in hour_rows(cells)]
    again = cells_of_rows(state, names)
    for column in ("span_ms", "name", "source", "parts", "last_error", "pair_row", "pair_bin", "pair_count"):
        assert getattr(again, column).tolist() == getattr(cells, column).tolist()
    with pytest.raises(ValueError, match="rebuild the rollups"):
        cells_of_rows([(NOON_MS, "job", "", None, b"old")], names)


def test_gaps_are_measured_beyond_the_seven_days_that_a_duration_may_last(engine: Engine, store: Store) -> None:
    rollups = JobRollups(engine)
    store.send(batch(*(run("monthly", NOON_MS + n * 30 * DAY_MS) for n in range(4))))
    rollups.run_once()
    runs = RecentRuns(1)
    runs.load(engine)
    span = TimeRange(NOON_MS - DAY_MS, NOON_MS + 100 * DAY_MS, DAY_MS)
    (stats,) = JobHistory(engine, runs, rollups).summary(span, Filter())
    assert stats.typical_interval_ms == pytest.approx(30 * DAY_MS, rel=0.01)


def test_late_run_corrects_its_hour_and_its_day(store: Store, rollups: JobRollups, engine: Engine) -> None:
    store.send(batch(run(at_ms=NOON_MS - 3 * DAY_MS)))
    rollups.run_once()
    store.send(batch(run(at_ms=NOON_MS)))
    rollups.run_once()
    store.send(batch(run(at_ms=NOON_MS - 3 * DAY_MS + 1)))
    assert rollups.run_once() == 1
    for name in TABLES:
        assert counts(engine, name) == [2, 1]


def test_running_again_changes_nothing(store: Store, rollups: JobRollups, engine: Engine) -> None:
    store.send(batch(run(), run("b", success=False), run("b", NOON_MS + HOUR_MS, scraper_source="s")))
    rollups.run_once()
    before = [table(engine, name) for name in TABLES]
    rollups.rebuild(NOON_MS - DAY_MS, NOON_MS + DAY_MS)
    assert rollups.run_once() == 2
    assert rollups.run_once() == 0
    assert [table(engine, name) for name in TABLES] == before


def test_run_whose_mark_was_lost_in_a_crash_is_found_at_the_next_start(store: Store, engine: Engine) -> None:
    store.send(batch(run(at_ms=NOON_MS - DAY_MS), run()))
    assert JobRollups(engine).run_once() == 2
    store.send(batch(run(at_ms=NOON_MS - DAY_MS)))  # and the process is killed before anybody hears of it
    JobRollups(engine).run_once()
    assert counts(engine, "scheduler_metrics_hourly") == [2, 1]


def test_restart_looks_only_at_the_newest_runs(store: Store, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db.job_rollups._ID_MARGIN", 2)
    for number in range(6):
        store.send(batch(run(at_ms=NOON_MS + number * HOUR_MS)))
    assert JobRollups(engine).run_once() == 6
    assert JobRollups(engine).run_once() == 2
    with begin_writing(engine) as connection:
        write_state(connection, ROLLED_RUN_ID, 1_000_000)  # of another database content
    assert JobRollups(engine).run_once() == 6


def test_failure_in_the_middle_leaves_the_rest_to_be_done(
    store: Store, rollups: JobRollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(run(), run(at_ms=NOON_MS + HOUR_MS)))
    with monkeypatch.context() as patched:
        patched.setattr("db.job_rollups.roll_job_day", lambda engine, start_ms: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rollups.run_once()
    with engine.connect() as connection:
        assert ROLLED_RUN_ID not in read_state(connection)
    assert rollups.stale_days(NOON_MS, NOON_MS + 1) == {NOON_MS - NOON_MS % DAY_MS}
    assert rollups.run_once() == 0  # the hours are done
    assert counts(engine, "scheduler_metrics_hourly") == [1, 1]
    assert counts(engine, "scheduler_daily_summary") == [2]
    assert rollups.stale_days(NOON_MS, NOON_MS + 1) == frozenset()


def test_hour_is_stale_until_it_is_written(
    store: Store, rollups: JobRollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(run()))
    seen: list[frozenset[int]] = []
    real = job_rolling.read_runs

    def read_and_look(*arguments: Any) -> Any:
        seen.append(rollups.stale_hours(NOON_MS, NOON_MS + HOUR_MS))
        return real(*arguments)

    monkeypatch.setattr(job_rolling, "read_runs", read_and_look)
    rollups.run_once()
    assert seen == [{NOON_MS}]
    assert rollups.stale_hours(NOON_MS, NOON_MS + HOUR_MS) == frozenset()


def test_another_process_that_rolls_meanwhile_is_not_undone(
    store: Store, rollups: JobRollups, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.send(batch(run()))
    real, reads = job_rolling.read_runs, 0

    def read_then_be_overtaken(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        found = real(*arguments)
        if reads == 1:
            Store(engine).send(batch(run()))  # by another process, which rolls it at once
            JobRollups(engine).run_once()
        return found

    monkeypatch.setattr(job_rolling, "read_runs", read_then_be_overtaken)
    rollups.run_once()
    for name in TABLES:
        assert counts(engine, name) == [2]


def test_two_processes_beside_writers_end_up_equal_to_the_runs(engine: Engine) -> None:
    stores = [Store(engine), Store(engine)]
    each = [JobRollups(engine), JobRollups(engine)]
    for store, rollups in zip(stores, each, strict=True):
        store.subscribe(rollups.mark)
    errors: list[Exception] = []

    def work(store: Store, rollups: JobRollups) -> None:
        try:
            for number in range(15):
                store.send(batch(*(run("ab"[n % 2], NOON_MS + (number * 7 + n) * 300_000) for n in range(4))))
                rollups.run_once()
        except Exception as exc:  # noqa: BLE001 - shown by the assertion below
            errors.append(exc)

    threads = [threading.Thread(target=work, args=both) for both in zip(stores, each, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with engine.connect() as connection:
        expected = connection.execute(text(
            "SELECT created_at - created_at % 3600000, scheduler_name, COUNT(*) FROM scheduler_metrics"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )).all()  # fmt: skip
    found = [
        (row["hour_start_ms"], row["scheduler_name"], row["total_runs"])
        for row in table(engine, "scheduler_metrics_hourly")
    ]
    assert found == [tuple(row) for row in expected]
    assert sum(counts(engine, "scheduler_daily_summary")) == 120


def test_hour_whose_runs_are_being_deleted_is_left_as_it_is(store: Store, rollups: JobRollups, engine: Engine) -> None:
    store.send(batch(run(), run()))
    rollups.run_once()
    with begin_writing(engine) as connection:
        write_state(connection, DETAIL_SINCE_MS, NOON_MS + DAY_MS)
        connection.execute(text("DELETE FROM scheduler_metrics WHERE id = 1"))
    rollups.rebuild(0, NOON_MS + DAY_MS)
    rollups.run_once()
    for name in TABLES:
        assert counts(engine, name) == [2]


def test_hours_go_after_their_retention_and_days_stay(store: Store, engine: Engine) -> None:
    store.send(batch(run(at_ms=NOON_MS - 500 * DAY_MS), run(at_ms=NOON_MS - 300 * DAY_MS), run()))
    assert store.cleanup_old_metrics(7) == 2
    assert counts(engine, "scheduler_metrics_hourly") == [1, 1]
    assert counts(engine, "scheduler_daily_summary") == [1, 1, 1]
    JobRollups(engine).run_once()
    assert counts(engine, "scheduler_daily_summary") == [1, 1, 1]


def test_hour_that_is_not_over_is_rolled_now_and_then_and_survives_a_crash(store: Store, engine: Engine) -> None:
    now = [NOON_MS + 10]
    rollups = JobRollups(engine, clock_ms=lambda: now[0])
    store.subscribe(rollups.mark)
    store.send(batch(run(), run(at_ms=NOON_MS - HOUR_MS)))
    assert rollups.run_once(open_every_ms=60_000) == 2
    store.send(batch(run(), run(at_ms=NOON_MS - HOUR_MS)))
    assert rollups.run_once(open_every_ms=60_000) == 1
    assert counts(engine, "scheduler_metrics_hourly") == [2, 1]
    with engine.connect() as connection:
        assert read_state(connection)[ROLLED_RUN_ID] == 2  # the open hour's newest run isn't rolled
    now[0] += 60_000
    assert rollups.run_once(open_every_ms=60_000) == 1
    store.send(batch(run()))
    now[0] = NOON_MS + HOUR_MS
    assert rollups.run_once(open_every_ms=60_000) == 1
    assert counts(engine, "scheduler_metrics_hourly") == [2, 3]
    with engine.connect() as connection:
        assert read_state(connection)[ROLLED_RUN_ID] == 5


def test_summary_of_a_day_is_made_on_demand(store: Store, engine: Engine) -> None:
    store.send(batch(run("a"), run("b"), run("a", scraper_source="s"), run("c", NOON_MS + DAY_MS)))
    assert JobRollups(engine).summarize(dt.date(2024, 5, 1)) == 2
    assert JobRollups(engine).summarize(dt.date(2024, 4, 30)) == 0
    assert generate_daily_summary(engine, dt.date(2024, 5, 2)) == 0  # no source had a page
    assert [row["scheduler_name"] for row in table(engine, "scheduler_daily_summary")] == ["a", "a", "b", "c"]


def test_many_jobs_add_up_as_few_do(store: Store, engine: Engine) -> None:
    metrics = [run(f"job{n % 300}", NOON_MS + n * 7000, execution_duration_ms=n % 50) for n in range(900)]
    store.send(batch(*metrics))
    rollups = JobRollups(engine)
    rollups.run_once()
    with engine.connect() as connection:
        hours = read_job_hours(connection, NOON_MS, NOON_MS + DAY_MS, Names())
    assert hours.parts["runs"].sum() == 900
    runs = RecentRuns(1)
    runs.load(engine)
    found = JobHistory(engine, runs, rollups).summary(TimeRange(NOON_MS, NOON_MS + DAY_MS, HOUR_MS), Filter())
    assert {stats.runs for stats in found} == {3}
    assert {round((stats.typical_interval_ms or 0) / 2_100_000, 2) for stats in found} <= {0.99, 1.0, 1.01}
