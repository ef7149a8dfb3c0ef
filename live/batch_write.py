"""Write to many sockets at once, without giving up the GIL once for each of them.

`socket.send` releases the GIL around every call; beside a thread that computes, each call then waits up to the switch
interval (5 ms) to get it back: 1,000 viewers cost seconds instead of 14 ms. Linux' asynchronous I/O interface takes any
number of writes in one system call. Where it isn't there (other systems, other processors, a sandbox that forbids it),
the sockets are written one by one through a C call that keeps the GIL: non-blocking, so it is short.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import platform
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)

Results = npt.NDArray[np.int64]

_IOCB: Final = np.dtype(
    [
        ("data", "<u8"), ("key", "<u4"), ("rw_flags", "<u4"), ("opcode", "<u2"), ("priority", "<i2"), ("fd", "<u4"),
        ("buffer", "<u8"), ("length", "<u8"), ("offset", "<i8"), ("reserved", "<u8"), ("flags", "<u4"),
        ("result_fd", "<u4"),
    ]
)  # fmt: skip
_EVENT: Final = np.dtype([("data", "<u8"), ("iocb", "<u8"), ("result", "<i8"), ("result2", "<i8")])
_IOVEC: Final = np.dtype([("base", "<u8"), ("length", "<u8")])
_PWRITE, _PWRITEV = 1, 8
# io_setup, io_destroy, io_getevents, io_submit
_CALLS: Final = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
_CAPACITY: Final = 1_024
# One call for all viewers that a process can have; the system allows its processes 65,536 together (fs.aio-max-nr).
_MOST: Final = 16_384
_NO_TIME: Final = bytes(16)  # a struct timespec of nothing
# A write takes at most 1,024 parts (IOV_MAX): the pieces and the gaps between them.
MOST_PIECES: Final = 512


class BatchWriter(Protocol):
    """Writes to many non-blocking sockets.

    A result is the number of bytes that a socket took, or a negative errno (`-EAGAIN`: it can't take any now).
    """

    name: str

    def write(self, descriptors: Sequence[int], frame: bytes) -> Results:
        """Write the same frame to each socket.

        Args:
            descriptors: n open sockets.
            frame: What each of them gets.

        Returns:
            int64[n].
        """

    def write_between(self, descriptors: Sequence[int], pieces: Sequence[bytes], fillings: bytes) -> Results:
        """Write to each socket a frame that differs from the others' only in what fills the gaps between its pieces.

        Args:
            descriptors: n open sockets.
            pieces: What all frames have in common, at most MOST_PIECES.
            fillings: The n fillings one after the other, all of the same length; each fills all gaps of its frame.

        Returns:
            int64[n].
        """

    def close(self) -> None:
        """Give back what the writer holds."""


class OneCallWriter:
    """All writes in one system call (Linux' io_submit; for sockets it is done when the call returns).

    Args:
        capacity: For how many sockets there is room at first.
        most: How far the room grows with their number, when the system allows it; more are written in several calls.

    Raises:
        OSError: This system doesn't have it, or doesn't let us.
    """

    name = "io_submit"

    def __init__(self, capacity: int = _CAPACITY, most: int = _MOST) -> None:
        numbers = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
        if numbers is None or sys.byteorder != "little":
            raise OSError(errno.ENOSYS, f"no io_submit known for {sys.platform} on {platform.machine()}")
        self._setup, self._destroy, self._getevents, self._submit = (ctypes.c_long(number) for number in numbers)
        self._syscall: Any = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        # Asking what became of the writes takes microseconds; giving up the GIL for it, the switch interval.
        self._quick_syscall: Any = ctypes.PyDLL(None, use_errno=True).syscall
        self._quick_syscall.restype = ctypes.c_long
        self._most = most
        self._context = ctypes.c_ulong(0)
        self._make_room(capacity)

    def _make_room(self, capacity: int) -> None:
        """Get a context of the kernel's for so many writes; what was before stays when there is none."""
        context = ctypes.c_ulong(0)
        if self._syscall(self._setup, ctypes.c_long(capacity), ctypes.byref(context)):
            number = ctypes.get_errno()
            raise OSError(number, f"io_setup: {os.strerror(number)}")
        self.close()
        self._context = context
        self._capacity = capacity
        self._blocks = np.zeros(capacity, dtype=_IOCB)
        self._blocks["data"] = np.arange(capacity)
        self._events = np.zeros(capacity, dtype=_EVENT)
        first = self._blocks.ctypes.data
        self._pointers = (first + _IOCB.itemsize * np.arange(capacity)).astype(np.uint64)

    def write(self, descriptors: Sequence[int], frame: bytes) -> Results:
        """Write the same frame to each socket (see BatchWriter)."""
        at = _address(frame)

        def prepare(blocks: npt.NDArray[Any], _first: int) -> None:
            blocks["opcode"], blocks["buffer"], blocks["length"] = _PWRITE, at, len(frame)

        return self._all(descriptors, prepare)

    def write_between(self, descriptors: Sequence[int], pieces: Sequence[bytes], fillings: bytes) -> Results:
        """Write frames that differ in what fills their gaps (see BatchWriter)."""
        count = len(descriptors)
        length = len(fillings) // count if count else 0
        parts = np.zeros((count, 2 * len(pieces) - 1), dtype=_IOVEC)
        for place, piece in enumerate(pieces):
            parts["base"][:, 2 * place], parts["length"][:, 2 * place] = _address(piece), len(piece)
        parts["base"][:, 1::2] = (_address(fillings) + length * np.arange(count))[:, np.newaxis]
        parts["length"][:, 1::2] = length
        at, step = parts.ctypes.data, parts.strides[0]

        def prepare(blocks: npt.NDArray[Any], first: int) -> None:
            blocks["opcode"], blocks["length"] = _PWRITEV, parts.shape[1]
            blocks["buffer"] = at + step * np.arange(first, first + len(blocks))

        return self._all(descriptors, prepare)

    def close(self) -> None:
        """Give the kernel's context back."""
        if self._context.value:
            self._syscall(self._destroy, self._context)
            self._context = ctypes.c_ulong(0)

    def _all(self, descriptors: Sequence[int], prepare: Any) -> Results:
        results = np.zeros(len(descriptors), dtype=np.int64)
        if self._capacity < min(len(descriptors), self._most):
            self._grow(len(descriptors))
        for first in range(0, len(descriptors), self._capacity):
            some = descriptors[first : first + self._capacity]
            blocks = self._blocks[: len(some)]
            blocks["fd"] = some
            prepare(blocks, first)
            self._run(results[first : first + len(some)])
        return results

    def _grow(self, wanted: int) -> None:
        """Make room for more writes in one call; when the system has none, they take several as before."""
        capacity = self._capacity
        while capacity < min(wanted, self._most):
            capacity *= 2
        try:
            self._make_room(min(capacity, self._most))
        except OSError as exc:
            self._most = self._capacity
            log.info("more than %d sockets are written in several calls: %s", self._capacity, exc)

    def _run(self, results: Results) -> None:
        """Submit the prepared blocks and put down what became of each."""
        done, count = 0, len(results)
        while done < count:
            pointers = ctypes.c_void_p(self._pointers.ctypes.data + 8 * done)
            taken = self._syscall(self._submit, self._context, ctypes.c_long(count - done), pointers)
            if taken <= 0:  # the first of them can't even be tried: its descriptor is closed, say
                results[done] = -(ctypes.get_errno() or errno.EIO)
                done += 1
                continue
            self._collect(int(taken), results)
            done += int(taken)

    def _collect(self, count: int, results: Results) -> None:
        events = ctypes.c_void_p(self._events.ctypes.data)
        while count:
            asked = self._getevents, self._context, ctypes.c_long(1), ctypes.c_long(count), events
            got = self._quick_syscall(*asked, _NO_TIME) or self._syscall(*asked, None)
            if got < 0:
                if ctypes.get_errno() == errno.EINTR:
                    continue
                raise OSError(ctypes.get_errno(), "io_getevents")
            told = self._events[:got]
            results[told["data"].astype(np.int64)] = told["result"]
            count -= int(got)


class EachCallWriter:
    """One C call for each socket, the GIL kept: `send` never waits when it is told not to."""

    name = "send, GIL kept"

    def __init__(self) -> None:
        # PyDLL keeps the GIL, CDLL would give it up; errno isn't swapped in either case, so it is read from the C side.
        self._send: Any = ctypes.PyDLL(None, use_errno=True).send
        self._send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
        self._send.restype = ctypes.c_ssize_t
        self._flags = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)

    def write(self, descriptors: Sequence[int], frame: bytes) -> Results:
        """Write the same frame to each socket (see BatchWriter)."""
        length = len(frame)
        return np.array([self._one(descriptor, frame, length) for descriptor in descriptors], dtype=np.int64)

    def write_between(self, descriptors: Sequence[int], pieces: Sequence[bytes], fillings: bytes) -> Results:
        """Write frames that differ in what fills their gaps (see BatchWriter)."""
        count = len(descriptors)
        length = len(fillings) // count if count else 0
        results = np.zeros(count, dtype=np.int64)
        for place, descriptor in enumerate(descriptors):
            frame = fillings[place * length : (place + 1) * length].join(pieces)
            results[place] = self._one(descriptor, frame, len(frame))
        return results

    def close(self) -> None:
        """Hold nothing, so give nothing back."""

    def _one(self, descriptor: int, frame: bytes, length: int) -> int:
        taken = self._send(descriptor, frame, length, self._flags)
        return int(taken) if taken >= 0 else -ctypes.get_errno()


def make_batch_writer() -> BatchWriter:
    """Return the fastest writer that this system has."""
    try:
        return OneCallWriter()
    except OSError as exc:
        log.info("sockets are written one by one: %s", exc)
        return EachCallWriter()


def _address(data: bytes) -> int:
    """Return where the bytes lie; they must be kept alive as long as that is used."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
