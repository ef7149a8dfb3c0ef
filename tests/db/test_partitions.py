"""Detail by day on MariaDB: days are made ahead of time, old ones go in one step, and no row is lost or refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.engine import begin_writing, make_engine
from db.migrate import upgrade
from db.partitions import days, drop_days, make_days, partition
from db.retention import cleanup
from db.rollups import Rollups
from db.rows import PAGE_COLUMNS, PAGE_TABLE, insert_many, page_row
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation
from tests.servers import PrivateMariaDB

DAY_MS = 86_400_000
TODAY_MS = NOON_MS // DAY_MS * DAY_MS


@pytest.fixture
def engine(mariadb: PrivateMariaDB) -> Iterator[Engine]:
    """A database with twelve days of rows in the schema before partitions, and then converted at NOON_MS."""
    name = f"days_{uuid.uuid4().hex}"
    mariadb.execute(f"CREATE DATABASE {name}")
    made = make_engine(url=mariadb.url(name))
    upgrade(made, "0002")
    rows = [page_row(navigation(f"source{n % 3}", NOON_MS - age * DAY_MS + n)) for age in range(12) for n in range(50)]
    with begin_writing(made) as connection:
        insert_many(connection, PAGE_TABLE, PAGE_COLUMNS, rows)  # leaves out what that schema didn't have yet
    partition(made, NOON_MS)
    upgrade(made)
    yield made
    made.dispose()
    mariadb.execute(f"DROP DATABASE {name}")


def ends(engine: Engine) -> list[int | None]:
    with engine.connect() as connection:
        return [None if day.end_ms is None else (day.end_ms - TODAY_MS) // DAY_MS for day in days(connection)]


def count(engine: Engine, where: str = "1 = 1") -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text(f"SELECT COUNT(*) FROM scraper_page_performance WHERE {where}")) or 0)


def test_conversion_keeps_every_row_and_makes_the_next_days(engine: Engine) -> None:
    assert count(engine) == 600
    assert ends(engine) == [*range(-10, 5), None]
    partition(engine, NOON_MS)  # again: nothing happens
    assert ends(engine) == [*range(-10, 5), None]


def test_ids_go_on_after_the_conversion(engine: Engine) -> None:
    Store(engine).send(batch(navigation(at_ms=NOON_MS + 1)))
    assert count(engine, "id = 601") == 1


def test_old_days_are_dropped_and_counted(engine: Engine) -> None:
    assert drop_days(engine, TODAY_MS - 6 * DAY_MS) == 5 * 50
    assert ends(engine)[0] == -5
    assert count(engine) == 350
    assert drop_days(engine, TODAY_MS - 6 * DAY_MS) == 0


def test_the_first_day_is_counted_with_what_is_older(engine: Engine) -> None:
    late = [navigation(at_ms=TODAY_MS - days * DAY_MS - 1) for days in (10, 11, 30)]
    Store(engine, clock_ms=lambda: NOON_MS - 40 * DAY_MS).send(batch(*late))  # on whose clock they aren't late
    assert drop_days(engine, TODAY_MS - 10 * DAY_MS) == 50 + 3
    assert count(engine) == 550


def test_new_days_are_made_ahead_and_once(engine: Engine) -> None:
    assert make_days(engine, NOON_MS) == 0
    assert make_days(engine, NOON_MS + 2 * DAY_MS) == 2
    assert ends(engine)[-3:] == [5, 6, None]


def test_after_weeks_of_absence_the_days_go_on_from_today(engine: Engine) -> None:
    Store(engine).send(batch(navigation(at_ms=NOON_MS + 20 * DAY_MS), navigation(at_ms=NOON_MS + 9 * DAY_MS)))
    make_days(engine, NOON_MS + 20 * DAY_MS)
    assert ends(engine)[-6:] == [4, 21, 22, 23, 24, None]
    assert count(engine) == 602


def test_rows_of_any_date_are_kept(engine: Engine) -> None:
    Store(engine).send(batch(navigation(at_ms=1), navigation(at_ms=NOON_MS + 300 * DAY_MS)))
    assert count(engine) == 602
    assert cleanup(engine, 7, now_ms=NOON_MS) == 4 * 50 + 1
    assert count(engine, f"created_at > {NOON_MS + DAY_MS}") == 1


def test_late_rows_in_the_first_day_go_with_the_next_cleanup(engine: Engine) -> None:
    cleanup(engine, 7, now_ms=NOON_MS)
    with begin_writing(engine) as connection:  # what a program stored that knew no better; the store refuses it
        insert_many(connection, PAGE_TABLE, PAGE_COLUMNS, [page_row(navigation(at_ms=NOON_MS - 30 * DAY_MS))])
    assert cleanup(engine, 7, now_ms=NOON_MS) == 1
    assert count(engine) == 400


def test_rollups_and_summaries_survive_their_partitions(engine: Engine) -> None:
    assert cleanup(engine, 7, now_ms=NOON_MS) == 4 * 50
    Rollups(engine).run_once()
    with engine.connect() as connection:
        total = connection.scalar(text("SELECT SUM(total_navigations) FROM scraper_daily_summary"))
    assert total == 600


def test_drop_that_was_cut_off_is_finished_by_the_next_run(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        first = days(connection)[0].name
    Rollups(engine).run_once()
    with begin_writing(engine) as connection:  # what a killed run leaves: some days gone, the rest there
        connection.execute(text(f"ALTER TABLE scraper_page_performance DROP PARTITION {first}"))
    cleanup(engine, 7, now_ms=NOON_MS)
    assert count(engine) == 400
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT SUM(total_navigations) FROM scraper_daily_summary")) == 600
