"""The sink for `configure(database_url=...)`: the one place that reaches for Scrapeboard's own `db` package, lazily."""

import datetime
import importlib
from typing import Any

from collector.errors import ConfigurationError
from collector.redact import redact_url
from collector.sinks import Batch, Delivery


class DatabaseSink:
    """Writes batches into a Scrapeboard database from this process, after migrating it.

    Only where the whole of Scrapeboard is installed: a checkout, not `pip install .`. Listeners in an app (its live
    pages) aren't told of what comes this way; the pages show it when they next read the database.

    Args:
        database_url: `sqlite:///path`, `mysql+pymysql://user:password@host/name`, ...

    Raises:
        ConfigurationError: Scrapeboard's `db` package can't be imported.
        db.errors.DatabaseError: The database can't be reached or doesn't fit this program.
    """

    def __init__(self, database_url: str) -> None:
        make_engine, upgrade, self._store_class = _import_db()
        self.spool_key = redact_url(database_url)
        self._engine: Any = make_engine(url=database_url)
        upgrade(self._engine)
        self._store: Any = self._store_class(self._engine)

    def send(self, batch: Batch) -> Delivery:
        """Store a batch; see `Sink.send`."""
        delivery: Delivery = self._store.send(batch)
        return delivery

    def generate_daily_summary(self, date: datetime.date) -> int:
        """Recompute the daily summaries of a UTC day; the number of sources that have one."""
        return int(self._store.generate_daily_summary(date))

    def cleanup_old_metrics(self, retention_days: int) -> int:
        """Delete detail that is older than so many days; the number of rows deleted."""
        return int(self._store.cleanup_old_metrics(retention_days))

    def after_fork(self) -> None:
        """Leave the parent's connections alone, and forget locks that nobody will release here."""
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
