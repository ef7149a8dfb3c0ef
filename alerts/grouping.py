"""Which alerts of a rule are told together: those that have something in common. Pure functions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from alerts.alert import Alert

# More new groups of one rule at once than this are told as one: nobody reads the sixth message.
MOST_NEW_GROUPS: Final = 5


def common(alerts: Iterable[Alert]) -> dict[str, str]:
    """Return the facts that all of some alerts have in common.

    Args:
        alerts: Of one rule.
    """
    shared: set[tuple[str, str]] | None = None
    for alert in alerts:
        facts = set(alert.facts.items())
        shared = facts if shared is None else shared & facts
    return dict(sorted(shared or ()))


def grouped(new: Sequence[Alert], active: Iterable[Alert]) -> list[Alert]:
    """Give alerts that have just fired their groups.

    One joins a group that has something in common with it, the group with the most alerts first; what its alerts have
    in common gets less thereby. Alerts of which nothing is known are told together.

    Args:
        new: Of one rule, in the order of their keys.
        active: Those of the rule that have a group already.

    Returns:
        The new ones with their groups.
    """
    members: dict[str, int] = Counter()
    shared: dict[str, set[tuple[str, str]]] = {}
    for alert in active:
        if alert.group:
            facts = set(alert.facts.items())
            shared[alert.group] = facts if alert.group not in shared else shared[alert.group] & facts
            members[alert.group] += 1
    known = set(members)
    # Of many at once, those with the most frequent facts come first: else the first one's accidents decide.
    frequency = Counter(fact for alert in new for fact in alert.facts.items())
    found: dict[str, str] = {}
    for alert in sorted(
        new, key=lambda one: (-max((frequency[fact] for fact in one.facts.items()), default=0), one.key)
    ):
        facts = set(alert.facts.items())
        fitting = [group for group in shared if (shared[group] & facts) or (not shared[group] and not facts)]
        group = max(fitting, key=lambda one: (members[one], one), default="") or _name(alert)
        shared[group] = shared[group] & facts if group in shared else facts
        members[group] += 1
        found[alert.key] = group
    _few(found, known)
    return [replace(alert, group=found[alert.key]) for alert in new]


def _few(found: dict[str, str], known: set[str]) -> None:
    """Put what would be too many new groups into one."""
    sizes = Counter(group for group in found.values() if group not in known)
    if len(sizes) <= MOST_NEW_GROUPS:
        return
    kept = {group for group, _ in sorted(sizes.items(), key=lambda one: (-one[1], one[0]))[: MOST_NEW_GROUPS - 1]}
    others = min(group for group in sizes if group not in kept)
    for key, group in found.items():
        if group in sizes and group not in kept:
            found[key] = others


def by_group(alerts: Mapping[str, Alert]) -> dict[str, list[Alert]]:
    """Return alerts by their groups, in the order of their keys; those without one are left out.

    Args:
        alerts: Of one rule, by key.
    """
    found: dict[str, list[Alert]] = {}
    for key in sorted(alerts):
        if alerts[key].group:
            found.setdefault(alerts[key].group, []).append(alerts[key])
    return found


def _name(alert: Alert) -> str:
    """Return a name for the group that begins with an alert: the same whichever process gives it."""
    text = f"{alert.rule_id}\0{alert.key}\0{alert.state.fired_ms}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
