"""The callbacks of the rule editor: open, preview, save, duplicate, delete, switch, and import of rules."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from alerts.board import standings
from alerts.defaults import DEFAULT_RULES
from alerts.errors import BadSetting, Fault
from alerts.rules import Rule, rule_of
from alerts.yaml_text import MOST_CHARS, BadYaml, rules_from_yaml
from charts.base import ChartAdapter
from components.alert_editor import BUTTON, FIELD, PREVIEW, UPLOAD, import_form, rule_document, rule_form, yaml_of
from components.alert_lists import ENTRY
from components.alert_preview import preview_of
from components.alert_sections import (
    EDITOR,
    EDITOR_BODY,
    EDITOR_FAULTS,
    FORM,
    FORM_BODY,
    FORM_FAULTS,
    NAME,
    SAID,
)
from components.numbers import date_time
from db.alert_tables import AlertTables
from db.clock import now_ms
from db.errors import ChangedMeanwhile, DatabaseUnavailable
from db.queries import Queries
from web.alert_actions import answered, at_fields, clicked, tidy_name

log = logging.getLogger(__name__)

EDITING: Final = "alerts-editing"
_DEFAULTS: Final = frozenset(rule.id for rule in DEFAULT_RULES)


class RuleDesk:
    """Where rules are changed, and never over somebody else's change, in whichever process that was.

    Args:
        queries: Who knows the rules.
        tables: Where they are written.
        clock_ms: The present in epoch milliseconds.
    """

    def __init__(self, queries: Queries, tables: AlertTables, *, clock_ms: Callable[[], int] = now_ms) -> None:
        self._queries = queries
        self._tables = tables
        self._clock_ms = clock_ms
        self._lock = threading.Lock()  # protects that nobody writes between another one's look and write

    def rule(self, id: str) -> Rule | None:
        """Return a rule as it is now, None when there is none."""
        self._queries.alerts_changed()
        return standings(self._queries.alert_board(), self._clock_ms()).rule(id)

    def version(self, id: str) -> int:
        """Return a number that changes whenever a rule is written; 0 for one that nobody wrote."""
        row = next((row for row in self._tables.settings.all("rules") if row.id == id), None)
        return 0 if row is None else row.updated_at_ms

    def save(self, document: dict[str, Any], *, by: str, known: int | None) -> Rule:
        """Write a rule.

        Args:
            document: What it says.
            by: Who says so.
            known: Its version when it was opened; None for a new rule, whose id must be free.

        Returns:
            The rule.

        Raises:
            BadSetting: It can't be used, or somebody else changed it meanwhile.
            DatabaseUnavailable: It couldn't be written.
        """
        rule = rule_of(document)
        with self._lock:
            row = next((row for row in self._tables.settings.all("rules") if row.id == rule.id), None)
            if known is None and (row is not None or rule.id in _DEFAULTS):
                raise BadSetting(rule.id, (Fault("id", "is taken by another rule: choose another one"),))
            try:
                self._tables.settings.put("rules", rule.id, rule.document(), by=by, known_ms=known or 0)
            except ChangedMeanwhile as exc:
                who = f"{exc.by or 'somebody'} at {date_time(exc.at_ms)}" if exc.at_ms else "deletion"
                fault = Fault("rule", f"was changed by {who} while you edited it: close this and open it again")
                raise BadSetting(rule.id, (fault,)) from exc
        return rule

    def delete(self, id: str, *, by: str) -> str:
        """Delete a rule, or switch a default one off; returns what was done, in words."""
        if id in _DEFAULTS:
            return self.switch(id, on=False, by=by)
        with self._lock:
            gone = self._tables.settings.delete("rules", id)
        return f"Deleted: {id}." if gone else "It was deleted already."

    def switch(self, id: str, *, on: bool, by: str) -> str:
        """Switch a rule on or off; returns what was done, in words."""
        with self._lock:
            version = self.version(id)
            rule = self.rule(id)
            if rule is None:
                return "There is no such rule any more."
            changed = rule.model_copy(update={"enabled": on})
            try:
                self._tables.settings.put("rules", id, changed.document(), by=by, known_ms=version)
            except ChangedMeanwhile:
                return f"✕ {rule.name} was just changed by somebody else: try again."
        return f"{'Switched on' if on else 'Switched off'}: {rule.name}."

    def take(self, text: str, *, by: str) -> int:
        """Import rules; returns how many.

        Raises:
            BadYaml: The text can't be used; nothing was written.
            DatabaseUnavailable: It couldn't be written.
        """
        rules = rules_from_yaml(text)
        with self._lock:
            self._tables.settings.put_all("rules", {rule.id: rule.document() for rule in rules}, by=by)
        return len(rules)


def register_alert_editor(
    app: Dash,
    queries: Queries,
    adapter: ChartAdapter,
    tables: AlertTables,
    *,
    changed: Callable[[], object],
    clock_ms: Callable[[], int] = now_ms,
) -> None:
    """Register the callbacks of the rule editor.

    Args:
        app: The app.
        queries: Who knows rules and metrics.
        adapter: Who draws.
        tables: Where rules are written.
        changed: Called after each write.
        clock_ms: The present in epoch milliseconds.
    """
    desk = RuleDesk(queries, tables, clock_ms=clock_ms)

    @app.callback(
        Output(EDITOR, "opened", allow_duplicate=True),
        Output(EDITOR, "title", allow_duplicate=True),
        Output(EDITOR_BODY, "children", allow_duplicate=True),
        Output(EDITING, "data", allow_duplicate=True),
        Input({"type": ENTRY, "act": "rule-edit", "id": ALL}, "n_clicks"),
        Input({"type": ENTRY, "act": "rule-new", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def open_editor(edits: list[int | None], news: list[int | None]) -> Any:
        touched = ctx.triggered_id
        if not clicked([*edits, *news]) or not isinstance(touched, dict):
            return (no_update,) * 4
        if touched["act"] == "rule-new":
            return True, "New rule", rule_form(None, can_delete=False, is_default=False), None
        id = str(touched["id"])
        try:
            version = desk.version(id)  # first: a change in between makes it too old, not the rule
            rule = desk.rule(id)
        except DatabaseUnavailable as exc:
            return True, "Rule", html.P(f"✕ It can’t be read: {exc}."), None
        if rule is None:
            return True, "Rule", html.P("There is no such rule any more."), None
        form = rule_form(rule, can_delete=True, is_default=id in _DEFAULTS)
        return True, rule.name, form, {"id": id, "version": version}

    @app.callback(
        Output(PREVIEW, "children"),
        Output({"type": FIELD, "field": ALL}, "error", allow_duplicate=True),
        Output(EDITOR_FAULTS, "children", allow_duplicate=True),
        Input({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        prevent_initial_call="initial_duplicate",
    )
    def preview(values: list[Any], places: list[Any]) -> Any:
        """Say at its fields what is wrong with a rule as it is written, or when it would have fired."""
        fields = [str(place["field"]) for place in places]
        if not fields:
            return no_update, [], no_update
        document = rule_document(dict(zip(fields, values, strict=True)))
        document["name"], document["id"] = document["name"] or "new rule", document["id"] or "new-rule"
        try:
            rule = rule_of(document)
            shown = preview_of(queries, adapter, rule, clock_ms())
        except BadSetting as exc:
            return (html.P("There is something to put right first."), *at_fields(fields, exc))
        except DatabaseUnavailable as exc:
            return html.P(f"The past can’t be read: {exc}."), [None] * len(fields), ""
        return shown, [None] * len(fields), ""

    @app.callback(
        Output({"type": FIELD, "field": ALL}, "error", allow_duplicate=True),
        Output(EDITOR_FAULTS, "children", allow_duplicate=True),
        Output(EDITOR, "opened", allow_duplicate=True),
        Output(SAID, "children", allow_duplicate=True),
        Output(EDITOR_BODY, "children", allow_duplicate=True),
        Output(EDITOR, "title", allow_duplicate=True),
        Output(EDITING, "data", allow_duplicate=True),
        Input({"type": BUTTON, "act": ALL}, "n_clicks"),
        State({"type": FIELD, "field": ALL}, "value"),
        State({"type": FIELD, "field": ALL}, "id"),
        State(EDITING, "data"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def press(clicks: list[int | None], values: list[Any], places: list[Any], editing: Any, name: str | None) -> Any:
        """Save, duplicate or delete the rule in the editor."""
        fields = [str(place["field"]) for place in places]
        nothing = ([no_update] * len(fields), *(no_update,) * 6)
        touched = ctx.triggered_id
        if not clicked(clicks) or not isinstance(touched, dict):
            return nothing
        by, document = tidy_name(name), rule_document(dict(zip(fields, values, strict=True)))
        opened = editing if isinstance(editing, dict) else None
        if touched["act"] == "delete" and opened is not None:
            said = answered(lambda: desk.delete(str(opened["id"]), by=by), changed)
            return [None] * len(fields), "", False, said, no_update, no_update, no_update
        try:
            if touched["act"] == "duplicate":
                copy = {**document, "id": f"{document['id']}-copy"[:64], "name": f"{document['name']} (copy)"[:100]}
                rule = desk.save(copy, by=by, known=None)
                changed()
                form = rule_form(rule, can_delete=True, is_default=False)
                again = {"id": rule.id, "version": desk.version(rule.id)}
                return [no_update] * len(fields), "", True, f"Duplicated: {rule.name}.", form, rule.name, again
            rule = desk.save(document, by=by, known=None if opened is None else int(opened["version"]))
        except BadSetting as exc:
            return (*at_fields(fields, exc), *(no_update,) * 5)
        except DatabaseUnavailable as exc:
            return [None] * len(fields), f"✕ It wasn’t kept: {exc}.", *(no_update,) * 5
        changed()
        return [None] * len(fields), "", False, f"✓ Saved: {rule.name}.", *(no_update,) * 3

    @app.callback(
        Output(SAID, "children", allow_duplicate=True),
        Input({"type": ENTRY, "act": "rule-on", "id": ALL}, "n_clicks"),
        Input({"type": ENTRY, "act": "rule-off", "id": ALL}, "n_clicks"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def switch(on: list[int | None], off: list[int | None], name: str | None) -> Any:
        touched = ctx.triggered_id
        if not clicked([*on, *off]) or not isinstance(touched, dict):
            return no_update
        id, wanted = str(touched["id"]), touched["act"] == "rule-on"
        return answered(lambda: desk.switch(id, on=wanted, by=tidy_name(name)), changed)

    @app.callback(
        Output(FORM, "opened", allow_duplicate=True),
        Output(FORM, "title", allow_duplicate=True),
        Output(FORM_BODY, "children", allow_duplicate=True),
        Input({"type": ENTRY, "act": "rules-import", "id": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def open_import(clicks: list[int | None]) -> Any:
        return (True, "Import rules", import_form()) if clicked(clicks) else (no_update,) * 3

    @app.callback(
        Output(FORM_FAULTS, "children", allow_duplicate=True),
        Output(FORM, "opened", allow_duplicate=True),
        Output(SAID, "children", allow_duplicate=True),
        Input("alerts-yaml-import", "n_clicks"),
        State("alerts-yaml", "value"),
        State(NAME, "value"),
        prevent_initial_call=True,
    )
    def take(clicks: int | None, text: str | None, name: str | None) -> Any:
        if not clicks:
            return (no_update,) * 3
        try:
            number = desk.take((text or "")[: MOST_CHARS + 1], by=tidy_name(name))
        except BadYaml as exc:
            return _faults(exc), no_update, no_update
        except DatabaseUnavailable as exc:
            return f"✕ They weren’t kept: {exc}.", no_update, no_update
        changed()
        return "", False, f"✓ Imported: {number} rule{'' if number == 1 else 's'}."

    @app.callback(
        Output("alerts-yaml", "value"),
        Output(FORM_FAULTS, "children", allow_duplicate=True),
        Input(UPLOAD, "contents"),
        State(UPLOAD, "filename"),
        prevent_initial_call=True,
    )
    def upload(contents: str | None, filename: str | None) -> Any:
        """Put a file where rules are pasted, and say at once what is wrong with it."""
        if not contents:
            return no_update, no_update
        try:
            text = yaml_of(contents)
        except BadYaml as exc:
            return no_update, f"{filename or 'The file'} {exc}."
        try:
            rules_from_yaml(text)
        except BadYaml as exc:
            return text, _faults(exc)
        return text, ""


def _faults(exc: BadYaml) -> Any:
    return html.Ul([html.Li(fault) for fault in exc.faults[:20]])
