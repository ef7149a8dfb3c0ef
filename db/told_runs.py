"""Runs of scrapers as pages show them: what was told of them, beside what their metrics add up to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import Connection

from db.models import ScraperRun as Told
from db.results import Filter, TimeRange
from db.run_states import RunState, run_state
from db.scraper_runs import ScraperRun


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run, as far as it is known.

    Args:
        run_id: Its name among all runs.
        name: What ran; None of a run that is known from its metrics alone, as all is that nobody told.
        source: The scraper that it is told to be a run of.
        state: `running`, `ok`, `failed`, `killed` or `lost`; None when nobody told.
        started_ms: When it began, epoch ms.
        ended_ms: When it was heard of last, epoch ms: its end, once it is over.
        navigations: Page navigations that came with its id.
        scrapes: Page scrapes.
        items: Items extracted.
        successes: Navigations and scrapes that went well.
        expected_items: How many items there should be in the end.
        error: Why it failed.
    """

    run_id: str
    name: str | None
    source: str | None
    state: str | None
    started_ms: int
    ended_ms: int
    navigations: int
    scrapes: int
    items: int
    successes: int
    expected_items: int | None
    error: str | None

    @property
    def count(self) -> int:
        """Navigations and scrapes together."""
        return self.navigations + self.scrapes

    @property
    def success_rate(self) -> float | None:
        """Successful share of all navigations and scrapes in percent 0..100, None without any."""
        return 100.0 * self.successes / self.count if self.count else None

    @property
    def items_rate(self) -> float | None:
        """Share of the expected items that are there, in percent; None when nobody said how many to expect."""
        return 100.0 * self.items / self.expected_items if self.expected_items else None


def read_states(
    connection: Connection, span: TimeRange, filter: Filter, limit: int, also: Collection[str] = ()
) -> tuple[RunState, ...]:
    """Read runs that were going on in a range, those that were heard of last first.

    Args:
        connection: An open connection.
        span: The range.
        filter: Its sources; a run has no URL and no label.
        limit: How many at most.
        also: Ids of runs to read whatever they are of.
    """
    statement = (
        select(*Told.__table__.c)
        .where(Told.recorded_at >= span.start_ms, Told.started_at < span.end_ms)
        .order_by(Told.recorded_at.desc(), Told.run_id)
        .limit(limit)
    )
    if filter.sources:
        statement = statement.where(Told.scraper_source.in_(filter.sources))
    rows = [] if filter.url_contains or filter.labels else list(connection.execute(statement))
    missing = sorted(set(also) - {row.run_id for row in rows})
    if missing:
        rows += connection.execute(select(*Told.__table__.c).where(Told.run_id.in_(missing)))
    return tuple(run_state(row) for row in rows)


def run_lines(added_up: Sequence[ScraperRun], states: Sequence[RunState], most: int) -> tuple[RunLine, ...]:
    """Put together what is known of runs, the one that was heard of last first.

    Args:
        added_up: What metrics that came with a run's id add up to.
        states: What was told.
        most: How many at most.
    """
    told = {state.told.run_id: state for state in states}
    summed = {run.run_id: run for run in added_up}
    lines = [_line(run_id, summed.get(run_id), told.get(run_id)) for run_id in dict.fromkeys([*summed, *told])]
    return tuple(sorted(lines, key=lambda line: (-line.ended_ms, line.run_id))[:most])


def _line(run_id: str, run: ScraperRun | None, state: RunState | None) -> RunLine:
    if state is None:
        assert run is not None
        return RunLine(
            run_id, None, None, None, run.started_ms, run.ended_ms, run.navigations, run.scrapes, run.items,
            run.successes, None, None,
        )  # fmt: skip
    event = state.told
    # A range may hold a part of a run's metrics only, and a collector counts before its batches are out.
    return RunLine(
        run_id=run_id,
        name=event.name,
        source=event.scraper_source,
        state=event.state,
        started_ms=event.started_at_ms,
        ended_ms=event.recorded_at_ms if run is None else max(run.ended_ms, event.recorded_at_ms),
        navigations=run.navigations if run else 0,
        scrapes=run.scrapes if run else 0,
        items=max(run.items if run else 0, event.items_extracted),
        successes=run.successes if run else 0,
        expected_items=event.expected_items,
        error=event.error,
    )
