"""Slow HTTP clients in front of the real web server: what one doesn't send keeps no thread from the others."""

from __future__ import annotations

import http.client
import json
import re
import resource
import socket
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.apps import PrivateApp
from tests.web.test_two_apps import wait_until

THREADS = 4
LARGE = b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateApp]:
    database = tmp_path_factory.mktemp("slow") / "metrics.db"
    with PrivateApp(f"sqlite:///{database}", THREADS=str(THREADS), INGEST_WAITING="2") as app:
        yield app


@pytest.fixture
def slow(app: PrivateApp) -> Iterator[Slow]:
    with ExitStack() as stack:
        yield Slow(app, stack)


class Slow:
    """Opens connections that say a part of a request."""

    def __init__(self, app: PrivateApp, stack: ExitStack) -> None:
        self._app = app
        self._stack = stack

    def say(self, part: bytes, times: int = 1, *, receives: int | None = None) -> list[socket.socket]:
        """Open so many connections and say the same on each; `receives`: bytes that the kernel may hold for us."""
        made = [socket.socket() for _ in range(times)]
        for one in made:
            self._stack.callback(one.close)
            one.settimeout(30)
            if receives is not None:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
            one.connect(("127.0.0.1", self._app.port))
            one.sendall(part)
        return made


def batch() -> bytes:
    return json.dumps({"batchId": uuid.uuid4().hex, "metrics": []}).encode()


def post(app: PrivateApp) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=90)
    connection.request("POST", "/api/ingest", body=batch())
    status = connection.getresponse().status
    connection.close()
    return status


def test_what_is_said_a_byte_at_a_time_keeps_no_thread(app: PrivateApp, slow: Slow) -> None:
    silent = slow.say(b"", 2 * THREADS)
    heads = slow.say(b"GET /api/stats HTTP/1.1\r\nHost: x\r\nX-Slow: ", 2 * THREADS)
    bodies = slow.say(b"POST /api/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{", 2 * THREADS)
    for _ in range(3):
        for one in heads + bodies:
            one.sendall(b"x")
        assert app.get("/api/stats")
        assert post(app) == 202
    body = batch()
    head = f"POST /api/ingest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for byte in head + body:  # slow, but honest
        silent[0].sendall(bytes([byte]))
    assert silent[0].makefile("rb").readline() == b"HTTP/1.1 202 ACCEPTED\r\n"


@pytest.fixture
def most_open_files() -> Iterator[int]:
    """As many open files as the app allows itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_idle_connections_than_there_may_be_make_room_for_who_asks(
    app: PrivateApp, slow: Slow, most_open_files: int
) -> None:
    slow.say(b"", min(2_000, max(32, most_open_files // 4)) + 50)  # see web.serve
    assert app.get("/api/stats")


def test_large_bodies_that_do_not_come_leave_threads_for_batches_and_pages_and_too_many_are_told_so(
    app: PrivateApp, slow: Slow
) -> None:
    begun = slow.say(LARGE, THREADS)  # two have a thread, two wait for one
    answers = [one.makefile("rb").read() for one in slow.say(LARGE, 3)]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert b"too many batches wait" in answer
    assert app.get("/api/stats")
    assert post(app) == 202
    for one in begun[:2]:
        one.close()
    body = b'"batchId":"late","metrics":[]'.ljust(1_000_000 - 2) + b"}"
    for one in begun[2:]:  # whoever waited has its turn
        one.sendall(body)
        assert one.makefile("rb").readline() == b"HTTP/1.1 202 ACCEPTED\r\n"


def test_requests_in_one_packet_and_the_rest_of_one_later_are_answered_in_turn(slow: Slow) -> None:
    get = b"GET /api/realtime HTTP/1.1\r\nHost: x\r\n\r\n"
    (client,) = slow.say(get + get + get[:20])
    file = client.makefile("rb")
    for _ in range(2):
        assert read_answer(file)["batches"] == []
    client.sendall(get[20:])
    assert read_answer(file)["batches"] == []


def test_answers_that_nobody_takes_keep_no_thread_and_are_whole_when_they_are_taken_at_last(
    app: PrivateApp, slow: Slow
) -> None:
    with urllib.request.urlopen(f"{app.url}/", timeout=90) as answer:
        (script,) = re.findall(r'src="(/[^"]*/plotly\.[^"]*js)"', answer.read().decode())
    with urllib.request.urlopen(f"{app.url}{script}", timeout=90) as answer:
        whole = answer.read()
    get = f"GET {script} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    sleeping = slow.say(get, 3 * THREADS, receives=4_096)
    for one in sleeping:  # its answer has begun
        assert one.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL) == b"HTTP/1.1 200"
    for _ in range(THREADS):
        assert app.get("/api/stats")
        assert post(app) == 202
    for one in (sleeping[0], sleeping[-1]):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.sendall(b"GET /api/realtime HTTP/1.1\r\nHost: x\r\n\r\n")
        file = one.makefile("rb")
        assert read_body(file) == whole
        assert read_answer(file)["batches"] == []


def test_who_does_not_close_after_the_last_answer_is_closed_by_the_server(app: PrivateApp, slow: Slow) -> None:
    clients = slow.say(b"GET /api/realtime HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 2 * THREADS)
    assert app.get("/api/stats")
    for client in clients:
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 OK\r\n")

    def reset(client: socket.socket) -> bool:
        try:
            client.sendall(b"x")
        except OSError:
            return True
        return False

    wait_until(lambda: all(reset(client) for client in clients), "the server keeps connections for ever")


def read_body(file: object) -> bytes:
    answer = http.client.HTTPResponse(_Made(file))  # type: ignore[arg-type]
    answer.begin()
    return answer.read()


def read_answer(file: object) -> dict[str, object]:
    said: dict[str, object] = json.loads(read_body(file))
    return said


class _Made:
    """What `http.client` wants of a socket."""

    def __init__(self, file: object) -> None:
        self._file = file

    def makefile(self, *_: object) -> object:
        return _Unclosed(self._file)


class _Unclosed:
    """A file that outlives an answer read from it."""

    def __init__(self, file: object) -> None:
        self._file = file

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def close(self) -> None:
        """Leave it open."""
