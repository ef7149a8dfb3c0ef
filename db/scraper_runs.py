"""Runs of a scraper: its metrics put together by the run id that they came with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Integer, func, select, type_coerce
from sqlalchemy.engine import Connection

from db.columns import DetailColumns
from db.detail import conditions
from db.models import PagePerformance as Page
from db.results import Filter, TimeRange

# Of time that memory doesn't reach, so many of the newest rows are looked through at most.
MOST_OLD_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class ScraperRun:
    """What one run of a scraper did.

    Args:
        run_id: Its name, as the scraper told it.
        started_ms: When its first navigation or scrape began, epoch ms.
        ended_ms: When its last one was recorded, epoch ms.
        navigations: Page navigations.
        scrapes: Page scrapes.
        items: Items extracted.
        successes: Navigations and scrapes that went well.
    """

    run_id: str
    started_ms: int
    ended_ms: int
    navigations: int
    scrapes: int
    items: int
    successes: int

    @property
    def count(self) -> int:
        """Navigations and scrapes together."""
        return self.navigations + self.scrapes

    @property
    def errors(self) -> int:
        """Navigations and scrapes that failed."""
        return self.count - self.successes

    @property
    def success_rate(self) -> float:
        """Successful share of all navigations and scrapes in percent 0..100."""
        return 100.0 * self.successes / self.count


def runs_of(rows: DetailColumns, most: int) -> tuple[ScraperRun, ...]:
    """Put rows together by run, the newest first; rows without a run id belong to none.

    Args:
        rows: In the order of time.
        most: How many runs at most.
    """
    ids: dict[str | None, int] = {None: 0}
    run = np.array([ids.setdefault(id, len(ids)) for id in rows.run_id.tolist()], dtype=np.int64)
    size = len(ids)
    ended_ms = np.zeros(size, dtype=np.int64)
    ended_ms[run] = rows.created_at_ms  # the newest is written last
    started_ms = np.full(size, np.iinfo(np.int64).max)
    np.minimum.at(started_ms, run, rows.created_at_ms - np.rint(rows.duration_ms).astype(np.int64))
    navigations, scrapes, successes = (
        np.bincount(run[mask], minlength=size) for mask in (~rows.scrape, rows.scrape, rows.success)
    )
    items = np.bincount(run, weights=rows.items, minlength=size).astype(np.int64)
    names = list(ids)
    newest = sorted(range(1, size), key=lambda place: (-int(ended_ms[place]), str(names[place])))[:most]
    return tuple(
        ScraperRun(
            str(names[at]), int(started_ms[at]), int(ended_ms[at]), int(navigations[at]), int(scrapes[at]),
            int(items[at]), int(successes[at]),
        )
        for at in newest
    )  # fmt: skip


def runs_by_sql(connection: Connection, span: TimeRange, filter: Filter) -> tuple[ScraperRun, ...]:
    """Return what `runs_of` returns of the newest rows of a span, all runs of them.

    Args:
        connection: An open connection.
        span: The range.
        filter: Which rows.
    """
    duration_ms = func.coalesce(Page.navigation_duration_ms, Page.scrape_duration_ms)
    index = "ix_page_source_created" if len(filter.sources) == 1 else "ix_page_created"
    newest = (
        select(
            Page.run_id, Page.created_at, (Page.created_at - func.round(duration_ms)).label("began_at"),
            (Page.metric_type == "scrape").label("scrape"), func.coalesce(Page.items_extracted, 0).label("item_count"),
            type_coerce(Page.success, Integer).label("success"),
        )
        .where(*conditions(span.start_ms, span.end_ms, filter, None))
        .with_hint(Page, f"FORCE INDEX ({index})", "mysql")
        .order_by(Page.created_at.desc(), Page.id.desc())
        .limit(MOST_OLD_ROWS)
        .subquery()
    )  # fmt: skip
    row: Any = newest.c
    scrapes = func.sum(type_coerce(row.scrape, Integer))
    statement = (
        select(
            row.run_id, func.min(row.began_at), func.max(row.created_at), func.count() - scrapes, scrapes,
            func.sum(row.item_count), func.sum(row.success),
        )
        .where(row.run_id.is_not(None))
        .group_by(row.run_id)
    )  # fmt: skip
    return tuple(ScraperRun(run_id, *(int(value) for value in rest)) for run_id, *rest in connection.execute(statement))


def joined_runs(parts: Sequence[Sequence[ScraperRun]], most: int) -> tuple[ScraperRun, ...]:
    """Return the runs of several spans as those of one: one that reaches over a border is one run.

    Args:
        parts: What `runs_of` or `runs_by_sql` returned for each.
        most: How many at most.
    """
    found: dict[str, ScraperRun] = {}
    for run in (run for part in parts for run in part):
        known = found.get(run.run_id)
        found[run.run_id] = run if known is None else _added(known, run)
    return tuple(sorted(found.values(), key=lambda run: (-run.ended_ms, run.run_id))[:most])


def _added(one: ScraperRun, other: ScraperRun) -> ScraperRun:
    return replace(
        one,
        started_ms=min(one.started_ms, other.started_ms),
        ended_ms=max(one.ended_ms, other.ended_ms),
        navigations=one.navigations + other.navigations,
        scrapes=one.scrapes + other.scrapes,
        items=one.items + other.items,
        successes=one.successes + other.successes,
    )
