"""`python -m collector run` and `record`: for cron and shells."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import command
from tests.collector.conftest import REPOSITORY
from tests.collector.doubles import Answer, App
from tests.servers import free_port


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Any]:
    """Start `python -m collector` with these words, and nothing of ours in its environment."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, **environment: str) -> subprocess.Popen[bytes]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "collector", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=REPOSITORY,
                env=plain | environment,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ended(process: "subprocess.Popen[bytes]") -> tuple[int, bytes, bytes]:
    output, errors = process.communicate(timeout=150)
    return process.returncode, output, errors


def runs(app: App) -> list[dict[str, Any]]:
    return [metric for metric in app.metrics() if metric["type"] == "run"]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_that_works_is_a_run_that_is_ok(call: Any) -> None:
    with App() as app:
        process = call(
            "run", "--name", "nightly", "--expect-items", "10", "--source", "shop", "--url", app.url, "--",
            *python("import sys; print(sys.stdin.read()[::-1]); print('careful', file=sys.stderr)"),
        )  # fmt: skip
        process.stdin.write(b"\xc3\xa4cb")
        process.stdin.close()
        process.stdin = None
        code, output, errors = ended(process)
        assert (code, output, errors) == (0, "bcä\n".encode(), b"careful\n")
        begun, end = runs(app)
        assert (begun["state"], end["state"], end["error"]) == ("running", "ok", None)
        assert (end["name"], end["expectedItems"], end["scraperSource"]) == ("nightly", 10, "shop")
        assert end["recordedAt"] >= begun["startedAt"] == end["startedAt"]


def test_a_command_that_fails_gives_its_exit_code_and_the_end_of_its_output(call: Any) -> None:
    code = "import sys; print('x' * 9000); print('secret at https://u:p@host/', file=sys.stderr); sys.exit(7)"
    with App() as app:
        assert ended(call("run", "--name", "nightly", "--url", app.url, "--", *python(code)))[0] == 7
        error = runs(app)[-1]["error"]
        assert runs(app)[-1]["state"] == "failed"
        assert error.startswith("exit code 7\n")
        assert "secret at https://host/" in error
        assert 3000 <= len(error) < 4000


def test_a_flood_on_one_output_leaves_the_last_words_of_the_other(call: Any) -> None:
    code = "import sys; print('boom', file=sys.stderr, flush=True); print('x' * 500_000, flush=True); sys.exit(1)"
    with App() as app:
        assert ended(call("run", "--name", "nightly", "--url", app.url, "--", *python(code)))[0] == 1
        assert "boom" in runs(app)[-1]["error"]


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 4000)), max_size=30))
def test_the_end_of_what_was_said_is_kept_in_order_and_half_of_it_for_each_output(
    chunks: list[tuple[int, int]],
) -> None:
    tail = command._Tail()
    everything = {1: "", 2: ""}
    for turn, (output, length) in enumerate(chunks):
        piece = (("abcdefgh" if output == 1 else "ABCDEFGH")[turn % 8]) * length
        everything[output] += piece
        tail.add(output, piece.encode())
    text = tail.text()
    assert len(text) == min(3000, sum(map(len, everything.values())))
    for said, kept in (
        (everything[1], "".join(filter(str.islower, text))),
        (everything[2], "".join(filter(str.isupper, text))),
    ):
        assert said.endswith(kept)
        assert len(kept) >= min(len(said), 1500)


def test_a_command_that_is_killed_is_a_run_that_was_killed(call: Any) -> None:
    with App() as app:
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        assert ended(call("run", "--name", "nightly", "--url", app.url, "--", *python(code)))[0] == 128 + 9
        assert (runs(app)[-1]["state"], runs(app)[-1]["error"]) == ("killed", "SIGKILL")


def test_signals_are_the_commands_to_answer(call: Any) -> None:
    code = """
import signal, sys, time
def leave(number, frame):
    print("cleaned up", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""
    with App() as app:
        process = call("run", "--name", "nightly", "--url", app.url, "--", *python(code))
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert ended(process)[:2] == (0, b"cleaned up\n")
        assert runs(app)[-1]["state"] == "ok"


@pytest.mark.parametrize(("words", "code"), [(["/no/such/program"], 127), ([str(REPOSITORY)], 126)])
def test_a_command_that_cannot_be_started_is_a_run_that_failed(call: Any, words: list[str], code: int) -> None:
    with App() as app:
        found, _, errors = ended(call("run", "--name", "nightly", "--url", app.url, "--", *words))
        assert found == code
        assert words[0].encode() in errors
        assert (runs(app)[-1]["state"], words[0] in runs(app)[-1]["error"]) == ("failed", True)


def test_what_the_command_records_itself_belongs_to_the_run(call: Any) -> None:
    code = """
import collector, os
collector.configure(url=os.environ["SCRAPEBOARD_URL"])
collector.record_page_navigation("shop", url="https://host/", navigation_duration_ms=1)
"""
    with App() as app:
        process = call("run", "--name", "nightly", "--", *python(code), SCRAPEBOARD_URL=app.url)
        assert ended(process)[0] == 0
        (navigation,) = [metric for metric in app.metrics() if metric["type"] == "page_navigation"]
        assert {run["runId"] for run in runs(app)} == {navigation["runId"]}


def test_an_app_that_is_away_changes_nothing_for_the_command(call: Any, spool_folder: Path) -> None:
    words = ("--url", f"http://127.0.0.1:{free_port()}", "--timeout", "0.2", "--", *python("print('done')"))
    code, output, errors = ended(call("run", "--name", "nightly", *words))
    assert (code, output) == (0, b"done\n")
    assert b"metrics wait on the disk" in errors
    assert list(spool_folder.rglob("*.spool"))


def test_metrics_are_recorded_from_a_shell(call: Any) -> None:
    with App() as app:
        token = {"SCRAPEBOARD_TOKEN": "t", "SCRAPEBOARD_URL": app.url}
        page = ("--source", "shop", "--page", "https://u:p@shop.test/", "--duration-ms", "12.5")
        calls = [
            call("record", "navigation", *page, "--status", "503", "--retries", "2", "--failed", **token),
            call("record", "scrape", *page, "--items", "5", "--field", "price=4", "--outcome", "ok",
                 "--label", "proxy=eu", "--run-id", "r", **token),
            call("record", "scheduler", "--name", "nightly", "--duration-ms", "5", "--error", "no feed", **token),
        ]  # fmt: skip
        assert [ended(process) for process in calls] == [(0, b"", b"")] * 3
        by_type = {metric["type"]: metric for metric in app.metrics()}
        assert by_type["page_navigation"]["success"] is False
        assert by_type["page_navigation"]["statusCode"] == 503
        assert by_type["page_navigation"]["url"] == "https://shop.test/"
        assert by_type["page_scrape"]["fields"] == {"price": 4}
        assert (by_type["page_scrape"]["labels"], by_type["page_scrape"]["runId"]) == ({"proxy": "eu"}, "r")
        assert (by_type["scheduler"]["success"], by_type["scheduler"]["error"]) == (False, "no feed")
        assert {request["headers"]["Authorization"] for request in app.requests} == {"Bearer t"}
        assert not any("collector" in request["body"] for request in app.requests)  # gone before anybody could look


def test_a_metric_recorded_while_the_app_is_away_is_delivered_by_the_next_call(call: Any) -> None:
    port = free_port()
    words = ("record", "scheduler", "--name", "nightly", "--duration-ms", "5", "--url", f"http://127.0.0.1:{port}")
    code, _, errors = ended(call(*words, "--timeout", "0.2"))
    assert code == 0
    assert b"1 metrics wait on the disk" in errors
    with App(port=port) as app:
        assert ended(call(*words, "--timeout", "30"))[0] == 0
        assert len(app.metrics()) == 2


def test_a_metric_that_the_app_refuses_is_lost_and_said(call: Any) -> None:
    with App(Answer(status=400)) as app:
        code, _, errors = ended(call("record", "scheduler", "--name", "n", "--duration-ms", "5", "--url", app.url))
        assert code == 1
        assert b"refused" in errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "run|record"),
        (["run", "--name", "nightly", "--url", "http://x"], "say what to run"),
        (["run", "--name", "nightly", "--", "true"], "say where the app is"),
        (["run", "--name", "nightly", "--url", "ftp://x", "--", "true"], "url must look like"),
        (["run", "--name", "n", "--url", "http://x", "--heartbeat", "0", "--", "true"], "heartbeat_interval_s"),
        (["record", "navigation", "--url", "http://x"], "--duration-ms"),
        (["record", "scheduler", "--url", "http://x", "--name", "n" * 60, "--duration-ms", "1"], "schedulerName"),
        (["record", "scheduler", "--url", "http://x", "--name", "n", "--duration-ms", "-1"], "executionDurationMs"),
        (
            ["record", "scrape", "--url", "http://x", "--source", "s", "--page", "p", "--duration-ms", "1",
             "--field", "price"],
            "--field NAME=COUNT",
        ),
    ],
)  # fmt: skip
def test_misuse_is_said_in_one_line(call: Any, words: list[str], said: str) -> None:
    code, output, errors = ended(call(*words))
    assert (code, output) == (2, b"")
    assert said in errors.decode().splitlines()[-1]
    assert b"Traceback" not in errors
