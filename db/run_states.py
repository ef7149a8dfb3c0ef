"""Runs of scrapers as they are told (`collector.run`): each message is kept, and of each run the one that counts.

Messages come twice, late and in any order. Which one counts is a question of two of them alone: an end before anything
else, then the later one. So whatever order they come in, the same one is left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.engine import Connection

from collector import fields
from collector.run_events import FAILED, KILLED, LOST, OK, RUNNING
from collector.run_events import ScraperRun as RunEvent
from collector.sinks import Batch
from db.models import RunMessage, ScraperRun
from db.rows import BadRow, Row

MESSAGE_TABLE: Final = RunMessage.__tablename__
MESSAGE_COLUMNS: Final = (
    "run_id", "name", "scraper_source", "state", "started_at", "recorded_at", "items_extracted", "expected_items",
    "heartbeat_interval_ms", "error", "heard_at",
)  # fmt: skip

# A run is lost when it was silent for so many heartbeats, but never sooner than after so long.
MISSED_HEARTBEATS: Final = 3
LEAST_SILENCE_MS: Final = 60_000

_ENDS: Final = {OK: 0, FAILED: 1, KILLED: 2}
_GOING: Final = {RUNNING: 0, LOST: 1}
_MOMENT_BITS, _RANK_BITS, _ITEM_BITS = 42, 2, 18
_MOST_LOST: Final = 500  # closed at a time


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as it stands.

    Args:
        told: The message that counts; its state may be `lost`, which the app itself says.
        heard_ms: When the newest message arrived, epoch ms by the app's clock.
    """

    told: RunEvent
    heard_ms: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.told.state != RUNNING

    @property
    def took_ms(self) -> int:
        """How long it took, up to the message that counts."""
        return max(0, self.told.recorded_at_ms - self.told.started_at_ms)


def message_row(event: RunEvent, heard_ms: int) -> Row:
    """Return the values of a message, in the order of MESSAGE_COLUMNS.

    Args:
        event: The message.
        heard_ms: When it arrived, epoch ms.

    Raises:
        BadRow: Its state is none.
    """
    if event.state not in _ENDS and event.state not in _GOING:
        raise BadRow("state", f"must be one of {', '.join((*_ENDS, *_GOING))}")
    error = event.error
    return (
        event.run_id, event.name, event.scraper_source, event.state, event.started_at_ms, event.recorded_at_ms,
        event.items_extracted, event.expected_items, event.heartbeat_interval_ms,
        None if error is None else error[: fields.MAX_ERROR_CHARS], heard_ms,
    )  # fmt: skip


def repaired_run(event: RunEvent) -> RunEvent:
    """Return the message with what no database takes replaced, as `db.rows.repaired` does with metrics."""

    def text(value: str | None, most: int) -> Any:
        return None if value is None else fields.clean(value)[:most]

    return replace(
        event,
        name=text(event.name, fields.MAX_NAME_CHARS),
        run_id=text(event.run_id, fields.MAX_RUN_ID_CHARS),
        scraper_source=text(event.scraper_source, fields.MAX_NAME_CHARS),
        error=text(event.error, fields.MAX_ERROR_CHARS),
    )


def progress(event: RunEvent) -> int:
    """Return a number by which two messages about a run are told apart: the one with the higher number counts.

    An end counts before everything that isn't one, whenever it was told: a heartbeat that comes late revives no run.
    What was told later counts before what was told earlier; that a run is lost, before its last heartbeat.

    Args:
        event: The message.
    """
    is_end = event.state in _ENDS
    rank = _ENDS[event.state] if is_end else _GOING.get(event.state, 0)
    moment = min(max(event.recorded_at_ms, 0), (1 << _MOMENT_BITS) - 1)
    items = min(max(event.items_extracted, 0), (1 << _ITEM_BITS) - 1)
    return (((is_end << _MOMENT_BITS | moment) << _RANK_BITS | rank) << _ITEM_BITS) | items


def what_counts(events: Iterable[RunEvent]) -> dict[str, RunEvent]:
    """Return of each run the message that counts.

    Args:
        events: Messages in any order.
    """
    found: dict[str, RunEvent] = {}
    for event in events:
        known = found.get(event.run_id)
        if known is None or progress(event) > progress(known):
            found[event.run_id] = event
    return found


def keep_states(connection: Connection, events: Sequence[RunEvent], heard_ms: int) -> None:
    """Bring runs to where their messages say they are; what is known already and counts more stays.

    Args:
        connection: A writing transaction.
        events: The messages.
        heard_ms: When they arrived, epoch ms.
    """
    # In one order everywhere, so that two transactions wait for each other without a deadlock.
    for run_id, event in sorted(what_counts(events).items()):
        values = dict(zip(MESSAGE_COLUMNS, message_row(event, heard_ms), strict=True))
        connection.execute(_upsert(connection, {**values, "run_id": run_id, "progress": progress(event)}))


def _upsert(connection: Connection, values: dict[str, Any]) -> Any:
    table: Any = ScraperRun.__table__
    kept = [name for name in values if name not in ("run_id", "progress", "heard_at")]
    if connection.dialect.name == "sqlite":
        lite = sqlite.insert(table).values(values)
        new: Any = lite.excluded
        changes = _changes(table.c, new, kept)
        return lite.on_conflict_do_update(index_elements=[table.c.run_id], set_=dict(changes))
    my = mysql.insert(table).values(values)
    # In this order: MySQL changes one column after the other, and the comparison is by the last one.
    return my.on_duplicate_key_update(_changes(table.c, my.inserted, kept))


def _changes(old: Any, new: Any, kept: Sequence[str]) -> list[tuple[str, ColumnElement[Any]]]:
    counts = new.progress > old.progress
    changes: list[tuple[str, ColumnElement[Any]]] = [
        (name, case((counts, new[name]), else_=old[name])) for name in kept
    ]
    # A heartbeat that counts for nothing is a sign of life all the same.
    changes.append(("heard_at", case((new.heard_at > old.heard_at, new.heard_at), else_=old.heard_at)))
    changes.append(("progress", case((counts, new.progress), else_=old.progress)))
    return changes


def silent_runs(connection: Connection, now_ms: int, since_ms: int) -> list[RunEvent]:
    """Return the runs that fell silent, each as the message that says that it is lost.

    Args:
        connection: An open connection.
        now_ms: The present, epoch ms.
        since_ms: From when on messages could arrive without a break, epoch ms: who couldn't be heard wasn't silent.
    """
    if since_ms > now_ms - LEAST_SILENCE_MS:
        return []
    statement = (
        select(ScraperRun)
        .where(ScraperRun.state == RUNNING, ScraperRun.heard_at <= now_ms - LEAST_SILENCE_MS)
        .order_by(ScraperRun.heard_at)
        .limit(_MOST_LOST)
    )
    found = [run_state(row) for row in connection.execute(statement.with_only_columns(*ScraperRun.__table__.c))]
    return [
        replace(state.told, state=LOST)
        for state in found
        if now_ms - max(state.heard_ms, since_ms) >= silence_ms(state.told)
    ]


def silence_ms(event: RunEvent) -> int:
    """Return how long a run may be silent before it is lost, in milliseconds.

    Args:
        event: Any message about it.
    """
    return max(MISSED_HEARTBEATS * event.heartbeat_interval_ms, LEAST_SILENCE_MS)


def lost_batch(event: RunEvent) -> Batch:
    """Return the batch that says that a run is lost; whoever says so, it has the same id and is stored once.

    Args:
        event: One of `silent_runs`.
    """
    digest = hashlib.blake2b(f"{progress(event)} {event.run_id}".encode("utf-8", "surrogatepass"), digest_size=24)
    return Batch(f"lost-{digest.hexdigest()}", (), (event,))


def run_state(row: Any) -> RunState:
    """Return the run of a row of `scraper_runs`."""
    return RunState(run_event(row), row.heard_at)


def run_event(row: Any) -> RunEvent:
    """Return the message of a row of either table."""
    return RunEvent(
        name=row.name, run_id=row.run_id, scraper_source=row.scraper_source, state=row.state,
        started_at_ms=row.started_at, recorded_at_ms=row.recorded_at, items_extracted=row.items_extracted,
        expected_items=row.expected_items, heartbeat_interval_ms=row.heartbeat_interval_ms, error=row.error,
    )  # fmt: skip
