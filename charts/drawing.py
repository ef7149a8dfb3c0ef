"""A process of its own that draws pictures and sets reports.

The drawing engine holds Python's one lock (the GIL) for as long as it draws, a tenth of a second to a whole one: in the
serving process, every live page would wait for it.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from charts.errors import ExportError
from charts.info import ChartInfo
from charts.report import Report
from charts.theme import Palette

log = logging.getLogger(__name__)

_ROOT: Final = Path(__file__).resolve().parents[1]


class DrawingProcess:
    """Draws in a child process that begins with the first picture and ends when nobody asks for a while.

    Args:
        timeout_s: How long a picture or a report may take.
        idle_s: How long the child waits for more work.
    """

    def __init__(self, *, timeout_s: float = 60.0, idle_s: float = 120.0) -> None:
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._lock = threading.Lock()  # protects the child and its pipe: it draws one picture at a time
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def export_chart(
        self, info: ChartInfo, format: str, *, palette: Palette | None, theme: str, footer: str | None
    ) -> bytes:
        """Return a chart as a file; see `charts.export.export_chart`."""
        return self._ask("chart", (info, format), {"palette": palette, "theme": theme, "footer": footer})

    def report_pdf(self, report: Report, palette: Palette | None) -> bytes:
        """Return a report as a PDF file; see `charts.report_pdf.report_pdf`."""
        return self._ask("report", (report,), {"palette": palette})

    def stop(self) -> None:
        """End the child; the next picture begins another one."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The child's process id, None when there is none."""
        child = self._child
        return None if child is None else child.pid

    def _ask(self, what: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> bytes:
        with self._lock:
            for last in (False, True):
                try:
                    pipe = self._pipe or self._begin()
                    pipe.send((what, arguments, options))
                    if not pipe.poll(self._timeout_s):
                        self._end()
                        raise ExportError(what, f"it took more than {self._timeout_s:.0f} seconds to draw")
                    answer = pipe.recv()
                    break
                except (EOFError, OSError) as exc:  # it had ended, perhaps at this very moment: it waited long enough
                    self._end()
                    if last:
                        raise ExportError(what, "the process that draws ended while it drew") from exc
        if isinstance(answer, tuple):
            raise ExportError(*answer)
        return bytes(answer)

    def _begin(self) -> Connection:
        ours, theirs = Pipe()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "charts.drawing", str(theirs.fileno()), str(self._idle_s)],
                pass_fds=[theirs.fileno()],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl+C is for the program; the child ends when its pipe does
            )
        self._pipe = ours
        return ours

    def _end(self) -> None:
        child, pipe, self._child, self._pipe = self._child, self._pipe, None, None
        if pipe is not None:
            pipe.close()
        if child is not None:
            child.kill()
            child.wait()


def _serve(pipe: Connection, idle_s: float) -> None:
    """Draw what is asked for until nobody asks any more."""
    from charts.export import export_chart
    from charts.report_pdf import report_pdf

    calls: dict[str, Any] = {"chart": export_chart, "report": report_pdf}
    while pipe.poll(idle_s):
        try:
            what, arguments, options = pipe.recv()
        except EOFError:
            return
        try:
            answer: object = calls[what](*arguments, **options)
        except ExportError as exc:
            answer = exc.format, exc.message
        except Exception as exc:  # noqa: BLE001 - who asked gets its text
            answer = what, f"the process that draws failed: {type(exc).__name__}: {exc}"[:500]
        pipe.send(answer)


if __name__ == "__main__":
    os.nice(5)  # pages come first
    _serve(Connection(int(sys.argv[1])), float(sys.argv[2]))
