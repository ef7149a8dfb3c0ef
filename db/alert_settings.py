"""What people decide about alerts, kept in tables: rules, silences, channels, and when scheduler jobs are to run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import delete, select, text
from sqlalchemy.engine import Connection, Engine

from db.alert_models import AlertChannel, AlertRule, AlertSilence, JobSchedule
from db.alert_rows import Document, Setting, SettingRow
from db.clock import now_ms
from db.engine import begin_writing
from db.errors import ChangedMeanwhile, unavailable_as_ours
from db.models import RollupState
from db.rows import insert_many
from db.state import ALERT_SETTINGS_TURN, ALERT_TURN, read_state, write_state

_MODELS: Final[Mapping[Setting, Any]] = {
    "rules": AlertRule, "silences": AlertSilence, "channels": AlertChannel, "schedules": JobSchedule,
}  # fmt: skip
_TURN: Final = {"name": ALERT_SETTINGS_TURN}
_IDS_AT_ONCE: Final = 500


class AlertSettings:
    """Reads and writes them; every method raises DatabaseUnavailable when the database can't be asked.

    Args:
        engine: A migrated database.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, engine: Engine, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._engine = engine
        self._clock_ms = clock_ms

    def turns(self) -> tuple[int, int]:
        """Return two numbers: one changes with every setting, the other with every evaluation that changed an alert."""
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            state = read_state(connection)
        return state.get(ALERT_SETTINGS_TURN, 0), state.get(ALERT_TURN, 0)

    def all(self, which: Setting) -> tuple[SettingRow, ...]:
        """Return every one of a kind, by id; what is secret about channels isn't read.

        Args:
            which: The kind.
        """
        model = _MODELS[which]
        columns = [model.id, model.document, model.updated_at, model.updated_by]
        if which == "channels":
            columns.append(AlertChannel.secret != "")
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            rows = connection.execute(select(*columns).order_by(model.id)).all()
        return tuple(
            SettingRow(id, orjson.loads(document), updated_at, updated_by, bool(secret and secret[0]))
            for id, document, updated_at, updated_by, *secret in rows
        )

    def secret(self, channel_id: str) -> str:
        """Return what is secret about a channel, "" without one; not to be logged or shown.

        Args:
            channel_id: Which channel.
        """
        with unavailable_as_ours(self._engine), self._engine.connect() as connection:
            found = connection.scalar(select(AlertChannel.secret).where(AlertChannel.id == channel_id))
        return found or ""

    def put(
        self,
        which: Setting,
        id: str,
        document: Document,
        *,
        by: str,
        ends_at_ms: int | None = None,
        secret: str | None = None,
        known_ms: int | None = None,
    ) -> None:
        """Write one, in the place of the one with this id if there is one.

        Args:
            which: The kind.
            id: Its id, 1-64 characters.
            document: What it says.
            by: Who says so; the first 100 characters are kept.
            ends_at_ms: When a silence ends, epoch ms; None for one that recurs or waits for its alert to resolve.
            secret: What is secret about a channel; None to leave it as it is.
            known_ms: `SettingRow.updated_at_ms` of what this was made from, 0 when there must be none: it grows with
                every change, so two who save in the same millisecond, in whichever process, don't overwrite each
                other. None to write in any case.

        Raises:
            ValueError: The id is empty or too long.
            ChangedMeanwhile: Somebody else was first; nothing was written.
        """
        expected = None if known_ms is None else {id: known_ms}
        self.put_all(which, {id: document}, by=by, ends_at_ms=ends_at_ms, secret=secret, known_ms=expected)

    def put_all(
        self,
        which: Setting,
        documents: Mapping[str, Document],
        *,
        by: str,
        ends_at_ms: int | None = None,
        secret: str | None = None,
        known_ms: Mapping[str, int] | None = None,
    ) -> None:
        """Write several in one transaction (an import); see `put`."""
        for id in documents:
            if not 0 < len(id) <= 64:
                raise ValueError(f"the id of a setting has 1 to 64 characters, not {len(id)}")
        columns: tuple[str, ...] = ("id", "document", "updated_at", "updated_by")
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            turn = _held_turn(connection)
            before = _written_before(connection, which, documents)
            for id, expected_ms in (known_ms or {}).items():
                if before.get(id, (0, ""))[0] != expected_ms:
                    raise ChangedMeanwhile(*before.get(id, (0, "")))
            rows: list[tuple[Any, ...]] = []
            for id, document in documents.items():
                at_ms = max(self._clock_ms(), before.get(id, (0, ""))[0] + 1)
                row: tuple[Any, ...] = (id, orjson.dumps(document).decode(), at_ms, by[:100])
                if which == "silences":
                    row += (ends_at_ms,)
                elif which == "channels":
                    row += (self._kept_secret(connection, id) if secret is None else secret,)
                rows.append(row)
            columns += {"silences": ("ends_at",), "channels": ("secret",)}.get(which, ())
            insert_many(connection, _MODELS[which].__tablename__, columns, rows, replace=True)
            write_state(connection, ALERT_SETTINGS_TURN, turn + 1)

    def delete(self, which: Setting, id: str) -> bool:
        """Delete one.

        Args:
            which: The kind.
            id: Its id.

        Returns:
            Whether it was there.
        """
        model = _MODELS[which]
        with unavailable_as_ours(self._engine), begin_writing(self._engine) as connection:
            turn = _held_turn(connection)
            gone = connection.execute(delete(model).where(model.id == id)).rowcount > 0
            if gone:
                write_state(connection, ALERT_SETTINGS_TURN, turn + 1)
        return gone

    @staticmethod
    def _kept_secret(connection: Connection, id: str) -> str:
        return connection.scalar(select(AlertChannel.secret).where(AlertChannel.id == id)) or ""


def _held_turn(connection: Connection) -> int:
    """Return the turn of the settings; until this transaction ends, nobody else writes one."""
    turn = select(RollupState.value).where(RollupState.name == ALERT_SETTINGS_TURN).with_for_update()
    found: int | None = connection.scalar(turn)
    if found is None and connection.dialect.name != "sqlite":
        # A row that isn't there can't be held.
        connection.execute(text("INSERT IGNORE INTO rollup_state (name, value) VALUES (:name, 0)"), _TURN)
        found = connection.scalar(turn)
    return found or 0


def _written_before(connection: Connection, which: Setting, ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """Return when those of some settings that are there were written, epoch ms, and by whom."""
    model, found = _MODELS[which], dict[str, tuple[int, str]]()
    wanted = list(ids)
    for low in range(0, len(wanted), _IDS_AT_ONCE):
        # As they are now, not as they were when this transaction began to read.
        asked = select(model.id, model.updated_at, model.updated_by).where(
            model.id.in_(wanted[low : low + _IDS_AT_ONCE])
        )
        found |= {id: (at_ms, by) for id, at_ms, by in connection.execute(asked.with_for_update())}
    return found
