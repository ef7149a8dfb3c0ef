"""A database that goes away: nothing answered is lost, and everybody hears since when and what to do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from collector.errors import SinkUnavailable
from collector.events import Metric
from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.migrate import upgrade
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation
from tests.servers import PrivateMariaDB

RANGE = TimeRange(NOON_MS, NOON_MS + 60_000, 60_000)


@pytest.fixture
def server() -> Iterator[PrivateMariaDB]:
    """A server of this test's own, to be killed."""
    with PrivateMariaDB() as server:
        server.execute("CREATE DATABASE metrics")
        yield server


@pytest.fixture
def away(server: PrivateMariaDB) -> Iterator[Engine]:
    """An engine on that server, migrated."""
    engine = make_engine(url=server.url("metrics"), connect_timeout_s=2, io_timeout_s=5)
    upgrade(engine)
    yield engine
    engine.dispose()


def stored(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(text("SELECT COUNT(*) FROM scraper_page_performance")).scalar_one()


def test_store_says_since_when_the_database_is_away_and_goes_on_when_it_is_back(
    server: PrivateMariaDB, away: Engine
) -> None:
    clock = [NOON_MS]
    store = Store(away, clock_ms=lambda: clock[0])
    store.send(batch(navigation(), batch_id="before"))
    server.kill()
    waiting = batch(navigation(), batch_id="during")
    for _ in range(3):
        with pytest.raises(SinkUnavailable, match="check that it runs") as caught:
            store.send(waiting)
        assert server.password not in str(caught.value)
        clock[0] += 1000
    health = store.health()
    assert (health.reachable, health.unreachable_since_ms) == (False, NOON_MS)
    assert health.last_error is not None
    assert store.ping().unreachable_since_ms == NOON_MS
    server.start()
    assert store.send(waiting).accepted == 1
    health = store.health()
    assert (health.reachable, health.unreachable_since_ms, health.rows_stored) == (True, None, 2)
    assert store.send(batch(navigation(), batch_id="before")).duplicate  # what was answered survived the kill
    assert stored(away) == 2


def test_server_that_hangs_is_unavailable_and_gets_the_batch_once(server: PrivateMariaDB) -> None:
    engine = make_engine(url=server.url("metrics"), connect_timeout_s=1, io_timeout_s=1)
    upgrade(engine)
    store = Store(engine)
    waiting = batch(navigation(), batch_id="b")
    store.send(batch(navigation()))
    server.pause()
    try:
        with pytest.raises(SinkUnavailable, match="timed out"):
            store.send(waiting)
    finally:
        server.resume()
    store.send(waiting)
    assert stored(engine) == 2
    engine.dispose()


def test_ping_notices_both_ways(server: PrivateMariaDB, away: Engine) -> None:
    store = Store(away, clock_ms=lambda: NOON_MS)
    assert store.ping().reachable
    server.kill()
    assert store.ping().unreachable_since_ms == NOON_MS
    server.start()
    assert store.ping().reachable


def test_reads_say_that_the_database_is_unavailable(server: PrivateMariaDB, away: Engine) -> None:
    recent, rollups = RecentDetail(), Rollups(away)
    queries = Queries(away, recent, rollups=rollups, clock_ms=lambda: NOON_MS)
    server.kill()
    for ask in (
        lambda: queries.events(RANGE),
        lambda: queries.scheduler_summary(RANGE),
        lambda: queries.daily(None, 1),
        queries.last_recorded_ms,
        queries.source_names,
        rollups.run_once,
        lambda: recent.load(away),
    ):
        with pytest.raises(DatabaseUnavailable, match="check that it runs"):
            ask()
    recent.append([navigation()])
    assert queries.overview(RANGE).current.navigations == 1  # memory doesn't need the database


def test_old_ranges_say_that_the_database_is_unavailable(server: PrivateMariaDB, away: Engine) -> None:
    recent = RecentDetail(max_rows=1)
    recent.append([navigation(at_ms=NOON_MS), navigation(at_ms=NOON_MS + 120_000)])
    server.kill()
    for rollups in (None, Rollups(away)):
        with pytest.raises(DatabaseUnavailable):
            Queries(away, recent, rollups=rollups).overview(RANGE)
        with pytest.raises(DatabaseUnavailable):
            Queries(away, recent, rollups=rollups).errors_by_kind(RANGE, Filter())


def test_nothing_answered_is_lost_when_the_server_is_killed_under_load(server: PrivateMariaDB, away: Engine) -> None:
    store, heard = Store(away), []
    store.subscribe(heard.extend)
    answered: set[str] = set()
    warm, stop = threading.Event(), threading.Event()

    def send(name: str) -> None:
        number = 0
        while not stop.is_set():
            metric = navigation(url=f"https://a/{name}/{number}")
            try:
                store.send(batch(metric, batch_id=f"{name}-{number}"))
            except SinkUnavailable:
                continue  # the same batch again, as the collector does
            answered.add(metric.url)
            number += 1
            if number % 20 == 0:
                warm.set()

    senders = [threading.Thread(target=send, args=(name,)) for name in "abc"]
    for sender in senders:
        sender.start()
    for _ in range(2):
        assert warm.wait(90)
        warm.clear()
        server.kill()
        server.start()
    assert warm.wait(90)
    stop.set()
    for sender in senders:
        sender.join()
    with away.connect() as connection:
        urls = list(connection.scalars(text("SELECT page_url FROM scraper_page_performance")))
    assert len(urls) == len(set(urls)), "a batch was stored twice"
    assert answered <= set(urls)
    assert sorted(metric.url for metric in heard) == sorted(urls), "listeners and tables disagree"


def test_batch_whose_commit_was_answered_by_silence_is_told_when_it_is_sent_again(engine: Engine) -> None:
    store = Store(engine)
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    real = engine.dialect.do_commit
    cut = [True]

    def commit_then_lose_the_answer(connection: object) -> None:
        real(connection)  # type: ignore[arg-type]
        if cut:
            cut.clear()
            raise engine.dialect.loaded_dbapi.OperationalError(2013, "Lost connection to MySQL server during query")

    engine.dialect.do_commit = commit_then_lose_the_answer  # type: ignore[method-assign]
    once = batch(navigation(), batch_id="b")
    with pytest.raises(SinkUnavailable):
        store.send(once)
    assert heard == []
    assert store.send(once).duplicate
    assert heard == [navigation()]
    assert store.send(once).duplicate
    assert heard == [navigation()]
    assert stored(engine) == 1


def test_commit_that_fails_leaves_nothing_and_blocks_nobody(engine: Engine) -> None:
    store = Store(engine)
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    real = engine.dialect.do_commit

    def fail(connection: object) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError(2006, "disk full")

    engine.dialect.do_commit = fail  # type: ignore[method-assign]
    with pytest.raises(SinkUnavailable, match="disk full"):
        store.send(batch(navigation(), batch_id="b"))
    engine.dialect.do_commit = real  # type: ignore[method-assign]
    assert not store.send(batch(navigation(), batch_id="b")).duplicate
    assert len(heard) == stored(engine) == 1


def test_deadlock_is_tried_again(engine: Engine) -> None:
    store = Store(engine)
    failures = [1, 2]

    @event.listens_for(engine, "before_cursor_execute")
    def _deadlock(_c: Connection, _u: object, statement: str, *_: object) -> None:
        if "scraper_page_performance" in statement and failures:
            failures.pop()
            driver = engine.dialect.loaded_dbapi.OperationalError(1213, "Deadlock found when trying to get lock")
            raise OperationalError(statement, None, driver)

    assert store.send(batch(navigation())).accepted == 1
    assert stored(engine) == 1


def test_locked_sqlite_file_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'metrics.db'}"
    engine, other = make_engine(url=url, busy_timeout_s=0.05), make_engine(url=url)
    upgrade(engine)
    store = Store(engine, clock_ms=lambda: NOON_MS)
    with other.connect() as connection:
        connection.exec_driver_sql("INSERT INTO rollup_state VALUES ('x', 1)")
        with pytest.raises(SinkUnavailable, match="locked"):
            store.send(batch(navigation()))
        assert store.health().unreachable_since_ms == NOON_MS
    assert store.send(batch(navigation())).accepted == 1
    assert store.health().reachable
    engine.dispose()
    other.dispose()


def test_batch_is_kept_when_the_table_is_missing(engine: Engine) -> None:
    store = Store(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE scraper_page_performance"))
    with pytest.raises(SinkUnavailable, match="scraper_page_performance"):
        store.send(batch(navigation()))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT COUNT(*) FROM ingest_batches")).scalar() == 0


_SENDER = """
import itertools, sys
from collector.events import PageNavigation
from collector.sinks import Batch
from db.engine import make_engine
from db.store import Store

store = Store(make_engine(url=sys.argv[1]))
for number in itertools.count():
    metric = PageNavigation("a", f"https://a/{number}", 1, True, 0, None, None, 1714564800000 + number)
    store.send(Batch(f"b{number}", (metric,) * 20))
    print(number, flush=True)
"""


def test_what_a_killed_process_had_answered_is_stored_whole(engine: Engine, database_url: str) -> None:
    sender = subprocess.Popen(
        [sys.executable, "-c", _SENDER, database_url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert sender.stdout is not None
    answered = [sender.stdout.readline() for _ in range(30)]
    sender.kill()
    answered += sender.stdout.readlines()
    sender.stdout.close()
    sender.wait()
    wanted = {f"https://a/{number.strip()}" for number in answered if number.endswith("\n")}
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT page_url, COUNT(*) FROM scraper_page_performance GROUP BY page_url")
        ).all()
    assert len(wanted) >= 30
    assert wanted <= {row[0] for row in found}
    assert {row[1] for row in found} == {20}  # also of the batch that nobody was answered for
