"""Runs: what belongs to them, that they live, and how they end."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from collector import Collector, ConfigurationError
from collector.events import PageNavigation, PageScrape
from collector.run_events import ScraperRun
from tests.collector.doubles import App, MemorySink

URL = "https://shop.test/"


class Sink(MemorySink):
    """Keeps what is told of runs, too."""

    @property
    def told(self) -> list[ScraperRun]:
        return [run for batch in self.batches for run in batch.runs]

    def states(self) -> list[tuple[str, str, int]]:
        return [(run.name, run.state, run.items_extracted) for run in self.told]


@pytest.fixture
def kept() -> Sink:
    return Sink()


@pytest.fixture
def running(collector: Collector, kept: Sink) -> Collector:
    collector.configure(sinks=[kept], strict=True)
    return collector


def scrape(collector: Collector, items: int = 0, **more: Any) -> None:
    collector.record_page_scrape("shop", url=URL, scrape_duration_ms=1, items_extracted=items, **more)


def test_what_is_recorded_inside_belongs_to_the_run_and_its_items_are_counted(running: Collector, kept: Sink) -> None:
    with running.run("nightly", expected_items=100, scraper_source="shop") as run:
        scrape(running, 3)
        scrape(running, 4)
        scrape(running, 9, run_id="another")
    scrape(running, 5)
    assert running.flush()
    assert kept.states() == [("nightly", "running", 0), ("nightly", "ok", 7)]
    begun, ended = kept.told
    assert begun.run_id == ended.run_id == run.run_id
    assert (ended.expected_items, ended.scraper_source, ended.error) == (100, "shop", None)
    assert begun.started_at_ms == ended.started_at_ms <= ended.recorded_at_ms
    assert [metric.run_id for metric in kept.metrics] == [run.run_id, run.run_id, "another", None]


def test_a_run_that_raises_has_failed_and_says_why(running: Collector, kept: Sink) -> None:
    with pytest.raises(ValueError, match="no feed"), running.run("nightly"):
        raise ValueError("no feed at https://user:secret@host/?token=abc")
    assert running.flush()
    assert kept.told[-1].state == "failed"
    assert kept.told[-1].error == "ValueError: no feed at https://host/?token=***"


@pytest.mark.parametrize(
    ("exc", "state"),
    [(KeyboardInterrupt(), "killed"), (SystemExit(0), "ok"), (SystemExit(3), "failed"), (SystemExit(None), "ok")],
)
def test_a_run_ends_as_its_program_does(running: Collector, kept: Sink, exc: BaseException, state: str) -> None:
    with pytest.raises(type(exc)), running.run("nightly"):
        raise exc
    assert running.flush()
    assert kept.told[-1].state == state


def test_runs_nest(running: Collector, kept: Sink) -> None:
    with running.run("outer", run_id="o"):
        scrape(running)
        with running.run("inner", run_id="i"):
            scrape(running, 2)
        scrape(running, 1)
    assert running.flush()
    assert [metric.run_id for metric in kept.metrics] == ["o", "i", "o"]
    assert kept.states()[-2:] == [("inner", "ok", 2), ("outer", "ok", 1)]


def test_items_may_be_said_by_hand(running: Collector, kept: Sink) -> None:
    with running.run("nightly") as run:
        scrape(running, 3)
        run.set_items(40)
        run.add_items(2)
    assert running.flush()
    assert kept.states()[-1] == ("nightly", "ok", 42)


def test_a_run_may_fail_without_an_exception(running: Collector, kept: Sink) -> None:
    with running.run("nightly") as run:
        run.fail("half of the shops are closed")
    assert running.flush()
    assert (kept.told[-1].state, kept.told[-1].error) == ("failed", "half of the shops are closed")


def test_a_decorated_function_is_a_new_run_with_each_call(running: Collector, kept: Sink) -> None:
    @running.run("nightly")
    def job(items: int) -> int:
        scrape(running, items)
        return items

    assert [job(1), job(2)] == [1, 2]
    assert running.flush()
    assert kept.states()[1::2] == [("nightly", "ok", 1), ("nightly", "ok", 2)]
    assert len({run.run_id for run in kept.told}) == 2


def test_asynchronous_runs_side_by_side_keep_their_metrics_apart(running: Collector, kept: Sink) -> None:
    @running.run("decorated")
    async def decorated() -> None:
        await asyncio.sleep(0)
        scrape(running, 7)

    async def job(name: str, items: int) -> None:
        async with running.run(name, run_id=name):
            await asyncio.sleep(0.01)
            scrape(running, items)
            await asyncio.sleep(0.01)

    async def main() -> None:
        await asyncio.gather(job("a", 1), job("b", 2), decorated())

    asyncio.run(main())
    assert running.flush()
    ended = {run.name: run.items_extracted for run in kept.told if run.state == "ok"}
    assert ended == {"a": 1, "b": 2, "decorated": 7}


def test_a_thread_inherits_no_run_and_may_name_it(running: Collector, kept: Sink) -> None:
    with running.run("nightly") as run:

        def work() -> None:
            scrape(running, 1)
            scrape(running, 2, run_id=run.run_id)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert running.flush()
    assert [metric.run_id for metric in kept.metrics] == [None, run.run_id]
    assert kept.states()[-1] == ("nightly", "ok", 2)


def test_a_run_says_that_it_lives_while_nothing_is_recorded(running: Collector, kept: Sink) -> None:
    with running.run("nightly") as run:
        kept.wait_for_attempts(1)
        for beats in (2, 3):
            run.beat_at_s = 0.0  # as if its time had come
            running._worker.tick_soon()
            kept.wait_for_attempts(beats)
    assert running.flush()
    assert [one.state for one in kept.told] == ["running", "running", "running", "ok"]
    assert len({one.run_id for one in kept.told}) == 1


@pytest.mark.parametrize("interval_s", [0, 0.5, 3601, True, "30", float("nan")])
def test_an_impossible_heartbeat_is_said_at_once(collector: Collector, interval_s: Any) -> None:
    with pytest.raises(ConfigurationError, match="heartbeat_interval_s"):
        collector.run("nightly", heartbeat_interval_s=interval_s)


def test_a_run_with_a_wrong_name_is_counted_and_disturbs_nobody(collector: Collector, kept: Sink) -> None:
    collector.configure(sinks=[kept])
    with collector.run("n" * 51, expected_items="many"):  # type: ignore[arg-type]
        scrape(collector, 1)
    collector.flush()
    assert collector.get_metrics_stats()["dropped_by_reason"] == {"invalid": 2}
    assert len(kept.metrics) == 1


def test_decorating_a_generator_is_said_at_once(collector: Collector) -> None:
    def pages() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        collector.run("nightly")(pages)


def test_tracked_calls_inside_belong_to_the_run(running: Collector, kept: Sink) -> None:
    with running.run("nightly", run_id="r"):
        running.scrape_page_tracked(None, URL, scraper_source="shop", extract=lambda page: [1])
        with running.track_navigation("shop", url=URL):
            pass
    assert running.flush()
    assert {(type(metric), metric.run_id) for metric in kept.metrics} == {(PageScrape, "r"), (PageNavigation, "r")}
    assert kept.states()[-1] == ("nightly", "ok", 1)


def test_sigterm_and_the_end_of_the_process_kill_what_still_runs(
    start_python: Callable[..., Any], run_python: Callable[..., str]
) -> None:
    program = """
        import collector, time
        collector.configure(url=sys.argv[1])
        collector.run("nightly").begin()
        if sys.argv[2] == "wait":
            print("ready", flush=True)
            while True:
                time.sleep(0.01)
        """
    with App() as app:
        process = start_python(program, app.url, "wait")
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=150) == -signal.SIGTERM
        run_python(program, app.url, "end")
        ends = [(run["state"], run["error"]) for run in app.metrics() if run["state"] != "running"]
        assert sorted(ends) == [("killed", "SIGTERM"), ("killed", "the process ended")]


def test_a_forked_child_belongs_to_its_parents_run_but_does_not_end_it(run_python: Callable[..., str]) -> None:
    with App() as app:
        run_python(
            """
            import collector, os, warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
            collector.configure(url=sys.argv[1])
            with collector.run("nightly", run_id="r"):
                child = os.fork()
                if child == 0:
                    collector.record_page_navigation("shop", url="https://host/", navigation_duration_ms=1)
                    os._exit(collector._collector.close(90))
                assert os.waitpid(child, 0)[1] == 0
            assert collector.flush(90)
            """,
            app.url,
        )
        told = [(metric["type"], metric["runId"], metric.get("state")) for metric in app.metrics()]
        assert sorted(told, key=str) == [
            ("page_navigation", "r", None),
            ("run", "r", "ok"),
            ("run", "r", "running"),
        ]


def test_two_runs_under_one_id_at_a_time_both_tell_how_they_end(running: Collector, kept: Sink) -> None:
    first, second = (running.run(name, run_id="twice").begin() for name in ("first", "second"))
    first.end("failed", "it was")
    scrape(running, 3, run_id="twice")
    second.end()
    assert running.flush()
    assert [(run.name, run.state) for run in kept.told] == [
        ("first", "running"), ("second", "running"), ("first", "failed"), ("second", "ok")
    ]  # fmt: skip
    assert {run.run_id for run in kept.told} == {"twice"}
