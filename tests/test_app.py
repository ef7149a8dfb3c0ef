"""The program as an operator meets it: one clear line and exit code 1 when it can't start, a clean end on SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket
from sqlalchemy import text
from sqlalchemy.engine import Engine

from db.engine import make_engine, opened
from db.migrate import current_revision, known_revisions
from tests.browser.conftest import App
from tests.servers import free_port
from tests.warm_start import ROOT, cold_starts, start_app


def environment(**settings: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SCRAPEBOARD_")}
    return {**plain, **{f"SCRAPEBOARD_{name}": value for name, value in settings.items()}}


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        cwd=ROOT,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture
def run_warm(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run a command to its end, and return its exit code and all that it said."""

    def run(*arguments: str, **settings: str) -> tuple[int, str]:
        output = tmp_path / "output"
        with output.open("wb") as file:
            code = start_app(environment(**settings), file, *arguments).wait(180)
        return code, output.read_text()

    return run


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PORT": "many"}, "SCRAPEBOARD_PORT"),
        ({"PROT": "8050"}, "did you mean SCRAPEBOARD_PORT?"),
        ({"DATABASE_URL": "mysql://me:s3cret@127.0.0.1:1/metrics"}, "check that it runs"),
    ],
)
def test_what_stops_the_start_is_said_in_one_line(settings: dict[str, str], words: str) -> None:
    ended = run(**settings)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "s3cret" not in ended.stderr


def test_a_schema_from_the_future_is_refused(
    engine: Engine, database_url: str, run_warm: Callable[..., tuple[int, str]]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    code, said = run_warm(DATABASE_URL=database_url)
    assert code == 1
    assert "newer than this program" in said
    assert len(said.strip().splitlines()) == 1


def test_migrate_and_maintain_do_their_work_and_end(
    database_url: str, run_warm: Callable[..., tuple[int, str]]
) -> None:
    assert run_warm("migrate", DATABASE_URL=database_url)[0] == 0
    with opened(database_url) as migrated:
        assert current_revision(migrated) == known_revisions()[0]
    assert run_warm("maintain", DATABASE_URL=database_url)[0] == 0


@pytest.fixture
def app_as_operators_start_it(tmp_path: Path) -> Iterator[App]:
    """`python app.py`; the other apps of tests are forked."""
    with cold_starts():
        made = App(f"sqlite:///{tmp_path}/board.db", free_port())
        made.start()
    assert isinstance(made.process, subprocess.Popen)
    yield made
    made.stop()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    made = App(f"sqlite:///{tmp_path}/board.db", free_port())
    made.start()
    yield made
    made.stop()


@pytest.fixture
def app_with_few_threads(tmp_path: Path) -> Iterator[App]:
    made = App(f"sqlite:///{tmp_path}/board.db", free_port(), {"SCRAPEBOARD_THREADS": "4"})
    made.start()
    yield made
    made.stop()


def test_sigterm_says_going_away_and_ends_in_time(app_as_operators_start_it: App) -> None:
    app = app_as_operators_start_it
    client = websocket.create_connection(app.url.replace("http", "ws") + "/ws/metrics", timeout=90)
    assert json.loads(client.recv())["type"] == "connected"
    assert app.process is not None
    app.process.send_signal(signal.SIGTERM)
    opcode, data = client.recv_data(control_frame=True)
    assert (opcode, int.from_bytes(data[:2], "big")) == (websocket.ABNF.OPCODE_CLOSE, 1001)
    client.shutdown()
    assert app.process.wait(120) == 0


def test_health_statistics_and_the_channel_without_a_socket_answer(app: App) -> None:
    metric = {
        "type": "page_navigation", "scraperSource": "a", "url": "https://a.test/", "navigationDurationMs": 1,
    }  # fmt: skip
    body = json.dumps({"batchId": "b-1", "metrics": [metric]}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{app.url}/api/ingest", body), timeout=90) as answer:
        assert answer.status == 202
    assert get(app, "/api/health")["status"] == "ok"
    deadline = time.monotonic() + 120
    while get(app, "/api/realtime?source=a")["seq"] == 0:
        assert time.monotonic() < deadline, "the batch never reached the channel"
    realtime = get(app, "/api/realtime?source=a&since=0")
    assert realtime["gap"] is False
    assert [batch["metrics"][0]["url"] for batch in realtime["batches"]] == ["https://a.test/"]
    assert get(app, "/api/stats")["store"]["rows_stored"] == 1
    for path, status in (("/api/realtime?since=first", "400"), ("/api/nothing", "404"), ("/api/", "404")):
        with pytest.raises(urllib.error.HTTPError, match=status) as caught:
            get(app, path)
        caught.value.close()


def test_scheduler_runs_are_shown_and_rolled_up(app: App, tmp_path: Path) -> None:
    run = {"type": "scheduler", "schedulerName": "nightly", "executionDurationMs": 1500, "itemsProcessed": 3}
    body = json.dumps({"batchId": "b-1", "metrics": [run, run]}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{app.url}/api/ingest", body), timeout=90) as answer:
        assert answer.status == 202
    with urllib.request.urlopen(f"{app.url}/api/export/scheduler-runs.csv?from=now-1h", timeout=90) as answer:
        lines = answer.read().decode().splitlines()
    assert [(line.split(",")[1], line.split(",")[-1]) for line in lines[1:]] == [("nightly", "s:2"), ("nightly", "s:1")]
    made = make_engine(url=f"sqlite:///{tmp_path}/board.db")
    deadline = time.monotonic() + 120
    for table in ("scheduler_metrics_hourly", "scheduler_daily_summary"):
        total = None
        while total != 2:
            assert time.monotonic() < deadline, f"the runs never came to {table}"
            time.sleep(0.1)
            with made.connect() as connection:
                total = connection.scalar(text(f"SELECT SUM(total_runs) FROM {table}"))
    made.dispose()


def test_a_callback_with_an_endless_body_is_refused_unread(app: App) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=90) as sock:
        sock.sendall(
            b"POST /_dash-update-component HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 999999999\r\n\r\n"
        )
        assert sock.recv(1000).split()[1] == b"413"


def test_requests_that_stall_half_way_do_not_keep_the_threads(app_with_few_threads: App) -> None:
    app = app_with_few_threads
    stalled = [socket.create_connection(("127.0.0.1", app.port), timeout=90) for _ in range(4)]
    for sock in stalled:
        sock.sendall(b"GET / HTTP/1.1\r\nX: ")
    with urllib.request.urlopen(f"{app.url}/api/health", timeout=90) as answer:
        assert answer.status == 200
    for sock in stalled:
        sock.close()


def get(app: App, path: str) -> dict[str, object]:
    with urllib.request.urlopen(app.url + path, timeout=90) as answer:
        body: dict[str, object] = json.loads(answer.read())
        return body
