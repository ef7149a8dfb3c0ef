"""What waits for slow viewers has one bound for all of them: the fullest outboxes get the gap first."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from live.connection import Connection
from live.outboxes import Outboxes


@pytest.fixture
def make() -> Iterator[Callable[[], Connection]]:
    made: list[socket.socket] = []

    def one() -> Connection:
        ours, theirs = socket.socketpair()
        made.extend((ours, theirs))
        return Connection(ours, None, 1_000)  # type: ignore[arg-type]  # nobody handles anything

    yield one
    for each in made:
        each.close()


def test_a_frame_that_waits_for_many_is_held_once(make: Callable[[], Connection]) -> None:
    boxes, viewers = Outboxes(1_000), [make() for _ in range(10)]
    frame = bytes(600)
    for viewer in viewers:
        boxes.put(viewer, frame, count=1)
    assert boxes.held_bytes == 600
    assert (boxes.high_water_bytes, boxes.frames_dropped) == (600, 0)
    for viewer in viewers[1:]:
        boxes.forget(viewer)
    assert boxes.held_bytes == 600
    boxes.write(viewers[0], lambda part: min(len(part), 500))
    assert (boxes.held_bytes, viewers[0].outbox_bytes) == (600, 100)
    boxes.write(viewers[0], len)
    assert (boxes.held_bytes, viewers[0].outbox) == (0, None)


def test_past_the_bound_the_fullest_lose_what_is_not_begun(make: Callable[[], Connection]) -> None:
    boxes, full, fuller, closing = Outboxes(8_000), make(), make(), make()
    closing.close_deadline = 1.0
    for viewer, frames in ((full, 20), (fuller, 30), (closing, 29)):
        viewer.sent = frames
        for number in range(frames):
            boxes.put(viewer, bytes(100), taken=10 if number == 0 else 0, count=1)
    assert boxes.held_bytes == 7_900
    boxes.put(full, bytes(200), count=2)
    assert (fuller.overflowed, full.overflowed, closing.overflowed) == (True, False, False)
    assert (fuller.outbox_bytes, fuller.sent, fuller.dropped) == (90, 1, 29)  # what it has a part of is finished
    assert (full.dropped, closing.dropped, boxes.frames_dropped) == (0, 0, 29)
    assert boxes.held_bytes == 7_900 + 200 - 2_900


def test_what_cannot_be_dropped_is_not_looked_for_again_and_again(make: Callable[[], Connection]) -> None:
    boxes, looked = Outboxes(1_000), []
    make_room = boxes._make_room
    boxes._make_room = lambda: (looked.append(1), make_room())[1]  # type: ignore[method-assign,func-returns-value]
    for _ in range(100):
        boxes.put(make(), bytes(100), taken=1, count=1)
    assert (boxes.held_bytes, boxes.frames_dropped) == (10_000, 0)
    assert 0 < len(looked) <= 45  # of 90 past the bound
