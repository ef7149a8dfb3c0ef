"""What waits to be written to viewers that can't take it yet: an outbox for each, and one bound for all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from live.connection import Connection

ALL_LIMIT_BYTES: Final = 256 << 20
_ROOM: Final = 1 / 8  # how much of the bound is made free at once: the fullest aren't looked for at every frame


class Outboxes:
    """The outboxes of all connections, in the hub's loop alone.

    A frame that was encoded once and waits for a thousand viewers is in memory once, and counts once.

    Args:
        limit_bytes: What all of them may hold together. A frame that a viewer has a part of is finished all the same,
            or the rest of the connection would make no sense.
    """

    def __init__(self, limit_bytes: int = ALL_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self.high_water_bytes = 0  # the most that ever waited for one connection
        self.frames_dropped = 0  # because all of them together were too full
        self._times: dict[int, int] = {}  # id of a frame -> how often it waits; each is alive as long as it stands here
        self._slow: set[Connection] = set()  # for whom something waits
        self._patience_bytes = limit_bytes  # past it room is made: the bound, or more when that helped little

    def put(self, connection: Connection, frame: bytes, *, taken: int = 0, count: int = 0) -> None:
        """Let a frame wait behind what waits for a connection already.

        Args:
            connection: Whom it is for.
            frame: The frame, or some one after the other.
            taken: How many bytes of it are written already.
            count: How many frames count as dropped when it is.
        """
        if connection.outbox is None:
            connection.outbox = deque()
            connection.outbox_bytes = 0
        self._slow.add(connection)
        connection.outbox.append((memoryview(frame)[taken:], count))
        connection.outbox_bytes += len(frame) - taken
        self.high_water_bytes = max(self.high_water_bytes, connection.outbox_bytes)
        times = self._times.get(id(frame), 0)
        self._times[id(frame)] = times + 1
        if not times:
            self.held_bytes += len(frame)
            if self.held_bytes <= self.limit_bytes:
                self._patience_bytes = self.limit_bytes
            elif self.held_bytes > self._patience_bytes:
                self._make_room()
                self._patience_bytes = max(self.limit_bytes, self.held_bytes + int(self.limit_bytes * _ROOM))

    def write(self, connection: Connection, send: Callable[[memoryview], int]) -> None:
        """Write what waits for a connection, as much of it as goes.

        Args:
            connection: Whose outbox it is; empty afterwards, unless this raises or a part stayed.
            send: Writes bytes and returns how many; raises OSError.
        """
        outbox = connection.outbox
        while outbox:
            head, count = outbox[0]
            taken = send(head)
            connection.outbox_bytes -= taken
            if taken < len(head):
                outbox[0] = (head[taken:], count)
                return
            outbox.popleft()
            self._release(head)
        self.forget(connection)

    def forget(self, connection: Connection) -> None:
        """Throw away what waits for a connection."""
        for waiting, _ in connection.outbox or ():
            self._release(waiting)
        connection.outbox = None
        connection.outbox_bytes = 0
        self._slow.discard(connection)

    def _make_room(self) -> None:
        """Take from the fullest outboxes what isn't begun; their connections are told when they read again."""
        for connection in sorted(self._slow, key=lambda one: one.outbox_bytes, reverse=True):
            if self.held_bytes <= self.limit_bytes * (1 - _ROOM):
                return
            if connection.close_deadline is None:  # who is closed is gone in a moment, and has to hear why
                self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        kept: deque[tuple[memoryview, int]] = deque()
        for waiting, count in connection.outbox or ():
            if len(waiting) < len(_whole(waiting)):  # a part of it is written
                kept.append((waiting, count))
                continue
            connection.outbox_bytes -= len(waiting)
            connection.sent -= count
            connection.dropped += count
            self.frames_dropped += count
            self._release(waiting)
        connection.outbox = kept
        connection.overflowed = True

    def _release(self, waiting: memoryview) -> None:
        frame = _whole(waiting)
        times = self._times.pop(id(frame)) - 1
        if times:
            self._times[id(frame)] = times
        else:
            self.held_bytes -= len(frame)


def _whole(waiting: memoryview) -> bytes:
    """Return the frame that this is the rest of."""
    return cast("bytes", waiting.obj)
