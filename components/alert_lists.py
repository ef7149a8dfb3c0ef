"""The lists of the Alerts tab whose entries have buttons: quiet rules, silences, channels and dead letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dash import html
from dash.development.base_component import Component

from alerts.rules import Rule
from alerts.silences import Silence
from components.alert_cards import SEVERITY, how_long
from components.alert_rows import condition, silence_words
from components.aria import aria
from components.numbers import count, date_time
from components.tables import one_line
from db.alert_rows import DeliveryRow, SettingRow

ENTRY: Final = "alerts-entry"  # type of the ids of their buttons
MOST_ENTRIES: Final = 200


def rule_list(rules: Sequence[Rule], loud: Mapping[str, int]) -> dict[str, Any]:
    """Return the live props of the list of rules.

    Args:
        rules: The rules, in the order to show.
        loud: How many alerts fire, are pending or unknown, by the rule's id.
    """
    entries = [
        entry(
            [html.Span(SEVERITY[rule.severity][0], className=f"alert-severity {SEVERITY[rule.severity][1]}")],
            rule.name,
            condition(rule),
            [
                entry_button("rule-edit", rule.id, "Edit", rule.name),
                _switch(rule),
            ],
            away=not rule.enabled,
            state=_rule_state(rule, loud.get(rule.id, 0)),
        )
        for rule in rules[:MOST_ENTRIES]
    ]
    return listed(entries, len(rules), "There is no rule.", "the YAML file has them all")


def silence_list(silences: Sequence[Silence], now_ms: int) -> dict[str, Any]:
    """Return the live props of the list of silences: those that hold before those to come.

    Args:
        silences: Every one.
        now_ms: The moment, epoch milliseconds.
    """
    kept = [one for one in silences if one.ends_ms is None or one.ends_ms > now_ms]
    ordered = sorted(kept, key=lambda one: (not one.active(now_ms), one.ends_ms or 1 << 60, one.id))
    entries = []
    for one in ordered[:MOST_ENTRIES]:
        matchers, when = silence_words(one, now_ms)
        by = f" · {one_line(one.by)}" if one.by else ""
        state = "◌ silences now" if one.active(now_ms) else "waits"
        says = f"{when}{by}" + (f" · “{one_line(one.comment)}”" if one.comment else "")
        end = entry_button("silence-end", one.id, "End", matchers)
        entries.append(entry([], matchers, says, [end], away=not one.active(now_ms), state=state))
    return listed(entries, len(ordered), "Nothing is silenced.", "end some first")


def channel_list(channels: Sequence[SettingRow], results: Mapping[str, DeliveryRow]) -> dict[str, Any]:
    """Return the live props of the list of notification channels; what is secret about them isn't known here.

    Args:
        channels: Every one.
        results: The newest notification to each that arrived or didn't, by the channel's id.
    """
    entries = []
    for row in channels[:MOST_ENTRIES]:
        name = one_line(str(row.document.get("name") or row.id))
        on = bool(row.document.get("enabled", True))
        newest = results.get(row.id)
        said = "nothing was sent yet" if newest is None else _result(newest)
        if not row.has_secret:
            said = "✕ has no address: edit it"
        edit = entry_button("channel-edit", row.id, "Edit", name)
        test = entry_button("channel-test", row.id, "Test", name)
        says = f"{row.document.get('kind', 'apprise')} · {said}"
        entries.append(entry([], name, says, [test, edit], away=not on, state="" if on else "switched off"))
    return listed(entries, len(channels), "There is no channel: alerts are shown here and told to nobody.", "")


def dead_list(
    rows: Sequence[DeliveryRow], names: Mapping[str, str], rules: Mapping[str, Rule], now_ms: int
) -> dict[str, Any]:
    """Return the live props of the list of notifications that were given up.

    Args:
        rows: Dead letters, newest first.
        names: Channels' names by id.
        rules: The rules there are, by id.
        now_ms: The moment, epoch milliseconds.
    """
    entries = []
    for row in rows:
        rule = rules.get(row.rule_id)
        title = f"{rule.name if rule is not None else row.rule_id} → {names.get(row.channel_id, row.channel_id)}"
        tried = f"{how_long(row.created_at_ms, now_ms)} ago, tried {count(row.attempts)} times"
        says = f"{tried}: {row.last_error or 'no reason'}"
        again = entry_button("letter-retry", str(row.id), "Send again", title)
        entries.append(entry([], one_line(title), one_line(says), [again], away=False, state=""))
    return listed(entries, len(rows), "Every notification has arrived, or is being tried again.", "")


def entry_button(act: str, id: str, words: str, about: str) -> Component:
    """Build a button of an entry; `ENTRY` is the type of its id.

    Args:
        act: What it does.
        id: Of what.
        words: What it says.
        about: What it is about, for who doesn't see where it stands.
    """
    button: Component = html.Button(
        words,
        id={"type": ENTRY, "act": act, "id": id},
        className="small-button",
        n_clicks=0,
        **aria(label=f"{words}: {one_line(about)}"),
    )
    return button


def _rule_state(rule: Rule, alerts: int) -> str:
    if not rule.enabled:
        return "switched off"
    return f"{count(alerts)} alert{'' if alerts == 1 else 's'} now" if alerts else "✓ quiet"


def _switch(rule: Rule) -> Component:
    act, words = ("rule-off", "Switch off") if rule.enabled else ("rule-on", "Switch on")
    return entry_button(act, rule.id, words, rule.name)


def _result(row: DeliveryRow) -> str:
    if row.state == "sent":
        return f"✓ sent {date_time(row.sent_at_ms or row.created_at_ms)}"
    return f"✕ {one_line(row.last_error or 'not sent')}"


def entry(
    before: list[Component], title: str, says: str, buttons: list[Component], *, away: bool = False, state: str = ""
) -> Component:
    """Build an entry of a list.

    Args:
        before: What stands before its title.
        title: What it is about.
        says: More of it.
        buttons: What can be done.
        away: Whether it doesn't count at the moment.
        state: How it stands, "" for nothing to say.
    """
    head = [*before, html.Strong(title, className="entry-title")]
    head += [html.Span(state, className="alert-standing")] if state else []
    return html.Div(
        [
            html.Div(
                [html.Div(head, className="entry-head"), html.P(says, className="entry-says")], className="entry-text"
            ),
            html.Div(buttons, className="entry-buttons"),
        ],
        className="entry entry-away" if away else "entry",
    )


def listed(entries: list[Component], total: int, nothing: str, how: str) -> dict[str, Any]:
    """Return the live props of a list.

    Args:
        entries: Those that are shown.
        total: How many there are.
        nothing: What is said when there is none.
        how: How to see the others.
    """
    if not entries:
        return {"children": [html.P(nothing, className="alerts-none")]}
    if total > len(entries):
        entries = [*entries, html.P(f"and {count(total - len(entries))} more: {how}.", className="table-more")]
    return {"children": entries}
