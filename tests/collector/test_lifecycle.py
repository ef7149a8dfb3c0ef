"""Ends and beginnings of processes that have nothing but Python: exit, SIGTERM, fork, multiprocessing."""

import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.collector.doubles import Answer, App

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., str]


def urls(app: App) -> list[str]:
    return sorted(metric["url"].rpartition("/")[2] for metric in app.metrics())


def test_what_is_pending_at_the_exit_is_delivered(run_python: Run) -> None:
    with App() as app:
        run_python(
            """
            import collector
            collector.configure(url=sys.argv[1], flush_interval_s=3600)
            for number in range(250):
                collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=150)
            """,
            app.url,
        )
        assert len(app.metrics()) == 250


def test_what_is_pending_is_delivered_when_the_program_fails(start_python: Start) -> None:
    with App() as app:
        process = start_python(
            """
            import collector
            collector.configure(url=sys.argv[1], flush_interval_s=3600)
            collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
            raise SystemExit(3)
            """,
            app.url,
        )
        assert process.wait(timeout=150) == 3
        assert len(app.metrics()) == 1


def test_the_exit_waits_no_longer_than_it_may_and_says_what_is_lost(start_python: Start) -> None:
    with App(*[Answer(status=503)] * 1000) as app:
        process = start_python(
            """
            import collector, time
            collector.configure(url=sys.argv[1], exit_timeout_s=0.3)
            for number in range(3):
                collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
            print("end", flush=True)
            """,
            app.url,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "end\n"
        _, errors = process.communicate(timeout=150)  # the app is away for hours
        assert process.returncode == 0
        assert "3 metrics wait on the disk: the next process that sends there delivers them" in errors


def test_the_exit_does_not_hang_on_an_app_that_hangs(start_python: Start) -> None:
    process = start_python(
        """
        import collector, socket
        server = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
        collector.configure(url=f"http://127.0.0.1:{server.getsockname()[1]}", exit_timeout_s=0.2)
        collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
        print("end", flush=True)
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "end\n"
    assert process.wait(timeout=150) == 0


def test_the_exit_of_an_unconfigured_program_says_what_to_do(start_python: Start) -> None:
    process = start_python(
        """
        import collector
        collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
        """
    )
    _, errors = process.communicate(timeout=150)
    assert process.returncode == 0
    assert errors.strip().splitlines() == [
        "1 metrics were not delivered before the process ended: collector.configure() was not called"
    ]


def test_metrics_recorded_by_a_programs_own_exit_callbacks_are_delivered(run_python: Run) -> None:
    with App() as app:
        run_python(
            """
            import atexit, collector
            collector.configure(url=sys.argv[1])
            @atexit.register
            def last_words():
                collector.record_scheduler_metric("nightly", execution_duration_ms=1)
            """,
            app.url,
        )
        assert [metric["type"] for metric in app.metrics()] == ["scheduler"]


def test_sigterm_delivers_what_is_pending_and_still_kills(start_python: Start) -> None:
    with App() as app:
        process = start_python(
            """
            import collector, time
            collector.configure(url=sys.argv[1], flush_interval_s=3600)
            collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
            print("ready", flush=True)
            while True:
                time.sleep(0.01)
            """,
            app.url,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=150) == -signal.SIGTERM
        assert len(app.metrics()) == 1


def test_sigterm_is_safe_in_the_middle_of_record_calls(start_python: Start) -> None:
    with App() as app:
        process = start_python(
            """
            import collector
            collector.configure(url=sys.argv[1], batch_size=10, max_pending=100, exit_timeout_s=3600)
            print("ready", flush=True)
            while True:
                collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
                collector.get_metrics_stats()
            """,
            app.url,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        app.wait_for_requests(3)
        process.send_signal(signal.SIGTERM)
        # Else the flush waits, for an hour, for somebody whom the signal has interrupted.
        assert process.wait(timeout=150) == -signal.SIGTERM


def test_a_second_sigterm_kills_at_once(start_python: Start) -> None:
    with App(*[Answer(status=503)] * 1000) as app:
        process = start_python(
            """
            import collector, time
            collector.configure(url=sys.argv[1], exit_timeout_s=3600)
            collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=150)
            print("ready", flush=True)
            while True:
                time.sleep(0.01)
            """,
            app.url,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        seen = len(app.wait_for_requests(1))
        app.wait_for_requests(seen + 2)  # the flush of the first one makes it ask again and again
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=150) == -signal.SIGTERM


def test_a_forked_child_has_an_empty_queue_and_a_thread_of_its_own(run_python: Run) -> None:
    with App() as app:
        output = run_python(
            """
            import collector, os, threading, warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
            def record(name):
                collector.record_page_navigation("cnbc", url="https://host/" + name, navigation_duration_ms=150)
            collector.configure(url=sys.argv[1], flush_interval_s=3600)
            record("sent-before-fork")
            assert collector.flush()
            record("parent-pending")
            child = os.fork()
            if child == 0:
                stats = collector.get_metrics_stats()
                assert (stats["pending"], stats["recorded"]) == (0, 0), stats
                record("child")
                assert collector.flush()
                assert collector.get_metrics_stats()["flushed"] == 1
                assert "scrapeboard-collector" in [thread.name for thread in threading.enumerate()]
                print("child", flush=True)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert collector.get_metrics_stats()["pending"] == 1
            record("parent-after")
            assert collector.flush()
            print("parent")
            """,
            app.url,
        )
        assert output.split() == ["child", "parent"]
        assert urls(app) == ["child", "parent-after", "parent-pending", "sent-before-fork"]
        by_name = {
            request["body"]["metrics"][0]["url"].rpartition("/")[2]: request["client_port"]
            for request in app.requests
            if request["body"]["metrics"]  # the last word of a collector is a report alone
        }
        assert by_name["child"] != by_name["sent-before-fork"]
        assert by_name["parent-pending"] == by_name["sent-before-fork"]


def test_a_fork_in_the_middle_of_deliveries_loses_and_doubles_nothing(run_python: Run) -> None:
    with App() as app:
        run_python(
            """
            import collector, os, warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
            collector.configure(url=sys.argv[1], batch_size=5, flush_interval_s=0.001)
            children = []
            for number in range(20):
                for step in range(10):
                    collector.record_page_navigation(
                        "cnbc", url=f"https://host/parent-{number}-{step}", navigation_duration_ms=150
                    )
                child = os.fork()
                if child == 0:
                    collector.record_page_navigation(
                        "cnbc", url=f"https://host/child-{number}", navigation_duration_ms=150
                    )
                    os._exit(0 if collector.flush(90) else 1)
                children.append(child)
            assert all(os.waitpid(child, 0)[1] == 0 for child in children)
            assert collector.flush(90)
            """,
            app.url,
        )
        expected = [f"parent-{number}-{step}" for number in range(20) for step in range(10)]
        assert urls(app) == sorted(expected + [f"child-{number}" for number in range(20)])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_processes_of_multiprocessing_deliver_before_they_end(
    run_python: Run, tmp_path_factory: pytest.TempPathFactory, method: str
) -> None:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "jobs.py").write_text(
        "import collector\n"
        "def job(url, name):\n"
        "    collector.configure(url=url, flush_interval_s=3600)\n"
        "    collector.record_page_navigation('cnbc', url=f'https://host/{name}', navigation_duration_ms=150)\n"
    )
    with App() as app:
        run_python(
            """
            import multiprocessing, warnings
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of every fork beside threads
            sys.path.insert(0, sys.argv[2])
            import jobs
            context = multiprocessing.get_context(sys.argv[3])
            jobs.job(sys.argv[1], "parent")
            processes = [context.Process(target=jobs.job, args=(sys.argv[1], number)) for number in range(3)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
                assert process.exitcode == 0
            """,
            app.url,
            str(folder),
            method,
        )
        assert urls(app) == ["0", "1", "2", "parent"]


def test_asyncio_tasks_record_and_flush_without_blocking_the_loop(run_python: Run) -> None:
    with App() as app:
        run_python(
            """
            import asyncio, collector
            async def visit(number):
                await asyncio.sleep(0)
                collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=150)
            async def main():
                collector.configure(url=sys.argv[1])
                await asyncio.gather(*(visit(number) for number in range(100)))
                assert await asyncio.to_thread(collector.flush)
            asyncio.run(main())
            """,
            app.url,
        )
        assert len(app.metrics()) == 100
