"""One event with all that was recorded of it, and what else happened at its URL."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.engine import Connection

from db.event_keys import rows_statement
from db.events import Statement, page_columns, page_event, run_columns, run_event, run_row
from db.hashes import hash_of
from db.item_fields import fields_of
from db.models import PagePerformance as Page
from db.models import SchedulerMetric as Run
from db.recent import RecentDetail
from db.results import Event, EventDetail, UrlHistory

# Without an index of URLs, so many older rows of a source are looked through: about what a page may cost.
MOST_LOOKED_AT = 10_000
_ID = re.compile(r"([ps]):([0-9]{1,18})", re.ASCII)


def read_event(connection: Connection, id: str) -> EventDetail | None:
    """Read one event.

    Args:
        connection: An open connection.
        id: "p:123" or "s:45"; anything else is no event.
    """
    match = _ID.fullmatch(id)
    if match is None:
        return None
    number = int(match[2])
    row = connection.execute(event_statement(number, of_run=match[1] == "s")).one_or_none()
    if row is None:
        return None
    if match[1] == "s":
        return EventDetail(run_event(run_row(row)), row.run_id, (), None, row.scraper_source, ())
    return EventDetail(page_event(row), row.run_id, _labels(row.labels), row.data_size, None, fields_of(row.fields))


def event_statement(number: int, *, of_run: bool) -> Statement:
    """Return the query for one row by its id."""
    if of_run:
        return select(*run_columns()).where(Run.id == number)
    return select(*page_columns(), Page.run_id, Page.labels, Page.data_size, Page.fields).where(Page.id == number)


def url_history(connection: Connection, recent: RecentDetail, event: Event, limit: int) -> UrlHistory:
    """Read the newest events of an event's source at its very URL.

    Memory knows them for the newest rows. Before these, and before the event itself where that is older, so many rows
    of the source as `MOST_LOOKED_AT` says are looked through, newest first.

    Args:
        connection: An open connection.
        recent: The newest rows.
        event: A navigation or scrape.
        limit: How many at most.
    """
    rows, covered_ms, _ = recent.snapshot(None, None)
    code = recent.sources.known(event.source)
    at_url = (rows.url_hash == np.uint64(hash_of(event.url or ""))) & (rows.source == (-1 if code is None else code))
    times_ms = rows.created_at_ms[np.flatnonzero(at_url)[-limit:]].tolist()
    found = [page_event(row) for row in connection.execute(_at_moments(event, times_ms))] if times_ms else []
    if covered_ms is None or len(found) >= limit:
        return _history(found, limit, whole=covered_ms is None, gap=False)
    # An event from before memory is seen among its neighbours; what lies between them and memory is left out.
    end_ms = min(covered_ms, event.recorded_at_ms + 1)
    looked_at = connection.execute(older_statement(event, end_ms)).all()
    same = [row for row in looked_at if row.page_url == event.url][:limit]
    if same:
        older = rows_statement(Page, page_columns(), [row.id for row in same], [row.created_at for row in same])
        found += [page_event(row) for row in connection.execute(older)]
    return _history(found, limit, whole=len(looked_at) < MOST_LOOKED_AT, gap=end_ms < covered_ms)


def older_statement(event: Event, end_ms: int) -> Statement:
    """Return the query for the rows that are looked through: of one source, before a moment, newest first."""
    return (
        select(Page.id, Page.created_at, Page.page_url)
        .where(Page.scraper_source == event.source, Page.created_at < end_ms)
        .with_hint(Page, "FORCE INDEX (ix_page_source_created)", "mysql")
        .order_by(Page.created_at.desc(), Page.id.desc())
        .limit(MOST_LOOKED_AT)
    )


def _at_moments(event: Event, times_ms: list[int]) -> Select[Any]:
    return (
        select(*page_columns())
        .where(
            Page.scraper_source == event.source,
            Page.created_at.in_(sorted(set(times_ms))),
            Page.page_url == event.url,
        )
        .with_hint(Page, "FORCE INDEX (ix_page_source_created)", "mysql")
    )


def _history(found: list[Event], limit: int, *, whole: bool, gap: bool) -> UrlHistory:
    ordered = sorted(found, key=lambda event: (event.recorded_at_ms, int(event.id[2:])), reverse=True)
    return UrlHistory(tuple(ordered[:limit]), whole=whole and not gap, gap=gap)


def _labels(text: str | None) -> tuple[tuple[str, str], ...]:
    """Return the pairs of a JSON object of strings; what isn't one (an older program's, say) has none."""
    try:
        labels = json.loads(text or "{}")
    except ValueError:
        return ()
    return tuple((str(name), str(value)) for name, value in labels.items()) if isinstance(labels, dict) else ()
