"""What is asked about collectors: the part of `db.queries.Queries` that is about these."""

from __future__ import annotations

from sqlalchemy.engine import Engine

from db.collectors import CollectorLine, read_collectors
from db.errors import unavailable_as_ours


class CollectorQueries:
    """Reads what collectors reported."""

    _engine: Engine

    def collectors(self, now_ms: int) -> tuple[CollectorLine, ...]:
        """Return every collector that reported within a day, by host, name and process.

        Args:
            now_ms: The present, epoch milliseconds.

        Raises:
            DatabaseUnavailable: The database can't be asked.
        """
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return read_collectors(connection, now_ms)
