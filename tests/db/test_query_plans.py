"""No page's query reads all detail rows: the database says so itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Engine

from db.engine import begin_writing, make_engine
from db.events import page_statement, run_statement
from db.job_history import JobHistory
from db.job_rollups import JobRollups
from db.migrate import upgrade
from db.models import HourlyRollup, MinuteRollup, SchedulerDay, SchedulerHour, SchedulerMetric
from db.models import PagePerformance as Page
from db.names import detail_sources
from db.queries import Queries
from db.recent import RecentDetail
from db.recent_runs import RecentRuns
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

pytestmark = pytest.mark.xdist_group("query-plans")  # one full database of each kind for all

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
ROWS = 20_000
LAST_MS = NOON_MS + ROWS * 1000


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database with so many rows that a full scan is never the cheapest way; who has it only reads."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('full') / 'metrics.db'}"
    else:
        server = request.getfixturevalue("mariadb")
        server.execute("CREATE DATABASE full_of_rows")
        url = server.url("full_of_rows")
    engine = make_engine(url=url)
    upgrade(engine)
    _fill(engine)
    yield engine
    engine.dispose()
    if request.param == "mariadb":
        server.execute("DROP DATABASE full_of_rows")


def _fill(engine: Engine) -> None:
    store = Store(engine)
    for first in range(0, ROWS, 2000):
        store.send(batch(*(
            (navigation, scrape)[number % 2](f"source{number % 10}", NOON_MS + number * 1000, success=number % 50 > 0)
            for number in range(first, first + 2000)
        )))  # fmt: skip
        store.send(batch(*(run(f"job{n % 5}", NOON_MS + (first + n) * 1000) for n in range(0, 2000, 4))))
    Rollups(engine).run_once()
    JobRollups(engine).run_once()
    with begin_writing(engine) as connection:
        tables = [Page.__tablename__, SchedulerMetric.__tablename__, MinuteRollup.__tablename__]
        for table in tables:
            connection.execute(text(f"ANALYZE {'TABLE ' if engine.dialect.name == 'mysql' else ''}{table}"))


def full_scans(engine: Engine, statement: Any) -> list[str]:
    """Return the lines of the plan in which a table of ours is read from one end to the other."""
    dialect = mysql.dialect() if engine.dialect.name == "mysql" else sqlite.dialect()
    sql = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
            scans = [row.detail for row in plan if row.detail.startswith("SCAN ") and _is_ours(row.detail.split()[1])]
            sorts = [row.detail for row in plan if "TEMP B-TREE FOR ORDER BY" in row.detail]
            # A scan along an index that stops at a LIMIT is none of the whole table; but then nothing is sorted.
            sorted_for_limit = "LIMIT" in sql and "GROUP BY" not in sql and "UNION" not in sql
            return [scan for scan in scans if "INDEX" not in scan] + (sorts if sorted_for_limit else [])
        plan = connection.exec_driver_sql(f"EXPLAIN {sql}".replace("%", "%%")).all()
        return [
            str(row) for row in plan
            if (row.type == "ALL" and _is_ours(row.table)) or (row.type == "index" and int(row.rows) > ROWS / 4)
        ]  # fmt: skip


def _is_ours(table: str | None) -> bool:
    return table in {
        Page.__tablename__, SchedulerMetric.__tablename__, MinuteRollup.__tablename__, SchedulerHour.__tablename__,
        SchedulerDay.__tablename__,
    }  # fmt: skip


FILTERS = (
    Filter(), Filter(sources=("source1",)), Filter(sources=("source1", "source2")), Filter(result="failed"),
    Filter(url_contains="page"), Filter(("source3",), "ok", "robin"),
    Filter(sources=tuple(f"source{number}" for number in range(40))),
)  # fmt: skip


def test_events_walk_an_index(full: Engine) -> None:
    for filter in FILTERS:
        for start_ms, end_ms in ((None, None), (NOON_MS, LAST_MS), (LAST_MS - 900_000, LAST_MS)):
            assert full_scans(full, page_statement(start_ms, end_ms, filter, 100)) == []
            assert full_scans(full, run_statement(start_ms, end_ms, filter, 100)) == []


def test_sources_are_found_by_steps_in_the_index(full: Engine) -> None:
    assert full_scans(full, detail_sources(full.dialect.name)) == []
    with full.connect() as connection:
        assert sorted(connection.scalars(detail_sources(full.dialect.name))) == [
            f"source{number}" for number in range(10)
        ]


def test_newest_moment_comes_from_the_end_of_an_index(full: Engine) -> None:
    assert full_scans(full, select(func.max(Page.created_at))) == []


def test_every_statement_of_a_page_avoids_full_scans(full: Engine, recorded: list[str]) -> None:
    recent = RecentDetail(max_rows=1000)
    recent.load(full)
    queries = Queries(full, recent, rollups=Rollups(full), clock_ms=lambda: LAST_MS)
    # Far from the end, so that memory doesn't answer; narrow, so that no index is left aside for good reason.
    old = TimeRange(NOON_MS + 600_000, NOON_MS + 1_200_000, MINUTE_MS)
    everything, failed = Filter(), Filter(result="failed")
    queries.overview(old)
    recorded.clear()  # the first one also looked for rows that were not rolled yet
    for filter in (everything, failed, Filter(sources=("source1",)), Filter(url_contains="source1")):
        queries.overview(old, filter)
        queries.source_series(old, filter)
        queries.events(old, filter)
        queries.errors_by_kind(old, filter)
        queries.outcomes(old, filter)
        queries.slowest_urls(old, filter, "navigation")
        queries.worst_urls(old, filter, "scrape")
        queries.week_hours(old, filter, "navigation")
        queries.attempts(old, filter)
        queries.yields(old, filter)
        queries.outcome_series(old, filter)
        queries.items_by_source(old, filter)
        queries.duration_trend(old, filter, "scrape")
        queries.scheduler_runs(old, filter)
        queries.scheduler_summary(old, filter)
    queries.daily(None, 7)
    queries.last_recorded_ms()
    questions = list(dict.fromkeys(sql for sql in recorded if sql.lstrip().upper().startswith("SELECT")))
    assert len(questions) > 20
    assert [(sql, scans) for sql in questions if (scans := full_scans(full, text(sql.replace(":", r"\:"))))] == []


@pytest.fixture
def recorded(full: Engine) -> Iterator[list[str]]:
    """Every statement that the engine executes, with its values written in."""
    from sqlalchemy import event

    statements: list[str] = []

    def literal(value: Any) -> str:
        return str(value) if isinstance(value, int) else repr(str(value))

    def note(_c: Any, _u: Any, statement: str, values: Any, _x: Any, _m: bool) -> None:
        if full.dialect.name == "mysql":
            if isinstance(values, dict):
                shown: Any = {name: literal(value) for name, value in values.items()}
            else:
                shown = tuple(map(literal, values))
            statements.append(statement % shown if values else statement)
            return
        for value in values:
            statement = statement.replace("?", literal(value), 1)
        statements.append(statement)

    event.listen(full, "before_cursor_execute", note)
    yield statements
    event.remove(full, "before_cursor_execute", note)


def test_scheduler_questions_read_no_run_that_rollups_know(full: Engine, recorded: list[str]) -> None:
    rollups, runs = JobRollups(full), RecentRuns(100)
    runs.load(full)
    queries = Queries(full, RecentDetail(1), jobs=JobHistory(full, runs, rollups, exact_runs=100))
    day = TimeRange(NOON_MS - 12 * HOUR_MS, NOON_MS + 24 * HOUR_MS, HOUR_MS)
    queries.scheduler_summary(day)  # the first one also looked for runs that were not rolled yet
    recorded.clear()
    rollups.changes.note([NOON_MS])
    for filter in (Filter(), Filter(sources=("job1",)), Filter(result="failed")):
        queries.scheduler_summary(day, filter)
        queries.scheduler_series(day, filter)
    queries.scheduler_runs(day, limit=10)
    questions = [sql for sql in recorded if sql.lstrip().upper().startswith("SELECT")]
    assert [sql for sql in questions if f"FROM {SchedulerMetric.__tablename__} " in sql.replace("\n", " ")] == []
    assert any(SchedulerHour.__tablename__ in sql for sql in questions)
    assert [(sql, scans) for sql in questions if (scans := full_scans(full, text(sql.replace(":", r"\:"))))] == []


def test_edges_inside_an_hour_walk_the_index_of_runs(full: Engine, recorded: list[str]) -> None:
    runs = RecentRuns(100)
    runs.load(full)
    queries = Queries(full, RecentDetail(1), jobs=JobHistory(full, runs, JobRollups(full)))
    queries.scheduler_summary(TimeRange(NOON_MS, NOON_MS + HOUR_MS, HOUR_MS))
    recorded.clear()
    narrow = TimeRange(NOON_MS + 600_000, NOON_MS + 900_000, MINUTE_MS)
    queries.scheduler_summary(narrow)
    queries.scheduler_series(narrow, Filter(sources=("job1",)))
    queries.scheduler_runs(narrow, Filter(result="failed"))
    questions = [sql for sql in recorded if f"FROM {SchedulerMetric.__tablename__}" in sql]
    assert len(questions) == 3
    assert [(sql, scans) for sql in questions if (scans := full_scans(full, text(sql.replace(":", r"\:"))))] == []


def test_rollup_ranges_are_read_along_the_key(full: Engine) -> None:
    for begins in (MinuteRollup.minute_start_ms, HourlyRollup.hour_start_ms, SchedulerHour.hour_start_ms):
        assert full_scans(full, select(begins).where(begins >= NOON_MS, begins < NOON_MS + 600_000)) == []
