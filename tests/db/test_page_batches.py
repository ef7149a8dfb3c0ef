"""What goes to a real MariaDB in one message is stored whole or not at all, once, as if it had gone in several."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pymysql
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from collector.errors import SinkUnavailable
from collector.events import Metric
from collector.sinks import Delivery
from db import page_batches
from db.engine import make_engine
from db.migrate import upgrade
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape
from tests.servers import PrivateMariaDB

PAGES = batch(navigation(), scrape(error='it\'s \\ "so"; DROP TABLE ingest_log', success=False), batch_id="it's")
TABLES = ("ingest_batches", "scraper_page_performance", "ingest_log")


@pytest.fixture(scope="module")
def pages_url(mariadb: PrivateMariaDB) -> Iterator[str]:
    mariadb.execute("CREATE OR REPLACE DATABASE pages")
    yield mariadb.url("pages")
    mariadb.execute("DROP DATABASE pages")


@pytest.fixture
def pages(pages_url: str) -> Iterator[Engine]:
    """An engine on a migrated database with nothing in it."""
    engine = make_engine(url=pages_url)
    upgrade(engine)
    with engine.begin() as connection:
        for table in (*TABLES, "scheduler_metrics"):
            connection.execute(text(f"DELETE FROM {table}"))
    yield engine
    engine.dispose()


def listening(engine: Engine) -> tuple[Store, list[Metric]]:
    store = Store(engine, clock_ms=lambda: NOON_MS)
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    return store, heard


def said(engine: Engine) -> list[str]:
    """Return where statements that insert will be kept."""
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT"):
            statements.append(statement)

    return statements


def counts(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one() for table in TABLES]


def test_a_batch_of_pages_is_one_message_and_its_log_names_its_rows(pages: Engine) -> None:
    store, heard = listening(pages)
    commits: list[str] = []
    store.subscribe_commits(lambda some: commits.extend(one.key for one in some))
    statements = said(pages)
    assert store.send(PAGES) == Delivery(2)
    assert len(statements) == 1
    assert store.send(PAGES) == Delivery(0, duplicate=True)
    assert store.send(batch(scrape())) == Delivery(1)
    assert heard == [*PAGES.metrics, scrape()]
    with pages.connect() as connection:
        logged = connection.execute(text("SELECT writer, seq, first_id, row_count FROM ingest_log ORDER BY seq")).all()
        ids = connection.execute(text("SELECT id FROM scraper_page_performance ORDER BY id")).scalars().all()
        error = connection.execute(text("SELECT error FROM scraper_page_performance WHERE NOT success")).scalar_one()
    assert [first + number for _, _, first, count in logged for number in range(count)] == ids
    assert commits == [f"{writer}:{seq}" for writer, seq, _, _ in logged]
    assert error == PAGES.metrics[1].error


def test_what_one_message_cannot_hold_goes_in_several(pages: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    store, heard = listening(pages)
    statements = said(pages)
    assert store.send(batch(navigation(), run())) == Delivery(2)
    assert len(statements) == 4
    monkeypatch.setattr(page_batches, "is_allowed", lambda _: False)  # a server that takes one statement at a time
    assert store.send(PAGES) == Delivery(2)
    assert store.send(PAGES).duplicate
    monkeypatch.undo()
    statements.clear()
    long = batch(*[navigation(error="x" * 4_000, success=False, at_ms=NOON_MS + number) for number in range(200)])
    assert store.send(long) == Delivery(200)
    assert len(statements) > 1
    assert counts(pages) == [3, 203, 4]
    assert heard == [navigation(), run(), *PAGES.metrics, *long.metrics]


def test_rows_with_labels_and_rows_without_are_stored_with_what_they_have(pages: Engine) -> None:
    store, _ = listening(pages)
    store.send(batch(navigation(labels={"team": "a"}), scrape()))
    store.send(batch(navigation(), scrape(fields={"price": 5})))
    store.send(batch(navigation(), scrape()))
    with pages.connect() as connection:
        found = connection.execute(text("SELECT labels, fields FROM scraper_page_performance ORDER BY id")).all()
    had = [(labels is not None, fields is not None) for labels, fields in found]
    assert had == [(True, False), (False, False), (False, False), (False, True), (False, False), (False, False)]


@pytest.mark.parametrize("table", TABLES)
def test_connection_that_is_lost_in_the_middle_of_a_message_leaves_nothing_of_it(
    mariadb: PrivateMariaDB, pages: Engine, table: str
) -> None:
    store, heard = listening(pages)
    failed: list[str] = []

    def send() -> None:
        try:
            store.send(PAGES)
        except SinkUnavailable as exc:
            failed.append(str(exc))

    sender = threading.Thread(target=send)
    rival = pymysql.connect(
        host="127.0.0.1", port=mariadb.port, user=mariadb.user, password=mariadb.password, database="pages"
    )
    with rival, rival.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {table} WRITE")
        sender.start()
        waiting = (
            "SELECT ID FROM information_schema.PROCESSLIST "
            f"WHERE DB = 'pages' AND STATE LIKE 'Waiting for table%' AND INFO LIKE 'INSERT INTO {table}%'"
        )
        deadline_s = time.monotonic() + 120
        while not (found := mariadb.execute(waiting)):
            assert time.monotonic() < deadline_s, "it didn't come"
            time.sleep(0.05)
        mariadb.execute(f"KILL CONNECTION {found[0][0]}")
        sender.join(120)
    assert len(failed) == 1
    assert counts(pages) == [0, 0, 0]
    assert store.send(PAGES) == Delivery(2)
    assert store.send(PAGES).duplicate
    assert counts(pages) == [1, 2, 1]
    assert heard == list(PAGES.metrics)
