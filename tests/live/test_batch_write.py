"""Both ways of writing to many sockets at once, against real ones."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from live import batch_write
from live.batch_write import MOST_PIECES, BatchWriter, EachCallWriter, OneCallWriter, make_batch_writer

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=[OneCallWriter, EachCallWriter])
def writer(request: pytest.FixtureRequest) -> Iterator[BatchWriter]:
    made: BatchWriter = request.param()
    yield made
    made.close()


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Ten connected sockets, ours non-blocking, and their peers."""
    made = []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        for _ in range(10):
            peer = socket.create_connection(listening.getsockname(), timeout=90)
            ours, _address = listening.accept()
            ours.setblocking(False)
            made.append((ours, peer))
    yield made
    for pair in made:
        for one in pair:
            one.close()


def fds(pairs: list[Pair]) -> list[int]:
    return [ours.fileno() for ours, _ in pairs]


def read(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += peer.recv(size - len(data))
    return data


def test_every_socket_gets_the_frame(writer: BatchWriter, pairs: list[Pair]) -> None:
    frame = b"\x81\x05hello"
    assert writer.write(fds(pairs), frame).tolist() == [len(frame)] * 10
    assert [read(peer, len(frame)) for _, peer in pairs] == [frame] * 10


@pytest.mark.parametrize("pieces", [[b"whole"], [b"head ", b" tail"], [b"a", b"", b"b", b"c"], [b"|"] * MOST_PIECES])
def test_every_socket_has_its_own_filling(writer: BatchWriter, pairs: list[Pair], pieces: list[bytes]) -> None:
    fillings = [f"<{place:02d}>".encode() for place in range(10)]
    wanted = [filling.join(pieces) for filling in fillings]
    results = writer.write_between(fds(pairs), pieces, b"".join(fillings))
    assert results.tolist() == [len(frame) for frame in wanted]
    assert [read(peer, len(frame)) for (_, peer), frame in zip(pairs, wanted, strict=True)] == wanted


def test_frames_keep_their_order(writer: BatchWriter, pairs: list[Pair]) -> None:
    for number in range(50):
        writer.write(fds(pairs), b"%04d" % number)
    assert all(read(peer, 200) == b"".join(b"%04d" % number for number in range(50)) for _, peer in pairs)


def test_socket_that_is_full_takes_a_part_and_then_nothing_while_the_others_take_all(
    writer: BatchWriter, pairs: list[Pair]
) -> None:
    frame = b"x" * 1_000_000
    for ours, _ in pairs[:1]:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_192)
    taken = writer.write(fds(pairs[:1]), frame)[0]
    assert 0 < taken < len(frame)
    results = [taken]
    # What the kernel brings to the peer meanwhile makes room again, until that one's buffer is full, too.
    while results[0] > 0:
        while (more := int(writer.write(fds(pairs[:1]), frame)[0])) > 0:
            taken += more
        assert more == -errno.EAGAIN
        results = writer.write(fds(pairs), b"xxxxx").tolist()
        assert results[1:] == [5] * 9
        taken += max(results[0], 0)
    assert results[0] == -errno.EAGAIN
    assert read(pairs[0][1], int(taken)) == b"x" * int(taken)


@pytest.mark.parametrize("place", [0, 4, 9])
def test_closed_descriptor_fails_alone(writer: BatchWriter, pairs: list[Pair], place: int) -> None:
    numbers = fds(pairs)
    pairs[place][0].close()
    results = writer.write(numbers, b"hello").tolist()
    assert results.pop(place) == -errno.EBADF
    assert results == [5] * 9


def test_socket_whose_peer_has_gone_fails_alone_and_without_a_signal(writer: BatchWriter, pairs: list[Pair]) -> None:
    pairs[3][1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    pairs[3][1].close()  # a reset
    results = [writer.write(fds(pairs), b"hello").tolist() for _ in range(3)][-1]
    assert results.pop(3) in (-errno.EPIPE, -errno.ECONNRESET)
    assert results == [5] * 9


def test_more_sockets_than_fit_into_one_call_are_all_written(pairs: list[Pair]) -> None:
    writer = OneCallWriter(capacity=3, most=3)
    assert writer.write(fds(pairs), b"hello").tolist() == [5] * 10
    fillings = b"".join(b"%d" % place for place in range(10))
    assert writer.write_between(fds(pairs), [b"(", b")"], fillings).tolist() == [3] * 10
    assert [read(peer, 8) for _, peer in pairs] == [b"hello(%d)" % place for place in range(10)]
    writer.close()
    writer.close()


def test_room_grows_with_the_number_of_sockets_while_the_system_has_some(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = OneCallWriter(capacity=2)
    assert writer.write(fds(pairs[:3]), b"hello").tolist() == [5] * 3
    assert writer._capacity == 4

    def full(_capacity: int) -> None:
        raise OSError(errno.EAGAIN, "no more events for this system")

    monkeypatch.setattr(writer, "_make_room", full)
    for _ in range(2):
        assert writer.write(fds(pairs), b"hello").tolist() == [5] * 10
    assert writer._capacity == 4
    assert read(pairs[0][1], 15) == b"hello" * 3
    writer.close()


def test_nobody_to_write_to_is_no_error(writer: BatchWriter) -> None:
    assert len(writer.write([], b"hello")) == len(writer.write_between([], [b"a", b"b"], b"")) == 0


def test_system_without_the_one_call_writes_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_write.platform, "machine", lambda: "vax")
    assert isinstance(make_batch_writer(), EachCallWriter)
    monkeypatch.undo()
    assert isinstance(make_batch_writer(), OneCallWriter)
