"""The store keeps every batch once, whole, and tells its listeners afterwards."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine

from collector.errors import SinkRefused
from collector.events import Metric
from collector.sinks import Delivery
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, run, scrape


def rows(engine: Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]


def test_every_field_of_a_navigation_is_stored(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(url="https://user@Shop.example:8443/a?b", run_id="r1", labels={"région": "é"})))
    (row,) = rows(engine, "scraper_page_performance")
    assert row.pop("id") == 1
    assert json.loads(row.pop("labels")) == {"région": "é"}
    assert row == {
        "scraper_source": "robinhood", "metric_type": "navigation", "page_url": "https://user@Shop.example:8443/a?b",
        "domain": "shop.example", "navigation_duration_ms": 150, "retry_count": 0, "scrape_duration_ms": None,
        "items_extracted": None, "data_size": None, "success": 1, "error": None, "status_code": 200, "outcome": None,
        "run_id": "r1", "fields": None, "created_at": NOON_MS,
    }  # fmt: skip


def test_every_field_of_a_scrape_is_stored(store: Store, engine: Engine) -> None:
    fields = {"price": 0, "prîce": 5}
    store.send(batch(scrape(success=False, error="no table", outcome="parse_error", data_size=2**40, fields=fields)))
    (row,) = rows(engine, "scraper_page_performance")
    del row["id"]
    assert json.loads(row.pop("fields")) == fields
    assert row == {
        "scraper_source": "robinhood", "metric_type": "scrape", "page_url": "https://robinhood.example/page",
        "domain": "robinhood.example", "navigation_duration_ms": None, "retry_count": None, "scrape_duration_ms": 40.5,
        "items_extracted": 5, "data_size": 2**40, "success": 0, "error": "no table", "status_code": None,
        "outcome": "parse_error", "run_id": None, "labels": None, "created_at": NOON_MS,
    }  # fmt: skip


def test_every_field_of_a_scheduler_run_is_stored(store: Store, engine: Engine) -> None:
    store.send(batch(run(scraper_source="cnbc", run_id="r7", error="late", success=False)))
    (row,) = rows(engine, "scheduler_metrics")
    del row["id"]
    assert row == {
        "scheduler_name": "nightly", "scraper_source": "cnbc", "execution_duration_ms": 2000, "items_processed": 7,
        "success": 0, "error": "late", "run_id": "r7", "created_at": NOON_MS,
    }  # fmt: skip


def test_mixed_batch_is_stored_whole_with_its_id(store: Store, engine: Engine) -> None:
    delivery = store.send(batch(navigation(), scrape(), run(), navigation("cnbc"), batch_id="b1"))
    assert delivery == Delivery(accepted=4, duplicate=False)
    assert len(rows(engine, "scraper_page_performance")) == 3
    assert len(rows(engine, "scheduler_metrics")) == 1
    assert rows(engine, "ingest_batches") == [{"batch_id": "b1", "created_at": NOON_MS, "accepted": 4}]


def test_batch_id_seen_before_stores_nothing(store: Store, engine: Engine) -> None:
    store.send(batch(navigation(), batch_id="again"))
    assert store.send(batch(scrape(), scrape(), batch_id="again")) == Delivery(accepted=0, duplicate=True)
    assert len(rows(engine, "scraper_page_performance")) == 1
    assert store.health().duplicates == 1


def test_batch_ids_differ_by_case(store: Store) -> None:
    store.send(batch(navigation(), batch_id="abc"))
    assert not store.send(batch(navigation(), batch_id="ABC")).duplicate


def test_sources_differ_by_case_and_are_kept_as_they_came(store: Store, engine: Engine) -> None:
    names = ["Straße", "STRASSE", "straße", "源", "🕷" * 50, "a", "A", "á"]
    store.send(batch(*(navigation(name) for name in names)))
    with engine.connect() as connection:
        found = connection.execute(text("SELECT scraper_source FROM scraper_page_performance GROUP BY scraper_source"))
        assert sorted(found.scalars()) == sorted(names)


@pytest.mark.parametrize("batch_id", ["", "x" * 65, " padded ", "new\nline", "\ud800"])
def test_unusable_batch_id_is_refused(store: Store, batch_id: str) -> None:
    from collector.sinks import Batch

    with pytest.raises(SinkRefused, match="1 to 64"):
        store.send(Batch(batch_id, (navigation(),)))


def test_empty_batch_is_stored_as_nothing(store: Store) -> None:
    assert store.send(batch()) == Delivery(accepted=0, duplicate=False)


def test_weird_text_is_kept_to_the_letter(store: Store, engine: Engine) -> None:
    texts = ["🕸️ 4-byte", 'it\'s \\ "quoted" %s %(x)s ? :name', "tab\tnew\nline\r\n", "\x1a\x01", "日本語", " padded "]
    store.send(batch(*(navigation(url="https://a/" + text, error=text, success=False) for text in texts)))
    found = rows(engine, "scraper_page_performance")
    assert [row["error"] for row in found] == texts
    assert [row["page_url"] for row in found] == ["https://a/" + text for text in texts]


def test_longest_texts_fit(store: Store, engine: Engine) -> None:
    longest = scrape(
        "🕷" * 50,
        url="🕸" * 2048,
        error="💥" * 4000,
        outcome="é" * 20,
        run_id="🏃" * 64,
        labels={f"{n:02}" + "k" * 48: "🏷" * 200 for n in range(16)},
    )
    assert store.send(batch(*[longest] * 300)).accepted == 300
    assert {row["page_url"] for row in rows(engine, "scraper_page_performance")} == {longest.url}


def test_text_that_no_database_takes_is_replaced_and_fails_nothing(store: Store, engine: Engine) -> None:
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    bad = navigation(url="https://a/\udc80", error="half \ud83d of a pair", success=False, labels={"\ud800": "\udfff"})
    delivery = store.send(batch(navigation(), bad, run(error="\udcff"), scrape(outcome="x" * 30, url="u" * 3000)))
    assert delivery == Delivery(accepted=4)
    found = rows(engine, "scraper_page_performance")
    assert [row["error"] for row in found] == [None, "half � of a pair", None]
    assert [row["page_url"] for row in found] == ["https://robinhood.example/page", "https://a/�", "u" * 2048]
    assert found[2]["outcome"] == "x" * 20
    assert heard[1].error == "half � of a pair"


@pytest.mark.parametrize("duration_ms", [float("nan"), float("inf"), -1, 10**12, "soon", None])
def test_value_that_no_table_holds_rejects_its_metric_alone(store: Store, engine: Engine, duration_ms: Any) -> None:
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    delivery = store.send(batch(navigation(), navigation(navigation_duration_ms=duration_ms), run(), batch_id="b"))
    assert (delivery.accepted, [rejection.index for rejection in delivery.rejected]) == (2, [1])
    assert heard == [navigation(), run()]
    assert len(rows(engine, "scraper_page_performance")) == 1
    assert rows(engine, "ingest_batches")[0]["accepted"] == 2
    assert store.health().rows_rejected == 1


def test_number_too_big_for_its_column_rejects_its_metric_alone(store: Store) -> None:
    delivery = store.send(batch(scrape(data_size=2**63), scrape()))
    assert (delivery.accepted, [rejection.index for rejection in delivery.rejected]) == (1, [0])


def test_thousands_of_rows_go_in_one_batch(store: Store, engine: Engine) -> None:
    delivery = store.send(batch(*(navigation(at_ms=NOON_MS + n, url=f"https://a/{n}" * 20) for n in range(5000))))
    assert delivery.accepted == 5000
    with engine.connect() as connection:
        assert (
            connection.execute(text("SELECT COUNT(DISTINCT page_url) FROM scraper_page_performance")).scalar() == 5000
        )


def test_same_batch_sent_by_many_threads_is_stored_once(engine: Engine) -> None:
    store = Store(engine)
    heard: list[Metric] = []
    store.subscribe(heard.extend)
    start = threading.Barrier(8)
    deliveries: list[Delivery] = []

    def send() -> None:
        for number in range(10):
            start.wait()
            deliveries.append(store.send(batch(navigation(), scrape(), run(), batch_id=f"b{number}")))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(delivery.accepted for delivery in deliveries) == [0] * 70 + [3] * 10
    assert sum(delivery.duplicate for delivery in deliveries) == 70
    assert len(rows(engine, "scraper_page_performance")) == 20
    assert len(heard) == 30


def test_duplicate_is_answered_only_after_the_first_has_committed(engine: Engine) -> None:
    first, second = Store(engine), Store(engine)  # two processes have no lock in common
    committing, go_on = threading.Event(), threading.Event()

    @event.listens_for(engine, "commit")
    def _wait(_: Connection) -> None:
        if threading.current_thread() is slow:
            committing.set()
            go_on.wait(90)

    answers: list[str] = []
    slow = threading.Thread(target=lambda: (first.send(batch(navigation(), batch_id="b")), answers.append("first")))
    late = threading.Thread(
        target=lambda: answers.append(f"duplicate {second.send(batch(navigation(), batch_id='b')).duplicate}")
    )
    slow.start()
    assert committing.wait(90)
    late.start()
    late.join(0.3)
    assert answers == []  # it waits for the first one's end
    go_on.set()
    slow.join()
    late.join()
    assert sorted(answers) == ["duplicate True", "first"]
    assert len(rows(engine, "scraper_page_performance")) == 1


def test_second_is_stored_when_the_first_with_its_id_rolls_back(engine: Engine) -> None:
    first, second = Store(engine), Store(engine)
    committing, go_on = threading.Event(), threading.Event()

    @event.listens_for(engine, "commit")
    def _fail(_: Connection) -> None:
        if threading.current_thread() is failing:
            committing.set()
            go_on.wait(90)
            raise RuntimeError("the process dies here")

    outcome: list[object] = []

    def fail() -> None:
        try:
            first.send(batch(navigation(), batch_id="b"))
        except RuntimeError as exc:
            outcome.append(exc)

    failing = threading.Thread(target=fail)
    waiting = threading.Thread(target=lambda: outcome.append(second.send(batch(scrape(), batch_id="b"))))
    failing.start()
    assert committing.wait(90)
    waiting.start()
    waiting.join(0.3)
    go_on.set()
    failing.join()
    waiting.join()
    assert Delivery(accepted=1, duplicate=False) in outcome
    assert [row["metric_type"] for row in rows(engine, "scraper_page_performance")] == ["scrape"]


def test_listener_hears_after_the_commit_and_in_order(engine: Engine) -> None:
    store = Store(engine)
    seen: list[tuple[int, int]] = []

    def listen(metrics: Sequence[Metric]) -> None:
        with engine.connect() as connection:
            stored = connection.execute(text("SELECT COUNT(*) FROM scraper_page_performance")).scalar_one()
        seen.append((len(metrics), stored))

    store.subscribe(listen)
    store.send(batch(navigation(), scrape()))
    store.send(batch(navigation()))
    assert seen == [(2, 2), (1, 3)]


def test_metrics_of_one_sender_are_heard_in_their_order(engine: Engine) -> None:
    store = Store(engine)
    heard: list[Metric] = []
    store.subscribe(heard.extend)

    def send(source: str) -> None:
        for number in range(30):
            store.send(batch(navigation(source, at_ms=NOON_MS + number)))

    threads = [threading.Thread(target=send, args=(source,)) for source in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for source in "abcd":
        times = [metric.recorded_at_ms for metric in heard if getattr(metric, "scraper_source", "") == source]
        assert times == [NOON_MS + number for number in range(30)]


def test_listener_that_raises_is_counted_and_stops_nobody(
    store: Store, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Sequence[Metric]) -> None:
        raise RuntimeError("a bug")

    heard: list[Metric] = []
    store.subscribe(broken)
    store.subscribe(heard.extend)
    with caplog.at_level(logging.ERROR):
        assert store.send(batch(navigation())).accepted == 1
    assert heard == [navigation()]
    assert store.health().listener_errors == 1
    assert "a listener of the store failed" in caplog.text
    assert len(rows(engine, "scraper_page_performance")) == 1


def test_health_counts_what_was_stored(store: Store) -> None:
    store.send(batch(navigation(), run()))
    store.send(batch(navigation()))
    health = store.ping()
    assert (health.reachable, health.rows_stored, health.batches_stored) == (True, 3, 2)
