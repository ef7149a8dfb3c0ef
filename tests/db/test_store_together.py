"""Batches that wait for their turn share one transaction; each has its own answer, and none fails for another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from collector.errors import SinkUnavailable
from collector.events import Metric
from collector.sinks import Batch, Delivery
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape


class Crowd:
    """A store whose writers are all held at their commit, so that what is sent meanwhile waits together.

    Args:
        engine: A migrated database.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = Store(engine, clock_ms=lambda: NOON_MS)
        self.store.send(batch(run("first")))  # makes what every later batch only reads
        self.commits = 0
        self.heard: list[Sequence[Metric]] = []
        self.store.subscribe(self.heard.append)
        self._holders = 1 if engine.dialect.name == "sqlite" else 2
        self._all_held, self._go_on = threading.Barrier(self._holders + 1), threading.Event()

    def __enter__(self) -> Crowd:
        event.listen(self.engine, "commit", self._on_commit)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "commit", self._on_commit)

    def _on_commit(self, _: Connection) -> None:
        self.commits += 1
        if threading.current_thread().name == "holder":
            self._all_held.wait(90)
            assert self._go_on.wait(90)

    def send(self, *batches: Batch) -> list[Delivery | SinkUnavailable]:
        """Send batches while every writer is busy, and return their answers in order."""
        holders = [
            threading.Thread(target=self.store.send, args=(batch(run(f"holder{number}")),), name="holder")
            for number in range(self._holders)
        ]
        for holder in holders:
            holder.start()
        self._all_held.wait(90)
        answers: dict[int, Delivery | SinkUnavailable] = {}

        def deliver(index: int) -> None:
            try:
                answers[index] = self.store.send(batches[index])
            except SinkUnavailable as exc:
                answers[index] = exc

        threads = []
        for index in range(len(batches)):
            threads.append(threading.Thread(target=deliver, args=(index,)))
            threads[-1].start()
            while self.store._turns.waiting <= index:
                threads[-1].join(0.001)
        self.commits = 0
        self.heard.clear()
        self._go_on.set()
        for thread in (*holders, *threads):
            thread.join(90)
        self.heard = [metrics for metrics in self.heard if "holder" not in str(metrics)]
        return [answers[index] for index in range(len(batches))]


@pytest.fixture
def crowd(engine: Engine) -> Iterator[Crowd]:
    with Crowd(engine) as made:
        yield made


def stored(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_batches_that_wait_share_a_commit_and_each_has_its_own_answer(crowd: Crowd, engine: Engine) -> None:
    batches = [batch(*[navigation("s" * n)] * n, run(), batch_id=f"b{n}") for n in (3, 1, 2)]
    assert crowd.send(*batches) == [Delivery(accepted=4), Delivery(accepted=2), Delivery(accepted=3)]
    assert crowd.commits == 1
    found = stored(engine, "SELECT batch_id, accepted FROM ingest_batches WHERE batch_id LIKE 'b_' ORDER BY 1")
    assert found == [("b1", 2), ("b2", 3), ("b3", 4)]
    sources = stored(engine, "SELECT scraper_source FROM scraper_page_performance ORDER BY id")
    assert [source for (source,) in sources] == ["sss", "sss", "sss", "s", "ss", "ss"]
    # One call for all of them, in the order of their turn.
    assert [list(metrics) for metrics in crowd.heard] == [[metric for each in batches for metric in each.metrics]]
    health = crowd.store.health()
    assert health.rows_stored - 9 == health.batches_stored - 3  # the holders brought one row each


def test_batches_without_page_metrics_share_a_commit_with_others(crowd: Crowd, engine: Engine) -> None:
    assert crowd.send(batch(run()), batch(navigation()), batch(run())) == [Delivery(accepted=1)] * 3
    assert crowd.commits == 1
    assert len(stored(engine, "SELECT id FROM scraper_page_performance")) == 1


def test_the_log_names_every_row_once(crowd: Crowd, engine: Engine) -> None:
    crowd.send(batch(navigation(), scrape()), batch(scrape()), batch(run(), navigation()))
    logged = stored(engine, "SELECT first_id, row_count FROM ingest_log WHERE NOT of_runs ORDER BY 1")
    ids = [first + n for first, count in logged for n in range(count)]
    assert [(number,) for number in ids] == stored(engine, "SELECT id FROM scraper_page_performance ORDER BY id")


def test_the_same_id_twice_in_one_group_is_stored_once(crowd: Crowd, engine: Engine) -> None:
    answers = crowd.send(batch(scrape(), batch_id="b"), batch(navigation()), batch(scrape(), batch_id="b"))
    assert answers == [Delivery(accepted=1), Delivery(accepted=1), Delivery(accepted=0, duplicate=True)]
    assert len(stored(engine, "SELECT id FROM scraper_page_performance")) == 2
    assert sum(len(metrics) for metrics in crowd.heard) == 2


def test_a_batch_seen_before_is_a_duplicate_and_the_others_are_stored(crowd: Crowd, engine: Engine) -> None:
    Store(engine).send(batch(navigation(), batch_id="old"))
    answers = crowd.send(batch(scrape()), batch(scrape(), batch_id="old"), batch(run()))
    assert answers == [Delivery(accepted=1), Delivery(accepted=0, duplicate=True), Delivery(accepted=1)]
    assert len(stored(engine, "SELECT id FROM scraper_page_performance")) == 2


@pytest.mark.parametrize("bad", [scrape(data_size=2**63), navigation(navigation_duration_ms=float("nan"))])
def test_a_row_that_no_table_takes_costs_nobody_else_anything(crowd: Crowd, engine: Engine, bad: Metric) -> None:
    answers = crowd.send(batch(scrape()), batch(navigation(), bad, run()), batch(scrape()))
    assert [answer.accepted for answer in answers if isinstance(answer, Delivery)] == [1, 2, 1]
    assert [len(answer.rejected) for answer in answers if isinstance(answer, Delivery)] == [0, 1, 0]
    assert len(stored(engine, "SELECT id FROM scraper_page_performance")) == 3


def test_a_commit_that_is_cut_off_leaves_every_batch_of_the_group_in_doubt(crowd: Crowd, engine: Engine) -> None:
    lost = True

    def lose_the_connection(_: Connection) -> None:
        if lost and threading.current_thread().name != "holder":
            raise OperationalError("COMMIT", None, Exception("gone"))

    event.listen(engine, "commit", lose_the_connection)
    batches = [batch(navigation(), batch_id=f"b{number}") for number in range(3)]
    answers = crowd.send(*batches)
    assert all(isinstance(answer, SinkUnavailable) for answer in answers)
    assert crowd.heard == []
    lost = False
    event.remove(engine, "commit", lose_the_connection)
    assert [crowd.store.send(each) for each in batches] == [Delivery(accepted=1)] * 3  # it had not come through
    assert len(stored(engine, "SELECT id FROM scraper_page_performance")) == 3
    assert crowd.store._in_doubt == {}


def failing(engine: Engine, error: Exception, times: int) -> list[int]:
    """Let so many transactions of senders fail at their first statement; returns where they are counted."""
    failed: list[int] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _fail(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        waiting = threading.current_thread().name != "holder"
        if waiting and statement.startswith("INSERT INTO ingest_batches") and len(failed) < times:
            failed.append(1)
            raise OperationalError(statement, None, error)

    return failed


def test_when_the_database_is_away_the_group_is_not_tried_batch_by_batch(crowd: Crowd, engine: Engine) -> None:
    failed = failing(engine, Exception(2006, "gone"), 100)
    answers = crowd.send(*(batch(navigation()) for _ in range(6)))
    assert all(isinstance(answer, SinkUnavailable) for answer in answers)
    assert len(failed) <= 4  # all together and one alone, for each writer


def test_a_deadlock_is_tried_again_together(crowd: Crowd, engine: Engine) -> None:
    failing(engine, Exception(1213, "Deadlock found"), 2)
    assert crowd.send(*(batch(navigation()) for _ in range(5))) == [Delivery(accepted=1)] * 5
    assert crowd.commits <= 2
