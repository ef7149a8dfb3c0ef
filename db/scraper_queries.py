"""What the page of one scraper asks: the part of `db.queries.Queries` that is about its runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Protocol, TypeVar

from sqlalchemy.engine import Engine

from db.errors import unavailable_as_ours
from db.results import Filter, TimeRange
from db.scraper_runs import ScraperRun
from db.table_answers import TableAnswers
from db.told_runs import RunLine, read_states, run_lines

_Answer = TypeVar("_Answer")


class _Asked(Protocol):
    """What these questions need of the class that they are a part of."""

    _engine: Engine
    _tables: TableAnswers

    def scraper_runs(self, range: TimeRange, filter: Filter, limit: int = 20) -> tuple[ScraperRun, ...]: ...

    def _once(self, question: Hashable, answer: Callable[[], _Answer]) -> _Answer: ...


class ScraperQueries:
    """Reads about a scraper's runs; every method raises DatabaseUnavailable when the database can't be asked."""

    def scraper_runs(self: _Asked, range: TimeRange, filter: Filter, limit: int = 20) -> tuple[ScraperRun, ...]:
        """Return what each run did in the range, the newest first; metrics without a run id belong to none.

        Args:
            range: The range; of what memory doesn't hold of it, the newest 20,000 metrics are looked through.
            filter: Its sources, labels and URL; all else is left aside: a run is told as a whole.
            limit: How many runs at most.
        """
        filter = replace(filter, kind="all", result="all", outcomes=(), error="")

        def answer() -> tuple[ScraperRun, ...]:
            return self._tables.runs(range, filter, limit)

        return self._once(("scraper_runs", range, filter, limit), answer)

    def told_runs(self: _Asked, range: TimeRange, filter: Filter = Filter(), limit: int = 100) -> tuple[RunLine, ...]:
        """Return the runs that somebody told of (`collector.run`), those that were heard of last first.

        Args:
            range: The range; runs that were going on in it.
            filter: Its sources; a run is told as a whole, and has neither a URL nor labels.
            limit: How many runs at most.
        """
        filter = replace(filter, kind="all", result="all", outcomes=(), error="")

        def answer() -> tuple[RunLine, ...]:
            with unavailable_as_ours(self._engine), self._engine.connect() as connection:
                return run_lines((), read_states(connection, range, filter, limit), limit)

        return self._once(("told_runs", range, filter, limit), answer)

    def runs_of_scraper(self: _Asked, range: TimeRange, filter: Filter, limit: int = 20) -> tuple[RunLine, ...]:
        """Return the runs of a scraper with what their metrics add up to, those that were heard of last first.

        Args:
            range: The range; of what memory doesn't hold of it, the newest 20,000 metrics are looked through.
            filter: Its sources, labels and URL; all else is left aside: a run is told as a whole.
            limit: How many runs at most.
        """
        filter = replace(filter, kind="all", result="all", outcomes=(), error="")

        def answer() -> tuple[RunLine, ...]:
            added_up = self.scraper_runs(range, filter, limit)
            ids = [run.run_id for run in added_up]
            with unavailable_as_ours(self._engine), self._engine.connect() as connection:
                return run_lines(added_up, read_states(connection, range, filter, limit, ids), limit)

        return self._once(("runs_of_scraper", range, filter, limit), answer)

    def scrapes_with_items(self: _Asked, range: TimeRange, filter: Filter) -> int | None:
        """Return how many scrapes brought at least one item; None where that isn't known any more.

        Args:
            range: The range; only the detail rows in memory tell.
            filter: Which rows.
        """

        def answer() -> int | None:
            return self._tables.with_items(range, filter)

        return self._once(("scrapes_with_items", range, filter), answer)
