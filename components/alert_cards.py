"""The cards of alerts that fire, or are about to: what, who, since when, who knows of it, and what can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from alerts.board import Shown
from alerts.phrases import limit, measured
from alerts.rules import Rule
from alerts.units import said
from components.alert_links import alert_href
from components.alert_sparks import has_spark, spark_of
from components.aria import aria
from components.numbers import age, count, date_time
from components.tables import Mood, one_line
from components.timerange import MINUTE_MS

MOST_SHOWN: Final = 100
ACT: Final = "alerts-act"  # type of the ids of its buttons
SEVERITY: Final[Mapping[str, tuple[str, Mood]]] = {
    "critical": ("✕ critical", "bad"), "warning": ("▲ warning", "warn"), "info": ("● info", "ok"),
}  # fmt: skip
_STANDINGS: Final[Mapping[str, str]] = {
    "recovering": "recovering", "pending": "pending", "no_data": "no data", "error": "can’t be measured",
}  # fmt: skip
_LOOKS: Final[Mapping[Mood, str]] = {"bad": "alert alert-bad", "warn": "alert alert-warn", "ok": "alert alert-ok"}
_SNOOZES: Final = (("snooze-1h", "1 h"), ("snooze-4h", "4 h"), ("snooze-tomorrow", "until tomorrow"))
_FACTS: Final[Mapping[str, str]] = {"domain": "domain", "error": "error", "outcome": "outcome"}


def alert_list(shown: Sequence[Shown], now_ms: int, nothing: str) -> dict[str, Any]:
    """Return the live props of a list of alerts; never more than a hundred of them.

    Args:
        shown: The alerts, in the order to show.
        now_ms: The moment, epoch milliseconds.
        nothing: What to say when there is none.
    """
    if not shown:
        return {"children": [html.P(nothing, className="alerts-none")]}
    cards: list[Component] = [_card(one, now_ms) for one in shown[:MOST_SHOWN]]
    if len(shown) > MOST_SHOWN:
        more = f"and {count(len(shown) - MOST_SHOWN)} more: silence those that have one reason, or export all."
        cards.append(html.P(more, className="table-more"))
    return {"children": cards}


def subject(rule: Rule, key: str) -> str:
    """Name what an alert is about: "source cnbc", "the whole fleet".

    Args:
        rule: Its rule.
        key: What it is about.
    """
    return "the whole fleet" if rule.by == "fleet" else f"{rule.label_key or rule.by} {one_line(key)}"


def how_long(since_ms: int, now_ms: int) -> str:
    """Say for how long something lasts; by the minute, or a page would move all the time.

    Args:
        since_ms: When it began, epoch ms.
        now_ms: The moment.
    """
    lasted_ms = now_ms // MINUTE_MS * MINUTE_MS - since_ms
    return said(lasted_ms / 1000 // 60 * 60) if lasted_ms >= MINUTE_MS else "less than a minute"


def _card(one: Shown, now_ms: int) -> Component:
    state, rule = one.alert.state, one.rule
    words, mood = SEVERITY[rule.severity]
    standing = _STANDINGS.get(one.standing, "")
    told = one.known is not None or one.silence is not None
    head: list[Component] = [
        html.Span(words, className=f"alert-severity {mood}"),
        html.Strong(rule.name, className="alert-name"),
        dcc.Link(subject(rule, one.alert.key), href=alert_href(one, now_ms), className="alert-who"),
    ]
    if standing:
        head.append(html.Span(standing, className="alert-standing"))
    if state.flapping:
        head.append(html.Span("flapping", className="alert-standing"))
    verb = "firing for" if state.active else f"{standing} for"
    since = html.Span(
        f"{verb} {how_long(one.since_ms, now_ms)}", className="alert-since", title=f"since {date_time(one.since_ms)}"
    )
    facts = [html.Span(_value(one), className="alert-value"), since]
    facts += [html.Span(text, className="alert-fact") for text in _reasons(one)]
    return html.Article(
        [
            html.Div(head, className="alert-head"),
            _spark(one),
            html.P(facts, className="alert-facts"),
            *_who_knows(one, now_ms),
            _buttons(one),
        ],
        className=_LOOKS[mood] + (" alert-told" if told else ""),
        **aria(label=f"{words[2:]}: {rule.name}, {subject(rule, one.alert.key)}"),
    )


def _value(one: Shown) -> str:
    state = one.alert.state
    if state.problem:
        return one_line(state.problem)
    found = measured(one.rule.what, state.value, one.rule.field)
    compared = limit(one.rule.what, state.threshold)
    return " · ".join(text for text in (found, compared) if text)


def _reasons(one: Shown) -> list[str]:
    found = []
    for name, value in one.alert.facts.items():
        if value != one.alert.key:
            found.append(f"{_FACTS.get(name, name.removeprefix('label:'))}: {one_line(value)}")
    return found[:4]


def _spark(one: Shown) -> Component:
    if not has_spark(one):
        return html.Div(className="alert-spark alert-spark-away")
    styles = spark_of(one)
    return html.Div(
        [
            html.Div(className="alert-spark-shape", style=styles["shape"]),
            html.Div(className="alert-spark-line", style=styles["line"]),
        ],
        className="alert-spark",
        title="The last 3 hours, five minutes each; the line is the threshold",
        **aria(hidden="true"),
    )


def _who_knows(one: Shown, now_ms: int) -> list[Component]:
    lines = []
    if one.known is not None:
        ago = f" {age(max(0, now_ms // MINUTE_MS * MINUTE_MS - one.known.at_ms))} ago" if one.known.at_ms else ""
        comment = f": “{one_line(one.known.comment)}”" if one.known.comment else ""
        lines.append(f"✓ acknowledged by {one_line(one.known.by) or 'somebody'}{ago}{comment}")
    if one.silence is not None:
        until = f" until {date_time(one.silence.ends_ms)}" if one.silence.ends_ms is not None else ""
        why = f": “{one_line(one.silence.comment)}”" if one.silence.comment else ""
        lines.append(f"◌ silenced{until} by {one_line(one.silence.by) or 'somebody'}{why}")
    return [html.P(line, className="alert-known") for line in lines]


def _buttons(one: Shown) -> Component:
    acts: list[tuple[str, str]] = []
    if one.alert.state.active:
        acts.append(("unacknowledge", "Take back") if one.known is not None else ("acknowledge", "Acknowledge"))
    snoozed = one.silence is not None and is_snooze(one.silence.only)
    buttons: list[Component] = [_button(one, act, words) for act, words in acts]
    if snoozed:
        buttons.append(_button(one, "unsnooze", "Unsnooze"))
    elif one.silence is None:
        buttons.append(html.Span("Snooze", className="alert-snooze"))
        buttons += [_button(one, act, words) for act, words in _SNOOZES]
    return html.Div(buttons, className="alert-buttons")


def is_snooze(only: Sequence[str]) -> bool:
    """Say whether a silence's matchers mean one alert of one rule.

    Args:
        only: The matchers.
    """
    return len(only) == 2 and only[0].startswith("rule=") and only[1].startswith("key=")


def _button(one: Shown, act: str, words: str) -> Component:
    spoken = f"{'Snooze ' if act.startswith('snooze') else ''}{words}: {one.rule.name}, {one_line(one.alert.key)}"
    button: Component = html.Button(
        words,
        id={"type": ACT, "act": act, "alert": one.token},
        className="small-button",
        n_clicks=0,
        **aria(label=spoken),
    )
    return button
