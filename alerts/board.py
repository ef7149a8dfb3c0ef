"""How everything stands, for people: alerts with their rules, who knows of them, and what silences them now."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from alerts.alert import Alert, alert_of, labels_of
from alerts.rules import Rule
from alerts.setting import Setting, read_setting
from alerts.silences import Acknowledgement, Silence
from db.alert_board import AlertBoard

SEVERITIES: Final = ("critical", "warning", "info")  # the worst first


@dataclass(frozen=True, slots=True)
class Shown:
    """An alert as it is shown.

    Args:
        rule: Its rule.
        alert: How it stands.
        known: Who acknowledged it, None when nobody did.
        silence: What silences it now, None when nothing does.
    """

    rule: Rule
    alert: Alert
    known: Acknowledgement | None = None
    silence: Silence | None = None

    @property
    def token(self) -> str:
        """What stands for it in ids of buttons and in links: rules' and sources' names may hold any sign."""
        return token_of(self.rule.id, self.alert.key)

    @property
    def since_ms(self) -> int:
        """Since when it fires, or has been in its state, epoch ms."""
        return self.alert.state.since_ms if self.alert.state.fired_ms is None else self.alert.state.fired_ms

    @property
    def standing(self) -> str:
        """How it stands."""
        return self.alert.state.standing

    @property
    def labels(self) -> Mapping[str, str]:
        """What silences and receivers see of it."""
        return labels_of(self.rule, self.alert)


@dataclass(frozen=True, slots=True)
class Standings:
    """Everything, in the order in which it is shown.

    Args:
        setting: What people decided.
        problems: What of it can't be read, by what it is about.
        firing: Alerts that fire or recover: those that somebody has to see first.
        pending: Alerts that are about to.
        unknown: Alerts of which nothing is known: no data, or rules that can't be measured.
        rules: Every rule: those with alerts, those that are quiet, those that are switched off.
        loud: How many of these alerts a rule has, by its id.
    """

    setting: Setting
    problems: Mapping[str, str]
    firing: tuple[Shown, ...]
    pending: tuple[Shown, ...]
    unknown: tuple[Shown, ...]
    rules: tuple[Rule, ...]
    loud: Mapping[str, int]

    def find(self, token: str) -> Shown | None:
        """Return an alert by its token, None when it is over."""
        return next((one for one in (*self.firing, *self.pending, *self.unknown) if one.token == token), None)

    def rule(self, id: str) -> Rule | None:
        """Return a rule by its id, None when there is none."""
        return next((rule for rule in self.setting.rules if rule.id == id), None)


def token_of(rule_id: str, key: str) -> str:
    """Return what stands for an alert where its names can't be written.

    Args:
        rule_id: Its rule.
        key: What it is about.
    """
    said = f"{rule_id}\0{key}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(said, digest_size=8).hexdigest()


def standings(board: AlertBoard, now_ms: int) -> Standings:
    """Put together how everything stands.

    Args:
        board: What the tables hold.
        now_ms: The moment, epoch ms: which silences hold.
    """
    setting, problems, alerts = _read(board)
    rules = {rule.id: rule for rule in setting.rules}
    active = [silence for silence in setting.silences if silence.active(now_ms)]
    known = {(one.rule_id, one.key, one.fired_ms): one for one in setting.acknowledgements.values()}
    shown: list[Shown] = []
    for alert in alerts:
        rule = rules.get(alert.rule_id)
        if rule is None or not rule.enabled:  # the next evaluation forgets it
            continue
        who = known.get((alert.rule_id, alert.key, alert.state.fired_ms or 0))
        labels = labels_of(rule, alert) if active else {}
        silence = next((one for one in active if one.silences(labels)), None)
        shown.append(Shown(rule, alert, who, silence))
    firing = sorted((one for one in shown if one.alert.state.active), key=_order)
    waiting = [one for one in shown if not one.alert.state.active]
    pending = sorted((one for one in waiting if one.standing == "pending"), key=_order)
    unknown = sorted((one for one in waiting if one.standing in ("no_data", "error")), key=_order)
    loud = Counter(one.rule.id for one in (*firing, *pending, *unknown))
    ordered = sorted(
        setting.rules,
        key=lambda rule: (not rule.enabled, rule.id not in loud, SEVERITIES.index(rule.severity), rule.name),
    )
    return Standings(setting, problems, tuple(firing), tuple(pending), tuple(unknown), tuple(ordered), loud)


@lru_cache(maxsize=4)  # a page asks many times a second, and settings change a few times a day
def _read(board: AlertBoard) -> tuple[Setting, dict[str, str], tuple[Alert, ...]]:
    setting, problems = read_setting(board)
    return setting, problems, tuple(alert_of(row) for row in board.states)


def _order(one: Shown) -> tuple[bool, int, int, str, str]:
    told = one.known is not None or one.silence is not None
    return told, SEVERITIES.index(one.rule.severity), -one.since_ms, one.rule.name, one.alert.key
