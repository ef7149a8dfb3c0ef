"""One evaluation: the rules that are due are measured, alerts take a step, and it is decided what is told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alerts.alert import Alert, alert_of, owing
from alerts.facts import facts_of
from alerts.grouping import grouped
from alerts.look import Look, NotMeasurable
from alerts.measured import Measured
from alerts.notices import Notice
from alerts.past import NotYet
from alerts.rules import Rule
from alerts.setting import Setting
from alerts.states import Observation, Timing, Transition, shifted, step
from alerts.telling import Quiet, tell
from db.alert_rows import Changes, DeliveryRow, HistoryRow, StateRow
from db.errors import DatabaseError

_log = logging.getLogger(__name__)

Measure = Callable[[Rule, Look], Measured]
# A value that moved is written again after so long; what changed otherwise, at once.
_REFRESH_MS: Final = 10_000
_IN_HISTORY: Final = frozenset({"firing", "resolved", "no_data", "error", "known"})
_FINE: Final = Observation("fine")
_GONE: Final = Observation("no_data")


@dataclass(slots=True)
class Outcome:
    """What an evaluation found; nothing of it counts before it is written (`Evaluator.keep`).

    Args:
        now_ms: The moment, epoch ms.
        changed: Alerts as they are now, by (rule, key); None for those that are to be forgotten.
        changes: What is to be written.
        notices: What is to be told.
        problems: What is wrong with rules that couldn't be evaluated, by id.
        evaluated: How many rules were evaluated.
    """

    now_ms: int
    changed: dict[tuple[str, str], Alert | None]
    changes: Changes
    notices: tuple[Notice, ...]
    problems: dict[str, str]
    evaluated: int


class Evaluator:
    """Knows how all alerts stand; used by one thread.

    Args:
        measure: Measures a rule, or raises `NotMeasurable`.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure
        self._alerts: dict[str, dict[str, Alert]] = {}  # rule -> key -> alert, those that aren't simply normal
        self._written_ms: dict[tuple[str, str], int] = {}
        self.failures: Counter[str] = Counter()  # rule -> how often it raised what it shouldn't

    def load(self, rows: Iterable[StateRow]) -> None:
        """Take over how alerts stand, instead of what is known here.

        Args:
            rows: From the database.
        """
        self._alerts = {}
        self._written_ms = {}
        for row in rows:
            self._alerts.setdefault(row.rule_id, {})[row.key] = alert_of(row)

    def alerts(self) -> tuple[Alert, ...]:
        """Return every alert that isn't simply normal, by rule and key."""
        return tuple(self._alerts[rule][key] for rule in sorted(self._alerts) for key in sorted(self._alerts[rule]))

    def evaluate(self, setting: Setting, due: Sequence[Rule], look: Look) -> Outcome:
        """Evaluate rules; what is known here stays as it is until `keep` is called.

        Args:
            setting: What people decided.
            due: The rules to evaluate, those that are switched on.
            look: The moment.

        Raises:
            DatabaseUnavailable: The database can't be asked: nothing is known then, of any rule.
        """
        now_ms = look.now_ms
        changed: dict[str, dict[str, Alert]] = {}
        history: list[HistoryRow] = []
        problems: dict[str, str] = {}
        for rule in due:
            after, happened, problem = self._step(rule, look)
            if problem:
                problems[rule.id] = problem
            if after:
                changed[rule.id] = after
            history += happened
        self._drop(setting, changed, history, now_ms)
        notices = self._tell(setting, changed, now_ms)
        return self._outcome(setting, changed, history, notices, problems, now_ms, len(due))

    def keep(self, outcome: Outcome) -> None:
        """Take what an evaluation found for how it is: it is written.

        Args:
            outcome: What `evaluate` returned last.
        """
        for row in outcome.changes.states:
            self._written_ms[row.rule_id, row.key] = outcome.now_ms
        for (rule_id, key), alert in outcome.changed.items():
            if alert is not None:
                self._alerts.setdefault(rule_id, {})[key] = alert
                continue
            self._written_ms.pop((rule_id, key), None)
            of_rule = self._alerts.get(rule_id, {})
            of_rule.pop(key, None)
            if not of_rule:
                self._alerts.pop(rule_id, None)

    def shift(self, by_ms: int) -> None:
        """Move what is known in time: the clock was set forward or back, and nothing else happened.

        Args:
            by_ms: How far forward; negative for back.
        """
        for alerts in self._alerts.values():
            for key, alert in alerts.items():
                alerts[key] = replace(alert, state=shifted(alert.state, by_ms))

    def _step(self, rule: Rule, look: Look) -> tuple[dict[str, Alert], list[HistoryRow], str]:
        known = self._alerts.get(rule.id, {})
        seen: dict[str, Observation] = {}
        problem = ""
        try:
            seen = _observations(rule, self._measure(rule, look), known)
        except NotYet as exc:
            # It is said, but alerts that are known already aren't touched: nothing is wrong with them.
            return *self._stepped(rule, known, {"": Observation("error", problem=str(exc))}, look), str(exc)
        except NotMeasurable as exc:
            problem = str(exc)
        except DatabaseError:
            raise
        except Exception as exc:  # noqa: BLE001 - a bug in one rule's measure mustn't end all the others
            self.failures[rule.id] += 1
            problem = f"can't be evaluated: {type(exc).__name__}: {exc}"[:300]
            if self.failures[rule.id] == 1:
                _log.exception("rule %s can't be evaluated", rule.id)
        if problem:
            seen = {key: Observation("error", problem=problem) for key in {*known, ""}}
        return *self._stepped(rule, known, seen, look), problem

    def _stepped(
        self, rule: Rule, known: Mapping[str, Alert], seen: Mapping[str, Observation], look: Look
    ) -> tuple[dict[str, Alert], list[HistoryRow]]:
        timing = Timing(int(rule.for_s * 1000), int(rule.keep_firing_for_s * 1000), rule.no_data)
        gone = replace(timing, no_data="ok")
        after: dict[str, Alert] = {}
        history: list[HistoryRow] = []
        fired: list[Alert] = []
        for key, observation in seen.items():
            before = known.get(key) or Alert(rule.id, key)
            state, change = step(before.state, observation, look.now_ms, gone if observation is _GONE else timing)
            if state is before.state:
                continue
            alert = replace(before, state=state, samples=observation.samples or before.samples)
            if change is not None and change.told:
                ended = (look.now_ms, change.lasted_ms, change.because) if change.event == "resolved" else None
                if change.event == "firing" and before.owed != "resolved":
                    fired.append(alert)
                alert = replace(alert, owed=owing(before, change), ended=ended)
            after[key] = alert
            if change is not None and change.event in _IN_HISTORY:
                history.append(_happened(rule, alert, change))
        if fired:
            facts = facts_of(rule, [alert.key for alert in fired], look)
            active = [
                alert
                for key, alert in {**known, **after}.items()
                if alert.state.active and alert.group and key not in facts
            ]
            for alert in grouped([replace(alert, facts=facts[alert.key]) for alert in fired], active):
                after[alert.key] = replace(after[alert.key], facts=alert.facts, group=alert.group, told_ms=None)
        return after, history

    def _drop(
        self, setting: Setting, changed: dict[str, dict[str, Alert]], history: list[HistoryRow], now_ms: int
    ) -> None:
        """Forget alerts of rules that are gone or switched off; nobody is told, whoever did it knows."""
        enabled = {rule.id for rule in setting.rules if rule.enabled}
        for rule_id in self._alerts.keys() - enabled:
            changed[rule_id] = {}
            for key, alert in self._alerts[rule_id].items():
                changed[rule_id][key] = Alert(rule_id, key)
                if alert.state.active:
                    lasted_ms = max(0, now_ms - (alert.state.fired_ms or now_ms))
                    document = {"lasted_ms": lasted_ms, "because": "the rule was switched off or deleted"}
                    history.append(HistoryRow(now_ms, rule_id, key, "resolved", document))

    def _tell(self, setting: Setting, changed: dict[str, dict[str, Alert]], now_ms: int) -> list[tuple[Rule, Notice]]:
        quiet = Quiet(
            tuple(silence for silence in setting.silences if silence.active(now_ms)),
            {(one.rule_id, one.key, one.fired_ms) for one in setting.acknowledgements.values()},
        )
        notices: list[tuple[Rule, Notice]] = []

        def fires(rule_id: str, key: str) -> bool:
            alert = changed.get(rule_id, {}).get(key) or self._alerts.get(rule_id, {}).get(key)
            return alert is not None and alert.state.active

        quiet = replace(quiet, fires=fires)
        for rule in setting.rules:
            if not rule.enabled:
                continue
            alerts = {**self._alerts.get(rule.id, {}), **changed.get(rule.id, {})}
            # Neither a firing alert nor anything owed: nearly all rules, nearly always.
            concerned = {key: alert for key, alert in alerts.items() if alert.state.active or alert.owed}
            if concerned:
                told, made = tell(rule, concerned, quiet, now_ms)
                if told:
                    changed.setdefault(rule.id, {}).update(told)
                notices += [(rule, notice) for notice in made]
        return notices

    def _outcome(
        self,
        setting: Setting,
        changed: dict[str, dict[str, Alert]],
        history: list[HistoryRow],
        notices: list[tuple[Rule, Notice]],
        problems: dict[str, str],
        now_ms: int,
        evaluated: int,
    ) -> Outcome:
        kept: dict[tuple[str, str], Alert | None] = {}
        states: list[StateRow] = []
        gone: list[tuple[str, str]] = []
        for rule_id, alerts in changed.items():
            known = self._alerts.get(rule_id, {})
            for key, alert in alerts.items():
                before = known.get(key)
                if alert.forgettable:
                    if before is not None:
                        gone.append((rule_id, key))
                        kept[rule_id, key] = None
                    continue
                kept[rule_id, key] = alert
                fresh_ms = self._written_ms.get((rule_id, key), 0)
                if before is None or before.lasting != alert.lasting or not 0 <= now_ms - fresh_ms < _REFRESH_MS:
                    states.append(alert.row())
        deliveries: list[DeliveryRow] = []
        for rule, notice in notices:
            to: list[str] = []
            # Where every channel that a rule names is gone, all others are told: an alert mustn't be lost with them.
            named = setting.channels.keys() & set(rule.channels) or setting.channels.keys()
            for id, channel in setting.channels.items():
                told = channel.wanted(notice) if id in named else None
                if told is not None:
                    to.append(id)
                    deliveries.append(
                        DeliveryRow(now_ms, id, rule.id, told.group_key, told.what, told.document(), next_at_ms=now_ms)
                    )
            history.append(HistoryRow(now_ms, rule.id, "", "notified", {**notice.document(), "channels": to}))
        changes = Changes(
            tuple(states), tuple(gone), tuple(history), tuple(deliveries), self._known_no_more(setting, kept)
        )
        return Outcome(now_ms, kept, changes, tuple(notice for _, notice in notices), problems, evaluated)

    def _known_no_more(self, setting: Setting, kept: Mapping[tuple[str, str], Alert | None]) -> tuple[str, ...]:
        """Return the ids of acknowledgements whose alerts don't fire any more."""
        found = []
        for id, one in setting.acknowledgements.items():
            place = (one.rule_id, one.key)
            alert = kept[place] if place in kept else self._alerts.get(one.rule_id, {}).get(one.key)
            if alert is None or alert.state.fired_ms != one.fired_ms:
                found.append(id)
        return tuple(found[:500])


def _observations(rule: Rule, measured: Measured, known: Mapping[str, Alert]) -> dict[str, Observation]:
    """Return what was seen of every alert that a step could change."""
    wanted = measured.bad if rule.no_data == "ok" else measured.bad | ~measured.known
    seen = {measured.keys[place]: measured.at(place) for place in np.flatnonzero(wanted).tolist()}
    for key, alert in known.items():
        if key in seen:
            continue
        place = measured.place(key)
        if place is not None:
            seen[key] = measured.at(place)
        else:
            # A rule that couldn't be evaluated has an alert about itself; any other key isn't measured any more.
            seen[key] = _FINE if alert.state.standing == "error" else _GONE
    return seen


def _happened(rule: Rule, alert: Alert, change: Transition) -> HistoryRow:
    document: dict[str, object] = {
        "value": alert.state.value,
        "threshold": alert.state.threshold,
        "severity": rule.severity,
        "name": rule.name,
    }
    if change.event == "resolved":
        document |= {"lasted_ms": change.lasted_ms, "because": change.because}
    if change.event == "error":
        document["problem"] = alert.state.problem
    return HistoryRow(change.at_ms, rule.id, alert.key, change.event, document)
