"""The tables of the Alerts tab: quiet rules, what happened, silences, channels and notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from alerts.alert import Alert
from alerts.board import Standings
from alerts.phrases import number
from alerts.rules import Rule
from alerts.silences import Silence
from alerts.units import said
from components.alert_cards import SEVERITY, subject
from components.numbers import clock, count, date_time
from components.tables import Column, Mood, Status, one_line
from components.timerange import DAY_MS
from db.alert_rows import DeliveryRow, HistoryRow

RULE_COLUMNS: Final = (
    Column("Severity", "status", width_px=116),
    Column("Rule", "name", width_px=200),
    Column("Condition", "clip"),
    Column("By", width_px=96),
    Column("State", "status", width_px=116),
)
HISTORY_COLUMNS: Final = (
    Column("When (UTC)", "time", width_px=148),
    Column("What", "status", width_px=128),
    Column("Rule", "name", width_px=180),
    Column("Who", "clip"),
    Column("Seen", "clip"),
)
DELIVERY_COLUMNS: Final = (
    Column("When (UTC)", "time", width_px=148),
    Column("State", "status", width_px=128),
    Column("Channel", "name"),
    Column("Rule", "name", width_px=180),
    Column("Tried", "number", width_px=72),
    Column("Last error", "clip"),
)
_BELOW: Final = {True: "below", False: "above"}
_HAPPENED: Final[Mapping[str, tuple[str, Mood]]] = {
    "firing": ("✕ firing", "bad"), "resolved": ("✓ resolved", "ok"), "no_data": ("◌ no data", "warn"),
    "error": ("▲ error", "warn"), "known": ("✓ data again", "ok"), "notified": ("→ told", "ok"),
    "pending": ("▲ pending", "warn"), "calmed": ("✓ calmed", "ok"), "recovering": ("✓ recovering", "ok"),
    "relapsed": ("✕ bad again", "bad"),
}  # fmt: skip
_DELIVERED: Final[Mapping[str, tuple[str, Mood]]] = {
    "sent": ("✓ sent", "ok"), "pending": ("… waits", "warn"), "failed": ("▲ tried again", "warn"),
    "dead": ("✕ given up", "bad"),
}  # fmt: skip


def condition(rule: Rule) -> str:
    """Say when a rule's value is bad: "success rate below 80 % over 15 min, for 3 min".

    Args:
        rule: The rule.
    """
    words = rule.what.replace("_", " ").replace(" ms", "")
    words = f"{rule.field} coverage" if rule.what == "field_coverage" else words
    bounds = [number(rule.what, rule.threshold)] if rule.threshold is not None else []
    if rule.baseline is not None:
        sign = "−" if rule.below else "+"
        bounds.append(f"usual {sign}{rule.baseline.tolerance_percent:g} %")
    parts = [f"{words} {_BELOW[rule.below]} {' and '.join(bounds)} over {said(rule.window_s)}"]
    parts += [f"for {said(rule.for_s)}"] if rule.for_s else []
    parts += [f"where {', '.join(rule.only)}"] if rule.only else []
    return one_line(", ".join(parts))


def rule_row(rule: Rule) -> list[str | Status]:
    """Return the row of a quiet rule.

    Args:
        rule: The rule.
    """
    words, mood = SEVERITY[rule.severity]
    state = Status("ok", "✓ quiet") if rule.enabled else Status("warn", "◌ off")
    return [Status(mood, words), one_line(rule.name), condition(rule), rule.by, state]


def history_row(row: HistoryRow, rules: Mapping[str, Rule], span_ms: int) -> list[str | Status]:
    """Return the row of something that happened.

    Args:
        row: What happened.
        rules: The rules there are, by id; one that is gone is named by its id.
        span_ms: The page's range, milliseconds.
    """
    words, mood = _HAPPENED.get(row.what, (row.what, "warn"))
    rule, document = rules.get(row.rule_id), row.document
    who = subject(rule, row.key) if rule is not None else one_line(row.key)
    seen = ""
    if row.what == "notified":
        channels = document.get("channels") or ()
        who = (
            f"{count(len(document.get('firing') or ()))} firing, {count(len(document.get('resolved') or ()))} resolved"
        )
        seen = f"to {', '.join(map(str, channels))}" if channels else "to nobody: there is no channel"
    elif rule is not None:
        value = document.get("value")
        seen = number(rule.what, value) if isinstance(value, (int, float)) else ""
        lasted = document.get("lasted_ms")
        seen += f" after {said(lasted / 1000)}" if row.what == "resolved" and isinstance(lasted, int) else ""
    name = one_line(rule.name if rule is not None else row.rule_id)
    return [clock(row.at_ms, span_ms=max(span_ms, DAY_MS + 1)), Status(mood, words), name, who, one_line(seen)]


def delivery_row(row: DeliveryRow, names: Mapping[str, str], rules: Mapping[str, Rule]) -> list[str | Status]:
    """Return the row of a notification on its way.

    Args:
        row: The notification.
        names: Channels' names by id; one that is gone is named by its id.
        rules: The rules there are, by id.
    """
    words, mood = _DELIVERED[row.state]
    rule = rules.get(row.rule_id)
    return [
        clock(row.created_at_ms, span_ms=2 * DAY_MS),
        Status(mood, words),
        one_line(names.get(row.channel_id, row.channel_id)),
        one_line(rule.name if rule is not None else row.rule_id),
        count(row.attempts),
        one_line(row.last_error or ""),
    ]


def silence_words(silence: Silence, now_ms: int) -> tuple[str, str]:
    """Say what a silence means and when: (matchers, times).

    Args:
        silence: The silence.
        now_ms: The moment, epoch milliseconds.
    """
    if silence.cron:
        when = f"at {silence.cron} ({silence.timezone}) for {said(silence.duration_s)}"
        when += f", until {date_time(silence.ends_ms)}" if silence.ends_ms is not None else ""
    else:
        begins = f"from {date_time(silence.starts_ms)} " if silence.starts_ms > now_ms else ""
        when = f"{begins}until {date_time(silence.ends_ms or 0)}"
    return one_line(", ".join(silence.only)), when


def alert_values(alerts: Sequence[tuple[Rule, Alert]]) -> list[tuple[Any, ...]]:
    """Return alerts as raw rows to export.

    Args:
        alerts: (rule, alert) pairs.
    """
    return [
        (
            alert.state.standing, rule.severity, rule.id, rule.name, alert.key, alert.state.value,
            alert.state.threshold, alert.state.since_ms, alert.state.fired_ms, alert.samples,
        )
        for rule, alert in alerts
    ]  # fmt: skip


def rules_by_id(standings: Standings) -> dict[str, Rule]:
    """Return every rule by its id.

    Args:
        standings: How everything stands.
    """
    return {rule.id: rule for rule in standings.setting.rules}
