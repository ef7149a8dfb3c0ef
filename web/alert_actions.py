"""What people do with alerts from the Alerts tab: acknowledge, snooze, silence, and end what they silenced."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

from dash import ALL, Dash, Input, Output, State, ctx, no_update

from alerts.board import Shown, Standings, standings
from alerts.errors import BadSetting
from alerts.silences import Acknowledgement, Silence, silence_of
from components.alert_cards import ACT, is_snooze, subject
from components.alert_lists import ENTRY
from components.alert_sections import FORM, FORM_BODY, FORM_FAULTS, NAME, SAID
from components.alert_silence_form import FIELD, SAVE, silence_document, silence_form
from components.numbers import clock
from components.timerange import HOUR_MS
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.errors import DatabaseUnavailable
from db.queries import Queries

log = logging.getLogger(__name__)

_HOURS: Final = {"snooze-1h": 1, "snooze-4h": 4}
_MORNING_HOUR: Final = 8  # UTC: when tomorrow begins for who snoozes until then
_MOST_CHARS: Final = 100


def register_alert_actions(
    app: Dash,
    queries: Queries,
    tables: AlertTables,
    *,
    changed: Callable[[], object],
    clock_ms: Callable[[], int] = now_ms,
) -> None:
    """Register the callbacks of alerts and silences.

    Args:
        app: The app.
        queries: Who knows how alerts stand.
        tables: Where what people decide is written.
        changed: Called after each write.
        clock_ms: The present in epoch milliseconds.
    """

    @app.callback(
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": ACT, "act": ALL, "alert": ALL}, "n_clicks"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def act(clicks: list[int | None], name: str | None) -> Any:
        """Acknowledge or snooze an alert, or take that back."""
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return no_update
        return answered(
            lambda: do(queries, tables, str(touched["act"]), str(touched["alert"]), tidy_name(name), clock_ms()),
            changed,
        )

    @app.callback(
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": ENTRY, "act": "silence-end", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def end(clicks: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return no_update
        return answered(lambda: end_silence(tables, str(touched["id"])), changed)

    @app.callback(
        Output(FORM, "opened", allow_duplicate=True),
        Output(FORM, "title", allow_duplicate=True),
        Output(FORM_BODY, "children", allow_duplicate=True),
        Input({"type": ENTRY, "act": "silence-new", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def open_form(clicks: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return no_update, no_update, no_update
        recurring = touched["id"] == "window"
        title = "New maintenance window" if recurring else "New silence"
        return True, title, silence_form(recurring=recurring)

    @app.callback(
        Output({"type": FIELD, "field": ALL}, "error"),
        Output(FORM_FAULTS, "children", allow_duplicate=True),
        Output(FORM, "opened", allow_duplicate=True),
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": SAVE, "id": ALL}, "n_clicks"),
        State({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def save(clicks: list[int | None], values: list[Any], places: list[Any], name: str | None) -> Any:
        """Write the silence that the form says, or say at its fields what is wrong."""
        if not clicked(clicks):
            return [no_update] * len(places), no_update, no_update, no_update
        fields = [str(place["field"]) for place in places]
        try:
            document, ends_ms = silence_document(dict(zip(fields, values, strict=True)), clock_ms())
            silence = silence_of({**document, "id": f"silence-{secrets.token_hex(6)}", "by": tidy_name(name)})
            assert isinstance(silence, Silence)
            tables.settings.put("silences", silence.id, silence.document(), by=silence.by, ends_at_ms=ends_ms)
        except BadSetting as exc:
            return (*at_fields(fields, exc), no_update, no_update)
        except DatabaseUnavailable as exc:
            return [None] * len(fields), f"✕ It wasn’t kept: {exc}.", no_update, no_update
        changed()
        return [None] * len(fields), "", False, "◌ Silenced."


def do(queries: Queries, tables: AlertTables, act: str, token: str, name: str, at_ms: int) -> str:
    """Do what a button of an alert says.

    Args:
        queries: Who knows how alerts stand.
        tables: Where it is written.
        act: acknowledge, unacknowledge, snooze-1h, snooze-4h, snooze-tomorrow or unsnooze.
        token: Which alert.
        name: Who does it.
        at_ms: The moment, epoch milliseconds.

    Returns:
        What was done, in words.

    Raises:
        DatabaseUnavailable: It couldn't be written.
    """
    queries.alerts_changed()  # what this page shows may be older than what somebody else just did
    found = standings(queries.alert_board(), at_ms)
    one = found.find(token)
    if one is None:
        return "That alert is over."
    who = f"{one.rule.name}, {subject(one.rule, one.alert.key)}"
    if act == "acknowledge":
        if one.alert.state.fired_ms is None:
            return "That alert doesn’t fire any more."
        known = Acknowledgement.model_validate(
            {
                "rule_id": one.rule.id,
                "key": one.alert.key,
                "fired_ms": one.alert.state.fired_ms,
                "by": name,
                "at_ms": at_ms,
            }
        )
        tables.settings.put("silences", f"ack-{token}", known.document(), by=name)
        return f"✓ Acknowledged: {who}. It isn’t told again until it is resolved."
    if act == "unacknowledge":
        for id, known in found.setting.acknowledgements.items():
            if known == one.known:
                tables.settings.delete("silences", id)
        return f"Taken back: {who}."
    if act == "unsnooze":
        for silence in _snoozes(found, one):
            tables.settings.delete("silences", silence.id)
        return f"No longer snoozed: {who}."
    ends_ms = at_ms + _HOURS[act] * HOUR_MS if act in _HOURS else _tomorrow_ms(at_ms)
    only = (f"rule={one.rule.id}", f"key={exactly(one.alert.key)}")
    try:
        silence = Silence.model_validate(
            {"id": f"snooze-{token}", "comment": "snoozed", "by": name, "only": only, "ends_ms": ends_ms}
        )
    except ValueError:
        return f"✕ {who} can’t be snoozed: its name is too long for a matcher. Silence its rule instead."
    tables.settings.put("silences", silence.id, silence.document(), by=name, ends_at_ms=ends_ms)
    return f"◌ Snoozed until {clock(ends_ms, span_ms=48 * HOUR_MS)} UTC: {who}."


def end_silence(tables: AlertTables, id: str) -> str:
    """End a silence; returns what was done, in words."""
    return "That silence is ended." if tables.settings.delete("silences", id) else "It was over already."


def exactly(key: str) -> str:
    """Return a pattern that a key alone fits, although `*`, `?` and `[` in patterns stand for others."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in key)


def clicked(clicks: Sequence[int | None]) -> bool:
    """Say whether somebody clicked: buttons that are drawn anew call their callback, too."""
    return any(clicks) and bool(ctx.triggered and ctx.triggered[0]["value"])


def answered(write: Callable[[], str], changed: Callable[[], object]) -> str:
    """Write, and return what to say of it.

    Args:
        write: Does it and says so.
        changed: Called when it was done.
    """
    try:
        said = write()
    except DatabaseUnavailable as exc:
        return f"✕ It wasn’t kept: {exc}."
    changed()
    return said


def at_fields(fields: Sequence[str], exc: BadSetting) -> tuple[list[str | None], str]:
    """Put what is wrong at its fields.

    Args:
        fields: The form's.
        exc: What is wrong.

    Returns:
        (a text or None for each field, what belongs to none of them).
    """
    said: dict[str, str] = {}
    rest: list[str] = []
    for fault in exc.faults:
        place = next((name for name in (fault.field, fault.field.split(".")[0]) if name in fields), None)
        if place is None:
            rest.append(str(fault))
        else:
            said[place] = f"{said[place]}; {fault.message}" if place in said else fault.message
    return [said.get(name) for name in fields], "; ".join(rest)


def tidy_name(name: str | None) -> str:
    """Return who somebody says they are, on one line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name or "").split())[:_MOST_CHARS]


def _snoozes(found: Standings, one: Shown) -> list[Silence]:
    wanted = (f"rule={one.rule.id}", f"key={exactly(one.alert.key)}")
    return [silence for silence in found.setting.silences if is_snooze(silence.only) and silence.only == wanted]


def _tomorrow_ms(at_ms: int) -> int:
    today = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).replace(
        hour=_MORNING_HOUR, minute=0, second=0, microsecond=0
    )
    return int((today + dt.timedelta(days=1)).timestamp() * 1000)
