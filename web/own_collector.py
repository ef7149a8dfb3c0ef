"""The report of the collector within the app's own process: it is taken in as those of other processes are."""

from __future__ import annotations

import os
import platform
import socket
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from collector.report import MAX_TEXT_CHARS, CollectorReport
from db.clock import now_ms
from db.collectors import Collectors

NAME = "the app itself"
INTERVAL_S = 5.0


class OwnCollector:
    """Reports for the app's process, in the app's process.

    Args:
        collectors: Who takes reports in.
        stats: Returns the figures of this process' collector.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(
        self, collectors: Collectors, stats: Callable[[], Mapping[str, Any]], *, clock_ms: Callable[[], int] = now_ms
    ) -> None:
        self._collectors = collectors
        self._stats = stats
        self._clock_ms = clock_ms
        self._identity = uuid.uuid4().hex
        self._started_ms = clock_ms()

    def report(self) -> None:
        """Report, and write what is due of all reports; to be called every `INTERVAL_S` seconds."""
        present_ms = self._clock_ms()
        self._collectors.heard(self.made(present_ms), present_ms, "app")
        self._collectors.flush()

    def made(self, present_ms: int) -> CollectorReport:
        """Return the report of a moment.

        Args:
            present_ms: Epoch ms.
        """
        stats = self._stats()
        error: str | None = stats.get("last_error")
        return CollectorReport(
            collector_id=self._identity,
            host=socket.gethostname()[:MAX_TEXT_CHARS],
            pid=os.getpid(),
            name=NAME,
            version="",  # that of the app
            python=platform.python_version(),
            started_at_ms=self._started_ms,
            sent_at_ms=present_ms,
            recorded=stats.get("recorded", 0),
            flushed=stats.get("flushed", 0),
            pending=stats.get("pending", 0),
            dropped=stats.get("dropped_by_reason", {}),
            adopted=stats.get("adopted", 0),
            spool_bytes=stats.get("spool_bytes", 0),
            spool_metrics=stats.get("spool_size", 0),
            last_flush_at_ms=stats.get("last_flush"),
            last_error=None if error is None else error[:MAX_TEXT_CHARS],
            interval_s=INTERVAL_S,
        )
