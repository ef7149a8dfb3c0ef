"""How far a long command is, on one line of the terminal; silent where nobody watches."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self, TextIO

_WIDTH = 30
_PAUSE_S = 0.1


class Progress:
    """A bar on standard error: `with Progress() as progress`, then call it as often as you like.

    Args:
        stream: Where to draw; nothing is drawn when it is no terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty()
        self._drawn_s = -1.0
        self._label = ""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Say how far the work is.

        Args:
            label: What is being done.
            done: Steps done, for instance rows.
            total: Steps in all; 0 when nobody knows.
        """
        if not self._shown:
            return
        now_s = time.monotonic()
        if label == self._label and done < total and now_s - self._drawn_s < _PAUSE_S:
            return
        if self._label and label != self._label:
            self._stream.write("\n")
        self._label, self._drawn_s = label, now_s
        share = min(1.0, done / total) if total else 1.0
        bar = "#" * round(share * _WIDTH)
        # "erase to the end of the line" before the next, shorter text
        self._stream.write(f"\r{label:<32} [{bar:<{_WIDTH}}] {done:,}{f' of {total:,}' if total else ''}\x1b[K")
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._label:
            self._stream.write("\n")
            self._stream.flush()
