"""The demo: starts the site and the scrapers, feeds the app, and leaves nothing behind."""

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from examples import demo
from examples.fleet import PROJECT, Job, Worker, python, stop_all
from tests.examples.conftest import Board


def start_demo(*options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-W", "error", "-m", "examples.demo", "--no-browser", *options]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_demo_and_everything_it_started(board: Board, number: signal.Signals) -> None:
    process = start_demo("--board", board.url)
    try:
        assert board.first.wait(60)
        # Only scrapers count: a library of theirs may just be asking a helper of the system something, and what has
        # just been forked for that still bears its parent's words.
        children = [(child, tuple(child.cmdline())) for child in psutil.Process(process.pid).children(recursive=True)]
        family = {
            words: child for child, words in reversed(children) if any(word.startswith("examples.") for word in words)
        }
    finally:
        process.send_signal(number)
        printed, complaints = process.communicate(timeout=200)
    assert (process.returncode, complaints) == (0, "")
    assert len(family) == len(demo.FLEET) - 1  # without the browser
    assert not [member for member in family.values() if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    assert f"metrics to {board.url}" in printed
    assert printed.endswith("Stopped.\n")


def test_the_demo_ends_by_itself_after_its_minutes(board: Board) -> None:
    process = start_demo("--board", board.url, "--minutes", "0")
    printed, complaints = process.communicate(timeout=200)
    assert (process.returncode, complaints) == (0, "")
    assert "0 scrapers" in printed


def test_the_command_line_of_every_scraper_is_understood_by_it() -> None:
    for job in demo.jobs("http://127.0.0.1:1", "http://127.0.0.1:2", with_browser=True, token="secret"):
        done = subprocess.run([*job.command, "--help"], cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert all(option in done.stdout for option in job.command if option.startswith("--"))


def test_an_app_that_ends_at_its_start_is_reported_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "sys", SimpleNamespace(executable="false"))
    with pytest.raises(demo.DemoError, match=r"app\.py ended with code 1"):
        demo.start_app("http://127.0.0.1:1", lambda _seconds: False)


def test_a_worker_that_fails_is_reported_and_waits_longer_each_time(tmp_path: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text("raise SystemExit('no such site')")
    worker = Worker(Job("failing", (sys.executable, str(program)), pause_s=2))
    pauses: list[float] = []
    now_s = 100.0
    try:
        for _ in range(3):
            assert worker.tick(now_s) is None
            assert worker.process is not None
            worker.process.wait(120)
            assert worker.tick(now_s) == (
                f"failing ended with code 1 (no such site); again in {worker.next_start_s - now_s:.0f} s"
            )
            assert worker.tick(now_s) is None  # not yet
            assert worker.process is None
            pauses.append(worker.next_start_s - now_s)
            now_s = worker.next_start_s
    finally:
        assert stop_all([worker]) == []
    assert pauses == [4, 8, 16]


def test_a_worker_that_will_not_end_is_killed_and_named(tmp_path: Path) -> None:
    started = tmp_path / "started"
    program = tmp_path / "stays.py"
    program.write_text(
        "import signal, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(started)!r}).touch()\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    worker = Worker(Job("stubborn", (sys.executable, str(program))))
    worker.start()
    process = worker.process
    assert process is not None
    while not started.exists():
        assert process.poll() is None, worker.last_words()
    assert stop_all([worker], patience_s=0.1) == ["stubborn"]
    assert process.returncode == -signal.SIGKILL


def test_a_module_is_run_with_the_python_of_the_demo() -> None:
    assert python("examples.site", "--port", "1") == (sys.executable, "-m", "examples.site", "--port", "1")
