"""Rows of the alert tables as values: what is asked for in fields, everything else in a JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Document = Mapping[str, Any]  # what JSON can hold
Setting = Literal["rules", "silences", "channels", "schedules"]
DeliveryState = Literal["pending", "sent", "failed", "dead"]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A rule, silence, channel or schedule of a job, as somebody wrote it.

    Args:
        id: Its name in the table, 1-64 characters; it stays when what is shown as its name changes.
        document: What it says.
        updated_at_ms: When it was last written, epoch ms.
        updated_by: By whom.
        has_secret: Whether there is something secret about it (channels only); see `AlertSettings.secret`.
    """

    id: str
    document: Document
    updated_at_ms: int = 0
    updated_by: str = ""
    has_secret: bool = False


@dataclass(frozen=True, slots=True)
class StateRow:
    """How one alert stands; there is no row for one that is normal and has nothing to remember.

    Args:
        rule_id: Whose alert.
        key: The source, domain, job or label that it is about; "" for the whole fleet.
        state: pending, firing, recovering, no_data, error or normal.
        since_ms: Since when it has been in this state, epoch ms.
        fired_at_ms: When it began to fire, None when it doesn't.
        value: What was last measured.
        document: The rest of it.
    """

    rule_id: str
    key: str
    state: str
    since_ms: int
    fired_at_ms: int | None
    value: float | None
    document: Document


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """Something that happened to an alert, or a notification that was made.

    Args:
        at_ms: When, epoch ms.
        rule_id: Of which rule.
        key: Of which alert of it; "" for the whole fleet and for notifications.
        what: pending, calmed, firing, recovering, resolved, no_data, error, notified …
        document: The rest of it.
        id: Its number in the table, rising; 0 before it is there.
    """

    at_ms: int
    rule_id: str
    key: str
    what: str
    document: Document
    id: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A notification on its way to one channel.

    Args:
        created_at_ms: When it was made, epoch ms.
        channel_id: Where it goes.
        rule_id: Whose alerts it tells of.
        group_key: Which group of alerts of that rule; the same for firing, still firing and resolved.
        what: firing, still_firing, resolved or test.
        document: The notification.
        state: pending, sent, failed (is tried again at `next_at_ms`) or dead (given up).
        attempts: How often it was tried.
        next_at_ms: Not to be tried before, epoch ms.
        sent_at_ms: When it arrived, epoch ms.
        last_error: Why the last attempt failed.
        id: Its number in the table, rising; 0 before it is there.
    """

    created_at_ms: int
    channel_id: str
    rule_id: str
    group_key: str
    what: str
    document: Document
    state: DeliveryState = "pending"
    attempts: int = 0
    next_at_ms: int = 0
    sent_at_ms: int | None = None
    last_error: str | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one channel.

    Args:
        count: How many notifications.
        next_at_ms: When the first of them is to be tried, epoch ms; it may lie in the past.
    """

    count: int
    next_at_ms: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What one evaluation writes, all of it or nothing.

    Args:
        states: Alerts that are to be remembered as they are now.
        gone: (rule, key) of alerts that are normal again.
        history: What happened.
        deliveries: The notifications, one row for each channel.
        forget_silences: Ids of silences that have done their work: of alerts that were acknowledged and resolved.
    """

    states: tuple[StateRow, ...] = ()
    gone: tuple[tuple[str, str], ...] = ()
    history: tuple[HistoryRow, ...] = ()
    deliveries: tuple[DeliveryRow, ...] = ()
    forget_silences: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.states or self.gone or self.history or self.deliveries or self.forget_silences)
