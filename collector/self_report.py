"""Makes the collector's report about itself (`collector.report`) from what the worker knows."""

import os
import platform
import socket
import sys
import time
import uuid
from typing import Any

from collector.redact import redact_text
from collector.report import MAX_TEXT_CHARS, CollectorReport, report_to_wire
from collector.sinks import REPORT_WHEN_IDLE_S
from collector.version import VERSION
from collector.worker import Worker


class SelfReport:
    """Who this process is, and how its collector is doing.

    Args:
        worker: Whose figures it tells.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._identity = ("", 0, 0)
        self.name: str | None = None

    def make(self) -> CollectorReport:
        """Make the report of this moment."""
        identity, process_id, started_at_ms = self._who()
        stats = self._worker.stats()
        return CollectorReport(
            collector_id=identity,
            host=socket.gethostname(),
            pid=process_id,
            name=(self.name or os.path.basename(sys.argv[0] if sys.argv else "") or "python")[:MAX_TEXT_CHARS],
            version=VERSION,
            python=platform.python_version(),
            started_at_ms=started_at_ms,
            sent_at_ms=time.time_ns() // 1_000_000,
            recorded=stats["recorded"],
            flushed=stats["flushed"],
            pending=stats["pending"] + stats["left_on_disk"],
            dropped=stats["dropped_by_reason"],
            adopted=stats["adopted"],
            spool_bytes=stats["spool_bytes"],
            spool_metrics=stats["spool_size"],
            last_flush_at_ms=stats["last_flush"],
            last_error=None if stats["last_error"] is None else redact_text(stats["last_error"])[:MAX_TEXT_CHARS],
            interval_s=REPORT_WHEN_IDLE_S,
        )

    def wire(self) -> dict[str, Any]:
        """Make it in its form on the wire."""
        return report_to_wire(self.make())

    def _who(self) -> tuple[str, int, int]:
        """Say (id, process id, since when in epoch milliseconds): another one after a fork."""
        if self._identity[1] != os.getpid():
            self._identity = (str(uuid.uuid4()), os.getpid(), time.time_ns() // 1_000_000)
        return self._identity
