"""The other way to keep sending away from the GIL: a process of its own that gets the sockets and writes to them.

It is here to be measured beside the one system call, and not in the program: see CONTRIBUTING, Concurrency.
"""

from __future__ import annotations

import array
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from live.batch_write import BatchWriter, Results, make_batch_writer

_HEAD = struct.Struct("!III")  # how many sockets come with it, how many are written to, bytes of the frame
_AT_ONCE = 200  # descriptors in one message


class ProcessWriter:
    """A batch writer that lets another process write.

    Every socket is passed to it when it is first written to; from then on its number stands for it. (A program would
    have to tell it of closed ones, too.)
    """

    name = "a process of its own"

    def __init__(self) -> None:
        self._pipe, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._pipe.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._known: set[int] = set()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.channel.own_process", str(theirs.fileno())], pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def write(self, descriptors: Sequence[int], frame: bytes) -> Results:
        """Write the same frame to each socket (see BatchWriter)."""
        new = [one for one in descriptors if one not in self._known]
        self._known.update(new)
        self._pipe.sendall(_HEAD.pack(len(new), len(descriptors), len(frame)))
        for first in range(0, len(new), _AT_ONCE):
            some = new[first : first + _AT_ONCE]
            socket.send_fds(self._pipe, [struct.pack(f"!{len(some)}I", *some)], some)
            self._pipe.recv(1)
        self._pipe.sendall(array.array("I", descriptors).tobytes() + frame)
        return np.frombuffer(_read(self._pipe, 8 * len(descriptors)), dtype=np.int64)

    def write_between(self, descriptors: Sequence[int], pieces: Sequence[bytes], fillings: bytes) -> Results:
        """Write frames that differ in what fills their gaps: not measured."""
        raise NotImplementedError

    def close(self) -> None:
        """End the process."""
        self._pipe.close()


def _read(pipe: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = pipe.recv(size - len(data))
        if not more:
            os._exit(0)
        data += more
    return data


def main() -> None:
    """Write what comes."""
    pipe = socket.socket(fileno=int(sys.argv[1]))
    writer: BatchWriter = make_batch_writer()
    own: dict[int, int] = {}
    while True:
        new, count, size = _HEAD.unpack(_read(pipe, _HEAD.size))
        while new:
            data, descriptors, _, _ = socket.recv_fds(pipe, 4 * _AT_ONCE, _AT_ONCE)
            own.update(zip(struct.unpack(f"!{len(data) // 4}I", data), descriptors, strict=True))
            new -= len(descriptors)
            pipe.sendall(b"+")
        wanted = array.array("I", _read(pipe, 4 * count))
        frame = _read(pipe, size)
        pipe.sendall(writer.write([own[one] for one in wanted], frame).tobytes())


if __name__ == "__main__":
    main()
