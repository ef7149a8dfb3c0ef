"""A notification as data: what is told, before anyone decides in which words and by which channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import field as _field
from typing import Any, Final, Literal

NoticeWhat = Literal["firing", "still_firing", "resolved", "test"]
MOST_ENTRIES: Final = 100  # of each kind in one notification; the others are counted


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert in a notification.

    Args:
        key: The source, domain, job or label that it is about; "" for the whole fleet.
        value: What was measured; None when nothing is known.
        threshold: What it was compared with.
        fired_ms: When it began to fire, epoch ms.
        resolved_ms: When it was resolved, epoch ms; None while it fires.
        new: Whether nobody was told of it before.
        message: The rule's message, filled in for this alert.
        because: "no data" when it was resolved because there is nothing to measure any more, else "".
    """

    key: str
    value: float | None
    threshold: float | None
    fired_ms: int
    resolved_ms: int | None = None
    new: bool = False
    message: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification: alerts of one rule that have one reason.

    Args:
        what: firing (there is something new), still_firing (a reminder), resolved (all of them are), test.
        rule_id: The rule.
        rule_name: Its name for people.
        severity: info, warning or critical.
        measure: What the rule measures (`alerts.rules.What`).
        by: What its alerts are told apart by (source, domain, job, fleet, label:<key>).
        group_key: Which group of alerts: the same from firing to resolved.
        at_ms: When it was made, epoch ms.
        reasons: What all of them have in common, by kind: domain, error, label:<key>; may be empty.
        since_ms: When the first of them began to fire, epoch ms.
        firing_count: How many fire now.
        firing: Those, new ones first, at most MOST_ENTRIES.
        resolved_count: How many were resolved since the last notification.
        resolved: Those, at most MOST_ENTRIES.
        labels: Labels of the rule.
        description: What to do about it.
        field: The field whose coverage the rule measures, "" for other measures.
    """

    what: NoticeWhat
    rule_id: str
    rule_name: str
    severity: str
    measure: str
    by: str
    group_key: str
    at_ms: int
    reasons: Mapping[str, str]
    since_ms: int
    firing_count: int = 0
    firing: tuple[Entry, ...] = ()
    resolved_count: int = 0
    resolved: tuple[Entry, ...] = ()
    labels: Mapping[str, str] = _field(default_factory=dict)
    description: str = ""
    field: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as it is kept in the outbox."""
        return asdict(self) | {"reasons": dict(self.reasons), "labels": dict(self.labels)}


def notice_of(document: Mapping[str, Any]) -> Notice:
    """Read what `Notice.document` wrote.

    Args:
        document: From the outbox.
    """
    entries = {name: tuple(Entry(**entry) for entry in document[name]) for name in ("firing", "resolved")}
    return Notice(**{**document, **entries})
