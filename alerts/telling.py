"""What is to be told now: news of each group, not too often, and not what somebody silenced. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alerts.alert import Alert, labels_of
from alerts.grouping import by_group, common
from alerts.message import filled
from alerts.notices import MOST_ENTRIES, Entry, Notice, NoticeWhat
from alerts.phrases import number
from alerts.rules import Rule
from alerts.silences import Silence, silenced_by
from alerts.units import said

# Two notifications of one group are at least so far apart; the first one waits for nothing.
GATHER_MS: Final = 60_000


def _never(_rule: str, _key: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Quiet:
    """Who isn't to be told.

    Args:
        silences: Those that are active now.
        acknowledged: (rule, key, when it began to fire) of alerts that somebody knows of.
        fires: Says whether a rule's alert (rule, key) fires now.
    """

    silences: tuple[Silence, ...] = ()
    acknowledged: Collection[tuple[str, str, int]] = frozenset()
    fires: Callable[[str, str], bool] = _never

    def knows(self, alert: Alert) -> bool:
        """Say whether somebody acknowledged an alert."""
        return (alert.rule_id, alert.key, alert.state.fired_ms or 0) in self.acknowledged


def tell(rule: Rule, alerts: Mapping[str, Alert], quiet: Quiet, now_ms: int) -> tuple[dict[str, Alert], list[Notice]]:
    """Decide what is told of a rule's alerts.

    Args:
        rule: The rule.
        alerts: Those of its alerts that fire or of which something is to be told, by key.
        quiet: Who isn't to be told.
        now_ms: The moment, epoch ms.

    Returns:
        (the alerts that changed thereby, the notifications).
    """
    changed: dict[str, Alert] = {}
    notices: list[Notice] = []
    for group, members in by_group(alerts).items():
        heard = []
        for alert in members:
            silence = silenced_by(quiet.silences, labels_of(rule, alert)) or "" if quiet.silences else ""
            now = replace(alert, silenced=silence) if silence != alert.silenced else alert
            if any(quiet.fires(other, alert.key) for other in rule.unless):
                now = replace(now, hushed_ms=now_ms)
            hushed = now.told_ms is None and 0 <= now_ms - now.hushed_ms <= rule.window_s * 1000
            if (silence and now.owed in ("resolved", "passed")) or (hushed and now.owed == "passed"):
                now = replace(now, owed="", ended=None, told_ms=None, group="")  # nobody wants to know any more
            elif now.owed == "firing" and quiet.knows(now):
                now = replace(now, owed="", told_ms=now_ms)
            if now is not alert:
                changed[now.key] = now
            if not silence and not hushed:
                heard.append(now)
        notice = _news(rule, group, heard, members, quiet, now_ms)
        if notice is None:
            continue
        notices.append(notice)
        for alert in heard:
            if alert.state.active:
                changed[alert.key] = replace(alert, owed="", told_ms=now_ms)
            elif alert.owed:
                changed[alert.key] = replace(alert, owed="", told_ms=None, ended=None, group="")
    return changed, notices


def _news(
    rule: Rule, group: str, heard: Sequence[Alert], members: Sequence[Alert], quiet: Quiet, now_ms: int
) -> Notice | None:
    last_ms = max((alert.told_ms for alert in members if alert.told_ms is not None), default=None)
    fires = [alert for alert in heard if alert.state.active]
    over = [alert for alert in heard if alert.owed in ("resolved", "passed")]
    # A clock that was set back makes nobody wait for longer than usual.
    rest_ms = 0 if last_ms is None or last_ms > now_ms else max(0, last_ms + GATHER_MS - now_ms)
    what: NoticeWhat
    if any(alert.owed == "firing" for alert in fires) and not rest_ms:
        what = "firing"
    elif over and not rest_ms and not any(alert.state.active for alert in members):
        what = "resolved"
    elif (
        rule.repeat_s
        and last_ms is not None
        and now_ms - last_ms >= rule.repeat_s * 1000
        and any(not quiet.knows(alert) for alert in fires)
    ):
        what = "still_firing"
    else:
        return None
    return _notice(rule, group, what, fires, over, now_ms)


def _notice(
    rule: Rule, group: str, what: NoticeWhat, fires: Sequence[Alert], over: Sequence[Alert], now_ms: int
) -> Notice:
    about = [*fires, *over]
    reasons = common(about)
    firing = sorted(fires, key=lambda alert: (alert.owed != "firing", alert.key))
    began = [*(alert.state.fired_ms or now_ms for alert in fires), *(_began(alert, now_ms) for alert in over)]
    count = len(fires) or len(over)
    return Notice(
        what=what,
        rule_id=rule.id,
        rule_name=rule.name,
        severity=rule.severity,
        measure=rule.what,
        by=rule.by,
        group_key=group,
        at_ms=now_ms,
        reasons=reasons,
        since_ms=min(began),
        firing_count=len(fires),
        firing=tuple(_entry(rule, alert, reasons, count, now_ms) for alert in firing[:MOST_ENTRIES]),
        resolved_count=len(over),
        resolved=tuple(_entry(rule, alert, reasons, count, now_ms) for alert in over[:MOST_ENTRIES]),
        labels=rule.labels,
        description=rule.description,
        field=rule.field,
    )


def _entry(rule: Rule, alert: Alert, reasons: Mapping[str, str], count: int, now_ms: int) -> Entry:
    state = alert.state
    message = ""
    if rule.message:
        message = filled(
            rule.message,
            {
                "rule": rule.name, "key": alert.key or "the fleet", "what": rule.what.replace("_", " "),
                "value": number(rule.what, state.value), "threshold": number(rule.what, state.threshold),
                "window": said(rule.window_s), "samples": f"{alert.samples:,}", "severity": rule.severity,
                "count": f"{count:,}", "reason": ", ".join(reasons.values()),
                "for": said((now_ms - _began(alert, now_ms)) / 1000), "field": rule.field,
            },
        )  # fmt: skip
    return Entry(
        key=alert.key,
        value=state.value,
        threshold=state.threshold,
        fired_ms=_began(alert, now_ms),
        resolved_ms=None if alert.ended is None else alert.ended[0],
        new=alert.owed in ("firing", "passed"),
        message=message,
        because="" if alert.ended is None else alert.ended[2],
    )


def _began(alert: Alert, now_ms: int) -> int:
    if alert.state.fired_ms is not None:
        return alert.state.fired_ms
    return now_ms if alert.ended is None else alert.ended[0] - alert.ended[1]
