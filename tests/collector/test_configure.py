"""`configure`: where metrics go, again and again."""

import datetime
import signal
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from collector import Collector, ConfigurationError
from collector.sinks import Batch, Delivery
from tests.collector.doubles import Gate, MemorySink, away


def record(collector: Collector, count: int = 1) -> None:
    for number in range(count):
        collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=number)


class DatabaseLike(MemorySink):
    """A sink that can do the maintenance jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[tuple[str, Any]] = []

    def generate_daily_summary(self, date: datetime.date) -> int:
        self.jobs.append(("summary", date))
        return 3

    def cleanup_old_metrics(self, retention_days: int) -> int:
        self.jobs.append(("cleanup", retention_days))
        return 40


def test_new_sinks_replace_the_old_ones(collector: Collector) -> None:
    old, new = MemorySink(), MemorySink()
    collector.configure(sinks=[old])
    record(collector)
    assert collector.flush()
    collector.configure(sinks=[new])
    record(collector)
    assert collector.flush()
    assert (len(old.metrics), len(new.metrics)) == (1, 1)


def test_what_is_pending_goes_to_the_new_sinks(collector: Collector) -> None:
    old, new = MemorySink([away()] * 1000), MemorySink()
    collector.configure(sinks=[old], batch_size=10, retry_base_s=3600, retry_cap_s=3600)
    record(collector, 25)
    old.wait_for_attempts(1)
    collector.configure(sinks=[new])
    assert collector.flush()
    assert len(new.metrics) == 25
    assert old.attempts[0] in {batch.batch_id for batch in new.batches}


def test_a_batch_that_is_being_sent_is_finished_by_the_old_sink(collector: Collector) -> None:
    gate = Gate()
    old, new = MemorySink([gate]), MemorySink()
    collector.configure(sinks=[old])
    record(collector)
    assert gate.entered.wait(90)
    collector.configure(sinks=[new])
    gate.opened.set()
    assert collector.flush()
    assert (len(old.metrics), len(new.metrics)) == (1, 0)


def test_an_empty_list_of_sinks_lets_metrics_wait(collector: Collector) -> None:
    collector.configure(sinks=[])
    record(collector, 3)
    assert not collector.flush(timeout_s=0)
    sink = MemorySink()
    collector.configure(sinks=[sink])
    assert collector.flush()
    assert len(sink.metrics) == 3


def test_a_batch_on_its_way_survives_that_all_sinks_are_taken_away(collector: Collector) -> None:
    old, new = MemorySink([away()] * 1000), MemorySink()
    collector.configure(sinks=[old], retry_base_s=0.001)
    record(collector, 3)
    old.wait_for_attempts(2)
    collector.configure(sinks=[])
    assert not collector.flush(timeout_s=0.05)
    collector.configure(sinks=[new])
    assert collector.flush()
    assert len(new.metrics) == 3


def test_the_sinks_of_the_user_are_not_closed(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink])
    record(collector)
    collector.configure(sinks=[MemorySink()])
    collector.close()
    assert not sink.closed


def test_configuring_from_many_threads_leaves_one_whole_configuration(collector: Collector) -> None:
    sinks = [MemorySink() for _ in range(8)]
    start = threading.Barrier(8)

    def work(sink: MemorySink) -> None:
        start.wait()
        for _ in range(50):
            collector.configure(sinks=[sink], handle_sigterm=False)
            record(collector)

    threads = [threading.Thread(target=work, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collector.flush()
    assert sum(len(sink.metrics) for sink in sinks) == 400


def test_a_configuration_that_says_no_place_is_refused(collector: Collector) -> None:
    with pytest.raises(ConfigurationError, match="say where metrics go"):
        collector.configure(strict=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {"batch_size": 0},
        {"batch_size": "100"},
        {"batch_size": True},
        {"flush_interval_s": -1},
        {"flush_interval_s": float("nan")},
        {"max_pending": 5},
        {"exit_timeout_s": None},
        {"retry_base_s": "1"},
        {"token": "abc"},
        {"sinks": [object()]},
    ],
)
def test_a_wrong_argument_is_refused_and_changes_nothing(collector: Collector, arguments: dict[str, Any]) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink])
    with pytest.raises(ConfigurationError):
        collector.configure(**{"sinks": [MemorySink()], **arguments})
    record(collector)
    assert collector.flush()
    assert len(sink.metrics) == 1


def test_maintenance_is_done_by_every_sink_that_can(collector: Collector) -> None:
    one, other = DatabaseLike(), DatabaseLike()
    collector.configure(sinks=[one, MemorySink(), other])
    day = datetime.date(2026, 11, 21)
    assert collector.generate_daily_summary(day) == 6
    assert collector.cleanup_old_metrics(7) == 80
    assert one.jobs == other.jobs == [("summary", day), ("cleanup", 7)]


def test_day_of_a_moment_is_that_of_utc_and_what_is_no_day_is_refused(collector: Collector) -> None:
    sink = DatabaseLike()
    collector.configure(sinks=[sink])
    early = datetime.datetime(2026, 11, 22, 1, 0)
    for moment in (early, early.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=2)))):
        collector.generate_daily_summary(moment)
    days = [day for _, day in sink.jobs]
    assert days == [datetime.date(2026, 11, 22), datetime.date(2026, 11, 21)]
    assert {type(day) for day in days} == {datetime.date}
    with pytest.raises(TypeError, match=r"datetime\.date, got str"):
        collector.generate_daily_summary("2026-11-22")  # type: ignore[arg-type]


def test_maintenance_without_a_database_says_where_to_do_it(collector: Collector) -> None:
    collector.configure(url="http://127.0.0.1:8050")
    with pytest.raises(ConfigurationError, match=r"python app\.py maintain"):
        collector.generate_daily_summary(datetime.date(2026, 11, 21))
    with pytest.raises(ConfigurationError, match=r"python app\.py maintain"):
        collector.cleanup_old_metrics(7)


def test_a_database_url_stores_in_that_database(collector: Collector, tmp_path: Path) -> None:
    path = tmp_path / "metrics.db"
    collector.configure(database_url=f"sqlite:///{path}")
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)  # noqa: UP017 - for Python 3.10
    for _ in range(3):
        collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=1, recorded_at=moment)
    collector.record_scheduler_metric("nightly", execution_duration_ms=5)
    assert collector.flush()
    assert collector.generate_daily_summary(moment.date()) == 1
    assert collector.cleanup_old_metrics(7) == 0
    assert collector.close() == 0
    with sqlite3.connect(path) as connection:
        pages = connection.execute("SELECT COUNT(*) FROM scraper_page_performance").fetchone()
        runs = connection.execute("SELECT COUNT(*) FROM scheduler_metrics").fetchone()
    connection.close()
    assert (pages, runs) == ((3,), (1,))


def test_a_database_url_without_scrapeboard_says_what_is_missing(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ConfigurationError, match=r"No module named 'db\.engine'.*checkout"):
        collector.configure(database_url="sqlite:///metrics.db")


def test_the_sigterm_handler_goes_in_only_where_nobody_else_has_one(collector: Collector) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        collector.configure(sinks=[MemorySink()])
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        collector.configure(sinks=[MemorySink()], handle_sigterm=False)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        collector.configure(sinks=[MemorySink()])
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_configuring_from_another_thread_leaves_sigterm_alone(collector: Collector) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        thread = threading.Thread(target=collector.configure, kwargs={"sinks": [MemorySink()]})
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_sink_needs_nothing_but_send(collector: Collector) -> None:
    class Least:
        taken = 0

        def send(self, batch: Batch) -> Delivery:
            self.taken += len(batch.metrics)
            return Delivery(len(batch.metrics))

    sink = Least()
    collector.configure(sinks=[sink])
    record(collector, 3)
    assert collector.flush()
    assert sink.taken == 3
