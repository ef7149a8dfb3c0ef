"""The sink for `configure(database_url=...)`: the one place that reaches for Scrapeboard's own `db` package, lazily."""

import datetime
import importlib
import math
import time
from collections.abc import Callable
from typing import Any

from collector.errors import ConfigurationError
from collector.redact import redact_url
from collector.report import CollectorReport
from collector.sinks import REPORT_EVERY_S, REPORT_WHEN_IDLE_S, Batch, Delivery


class DatabaseSink:
    """Writes batches into a Scrapeboard database from this process, after migrating it.

    Only where the whole of Scrapeboard is installed: a checkout, not `pip install .`. Listeners in an app (its live
    pages) aren't told of what comes this way; the pages show it when they next read the database.

    Args:
        database_url: `sqlite:///path`, `mysql+pymysql://user:password@host/name`, ...
        report: Makes the collector's report about itself, which is written beside a batch every five seconds at most,
            and alone when there was none for half a minute; None = none is written.

    Attributes:
        reports_failed: How many of them couldn't be written; the next one says the same.

    Raises:
        ConfigurationError: Scrapeboard's `db` package can't be imported.
        db.errors.DatabaseError: The database can't be reached or doesn't fit this program.
    """

    def __init__(self, database_url: str, *, report: Callable[[], CollectorReport] | None = None) -> None:
        self._report = report
        self._reported_at_s = -math.inf
        self.reports_failed = 0
        make_engine, upgrade, self._store_class = _import_db()
        self.spool_key = redact_url(database_url)
        self._engine: Any = make_engine(url=database_url)
        upgrade(self._engine)
        self._store: Any = self._store_class(self._engine)

    def send(self, batch: Batch) -> Delivery:
        """Store a batch; see `Sink.send`."""
        delivery: Delivery = self._store.send(batch)
        if time.monotonic() - self._reported_at_s >= REPORT_EVERY_S:
            self._write_report()
        return delivery

    def report_if_due(self) -> float:
        """Write the report alone when none was written for half a minute; for how many seconds that isn't due again."""
        left_s = self._reported_at_s + REPORT_WHEN_IDLE_S - time.monotonic()
        if self._report is None or left_s > 0 or self._reported_at_s == -math.inf:  # no metric came yet
            return 3600.0 if self._report is None else max(left_s, 1.0)
        self._write_report()
        return REPORT_WHEN_IDLE_S

    def report_last(self, timeout_s: float) -> None:
        """Write the report a last time, if one was written before; a database isn't hurried."""
        del timeout_s
        if self._reported_at_s > -math.inf:
            self._write_report()

    def _write_report(self) -> None:
        self._reported_at_s = time.monotonic()
        if self._report is not None:
            try:
                self._store.report(self._report())
            except Exception:  # noqa: BLE001 - whatever it is, batches matter more; the next report says the same
                self.reports_failed += 1

    def generate_daily_summary(self, date: datetime.date) -> int:
        """Recompute the daily summaries of a UTC day; the number of sources that have one."""
        return int(self._store.generate_daily_summary(date))

    def cleanup_old_metrics(self, retention_days: int) -> int:
        """Delete detail that is older than so many days; the number of rows deleted."""
        return int(self._store.cleanup_old_metrics(retention_days))

    def after_fork(self) -> None:
        """Leave the parent's connections alone, and forget locks that nobody will release here."""
        self._reported_at_s = -math.inf
        self._engine.dispose(close=False)
        self._store = self._store_class(self._engine)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _import_db() -> tuple[Any, Any, Any]:
    try:
        return (
            importlib.import_module("db.engine").make_engine,
            importlib.import_module("db.migrate").upgrade,
            importlib.import_module("db.store").Store,
        )
    except (ImportError, AttributeError) as exc:  # AttributeError: somebody else's package of that name
        raise ConfigurationError(
            f"database_url needs Scrapeboard's db package and its libraries ({exc}): run from a Scrapeboard checkout,"
            " or send to an app with configure(url=...)"
        ) from exc
