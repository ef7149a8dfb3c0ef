"""How alerts stand, what happened to them, and what is to be told: written by the evaluation, all of it or nothing."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import delete, select, tuple_
from sqlalchemy.engine import Connection, Engine

from db.alert_lease import AlertLease
from db.alert_models import AlertDelivery, AlertHistory, AlertSilence, AlertState
from db.alert_rows import Changes, DeliveryRow, Document, HistoryRow, StateRow
from db.engine import begin_writing
from db.errors import unavailable_as_ours
from db.rows import insert_many
from db.state import ALERT_TURN, read_state, write_state

_STATE_COLUMNS = ("rule_id", "alert_key", "state", "since_ms", "fired_at", "value", "document")
_HISTORY_COLUMNS = ("at_ms", "rule_id", "alert_key", "what", "document")
_DELIVERY_COLUMNS = (
    "created_at", "channel_id", "rule_id", "group_key", "what", "state", "attempts", "next_at", "sent_at", "last_error",
    "document",
)  # fmt: skip
_KEYS_A_STATEMENT = 200
_DELETED_AT_ONCE = 5_000


class AlertStore:
    """Reads and writes alerts; every method raises DatabaseUnavailable when the database can't be asked.

    Args:
        engine: A migrated database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def states(self) -> tuple[StateRow, ...]:
        """Return every alert that isn't simply normal, by rule and key."""
        statement = select(
            AlertState.rule_id, AlertState.alert_key, AlertState.state, AlertState.since_ms, AlertState.fired_at,
            AlertState.value, AlertState.document,
        ).order_by(AlertState.rule_id, AlertState.alert_key)  # fmt: skip
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return tuple(StateRow(*row[:-1], orjson.loads(row[-1])) for row in connection.execute(statement))

    def write(self, lease: AlertLease, changes: Changes, *, evaluated_at_ms: int) -> None:
        """Write what an evaluation found, as one transaction.

        Args:
            lease: The lease of this process; it is renewed.
            changes: What to write.
            evaluated_at_ms: The moment of the evaluation, epoch ms.

        Raises:
            LeaseLost: Another process holds the lease: nothing was written.
        """
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            lease.hold(connection, evaluated_at_ms)
            if changes.empty:
                return
            for low in range(0, len(changes.gone), _KEYS_A_STATEMENT):
                some = changes.gone[low : low + _KEYS_A_STATEMENT]
                connection.execute(delete(AlertState).where(tuple_(AlertState.rule_id, AlertState.alert_key).in_(some)))
            states = [
                (row.rule_id, row.key, row.state, row.since_ms, row.fired_at_ms, row.value, _text(row.document))
                for row in changes.states
            ]
            insert_many(connection, AlertState.__tablename__, _STATE_COLUMNS, states, replace=True)
            history = [(row.at_ms, row.rule_id, row.key, row.what, _text(row.document)) for row in changes.history]
            insert_many(connection, AlertHistory.__tablename__, _HISTORY_COLUMNS, history)
            add_deliveries(connection, changes.deliveries)
            if changes.forget_silences:
                connection.execute(delete(AlertSilence).where(AlertSilence.id.in_(changes.forget_silences)))
            write_state(connection, ALERT_TURN, read_state(connection).get(ALERT_TURN, 0) + 1)

    def history(
        self,
        start_ms: int,
        end_ms: int,
        *,
        rule_id: str | None = None,
        whats: tuple[str, ...] = (),
        limit: int = 500,
    ) -> tuple[HistoryRow, ...]:
        """Return what happened in a span of time, newest first.

        Args:
            start_ms: Epoch ms, inclusive.
            end_ms: Epoch ms, exclusive.
            rule_id: Of one rule; None for all.
            whats: Only these; empty for all.
            limit: How many at most.
        """
        statement = (
            select(
                AlertHistory.at_ms, AlertHistory.rule_id, AlertHistory.alert_key, AlertHistory.what,
                AlertHistory.document, AlertHistory.id,
            )
            .where(AlertHistory.at_ms >= start_ms, AlertHistory.at_ms < end_ms)
            .order_by(AlertHistory.at_ms.desc(), AlertHistory.id.desc())
            .limit(limit)
        )  # fmt: skip
        if rule_id is not None:
            statement = statement.where(AlertHistory.rule_id == rule_id)
        if whats:
            statement = statement.where(AlertHistory.what.in_(whats))
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return tuple(
                HistoryRow(at_ms, rule, key, what, orjson.loads(document), id)
                for at_ms, rule, key, what, document, id in connection.execute(statement)
            )

    def forget_before(self, moment_ms: int) -> int:
        """Delete old history and notifications that arrived or were given up, some thousand at most.

        Args:
            moment_ms: What happened before this moment goes, epoch ms.

        Returns:
            How many rows went; call it again while there are many.
        """
        gone = 0
        ended = AlertDelivery.state.in_(("sent", "dead"))
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            for model, old in (
                (AlertHistory, AlertHistory.at_ms < moment_ms),
                (AlertDelivery, (AlertDelivery.created_at < moment_ms) & ended),
                (AlertSilence, AlertSilence.ends_at < moment_ms),
            ):
                ids = connection.scalars(select(model.id).where(old).limit(_DELETED_AT_ONCE)).all()
                if ids:
                    gone += connection.execute(delete(model).where(model.id.in_(ids))).rowcount
        return gone


def add_deliveries(connection: Connection, rows: tuple[DeliveryRow, ...]) -> None:
    """Put notifications into the outbox.

    Args:
        connection: A writing transaction.
        rows: What is to be sent; their ids are given by the database.
    """
    values: list[tuple[Any, ...]] = [
        (
            row.created_at_ms, row.channel_id, row.rule_id, row.group_key, row.what, row.state, row.attempts,
            row.next_at_ms, row.sent_at_ms, row.last_error, _text(row.document),
        )
        for row in rows
    ]  # fmt: skip
    insert_many(connection, AlertDelivery.__tablename__, _DELIVERY_COLUMNS, values)


def _text(document: Document) -> str:
    return orjson.dumps(document).decode()
