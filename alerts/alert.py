"""One alert: a rule about one source (domain, job …), how it stands, and what somebody was told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from alerts.rules import Rule
from alerts.states import AlertState, Transition
from db.alert_rows import StateRow

# What is to be told: that it fires, that it is resolved, or that it has fired and is resolved already.
Owed = Literal["", "firing", "resolved", "passed"]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is kept.

    Args:
        rule_id: Whose.
        key: The source, domain, job or label that it is about; "" for the whole fleet.
        state: How it stands.
        facts: What most of its failures have in common (domain, error, label:<key>): groups are made by these.
        group: The group in which it is told, "" before it fired.
        owed: What is still to be told.
        told_ms: When somebody was last told of it since it fired, epoch ms; None when nobody was.
        ended: When it was resolved and for how long it had fired, in ms, and why, while that is to be told.
        silenced: Id of the silence for which nobody is told, "" without one.
        samples: What its value was measured from.
        hushed_ms: When a rule that says more of the same last fired, epoch ms; 0 if none did.
    """

    rule_id: str
    key: str
    state: AlertState = field(default_factory=AlertState)
    facts: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    owed: Owed = ""
    told_ms: int | None = None
    ended: tuple[int, int, str] | None = None
    silenced: str = ""
    samples: int = 0
    hushed_ms: int = 0

    @property
    def forgettable(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.state.forgettable and not self.owed

    @property
    def lasting(self) -> tuple[object, ...]:
        """What has to be kept at once; the rest is what was measured, which the next look finds again."""
        state = self.state
        return (
            state.standing, state.since_ms, state.fired_ms, state.fires, state.problem, state.without_data,
            tuple(self.facts.items()), self.group, self.owed, self.told_ms, self.ended, self.silenced,
        )  # fmt: skip

    def row(self) -> StateRow:
        """Return it as the database keeps it."""
        state = self.state
        document: dict[str, Any] = {
            "threshold": state.threshold,
            "fires": list(state.fires),
            "problem": state.problem,
            "without_data": state.without_data,
            "facts": dict(self.facts),
            "group": self.group,
            "owed": self.owed,
            "told_ms": self.told_ms,
            "ended": None if self.ended is None else list(self.ended),
            "silenced": self.silenced,
            "samples": self.samples,
            "hushed_ms": self.hushed_ms,
        }
        return StateRow(self.rule_id, self.key, state.standing, state.since_ms, state.fired_ms, state.value, document)


def alert_of(row: StateRow) -> Alert:
    """Read what `Alert.row` wrote.

    Args:
        row: From the database.
    """
    document = row.document
    state = AlertState(
        standing=row.state,  # type: ignore[arg-type]
        since_ms=row.since_ms,
        fired_ms=row.fired_at_ms,
        fires=tuple(document["fires"]),
        value=row.value,
        threshold=document["threshold"],
        problem=document["problem"],
        without_data=document["without_data"],
    )
    ended = document["ended"]
    return Alert(
        row.rule_id, row.key, state, document["facts"], document["group"], document["owed"], document["told_ms"],
        None if ended is None else (ended[0], ended[1], ended[2]), document["silenced"], document["samples"],
        document["hushed_ms"],
    )  # fmt: skip


def owing(alert: Alert, change: Transition) -> Owed:
    """Return what is to be told after a change: who was told that it fires needn't be told so again.

    Args:
        alert: The alert before.
        change: What happened.
    """
    if change.event == "firing":
        return "" if alert.owed == "resolved" else "firing"
    if alert.owed == "firing":
        return "passed"
    return "" if alert.told_ms is None else "resolved"


def labels_of(rule: Rule, alert: Alert) -> dict[str, str]:
    """Return what matchers of silences see of an alert.

    Args:
        rule: Its rule.
        alert: The alert.
    """
    labels = {**rule.labels, **{name.removeprefix("label:"): value for name, value in alert.facts.items()}}
    labels |= {"rule": rule.id, "name": rule.name, "severity": rule.severity, "what": rule.what, "key": alert.key}
    if rule.by != "fleet":
        labels[rule.label_key or rule.by] = alert.key
    return labels
