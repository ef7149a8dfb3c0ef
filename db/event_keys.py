"""What a list of events reads: counts and keys from the time indexes, then the rows of one page by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.engine import Connection

from db.detail import conditions
from db.error_kinds import kind_of_error
from db.events import (
    Statement,
    page_columns,
    page_event,
    run_columns,
    run_conditions,
    run_event,
    run_row,
)
from db.models import PagePerformance as Page
from db.models import SchedulerMetric as Run
from db.results import Anchor, Event, EventList, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """Where rows are found, newest first: arrays of equal length."""

    at_ms: IntArray
    id: IntArray
    of_run: IntArray  # 1 for scheduler runs, 0 for page metrics

    def __len__(self) -> int:
        return len(self.at_ms)

    def part(self, low: int, high: int) -> Keys:
        """Return the rows low..high."""
        return Keys(self.at_ms[low:high], self.id[low:high], self.of_run[low:high])

    @classmethod
    def joined(cls, parts: Sequence[Keys]) -> Keys:
        """Put parts behind each other."""
        nothing = np.empty(0, dtype=np.int64)
        return cls(*(
            np.concatenate([nothing, *(getattr(part, name) for part in parts)]) for name in ("at_ms", "id", "of_run")
        ))  # fmt: skip


def anchor_now(connection: Connection) -> Anchor:
    """Return the newest ids there are.

    Args:
        connection: An open connection.
    """
    page_id, run_id = (connection.scalar(select(func.max(column))) or 0 for column in (Page.id, Run.id))
    return Anchor(page_id, run_id)


def key_statements(events: EventList, start_ms: int, end_ms: int) -> list[Statement]:
    """Return the queries for the keys of a list between two moments: of page metrics, and of runs where it has some.

    Of a list of one kind of error the texts come along: SQL can't fold them, so who asks leaves out the others.
    """
    return [
        select(table.created_at, table.id, *_error_of(table, events))
        .where(*wanted)
        .with_hint(table, hint, "mysql")
        .order_by(table.created_at.desc(), table.id.desc())
        for table, wanted, hint in _tables(events, start_ms, end_ms)
    ]


def slot_statements(events: EventList, start_ms: int, end_ms: int, step_ms: int) -> list[Statement]:
    """Return the queries for (number of a slot, its rows) of a list between two moments."""
    found: list[Statement] = []
    for table, wanted, hint in _tables(events, start_ms, end_ms):
        slot = (table.created_at - start_ms) // step_ms
        found.append(
            select(slot.label("slot"), func.count()).where(*wanted).with_hint(table, hint, "mysql").group_by("slot")
        )
    return found


def newer_statements(events: EventList, most: int) -> list[Statement]:
    """Return the queries for the moments of a list's rows among those that came after it was opened.

    Args:
        events: The list.
        most: How many new rows of each table are looked at, of the list or not.
    """
    span, anchor = events.range, events.anchor
    wanted: list[tuple[Any, int, list[ColumnElement[bool]]]] = [
        (Page, anchor.page_id, conditions(span.start_ms, span.end_ms, events.filter, None))
    ]
    if not events.filter.without_runs:
        wanted.append((Run, anchor.run_id, run_conditions(span.start_ms, span.end_ms, events.filter)))
    found: list[Statement] = []
    for table, newest_id, chosen in wanted:
        # The new rows by themselves first: a database that began with the range would look at all of its rows.
        new = select(table.id).where(table.id > newest_id).order_by(table.id).limit(most).subquery()
        found.append(
            select(table.created_at, table.id, *_error_of(table, events))
            .join_from(new, table, new.c.id == table.id)
            .where(*chosen)
            .with_hint(table, "FORCE INDEX (PRIMARY)", "mysql")
        )
    return found


def read_keys(connection: Connection, events: EventList, start_ms: int, end_ms: int) -> Keys:
    """Read where a list's rows between two moments are.

    Args:
        connection: An open connection.
        events: The list.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
    """
    parts = []
    for of_run, statement in enumerate(key_statements(events, start_ms, end_ms)):
        found = [row[:2] for row in connection.execute(statement) if _is_of_kind(row, events)]
        rows = np.array(found, dtype=np.int64).reshape(-1, 2)
        parts.append(Keys(rows[:, 0], rows[:, 1], np.full(len(rows), of_run, dtype=np.int64)))
    both = Keys.joined(parts)
    # At the same moment page metrics come first, as in the list of latest events.
    order = np.lexsort((-both.id, both.of_run, -both.at_ms))
    return Keys(both.at_ms[order], both.id[order], both.of_run[order])


def count_by_slot(
    connection: Connection, events: EventList, start_ms: int, end_ms: int, step_ms: int
) -> dict[int, int]:
    """Count a list's rows between two moments.

    Args:
        connection: An open connection.
        events: The list.
        start_ms: Epoch ms, inclusive.
        end_ms: Epoch ms, exclusive.
        step_ms: Length of a slot.

    Returns:
        Number of a slot, from 0 -> its rows; slots without any are missing.
    """
    counts: dict[int, int] = {}
    if events.filter.error:
        slots, sizes = np.unique(
            (read_keys(connection, events, start_ms, end_ms).at_ms - start_ms) // step_ms, return_counts=True
        )
        return dict(zip(slots.tolist(), sizes.tolist(), strict=True))
    for statement in slot_statements(events, start_ms, end_ms, step_ms):
        for slot, size in connection.execute(statement):
            counts[int(slot)] = counts.get(int(slot), 0) + int(size)
    return counts


def newer_by_slot(connection: Connection, events: EventList, most: int) -> IntArray:
    """Count what came after a list was opened and would belong to it, but for its id.

    Args:
        connection: An open connection.
        events: The list.
        most: How many new rows of each table are looked at.

    Returns:
        Rows in each bucket of the list's range, int64[n].
    """
    span = events.range
    moments_ms = [
        row.created_at
        for statement in newer_statements(events, most)
        for row in connection.execute(statement)
        if _is_of_kind(row, events)
    ]
    slots = (np.array(moments_ms, dtype=np.int64) - span.start_ms) // span.bucket_ms
    return np.bincount(slots, minlength=span.bucket_count).astype(np.int64)


def read_events(connection: Connection, keys: Keys) -> tuple[Event, ...]:
    """Read the rows of some keys.

    Args:
        connection: An open connection.
        keys: A few hundred at most.

    Returns:
        The events in the order of the keys; those that were deleted meanwhile are missing.
    """
    found: dict[tuple[int, int], Event] = {}
    pages, runs = (keys.of_run == 0), (keys.of_run == 1)
    for row in _by_ids(connection, Page, page_columns(), keys.id[pages], keys.at_ms[pages]):
        found[0, row.id] = page_event(row)
    for row in _by_ids(connection, Run, run_columns(), keys.id[runs], keys.at_ms[runs]):
        found[1, row.id] = run_event(run_row(row))
    wanted = zip(keys.of_run.tolist(), keys.id.tolist(), strict=True)
    return tuple(found[key] for key in wanted if key in found)


def rows_statement(table: Any, columns: Sequence[Any], ids: Sequence[int], times_ms: Sequence[int]) -> Statement:
    """Return the query for rows by their ids; their times tell MariaDB in which days to look."""
    return (
        select(*columns)
        .where(table.id.in_(ids), table.created_at.between(min(times_ms), max(times_ms)))
        .with_hint(table, "FORCE INDEX (PRIMARY)", "mysql")
    )


def _error_of(table: Any, events: EventList) -> list[Any]:
    return [table.error] if events.filter.error else []


def _is_of_kind(row: Any, events: EventList) -> bool:
    return not events.filter.error or kind_of_error(row.error or "") == events.filter.error


def _by_ids(
    connection: Connection, table: Any, columns: Sequence[Any], ids: IntArray, times_ms: IntArray
) -> Sequence[Any]:
    if not len(ids):
        return ()
    return connection.execute(rows_statement(table, columns, ids.tolist(), times_ms.tolist())).all()


def _tables(events: EventList, start_ms: int, end_ms: int) -> list[tuple[Any, list[ColumnElement[bool]], str]]:
    filter, anchor = events.filter, events.anchor
    # Left to itself, MariaDB sometimes reads the rows where the index says it all.
    index = "ix_page_source_created" if len(filter.sources) == 1 else "ix_page_created"
    pages = [*conditions(start_ms, end_ms, filter, None), Page.id <= anchor.page_id]
    found: list[tuple[Any, list[ColumnElement[bool]], str]] = [(Page, pages, f"FORCE INDEX ({index})")]
    if not filter.without_runs:
        runs = [*run_conditions(start_ms, end_ms, filter), Run.id <= anchor.run_id]
        found.append((Run, runs, "FORCE INDEX (ix_scheduler_created)"))
    return found
