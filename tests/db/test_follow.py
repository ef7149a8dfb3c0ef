"""What another process stores is told here as if this one had stored it: all of it, once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import Engine

from collector.events import Metric
from db.columns import DetailColumns
from db.engine import begin_writing
from db.follow import Follower, read_metrics
from db.ingest_log import IdRange, Of, insert_logged, shorten_log, write_log
from db.recent import RecentDetail
from db.rollups import Rollups
from db.rows import PAGE_COLUMNS, PAGE_TABLE, page_row
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape

ROOT = Path(__file__).resolve().parents[2]
WRITER = """
import sys, collector
collector.configure(database_url=sys.argv[1], batch_size=7)
for number in range(int(sys.argv[2])):
    collector.record_page_navigation(sys.argv[3], url=f"https://x.example/{number}", navigation_duration_ms=number)
    if number % 10 == 0:
        collector.record_scheduler_metric(sys.argv[3], execution_duration_ms=1.5, items_processed=number)
assert collector.flush(timeout_s=120)
"""


def following(engine: Engine, store: Store, **settings: object) -> tuple[Follower, list[Metric]]:
    told: list[Metric] = []
    store.subscribe(told.extend)
    follower = Follower(engine, store, **settings)  # type: ignore[arg-type]
    RecentDetail().load(engine, also=follower.begin)
    return follower, told


def test_every_field_comes_back_as_it_was_recorded(engine: Engine) -> None:
    follower, told = following(engine, Store(engine))
    stored: list[Metric] = [
        navigation(navigation_duration_ms=150.25, retry_count=3, run_id="r1", labels={"région": "é"}, status_code=None),
        navigation(success=False, error="boom \N{PILE OF POO}", status_code=503),
        scrape(outcome=None, data_size=2**40, items_extracted=0, labels={"a": "b"}),
        scrape(scrape_duration_ms=0, data_size=None, success=False, error="", outcome="blocked"),
        run(scraper_source="cnbc", run_id="r7", error="late", success=False, execution_duration_ms=0.5),
    ]
    Store(engine).send(batch(*stored))
    assert follower.poll() == 5
    assert told == stored
    assert [type(metric.navigation_duration_ms) for metric in told[:2]] == [float, int]  # type: ignore[union-attr]


def test_own_rows_are_told_once(engine: Engine) -> None:
    store = Store(engine)
    follower, told = following(engine, store)
    store.send(batch(navigation(), run()))
    assert follower.poll() == 0
    Store(engine).send(batch(scrape()))
    assert [follower.poll() for _ in range(3)] == [1, 0, 0]
    assert told == [navigation(), run(), scrape()]


def test_what_was_there_at_the_start_is_not_told(engine: Engine) -> None:
    Store(engine).send(batch(navigation(), run()))
    follower, told = following(engine, Store(engine))
    assert (follower.poll(), told) == (0, [])


def test_metric_that_no_row_can_hold_leaves_the_others_to_follow(engine: Engine) -> None:
    follower, told = following(engine, Store(engine))
    Store(engine).send(batch(navigation(), scrape(scrape_duration_ms=float("nan")), run(), navigation("b")))
    assert follower.poll() == 3
    assert told == [navigation(), navigation("b"), run()]


def test_duplicates_are_not_told(engine: Engine) -> None:
    follower, told = following(engine, Store(engine))
    other, once = Store(engine), batch(navigation())
    assert [other.send(once).duplicate for _ in range(3)] == [False, True, True]
    follower.poll()
    assert told == [navigation()]


def test_batch_that_commits_after_a_later_one_is_not_missed(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        return  # one writer at a time: numbers and commits have one order
    now_s = [0.0]
    follower, told = following(engine, Store(engine), clock_s=lambda: now_s[0])
    with begin_writing(engine) as slow:
        ids = insert_logged(slow, PAGE_TABLE, PAGE_COLUMNS, [page_row(navigation("slow"))], Of.PAGES)
        write_log(slow, 1, ids)
        for number in range(30):
            Store(engine).send(batch(navigation("quick", NOON_MS + number)))
            follower.poll()
            now_s[0] += 1
    follower.poll()
    assert told[-1] == navigation("slow")
    assert len(told) == 31


def test_what_is_known_is_forgotten_after_a_minute_and_still_told_once(engine: Engine) -> None:
    now_s = [0.0]
    follower, told = following(engine, Store(engine), clock_s=lambda: now_s[0])
    other = Store(engine)
    for number in range(200):
        other.send(batch(navigation(at_ms=NOON_MS + number)))
        follower.poll()
        now_s[0] += 1
    assert [metric.recorded_at_ms for metric in told] == [NOON_MS + number for number in range(200)]
    assert len(follower._seen) < 70
    assert follower._floor > 100


def test_rows_that_a_cluster_numbers_in_steps_are_found(engine: Engine) -> None:
    Store(engine).send(batch(*(navigation(at_ms=NOON_MS + number) for number in range(12))))
    with engine.connect() as connection:
        found, _ = read_metrics(
            connection, [IdRange(Of.PAGES, 2, 3, 3), IdRange(Of.PAGES, 9, 2, 1), IdRange(Of.PAGES, 11, 1, 1)]
        )
    assert [metric.recorded_at_ms - NOON_MS for metric in found] == [1, 4, 7, 8, 9, 10]


def test_a_large_batch_is_told_whole(engine: Engine) -> None:
    follower, told = following(engine, Store(engine))
    many = [(navigation, scrape)[number % 2](at_ms=NOON_MS + number) for number in range(4500)]
    Store(engine).send(batch(*many))
    assert follower.poll() == 4500
    assert told == many


def test_shortened_log_is_followed_on(engine: Engine) -> None:
    follower, told = following(engine, Store(engine))
    with begin_writing(engine) as connection:
        connection.execute(text("INSERT INTO ingest_log VALUES (100000, 1, 0, 1, 1, 1)"))
    Store(engine).send(batch(navigation()))
    shorten_log(engine)
    follower.poll()
    assert told == [navigation()]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT MIN(seq) FROM ingest_log")) == 100_000


def test_what_only_a_newer_version_knows_is_left_out_and_said_once(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    follower, told = following(engine, Store(engine))
    with begin_writing(engine) as connection:
        for seq in (100, 101):
            connection.execute(text(f"INSERT INTO ingest_log VALUES ({seq}, 1, 7, 1, 1, 1)"))
    Store(engine).send(batch(navigation()))
    assert follower.poll() == 1
    assert follower.poll() == 0
    assert told == [navigation()]
    assert sum("newer version" in record.message for record in caplog.records) == 1


def test_database_that_is_away_delays_but_loses_nothing(engine: Engine, database_url: str) -> None:
    follower, told = following(engine, Store(engine))
    arrived = threading.Event()
    follower._store.subscribe(lambda _: arrived.set())
    follower.start(interval_s=0.02)
    with begin_writing(engine) as connection:
        connection.execute(text("ALTER TABLE ingest_log RENAME TO ingest_log_away"))
    wait_until(lambda: follower.failures > 0)
    with begin_writing(engine) as connection:
        connection.execute(text("ALTER TABLE ingest_log_away RENAME TO ingest_log"))
    Store(engine).send(batch(navigation()))
    assert arrived.wait(90)
    follower.stop()
    assert told == [navigation()]


def test_two_processes_that_write_are_followed_into_memory_and_rollups(engine: Engine, database_url: str) -> None:
    store, recent, rollups = Store(engine), RecentDetail(), Rollups(engine)
    follower = Follower(engine, store)
    told: list[Metric] = []
    first = start_writer(database_url, 300, "first")  # writes while memory is loaded
    recent.load(engine, also=follower.begin)
    for listener in (recent.append, rollups.mark, told.extend):
        store.subscribe(listener)
    follower.start(interval_s=0.05)
    second = start_writer(database_url, 400, "second")
    for number in range(100):
        store.send(batch(navigation("own", NOON_MS + number)))
    assert (first.wait(150), second.wait(150)) == (0, 0)
    wait_until(lambda: len(recent) >= 800)
    follower.stop()
    follower.poll()
    assert sources(recent.columns()) == [("first", 300), ("own", 100), ("second", 400)]
    rollups.run_once()
    with engine.connect() as connection:
        rolled = connection.execute(
            text(
                "SELECT scraper_source, SUM(total_navigations) FROM scraper_metrics_minute "
                "GROUP BY scraper_source ORDER BY 1"
            )
        ).all()
    assert [(name, int(total)) for name, total in rolled] == [("first", 300), ("own", 100), ("second", 400)]


def sources(columns: DetailColumns) -> list[tuple[str, int]]:
    return sorted(Counter(columns.source_names[code] for code in columns.source.tolist()).items())


def start_writer(database_url: str, rows: int, source: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, database_url, str(rows), source], cwd=ROOT)


def wait_until(true: Callable[[], bool], timeout_s: float = 120.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline_s, "it didn't come"
        time.sleep(0.01)
