"""Counts the instructions that this process executes, where Linux and the processor let us: load doesn't matter."""

import ctypes
import os
import platform
import struct

_SYSCALL = {"x86_64": 298, "aarch64": 241}
_ATTRIBUTE_BYTES = 112
_HARDWARE, _INSTRUCTIONS = 0, 1
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


class Instructions:
    """A counter of the instructions in user space, of this thread and the threads that it starts from now on."""

    def __init__(self) -> None:
        self._descriptor = _open()

    def read(self) -> int | None:
        """Return how many there were since the counter was made; None where they can't be counted."""
        if self._descriptor < 0:
            return None
        return int(struct.unpack("Q", os.read(self._descriptor, 8))[0])


def _open() -> int:
    number = _SYSCALL.get(platform.machine())
    if platform.system() != "Linux" or number is None:
        return -1
    attribute = (ctypes.c_char * _ATTRIBUTE_BYTES)()
    struct.pack_into("IIQ", attribute, 0, _HARDWARE, _ATTRIBUTE_BYTES, _INSTRUCTIONS)
    struct.pack_into("Q", attribute, 40, _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR)
    return int(ctypes.CDLL(None).syscall(number, attribute, 0, -1, -1, 0))  # see perf_event_open(2)
