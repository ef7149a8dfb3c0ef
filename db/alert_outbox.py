"""The outbox of notifications: what waits to be sent, what was sent, and what was given up (dead letters)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.engine import Engine

from db.alert_models import AlertDelivery
from db.alert_rows import DeliveryRow, DeliveryState, Waiting
from db.alert_store import add_deliveries
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import unavailable_as_ours

_WAITING = ("pending", "failed")
_MAX_ERROR_CHARS = 500


class _Touched(Exception):  # noqa: N818 - it only takes back a transaction
    """Somebody else touched what was to be claimed."""


class Outbox:
    """Reads and writes deliveries; every method raises DatabaseUnavailable when the database can't be asked.

    Only the process that holds the alert lease sends; `claim` keeps one that lost it without noticing from sending too.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def add(self, rows: Sequence[DeliveryRow]) -> None:
        """Put notifications into the outbox (a test message; those of rules are put there by the evaluation).

        Args:
            rows: What is to be sent.
        """
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            add_deliveries(connection, tuple(rows))

    def due(self, limit: int = 100) -> tuple[DeliveryRow, ...]:
        """Return what is to be sent now, oldest first.

        Args:
            limit: How many at most.
        """
        statement = (
            _rows()
            .where(AlertDelivery.state.in_(_WAITING), AlertDelivery.next_at <= self._clock_ms())
            .order_by(AlertDelivery.id)
            .limit(limit)
        )
        return self._read(statement)

    def waiting_by_channel(self) -> dict[str, Waiting]:
        """Return what waits for each channel, those for which nothing waits left out."""
        statement = (
            select(AlertDelivery.channel_id, func.count(), func.min(AlertDelivery.next_at))
            .where(AlertDelivery.state.in_(_WAITING))
            .group_by(AlertDelivery.channel_id)
        )
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return {id: Waiting(count, next_at) for id, count, next_at in connection.execute(statement)}

    def waiting(self, channel_id: str, limit: int = 500) -> tuple[DeliveryRow, ...]:
        """Return what waits for a channel, due or not, oldest first.

        Args:
            channel_id: Which channel.
            limit: How many at most.
        """
        statement = _rows().where(AlertDelivery.channel_id == channel_id, AlertDelivery.state.in_(_WAITING))
        return self._read(statement.order_by(AlertDelivery.id).limit(limit))

    def claim(self, rows: Sequence[DeliveryRow], until_ms: int) -> bool:
        """Take notifications in hand: nobody else tries them until a moment, whatever becomes of this process.

        Args:
            rows: As they were read.
            until_ms: Until when, epoch ms; then they are due again, if nothing was noted about them.

        Returns:
            False, and none is taken, when somebody else touched one of them meanwhile.
        """
        claimed = False
        with suppress(_Touched), unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            for row in rows:
                untouched = (
                    (AlertDelivery.id == row.id)
                    & AlertDelivery.state.in_(_WAITING)
                    & (AlertDelivery.next_at == row.next_at_ms)
                )
                if connection.execute(update(AlertDelivery).where(untouched).values(next_at=until_ms)).rowcount != 1:
                    raise _Touched
            claimed = True
        return claimed

    def hurry(self, channel_id: str) -> None:
        """Let everything that waits for a channel be tried at once: it takes messages again.

        Args:
            channel_id: Which channel.
        """
        now = self._clock_ms()
        waits = (
            (AlertDelivery.channel_id == channel_id) & (AlertDelivery.state == "failed") & (AlertDelivery.next_at > now)
        )
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            connection.execute(update(AlertDelivery).where(waits).values(next_at=now))

    def next_due_ms(self) -> int | None:
        """Return when the next one is to be sent, epoch ms (it may lie in the past); None when none waits."""
        statement = select(func.min(AlertDelivery.next_at)).where(AlertDelivery.state.in_(_WAITING))
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return connection.scalar(statement)

    def sent(self, id: int) -> None:
        """Note that a delivery arrived.

        Args:
            id: Its number.
        """
        self._set(id, state="sent", sent_at=self._clock_ms(), last_error=None, attempts=AlertDelivery.attempts + 1)

    def failed(self, id: int, error: str, *, next_at_ms: int | None) -> None:
        """Note that an attempt failed.

        Args:
            id: Its number.
            error: Why, in one line without secrets; the first 500 characters are kept.
            next_at_ms: When to try again, epoch ms; None to give it up.
        """
        values: dict[str, Any] = {"last_error": error[:_MAX_ERROR_CHARS], "attempts": AlertDelivery.attempts + 1}
        if next_at_ms is None:
            self._set(id, state="dead", **values)
        else:
            self._set(id, state="failed", next_at=next_at_ms, **values)

    def retry(self, id: int) -> None:
        """Send a dead letter again.

        Args:
            id: Its number.
        """
        self._set(id, state="pending", attempts=0, next_at=self._clock_ms())

    def newest(self, states: tuple[DeliveryState, ...] = (), limit: int = 100) -> tuple[DeliveryRow, ...]:
        """Return deliveries, newest first.

        Args:
            states: Only those in one of these states; empty for all.
            limit: How many at most.
        """
        statement = _rows().order_by(AlertDelivery.id.desc()).limit(limit)
        return self._read(statement.where(AlertDelivery.state.in_(states)) if states else statement)

    def _set(self, id: int, **values: Any) -> None:
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            connection.execute(update(AlertDelivery).where(AlertDelivery.id == id).values(**values))

    def _read(self, statement: Any) -> tuple[DeliveryRow, ...]:
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            return tuple(
                DeliveryRow(*row[:5], orjson.loads(row[5]), *row[6:])  # type: ignore[call-arg]
                for row in map(tuple, connection.execute(statement))
            )


def _rows() -> Any:
    return select(
        AlertDelivery.created_at, AlertDelivery.channel_id, AlertDelivery.rule_id, AlertDelivery.group_key,
        AlertDelivery.what, AlertDelivery.document, AlertDelivery.state, AlertDelivery.attempts, AlertDelivery.next_at,
        AlertDelivery.sent_at, AlertDelivery.last_error, AlertDelivery.id,
    )  # fmt: skip
