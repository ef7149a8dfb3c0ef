"""A client's socket that takes whole answers at once, and who takes a long one too slowly."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from web.answering import AnswerSocket
from web.worker import Conn, PatientWorker


@pytest.fixture
def pair() -> Iterator[tuple[AnswerSocket, socket.socket]]:
    """Our end and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.settimeout(30)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        with AnswerSocket.of(accepted) as ours:
            yield ours, client


def test_a_whole_answer_is_taken_at_once_and_written_when_the_client_reads(
    pair: tuple[AnswerSocket, socket.socket],
) -> None:
    ours, client = pair
    ours.sendall(b"head")
    ours.sendall(b"body" * 500_000)
    assert ours.rest_bytes > 1_000_000
    assert ours.unsent_bytes() > 0
    taken = 0
    while taken < 2_000_004:
        ours.write_on()
        taken += len(client.recv(1 << 16))
    assert ours.write_on()
    assert (ours.rest_bytes, len(ours.rest)) == (0, 0)


def test_a_stream_waits_for_its_client_and_gives_it_all_in_order(pair: tuple[AnswerSocket, socket.socket]) -> None:
    ours, client = pair
    ours.stream_bytes, ours.slowest_bytes_per_s = 10_000, 0
    pieces = [bytes([number % 251]) * 5_000 for number in range(200)]
    fullest = []

    def answer() -> None:
        for piece in pieces:
            ours.sendall(piece)
            fullest.append(ours.rest_bytes)
        while not ours.write_on():
            pass
        ours.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=answer)
    thread.start()
    assert client.makefile("rb").read() == b"".join(pieces)
    thread.join(90)
    assert max(fullest) <= 15_000


def test_who_takes_a_stream_too_slowly_is_cut_off_and_nothing_is_kept_for_it(
    pair: tuple[AnswerSocket, socket.socket],
) -> None:
    ours, _ = pair
    ours.pace_window_s = 0.02
    ours.sendall(bytes(3_000_000))
    with pytest.raises(TimeoutError, match="too slowly"):
        ours.sendall(b"more")
    assert (ours.rest_bytes, len(ours.rest)) == (0, 0)


def test_who_takes_the_connection_over_gets_a_plain_socket(pair: tuple[AnswerSocket, socket.socket]) -> None:
    with pair[0].dup() as own:
        assert type(own) is socket.socket
        own.sendall(b"x")
    assert pair[1].recv(1) == b"x"


def test_a_kept_connection_is_not_closed_while_its_client_sleeps_over_the_last_answer(
    pair: tuple[AnswerSocket, socket.socket],
) -> None:
    ours, client = pair
    idle, other = socket.socketpair()
    with other, AnswerSocket.of(idle) as nothing_left, selectors.DefaultSelector() as poller:
        worker = PatientWorker.__new__(PatientWorker)  # without a server around it
        worker.cfg, worker.alive, worker.poller, worker.nr_conns = Config(), True, poller, 2
        sleeping, done = (Conn(worker.cfg, one, None, None, linger=Conn.close) for one in (ours, nothing_left))
        ours.sendall(bytes(2_000_000))
        worker.keepalived_conns = deque((done, sleeping))
        for conn in worker.keepalived_conns:
            conn.timeout, conn.give_up_s = time.monotonic() - 1, time.monotonic() + 3_600
            poller.register(conn.sock, selectors.EVENT_READ)
        worker.murder_keepalived()
        assert (list(worker.keepalived_conns), worker.nr_conns) == ([sleeping], 1)
        assert nothing_left.fileno() < 0
        assert client.recv(1)
        sleeping.timeout = sleeping.give_up_s = time.monotonic() - 1  # patience has an end
        worker.murder_keepalived()
        assert (list(worker.keepalived_conns), worker.nr_conns) == ([], 0)
