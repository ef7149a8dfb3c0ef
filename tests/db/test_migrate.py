"""The schema comes from the migrations alone, and a newer one is refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from db.breakdown_pack import unpacked
from db.columns import Names
from db.engine import begin_writing, make_engine, opened
from db.errors import DatabaseUnavailable, SchemaTooNew
from db.migrate import _config, check, current_revision, known_revisions, upgrade
from db.models import Base
from db.rollups import Rollups
from db.state import ROLLED_ID, read_state, write_state
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, scrape
from tests.servers import PrivateMariaDB, free_port

# On MySQL/MariaDB they name the id too.
ORDERED = {"ix_page_created": ["created_at"], "ix_page_source_created": ["scraper_source", "created_at"]}


def differences(engine: Engine) -> list[Any]:
    """What the models say otherwise than the database, and indexes that aren't what the queries need."""
    partitioned = engine.dialect.name == "mysql"

    def compared(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
        return not (partitioned and kind == "index" and name in ORDERED)

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": compared})
        found: list[Any] = list(compare_metadata(context, Base.metadata))
    for index in inspect(engine).get_indexes("scraper_page_performance"):
        wanted = ORDERED[str(index["name"])] + ["id"] * partitioned
        if index["column_names"] != wanted:
            found.append(index)
    return found


def test_migrated_schema_equals_the_models(engine: Engine) -> None:
    assert differences(engine) == []


def test_upgrade_of_an_up_to_date_database_changes_nothing(engine: Engine) -> None:
    before = current_revision(engine)
    upgrade(engine)
    assert current_revision(engine) == before is not None


def test_fresh_database_has_no_revision_and_passes_the_check(database_url: str) -> None:
    engine = make_engine(url=database_url)
    assert current_revision(engine) is None
    check(engine)
    engine.dispose()


def test_schema_from_a_newer_program_is_refused(engine: Engine) -> None:
    with begin_writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuses in (check, upgrade):
        with pytest.raises(SchemaTooNew, match="schema 9999, newer than this program's") as caught:
            refuses(engine)
        assert caught.value.revision == "9999"


def test_two_that_migrate_at_once_both_succeed(database_url: str) -> None:
    engines = [make_engine(url=database_url) for _ in range(4)]
    start = threading.Barrier(len(engines))
    errors: list[Exception] = []

    def migrate(engine: Engine) -> None:
        start.wait()
        try:
            upgrade(engine)
        except Exception as exc:  # noqa: BLE001 - shown by the assertion below
            errors.append(exc)

    threads = [threading.Thread(target=migrate, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tables = set(inspect(engines[0]).get_table_names())
    for engine in engines:
        engine.dispose()
    assert errors == []
    assert set(Base.metadata.tables) <= tables


def test_who_finds_another_one_migrating_a_file_waits_longer_than_for_other_writers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/metrics.db"
    with opened(url) as first:
        upgrade(first, "0001")
        second = make_engine(url=url, busy_timeout_s=0.05)
        with begin_writing(first):
            with pytest.raises(OperationalError, match="locked"), begin_writing(second):
                pass
            other = threading.Thread(target=upgrade, args=(second,))
            other.start()
            other.join(0.5)
            assert other.is_alive()
        other.join()
        assert current_revision(second) == known_revisions()[0]
        with second.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 50
        second.dispose()


def test_migration_that_was_cut_off_on_mariadb_is_run_again(mariadb: PrivateMariaDB) -> None:
    mariadb.execute("CREATE DATABASE cut_off")
    engine = make_engine(url=mariadb.url("cut_off"))
    upgrade(engine, "0001")
    with begin_writing(engine) as connection:
        for statement in (
            "DELETE FROM alembic_version",
            "DROP TABLE rollup_state",
            "DROP INDEX ix_page_created ON scraper_page_performance",
        ):
            connection.execute(text(statement))
    upgrade(engine)
    assert differences(engine) == []
    engine.dispose()
    mariadb.execute("DROP DATABASE cut_off")


def test_columns_for_results_that_were_added_halfway_are_completed(database_url: str) -> None:
    engine = make_engine(url=database_url)
    upgrade(engine, "0003")
    with begin_writing(engine) as connection:
        write_state(connection, ROLLED_ID, 5)
        for column in ("sum_ok_navigation_duration_ms DOUBLE", "last_failure_at BIGINT"):
            connection.execute(text(f"ALTER TABLE scraper_metrics_minute ADD COLUMN {column}"))
    upgrade(engine)
    assert differences(engine) == []
    with engine.connect() as connection:
        assert ROLLED_ID not in read_state(connection)
    engine.dispose()


def test_rollups_that_still_have_their_detail_learn_what_failed(engine: Engine, store: Store) -> None:
    store.send(batch(
        navigation(), navigation(success=False), scrape(success=False), scrape("b", NOON_MS - 86_400_000),
    ))  # fmt: skip

    def rollups() -> list[list[Any]]:
        Rollups(engine).run_once()
        with engine.connect() as connection:
            return [list(connection.execute(select(table).order_by(*table.primary_key))) for table in tables]

    names = ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary")
    tables = [Base.metadata.tables[name] for name in names]
    before = rollups()
    with begin_writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0003")
    assert current_revision(engine) == "0003"
    upgrade(engine)
    with engine.connect() as connection:
        assert set(connection.scalars(text("SELECT last_failure_at FROM scraper_metrics_minute"))) == {None}
    assert rollups() == before


def test_migrating_an_unreachable_database_is_explained() -> None:
    engine = make_engine(url=f"mysql://scraper:secret@127.0.0.1:{free_port()}/metrics")
    for tries in (upgrade, check, current_revision):
        with pytest.raises(DatabaseUnavailable, match="check that it runs"):
            tries(engine)


def test_released_database_gets_fields_without_counting_anything_anew(engine: Engine, store: Store) -> None:
    store.send(batch(*(scrape("a", NOON_MS - hours * 3_600_000) for hours in range(60))))
    rollups = Rollups(engine, clock_ms=lambda: NOON_MS)
    rollups.run_once()
    with begin_writing(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0006")
    assert "fields" not in {column["name"] for column in inspect(engine).get_columns("scraper_page_performance")}
    upgrade(engine)
    assert differences(engine) == []
    with engine.connect() as connection:
        spans = {
            name: connection.execute(
                text(
                    "SELECT length_ms, start_ms, row_count, packed FROM scraper_breakdowns WHERE dimension = :name "
                    "ORDER BY 1, 2"
                ),
                {"name": name},
            ).all()
            for name in ("outcome", "field")
        }
    assert [row[:3] for row in spans["field"]] == [row[:3] for row in spans["outcome"]] != []
    assert all(len(unpacked(bytes(row[3]), row[1], Names())) == 0 for row in spans["field"])
    again = Rollups(engine, clock_ms=lambda: NOON_MS)
    again.run_once()
    assert again.breakdowns.unsettled() == rollups.breakdowns.unsettled()
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT COUNT(*) FROM scraper_breakdowns WHERE dimension = 'field'"))
    assert found == len(spans["field"])


def test_migration_of_fields_and_runs_that_was_cut_off_on_mariadb_is_run_again(mariadb: PrivateMariaDB) -> None:
    mariadb.execute("CREATE DATABASE cut_off_later")
    engine = make_engine(url=mariadb.url("cut_off_later"))
    upgrade(engine)
    with begin_writing(engine) as connection:
        for statement in (
            "UPDATE alembic_version SET version_num = '0006'",
            "DROP TABLE collectors",
            "DROP INDEX ix_run_state ON scraper_runs",
        ):
            connection.execute(text(statement))
    upgrade(engine)
    assert differences(engine) == []
    engine.dispose()
    mariadb.execute("DROP DATABASE cut_off_later")
