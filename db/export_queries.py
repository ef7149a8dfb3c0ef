"""What exports ask: the part of `db.queries.Queries` that reads everything of a range, however much that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy.engine import Engine

from db.event_walk import EventRow, event_chunks, run_chunks
from db.results import Filter, TimeRange


class ExportQueries:
    """Reads in chunks; each raises DatabaseUnavailable, also between two chunks, when the database can't be asked."""

    _engine: Engine

    def event_chunks(self, range: TimeRange, filter: Filter) -> Iterator[Sequence[EventRow]]:
        """Return all events of a range, newest first, in chunks of some thousand rows of `db.event_walk.EVENT_FIELDS`.

        Args:
            range: The range.
            filter: As for `Queries.events`.
        """
        return event_chunks(self._engine, range.start_ms, range.end_ms, filter, runs=not filter.without_runs)

    def run_chunks(self, range: TimeRange, filter: Filter) -> Iterator[Sequence[EventRow]]:
        """Return all scheduler runs of a range, newest first, in chunks of rows of `db.event_walk.EVENT_FIELDS`.

        Args:
            range: The range.
            filter: As for `Queries.scheduler_runs`.
        """
        return run_chunks(self._engine, range.start_ms, range.end_ms, filter)
