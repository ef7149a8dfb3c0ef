"""What is handed to a channel in one attempt: notifications with their ids, and the JSON that webhooks get."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from alerts.channels import Channel
from alerts.notices import Entry, Notice, notice_of
from alerts.rules import UNITS
from alerts.texts import Texts
from db.alert_rows import DeliveryRow

VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Told:
    """A notification under the id that it has in every attempt.

    Args:
        id: By which a receiver can tell a repeat.
        notice: What is told.
    """

    id: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one message to a channel carries.

    Args:
        channel: Where it goes.
        told: At least one notification, oldest first.
        attempt: Which attempt this is, from 1.
    """

    channel: Channel
    told: tuple[Told, ...]
    attempt: int = 1

    @property
    def id(self) -> str:
        """The message's id: that of its notification, or made of those of all of them."""
        if len(self.told) == 1:
            return self.told[0].id
        return _digest("\0".join(one.id for one in self.told))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is told."""
        return tuple(one.notice for one in self.told)

    def public(self, texts: Texts, now_ms: int) -> dict[str, Any]:
        """Return it as webhooks get it: names that stay, times in epoch milliseconds.

        Args:
            texts: Who writes.
            now_ms: When it is sent, epoch ms.
        """
        message = texts.of_channel(self.channel, self.notices)
        return {
            "version": VERSION,
            "id": self.id,
            "attempt": self.attempt,
            "sentAt": now_ms,
            "channel": {"id": self.channel.id, "name": self.channel.name},
            "title": message.title,
            "text": message.plain,
            "notifications": [_public(one, texts) for one in self.told],
        }


def parcel_of(channel: Channel, rows: Sequence[DeliveryRow]) -> Parcel:
    """Make a parcel of notifications that wait in the outbox.

    Args:
        channel: Where it goes.
        rows: At least one.

    Raises:
        KeyError, TypeError, ValueError: What the outbox holds is no notification (another version wrote it).
    """
    return Parcel(
        channel,
        tuple(Told(row_id(row), notice_of(row.document)) for row in rows),
        1 + max(row.attempts for row in rows),
    )


def row_id(row: DeliveryRow) -> str:
    """Return the id of a notification on its way: the same in every attempt, and by whichever process.

    Args:
        row: From the outbox.
    """
    # The number alone begins again with another database.
    return _digest(f"{row.id}\0{row.created_at_ms}\0{row.channel_id}\0{row.rule_id}\0{row.group_key}\0{row.what}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _public(one: Told, texts: Texts) -> dict[str, Any]:
    notice = one.notice
    return {
        "id": one.id,
        "what": notice.what,
        "at": notice.at_ms,
        "since": notice.since_ms,
        "severity": notice.severity,
        "rule": {
            "id": notice.rule_id, "name": notice.rule_name, "description": notice.description,
            "measure": notice.measure, "field": notice.field, "unit": UNITS.get(notice.measure, ""), "by": notice.by,  # type: ignore[call-overload]
        },
        "group": notice.group_key,
        "reasons": dict(notice.reasons),
        "labels": dict(notice.labels),
        "firingCount": notice.firing_count,
        "firing": [_entry(entry) for entry in notice.firing],
        "resolvedCount": notice.resolved_count,
        "resolved": [_entry(entry) for entry in notice.resolved],
        "link": texts.link(notice),
    }  # fmt: skip


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key, "value": entry.value, "threshold": entry.threshold, "firedAt": entry.fired_ms,
        "resolvedAt": entry.resolved_ms, "new": entry.new, "message": entry.message, "because": entry.because,
    }  # fmt: skip
