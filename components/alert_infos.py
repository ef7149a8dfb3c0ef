"""When alerts fired, put together from their history: spans of time, and the timeline that shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.board import SEVERITIES, Shown
from alerts.rules import Rule
from alerts.units import said
from charts.info import Span, TimelineInfo
from db.alert_rows import HistoryRow
from db.results import TimeRange

TOLD: Final = ("firing", "resolved")  # what begins and ends a span
_MOST_LANES: Final = 24
_NAMES: Final = ("info", "firing")  # the legend: only information, or bad
_MOST_SPANS: Final = 400


@dataclass(frozen=True, slots=True)
class Fired:
    """A time for which an alert fired.

    Args:
        rule_id: Whose.
        key: What it is about.
        start_ms: From when, epoch ms.
        end_ms: Until when; None while it fires.
        severity: How bad it was.
        name: The rule's name at that time.
    """

    rule_id: str
    key: str
    start_ms: int
    end_ms: int | None
    severity: str
    name: str


def fired(history: Sequence[HistoryRow], firing: Sequence[Shown]) -> tuple[Fired, ...]:
    """Return when alerts fired, the newest first.

    Args:
        history: What happened, `TOLD` only, newest first.
        firing: Alerts that fire now.
    """
    found = [Fired(one.rule.id, one.alert.key, one.since_ms, None, one.rule.severity, one.rule.name) for one in firing]
    known = {(one.rule_id, one.key, one.start_ms) for one in found}
    ends: dict[tuple[str, str], int] = {}
    for row in history:
        document, place = row.document, (row.rule_id, row.key)
        severity, name = str(document.get("severity", "warning")), str(document.get("name", row.rule_id))
        if row.what == "resolved":
            ends[place] = row.at_ms
            start_ms = row.at_ms - int(document.get("lasted_ms") or 0)
            found.append(Fired(*place, start_ms, row.at_ms, severity, name))
            known.add((*place, start_ms))
        elif (*place, row.at_ms) not in known and place in ends:
            # Its end is known, but not for how long it lasted: another version wrote it.
            found.append(Fired(*place, row.at_ms, ends[place], severity, name))
            known.add((*place, row.at_ms))
    return tuple(sorted(_once(found), key=lambda one: (-one.start_ms, one.rule_id, one.key)))


def _once(found: Sequence[Fired]) -> Sequence[Fired]:
    """Return spans without those that a longer one of the same alert covers."""
    longest: dict[tuple[str, str, int | None], Fired] = {}
    for one in found:
        place = (one.rule_id, one.key, one.end_ms)
        if place not in longest or one.start_ms < longest[place].start_ms:
            longest[place] = one
    return list(longest.values())


def timeline(spans: Sequence[Fired], rules: Mapping[str, Rule], range: TimeRange, now_ms: int) -> TimelineInfo:
    """Draw when alerts fired, a lane for each.

    Args:
        spans: When they did, newest first.
        rules: The rules there are, by id.
        range: What is shown.
        now_ms: The moment, epoch milliseconds: where those end that fire still.
    """
    low, high = range.start_ms, min(range.end_ms, max(range.start_ms, now_ms // range.bucket_ms * range.bucket_ms))
    inside = [one for one in spans if one.start_ms < range.end_ms and (one.end_ms or high) >= low]
    lanes = dict.fromkeys(_lane(one, rules) for one in inside)
    shown = set(list(lanes)[:_MOST_LANES])
    bars = [
        Span(
            _lane(one, rules),
            max(low, one.start_ms),
            max(low, one.start_ms, min(range.end_ms, one.end_ms or high)),
            f"{one.severity}, {_lasted(one)}",
            one.severity not in SEVERITIES[:2],
        )
        for one in inside
        if _lane(one, rules) in shown
    ][:_MOST_SPANS]
    still = sum(one.end_ms is None for one in inside)
    words = (
        f"{len(lanes)} alert{'' if len(lanes) == 1 else 's'} fired, {still} of them still." if inside else "None fired."
    )
    title = "When alerts fired" + (f" (the newest {_MOST_LANES} of {len(lanes)})" if len(lanes) > _MOST_LANES else "")
    return TimelineInfo(title, words, tuple(bars), x_range_ms=(range.start_ms, range.end_ms), names=_NAMES)


def _lane(one: Fired, rules: Mapping[str, Rule]) -> str:
    rule = rules.get(one.rule_id)
    # Without what kind of thing it is: the end of a long name isn't shown.
    return f"{rule.name if rule is not None else one.name} · {one.key or 'the fleet'}"


def _lasted(one: Fired) -> str:
    return "fires still" if one.end_ms is None else f"fired for {said((one.end_ms - one.start_ms) / 1000)}"
