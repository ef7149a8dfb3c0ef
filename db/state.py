"""Numbers that rollups and retention must remember over a restart, by name, in the table `rollup_state`."""

from __future__ import annotations

from sqlalchemy import select, text
from sqlalchemy.engine import Connection

from db.models import RollupState
from db.rows import insert_many

# Detail ids up to these are in the rollups (but for the last few, see db.rollups).
ROLLED_ID = "rolled_detail_id"
# The same of scheduler runs (db.job_rollups).
ROLLED_RUN_ID = "rolled_run_id"
# Older metrics are refused; said before they are rolled up for the last time, and before DETAIL_SINCE_MS: epoch ms.
ACCEPTED_SINCE_MS = "accepted_since_ms"
# Older detail rows, minute and hour rollups were deleted: epoch ms, a UTC midnight.
DETAIL_SINCE_MS = "detail_since_ms"
MINUTES_SINCE_MS = "minutes_since_ms"
HOURS_SINCE_MS = "hours_since_ms"
# Changes whenever rollups are written: who read before that has to read again.
TURN = "rollup_turn"
JOB_TURN = "job_rollup_turn"
# Which process evaluates the alert rules, until when by the database's clock, and when it last did (epoch ms).
ALERT_EVALUATOR = "alert_evaluator"
ALERT_LEASE_MS = "alert_lease_ms"
ALERTS_EVALUATED_MS = "alerts_evaluated_ms"
# Grow whenever somebody changes rules, silences, channels or schedules; and whenever an evaluation changes an alert.
ALERT_SETTINGS_TURN = "alert_settings_turn"
ALERT_TURN = "alert_turn"
# When the maintenance was last done, epoch ms.
MAINTAINED_MS = "maintained_ms"

_STATE = select(RollupState.name, RollupState.value)


def read_state(connection: Connection) -> dict[str, int]:
    """Return every number that was written."""
    return {row.name: row.value for row in connection.execute(_STATE)}


def accepted_since_ms(connection: Connection) -> int:
    """Return from when on metrics may be stored, epoch ms; it stays so until this transaction ends.

    Args:
        connection: A writing transaction. On SQLite nobody else can write anyway.
    """
    since = select(RollupState.value).where(RollupState.name == ACCEPTED_SINCE_MS).with_for_update(read=True)
    since_ms: int | None = connection.scalar(since)
    if since_ms is None and connection.dialect.name != "sqlite":
        # A row that isn't there can't be held.
        never = {"name": ACCEPTED_SINCE_MS}
        connection.execute(text("INSERT IGNORE INTO rollup_state (name, value) VALUES (:name, 0)"), never)
        since_ms = connection.scalar(since)
    return since_ms or 0


def write_state(connection: Connection, name: str, value: int) -> None:
    """Remember a number, instead of the one before.

    Args:
        connection: A writing transaction.
        name: One of this module's names.
        value: The number.
    """
    insert_many(connection, RollupState.__tablename__, ("name", "value"), [(name, value)], replace=True)
