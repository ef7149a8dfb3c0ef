"""An app that is away, hangs or refuses: what waits, where, and that it arrives once."""

import gc
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector import Collector
from collector.errors import SinkUnavailable
from collector.events import PageNavigation
from collector.sinks import Batch, Delivery
from collector.spool import Spool, folder_name
from tests.collector.doubles import Answer, App, Gate, MemorySink, away
from tests.collector.waiting import Keyed, adds_up, numbers, record, spooled, wait_until
from tests.servers import free_port


def test_metrics_wait_on_the_disk_while_the_app_is_away_and_arrive_once_in_order(
    collector: Collector, spool_folder: Path
) -> None:
    port = free_port()
    collector.configure(url=f"http://127.0.0.1:{port}", batch_size=10, retry_base_s=0.01, retry_cap_s=0.05)
    record(collector, 300)
    wait_until(lambda: collector.get_metrics_stats()["spool_size"] == 300, "not all went to the disk")
    assert collector.get_metrics_stats()["pending"] == 300
    assert collector.get_metrics_stats()["spool_bytes"] == spooled(spool_folder) > 0
    with App(port=port) as app:
        assert collector.flush(90)
        assert numbers(app) == list(range(300))
    assert spooled(spool_folder) == 0
    assert collector.get_metrics_stats()["spool_size"] == 0
    assert adds_up(collector)


def test_a_second_delivery_comes_under_the_same_batch_id(collector: Collector) -> None:
    with App(*[Answer(status=503, store=True)] * 4) as app:  # it stores, and says that it didn't
        collector.configure(url=app.url, retry_base_s=0.01, retry_cap_s=0.05)
        record(collector, 20)
        assert collector.flush(90)
        assert sorted(numbers(app)) == list(range(20))


def test_what_is_left_at_the_end_is_delivered_by_the_next_process(
    start_python: Callable[..., object], run_python: Callable[..., str]
) -> None:
    port = free_port()
    program = """
        import collector
        collector.configure(url=sys.argv[1], exit_timeout_s=0.2)
        for number in range(int(sys.argv[2]), int(sys.argv[3])):
            collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=1)
        """
    for first in (0, 50):
        process = start_python(program, f"http://127.0.0.1:{port}", str(first), str(first + 50))
        _, errors = process.communicate(timeout=150)  # type: ignore[attr-defined]
        assert "50 metrics wait on the disk" in errors
    with App(port=port) as app:
        run_python(
            """
            import collector
            collector.configure(url=sys.argv[1], exit_timeout_s=90)
            collector.record_page_navigation("cnbc", url="https://host/100", navigation_duration_ms=1)
            assert collector.flush(90)
            assert collector._collector.close(90) == 0  # what others left is taken along
            stats = collector.get_metrics_stats()
            assert stats["flushed"] == 101, stats
            assert stats["adopted"] == 100, stats
            assert stats["recorded"] == 1, stats
            """,
            app.url,
        )
        assert sorted(numbers(app)) == list(range(101))


def test_all_that_short_processes_left_is_taken_over_one_handful_after_the_other(
    collector: Collector, spool_folder: Path
) -> None:
    sink, now_ms = Keyed(), time.time_ns() // 1_000_000
    for number in range(1, 50):  # more than are taken at once, each in a file of its own
        job = Spool(spool_folder / folder_name(sink.spool_key), max_bytes=1 << 28, max_age_s=3600)
        page = PageNavigation("cnbc", f"https://host/{number}", 1, True, 0, None, None, now_ms)
        assert job.put(Batch(str(number), (page,))) == []
        job.close()
    collector.configure(sinks=[sink])
    record(collector, 1)
    assert collector.close(90) == 0
    assert spooled(spool_folder) == 0
    assert sorted(page.url for page in sink.metrics) == sorted(f"https://host/{number}" for number in range(50))
    assert collector.get_metrics_stats()["adopted"] == 49
    assert adds_up(collector)


def test_what_was_on_the_disk_survives_a_kill(
    start_python: Callable[..., object], collector: Collector, spool_folder: Path
) -> None:
    port = free_port()
    process = start_python(
        """
        import collector, time
        collector.configure(url=sys.argv[1], retry_base_s=0.01, retry_cap_s=0.05)
        for number in range(200):
            collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=1)
        while collector.get_metrics_stats()["spool_size"] < 200:
            time.sleep(0.01)
        print("spooled", flush=True)
        time.sleep(600)
        """,
        f"http://127.0.0.1:{port}",
    )
    assert process.stdout.readline() == "spooled\n"  # type: ignore[attr-defined]
    process.kill()  # type: ignore[attr-defined]
    process.wait(timeout=150)  # type: ignore[attr-defined]
    with App(port=port) as app:
        collector.configure(url=app.url)
        record(collector, 1, first=200)
        wait_until(lambda: len(app.metrics()) >= 201, "what was on the disk didn't come")
        assert sorted(numbers(app)) == list(range(201))


def test_sigterm_with_the_app_away_leaves_what_is_pending_on_the_disk(
    start_python: Callable[..., object], spool_folder: Path
) -> None:
    process = start_python(
        """
        import collector, time
        collector.configure(url=sys.argv[1], exit_timeout_s=0.1, flush_interval_s=3600)
        for number in range(1000):
            collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=1)
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
        """,
        f"http://127.0.0.1:{free_port()}",
    )
    assert process.stdout.readline() == "ready\n"  # type: ignore[attr-defined]
    process.send_signal(signal.SIGTERM)  # type: ignore[attr-defined]
    assert process.wait(timeout=150) == -signal.SIGTERM  # type: ignore[attr-defined]
    assert spooled(spool_folder) > 0


def test_a_hanging_app_holds_up_nothing_but_itself(collector: Collector) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # accepts, and never answers
        collector.configure(url=f"http://127.0.0.1:{server.getsockname()[1]}", max_pending=1000, batch_size=10)
        record(collector, 10)
        for _ in range(10):  # far more than memory is meant for
            record(collector, 400)
            wait_until(lambda: collector.get_metrics_stats()["pending"] < 100_000, "never")
            wait_until(lambda: len(collector._worker.queue) < 500, "the queue isn't emptied onto the disk")
        stats = collector.get_metrics_stats()
        assert stats["dropped"] == 0
        assert stats["spool_size"] > 3000
        assert adds_up(collector)


def test_a_sink_that_is_away_does_not_hold_up_the_others(collector: Collector) -> None:
    gate = Gate()
    steady, stuck = MemorySink(), MemorySink([gate])
    collector.configure(sinks=[steady, stuck], batch_size=10)
    record(collector, 500)
    assert len(steady.wait_for_metrics(500)) == 500
    assert collector.get_metrics_stats()["flushed"] == 0  # only one has them
    gate.opened.set()
    assert collector.flush()
    assert len(stuck.metrics) == 500
    assert collector.get_metrics_stats()["flushed"] == 500


def test_one_of_two_sinks_that_stays_away_is_bounded_and_counted(collector: Collector) -> None:
    steady, gone = MemorySink(), MemorySink([away()] * 100_000)
    collector.configure(sinks=[steady, gone], batch_size=10, max_pending=100, retry_base_s=60, retry_cap_s=60)
    for _ in range(50):
        record(collector, 20)
        wait_until(lambda: not collector._worker.queue, "the queue isn't emptied")
    steady.wait_for_metrics(1000)
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"].get("sink_full", 0) >= 850
    assert adds_up(collector)


def test_two_sinks_with_spools_settle_each_metric_once(collector: Collector) -> None:
    back = threading.Event()

    def take(batch: Batch) -> Delivery:
        if not back.is_set():
            raise away()
        return Delivery(len(batch.metrics))

    class Other(Keyed):
        spool_key = "other"

    one, other = Keyed([take] * 10_000), Other([take] * 10_000)
    collector.configure(sinks=[one, other], batch_size=10, retry_base_s=0.001, retry_cap_s=0.01)
    record(collector, 500)
    # all of both, but for the batch that each has on its way
    wait_until(lambda: collector.get_metrics_stats()["spool_size"] >= 800, "not both went to the disk")
    gc.collect()
    assert sum(type(one) is Batch for one in gc.get_objects()) < 30  # what lies on the disk isn't kept in memory
    assert collector.get_metrics_stats()["pending"] == 500
    back.set()
    assert collector.flush(90)
    assert len(one.metrics) == len(other.metrics) == 500
    assert collector.get_metrics_stats()["flushed"] == 500
    assert adds_up(collector)


def test_a_full_disk_costs_the_spool_and_nothing_else(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    sink = Keyed([away()] * 100_000)
    monkeypatch.setattr(os, "pwrite", full)
    collector.configure(sinks=[sink], batch_size=10, max_pending=100, retry_base_s=0.01, retry_cap_s=0.01)
    record(collector, 500)
    wait_until(lambda: "metrics wait in memory only" in caplog.text, "nobody said so")
    record(collector, 500)
    assert len([line for line in caplog.records if "the spool can't be used" in line.getMessage()]) == 1
    stats = collector.get_metrics_stats()
    assert stats["spool_size"] == 0
    assert stats["dropped_by_reason"]["queue_full"] > 500
    assert adds_up(collector)


def test_a_file_size_limit_tears_no_batch(tmp_path: Path, run_python: Callable[..., str]) -> None:
    assert resource.RLIM_INFINITY  # the limit itself is set in a process of its own
    output = run_python(
        """
        import resource, signal, pathlib, time
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
        from collector.events import PageNavigation
        from collector.sinks import Batch
        from collector.spool import Spool
        one = PageNavigation("cnbc", "https://host/", 1, True, 0, None, None, time.time_ns() // 10**6)
        spool = Spool(pathlib.Path(sys.argv[1]), max_bytes=1 << 20, max_age_s=3600)
        written = 0
        try:
            for number in range(100):
                spool.put(Batch(f"b{number}", (one,) * 3))
                written += 1
        except OSError as exc:
            print("full", written > 0)
        names = []
        while (found := spool.oldest()) is not None:
            assert found.batch is not None
            names.append(found.batch.batch_id)
            spool.settle(found)
        print(names == [f"b{number}" for number in range(written)])
        """,
        str(tmp_path / "spool"),
    )
    assert output.split() == ["full", "True", "True"]


def test_a_spool_that_cannot_be_made_is_told_once(
    collector: Collector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    sink = Keyed([away()] * 1000)
    collector.configure(
        sinks=[sink], spool_dir=tmp_path / "file" / "spool", max_pending=100, retry_base_s=0.01, retry_cap_s=0.01
    )
    record(collector, 100)
    wait_until(lambda: "the spool can't be used" in caplog.text, "nobody said so")
    assert collector.get_metrics_stats()["pending"] == 100


def test_no_spool_is_made_when_none_is_wanted(collector: Collector, spool_folder: Path) -> None:
    sink = Keyed([away()] * 1000)
    collector.configure(sinks=[sink], spool_max_bytes=0, retry_base_s=0.01, retry_cap_s=0.01)
    record(collector, 100)
    sink.wait_for_attempts(5)
    assert not spool_folder.exists()
    assert collector.get_metrics_stats()["spool_size"] == 0


def test_a_wrong_token_is_said_once_and_the_app_asked_seldom(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    with App(*[Answer(status=401)] * 100) as app:
        collector.configure(url=app.url, token="wrong", retry_base_s=0.001, retry_cap_s=0.01)
        record(collector, 50)
        app.wait_for_requests(1)
        record(collector, 50)
        assert not collector.flush(0.3)
        assert len(app.requests) == 1
        assert [line.getMessage() for line in caplog.records if "token is missing or wrong" in line.getMessage()]
        assert collector.get_metrics_stats()["pending"] == 100
        assert collector.close(timeout_s=3600) == 0  # waiting wouldn't make it right: it doesn't
        assert collector.get_metrics_stats()["left_on_disk"] == 100


def test_a_new_token_delivers_what_the_wrong_one_could_not(collector: Collector) -> None:
    with App(Answer(status=401)) as app:
        collector.configure(url=app.url, token="wrong")
        record(collector, 50)
        app.wait_for_requests(1)
        collector.configure(url=app.url, token="right")
        assert collector.flush(90)
        assert sorted(numbers(app)) == list(range(50))


def test_another_address_leaves_what_waits_for_the_first_one_on_the_disk(
    collector: Collector, make_collector: Callable[[], Collector]
) -> None:
    port = free_port()
    collector.configure(url=f"http://127.0.0.1:{port}", retry_base_s=0.01, retry_cap_s=0.05)
    record(collector, 30)
    wait_until(lambda: collector.get_metrics_stats()["spool_size"] == 30, "not all went to the disk")
    with App() as second:
        collector.configure(url=second.url)
        record(collector, 5, first=30)
        assert collector.flush(90)
        assert sorted(numbers(second)) == list(range(30, 35))
        wait_until(lambda: collector.get_metrics_stats()["left_on_disk"] == 30, "the files aren't given up")
        assert adds_up(collector)
    with App(port=port) as first:
        later = make_collector()
        later.configure(url=first.url)
        record(later, 1, first=99)
        wait_until(lambda: len(first.metrics()) == 31, "what waited for it didn't come")


def test_a_forked_child_leaves_the_parents_files_alone(run_python: Callable[..., str]) -> None:
    port = free_port()
    output = run_python(
        """
        import collector, os, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
        import logging
        logging.disable()
        collector.configure(url=sys.argv[1], retry_base_s=0.01, retry_cap_s=0.05, exit_timeout_s=0.1)
        for number in range(20):
            collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=1)
        while collector.get_metrics_stats()["spool_size"] < 20:
            time.sleep(0.01)
        child = os.fork()
        if child == 0:
            assert collector.get_metrics_stats()["spool_size"] == 0
            collector.record_page_navigation("cnbc", url="https://host/20", navigation_duration_ms=1)
            while collector.get_metrics_stats()["spool_size"] < 1:
                time.sleep(0.01)
            os._exit(collector._collector.close(0.1))
        assert os.waitpid(child, 0)[1] == 0
        print(collector.get_metrics_stats()["spool_size"])
        """,
        f"http://127.0.0.1:{port}",
    )
    assert output.split() == ["20"]


def test_ten_million_calls_are_only_memory_and_disk_within_their_bounds(
    collector: Collector, spool_folder: Path
) -> None:
    """The long form is `python -m bench.chaos`; here it is fifty thousand calls."""
    collector.configure(
        url=f"http://127.0.0.1:{free_port()}",
        max_pending=1000,
        batch_size=50,
        spool_max_bytes=256 << 10,
        retry_base_s=0.01,
        retry_cap_s=0.05,
    )
    record(collector, 50_000)
    wait_until(lambda: not collector._worker.queue, "the queue isn't emptied onto the disk")
    stats = collector.get_metrics_stats()
    assert stats["recorded"] == 50_000
    assert adds_up(collector)
    assert spooled(spool_folder) <= 256 << 10
    assert stats["pending"] < 20_000
    assert set(stats["dropped_by_reason"]) <= {"queue_full", "spool_full"}


def test_an_unforeseen_answer_is_no_delivery(collector: Collector) -> None:
    html = Answer(status=200, body=b"<html>hello</html>")
    cut = Answer(status=0)
    with App(html, cut, Answer(status=500, body=b"\xff\xfe")) as app:
        collector.configure(url=app.url, retry_base_s=0.001, retry_cap_s=0.01)
        record(collector, 3)
        assert collector.flush(90)
        assert sorted(numbers(app)) == [0, 1, 2]
    assert isinstance(away(), SinkUnavailable)
